/* current.h - what run() may ask about the request in hand
 *
 * scorehost.cancelled() and scorehost.time_left() take no argument, so the
 * thread that scores says what it has in hand. Threads that the script
 * started itself have nothing: in a worker process, which scores one request
 * at a time, they are told of that one; inside the host nobody can know whose
 * they are, and they are told what is true outside of any request.
 *
 * Thread: any; each function says what is true for the calling one.
 */
#ifndef SCO_PYBRIDGE_CURRENT_H
#define SCO_PYBRIDGE_CURRENT_H

#include "link/call.h"

#include <stdbool.h>
#include <stdint.h>

/* Says that this process scores one request at a time, so that its other
 * threads are told of that one.
 *
 * Thread: the one that will score, before its first call. */
void sco_current_be_alone(void);

/* The calling thread scores this call, until sco_current_end(). */
void sco_current_begin(const struct sco_call *call, struct sco_sink *sink);

/* The calling thread scores nothing any more. */
void sco_current_end(void);

/* Whether nobody waits for the answer; false outside of a request. */
bool sco_current_is_cancelled(void);

/* When the time of the request is over, on the monotonic clock; 0: it has no
 * limit, or there is no request. */
uint64_t sco_current_deadline_ns(void);

#endif
