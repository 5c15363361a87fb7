#include "worker/respawn.h"

#include "base/backoff.h"
#include "base/clock.h"

#define USEFUL_NS (5 * SCO_NS_PER_S)

bool
sco_respawn_was_useful(uint64_t ready_ns, unsigned served)
{
    return served > 0 || ready_ns >= USEFUL_NS;
}

uint64_t
sco_respawn_delay_ns(unsigned failures)
{
    return sco_backoff_delay_ns(failures);
}
