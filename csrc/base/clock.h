/* clock.h - what time it is
 *
 * Durations and deadlines are nanoseconds on the monotonic clock. Pure code
 * is given `now_ns` and never asks. Thread: any.
 */
#ifndef SCO_BASE_CLOCK_H
#define SCO_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SCO_NS_PER_MS UINT64_C(1000000)
#define SCO_NS_PER_S  UINT64_C(1000000000)

/* Nanoseconds on the monotonic clock, which all processes of a machine
 * share. */
static inline uint64_t
sco_clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SCO_NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
