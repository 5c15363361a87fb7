/* line.h - lines for Python's logging, as requests that a worker is given
 *
 * With a user's logging.json in force the host's lines of requests are logged
 * by the script's own Python. Each is a request of kind SCO_LANE_LINE.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_DEPLOY_LINE_H
#define SCO_DEPLOY_LINE_H

#include "base/slice.h"
#include "request/request.h"

#include <sys/types.h>

/* Makes the request. NULL: there is no room for it.
 *
 * Ownership: the caller has the one reference. */
struct sco_request *sco_line_create(struct sco_arena *arena,
                                    struct sco_slice logger,
                                    struct sco_slice message);

/* Writes the line of such a request itself, in the worker's name, since none
 * is left to log it. */
void sco_line_write(const struct sco_request *req, pid_t pid);

#endif
