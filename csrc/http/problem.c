/* problem.c - the one place that knows both vocabularies */
#include "http/problem.h"

/* clang-format off */
static const unsigned problems[SCO_STATUS_COUNT] = {
    [SCO_OK]          = 200,
    [SCO_INVALID]     = 400,
    [SCO_TOO_LARGE]   = 413,
    [SCO_UNSUPPORTED] = 501,
    [SCO_NOT_FOUND]   = 404,
    [SCO_BUSY]        = 503,
    [SCO_CLOSED]      = 503,
    [SCO_TIMEOUT]     = 500,
    [SCO_DEADLINE]    = 504,
    [SCO_CANCELLED]   = 499,
    [SCO_SCRIPT]      = 500,
    [SCO_WORKER_LOST] = 502,
    [SCO_NOMEM]       = 503,
    [SCO_INTERNAL]    = 500,
};
/* clang-format on */

/* tests/unit/http/test_problem.c sees to it that no status lacks its line. */
unsigned
sco_problem_http(enum sco_status status)
{
    return problems[status];
}
