/* counts.h - what a host counts of its requests
 *
 * Plain numbers, all of them the loop's. metrics/metrics.def says what they
 * are called; metrics.c beside this writes them.
 *
 * Thread: the loop's.
 */
#ifndef SCO_HOST_COUNTS_H
#define SCO_HOST_COUNTS_H

#include "host/stages.h"
#include "metrics/histogram.h"

#include <stdint.h>

/* What was asked for: a label. */
#define VISIT_ROUTE_MAP(X)                                                   \
    X(NOWHERE, "other") /* unknown, or refused before it was looked at */    \
    X(HEALTH, "health")                                                      \
    X(SCORE, "score")                                                        \
    X(SWAGGER, "swagger")                                                    \
    X(INFER, "infer") /* of the v2 protocol: scored, as what comes to /score \
                         is */                                               \
    X(V2, "v2")       /* anything else below /v2 */                          \
    X(METRICS, "metrics")

/* Why a request was answered that no worker had begun: a label. */
#define SCO_REFUSED_MAP(X)                                                  \
    X(FULL, "queue_full")     /* as many wait as may */                     \
    X(TOO_LARGE, "too_large") /* its body is */                             \
    X(HOPELESS, "hopeless")   /* it would be answered too late */           \
    X(DEADLINE, "deadline")   /* its time was over before a worker began */ \
    X(NO_WORKER, "no_worker") /* none is there, nor to be had */            \
    X(DRAINING, "draining")   /* the host ends */                           \
    X(MEMORY, "memory")       /* there is none for it */                    \
    X(INVALID, "invalid")     /* it is no HTTP, or says what cannot be */

/* What went wrong when one had: a label. */
#define SCO_FAILED_MAP(X)                                      \
    X(SCRIPT, "script")      /* it raised */                   \
    X(TIMEOUT, "timeout")    /* over the scoring timeout */    \
    X(DEADLINE, "deadline")  /* over its caller's time */      \
    X(WORKER, "worker_lost") /* it ended */                    \
    X(UNFIT, "unfit")        /* this kind of worker cannot */  \
    X(STREAM, "stream")      /* a streamed answer broke off */ \
    X(INTERNAL, "internal")  /* a defect */

#define X(name, text) VISIT_##name,
enum visit_route { VISIT_ROUTE_MAP(X) VISIT_ROUTES };
#undef X
#define X(name, text) SCO_REFUSED_##name,
enum sco_refused { SCO_REFUSED_MAP(X) SCO_REFUSED_COUNT };
#undef X
#define X(name, text) SCO_FAILED_##name,
enum sco_failed { SCO_FAILED_MAP(X) SCO_FAILED_COUNT };
#undef X

/* The statuses that an answer may have. */
enum {
    SCO_CODE_FIRST = 100,
    SCO_CODE_LAST = 999,
    SCO_CODES = SCO_CODE_LAST - SCO_CODE_FIRST + 1,
};

struct sco_counts {
    uint64_t answered[VISIT_ROUTES][SCO_CODES];
    uint64_t in_flight[VISIT_ROUTES];
    struct sco_histogram took[VISIT_ROUTES]; /* of what is scored */
    struct sco_histogram stages[SCO_STAGES];
    uint64_t refused[SCO_REFUSED_COUNT];
    uint64_t failed[SCO_FAILED_COUNT];
    uint64_t abandoned[SCO_STAGES]; /* in the stage in which they were */
    uint64_t bytes_in, bytes_out;   /* of bodies */
    uint64_t begun_ns;              /* when all were zero, on the clock that
                                       people have */
};

/* Makes them, all zero.
 *
 * Ownership: the caller's, to be ended with sco_counts_destroy(). */
struct sco_counts *sco_counts_create(void);

/* Frees them. NULL is allowed. */
void sco_counts_destroy(struct sco_counts *counts);

/* A route's label. Thread: any. */
const char *sco_route_text(enum visit_route route);

/* A refusal's label. Thread: any. */
const char *sco_refused_text(enum sco_refused why);

/* A failure's label. Thread: any. */
const char *sco_failed_text(enum sco_failed why);

/* Counts an answer. */
static inline void
sco_counts_answer(struct sco_counts *counts, enum visit_route route,
                  unsigned status)
{
    if (status >= SCO_CODE_FIRST && status <= SCO_CODE_LAST) {
        counts->answered[route][status - SCO_CODE_FIRST]++;
    }
}

/* Counts the stages that were reached. */
void sco_counts_stages(struct sco_counts *counts,
                       const struct sco_stage_times *times);

#endif
