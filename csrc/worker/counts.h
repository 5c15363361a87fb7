/* counts.h - how workers went, in numbers
 *
 * Thread: the loop's, but for what is pure.
 */
#ifndef SCO_WORKER_COUNTS_H
#define SCO_WORKER_COUNTS_H

#include "worker/boss.h"
#include "worker/recycle.h"

#include <stdbool.h>
#include <stdint.h>

/* How one ended that was not asked to: a label of the metric. */
#define SCO_LOST_MAP(X)                                                       \
    X(EXIT, "exit")     /* by itself, with whatever code */                   \
    X(SIGNAL, "signal") /* by a signal that was not ours */                   \
    X(KILLED, "killed") /* by us: it did not come back, or broke the rules */ \
    X(STUCK, "stuck")   /* inside the host: its thread is left behind */      \
    X(PARENT, "parent") /* with that which it was forked from */              \
    X(REMOTE, "remote") /* elsewhere, or on the way there */

/* Why one was replaced that had not failed: a label too. */
#define SCO_REPLACED_MAP(X)                                 \
    X(REQUESTS, "requests") /* it has answered so many */   \
    X(AGE, "age")           /* it is so old */              \
    X(MEMORY, "memory")     /* it has so much memory */     \
    X(RELOAD, "reload")     /* the script is loaded anew */ \
    X(KIND, "kind")         /* the script moved to another kind */

#define X(name, text) SCO_LOST_##name,
enum sco_lost { SCO_LOST_MAP(X) SCO_LOST_COUNT };
#undef X
#define X(name, text) SCO_REPLACED_##name,
enum sco_replaced { SCO_REPLACED_MAP(X) SCO_REPLACED_COUNT };
#undef X

/* What a pool counts. */
struct sco_worker_counts {
    uint64_t lost[SCO_LOST_COUNT];
    uint64_t replaced[SCO_REPLACED_COUNT];
};

/* A way's label; "" for one that is none. Thread: any. */
const char *sco_lost_text(enum sco_lost how);

/* A reason's label. Thread: any. */
const char *sco_replaced_text(enum sco_replaced why);

/* How a worker ended that nobody had asked to: pure. SCO_LOST_COUNT: it is
 * not lost, for it came from elsewhere and went as it liked. Thread: any. */
enum sco_lost sco_lost_of(const struct sco_worker_end *end, bool is_guest,
                          bool was_killed);

/* Why a worker is replaced that is worn, or not: pure. Thread: any. */
enum sco_replaced sco_replaced_of(enum sco_recycle_why worn);

#endif
