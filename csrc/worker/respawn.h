/* respawn.h - when the next worker is started: pure decisions
 *
 * Thread: any.
 */
#ifndef SCO_WORKER_RESPAWN_H
#define SCO_WORKER_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a worker that ended had been of use, so that its end is an
 * accident and not the next one of a row: it answered a request, or was ready
 * for five seconds. `ready_ns` is how long it was ready. */
bool sco_respawn_was_useful(uint64_t ready_ns, unsigned served);

/* How long to wait after the `failures`-th useless worker in a row: nothing
 * up to the first, then from 100 ms doubling to 10 s. */
uint64_t sco_respawn_delay_ns(unsigned failures);

#endif
