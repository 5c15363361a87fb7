/* problem.h - which HTTP status a failure has
 *
 * The one place that knows both vocabularies. Thread: any.
 */
#ifndef SCO_HTTP_PROBLEM_H
#define SCO_HTTP_PROBLEM_H

#include "base/status.h"

/* The HTTP status that a client of azmlinfsrv sees for `status`. */
unsigned sco_problem_http(enum sco_status status);

#endif
