#include "base/backoff.h"

#include "base/clock.h"

#define FIRST_DELAY_NS   (100 * SCO_NS_PER_MS)
#define LONGEST_DELAY_NS (10 * SCO_NS_PER_S)

enum { DOUBLINGS_MAX = 16 };

uint64_t
sco_backoff_delay_ns(unsigned failures)
{
    uint64_t delay_ns = FIRST_DELAY_NS;

    if (failures <= 1) {
        return 0;
    }
    if (failures - 2 >= DOUBLINGS_MAX) {
        return LONGEST_DELAY_NS;
    }
    delay_ns <<= failures - 2;
    return delay_ns < LONGEST_DELAY_NS ? delay_ns : LONGEST_DELAY_NS;
}
