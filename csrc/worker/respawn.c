#include "worker/respawn.h"

#include "base/clock.h"

#define HEALTHY_NS      (5 * SCO_NS_PER_S)
#define FIRST_DELAY_NS  (100 * SCO_NS_PER_MS)
#define LONGEST_DELAY_NS (30 * SCO_NS_PER_S)

enum { HEALTHY_REQUESTS = 100, DOUBLINGS_MAX = 16 };

bool
sco_respawn_was_healthy(uint64_t ready_ns, unsigned served)
{
    return ready_ns >= HEALTHY_NS || served >= HEALTHY_REQUESTS;
}

uint64_t
sco_respawn_delay_ns(unsigned failures)
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
