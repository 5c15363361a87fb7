/* backoff.h - how long to wait before what failed is tried again: pure
 *
 * Thread: any.
 */
#ifndef SCO_BASE_BACKOFF_H
#define SCO_BASE_BACKOFF_H

#include <stdint.h>

/* How long to wait after the `failures`-th failure in a row: nothing up to
 * the first, which may be an accident, then from 100 ms doubling to 10 s. */
uint64_t sco_backoff_delay_ns(unsigned failures);

#endif
