/* head.h - a head, from what the library has parsed
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_HEAD_H
#define SCO_HTTP_HEAD_H

#include "http/http_int.h"

/* Keeps the target, before the library changes it.
 *
 * Errors: false when there is no memory. */
bool sco_head_keep_target(struct sco_exchange *ex, const char *target);

/* Fills in ex->head from what the library has parsed; false when the bytes
 * were not what the library took them for (0.9: a bare LF, a NUL, a folded
 * line) or there is no memory. */
bool sco_exchange_read_head(struct sco_exchange *ex, const char *method,
                            const char *version);

#endif
