/* respawn.h - when the next worker is started: pure decisions
 *
 * Thread: any.
 */
#ifndef SCO_WORKER_RESPAWN_H
#define SCO_WORKER_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a worker that ended had been of use, so that its end is an
 * accident and not the next one of a row: it served for five seconds, or a
 * hundred requests. `ready_ns` is how long it was ready. */
bool sco_respawn_was_healthy(uint64_t ready_ns, unsigned served);

/* How long to wait after the `failures`-th bad end in a row: nothing after
 * the first, then from 100 ms doubling to 30 s. */
uint64_t sco_respawn_delay_ns(unsigned failures);

#endif
