/* policy.h - when a batch goes to a worker, and how many rows: pure decisions
 *
 * What waits goes as soon as a worker is idle. There is one thing worth
 * waiting for: the clients whose answers have just gone out, when they are
 * known to be back in a fraction of what a batch costs by itself. Without
 * that, clients that wait for their answers before they ask again part into
 * two crowds, of which one waits while the other is served, and a third of
 * the throughput is lost. With requests that come at random nothing is ever
 * waited for: then as many rows as were answered are not back that soon.
 *
 * How to use it (with batch/former.h, which keeps the fit and the waves of
 * each group up to date and asks for all of them: sco_batch_former_choose())
 *
 *   a request has come    sco_batch_former_add(), then decide
 *   a worker is idle      decide
 *   answers have gone out sco_batch_former_finish(), then decide
 *   the timer             decide
 *
 * To decide is to ask until the answer is to wait:
 *
 *   for (;;) {
 *       decision = sco_batch_former_choose(former, idle, now_ns, &group);
 *       if (decision.rows == 0) {
 *           set the one timer to decision.wait_until_ns, or clear it where
 *           that is SCO_BATCH_NO_TIME;
 *           break;
 *       }
 *       take decision.rows of the group, give them to an idle worker, count
 *       decision.reason, and idle is one less;
 *   }
 *
 * A timer is only ever asked for while a worker is idle, rows wait and there
 * is something to wait for: a host in which nothing happens never wakes up.
 *
 * Thread: any; the structs are their owner's.
 */
#ifndef SCO_BATCH_POLICY_H
#define SCO_BATCH_POLICY_H

#include "batch/fit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nothing but an event ends the waiting. */
#define SCO_BATCH_NO_TIME UINT64_MAX

enum { SCO_BATCH_PREFERRED_MOST = 16 };

/* What the user says; the names are Triton's. */
struct sco_batch_setup {
    uint64_t max_batch_size; /* rows; at least 1 */

    /* Sizes in rows that suit the model, ascending, none over the maximum.
     * A batch has the largest of them that what waits can fill. */
    uint64_t preferred_batch_sizes[SCO_BATCH_PREFERRED_MOST];
    size_t preferred_count;

    /* How long the oldest may be kept waiting for company though a worker is
     * idle. 0: it is not, but as told above. More than 0: it is, in any case,
     * until a preferred or the full size is there. */
    uint64_t max_queue_delay_ns;

    /* What a request should take from its coming to its answer; 0: as long as
     * it does. Batches are made smaller for it, nothing is refused. */
    uint64_t objective_ns;
};

/* Why a batch went: a label of the metric. The last two are not the policy's
 * to say, but of whoever obeys it. */
#define SCO_BATCH_REASON_MAP(X)                                            \
    X(FULL, "full")           /* the maximum is there */                   \
    X(PREFERRED, "preferred") /* a preferred size is there */              \
    X(IDLE, "idle")           /* a worker is idle, and nobody awaited */   \
    X(GAP, "gap")             /* who was awaited does not come */          \
    X(DELAY, "delay")         /* the oldest waited max_queue_delay */      \
    X(DEADLINE, "deadline")   /* later or larger, one would be late */     \
    X(SPLIT, "split")         /* a part of one that failed is run again */ \
    X(STOP, "stop")           /* the worker ends: nobody else will come */

#define X(name, text) SCO_BATCH_##name,
enum sco_batch_reason { SCO_BATCH_REASON_MAP(X) SCO_BATCH_REASON_COUNT };
#undef X

/* A reason's label. */
const char *sco_batch_reason_text(enum sco_batch_reason reason);

/* Whether clients come in waves: who was just answered comes back. One for
 * each group; zeroed it knows nothing. */
struct sco_batch_waves {
    uint64_t answered_ns;   /* when answers last went out; 0: never */
    uint64_t answered_rows; /* of that batch */
    uint64_t back_rows;     /* that have come since */
    uint64_t last_ns;       /* when the last of these came */
    unsigned seen;          /* waves that `turn_ns` is made of */
    double turn_ns; /* until as many rows are back as were answered: mean */
    double step_ns; /* from one arrival to the next in a wave: mean */
};

/* A request of so many rows has come. One that was there before the last
 * answers went out, and is only told now, is nobody who came back. */
void sco_batch_waves_came(struct sco_batch_waves *waves, uint64_t rows,
                          uint64_t now_ns);

/* The answers of a batch of so many rows have gone out. */
void sco_batch_waves_answered(struct sco_batch_waves *waves, uint64_t rows,
                              uint64_t now_ns);

/* What there is at the moment. */
struct sco_batch_view {
    uint64_t now_ns;
    size_t idle;          /* workers that have nothing to do */
    uint64_t rows;        /* that wait */
    uint64_t oldest_ns;   /* when the oldest of them came */
    uint64_t deadline_ns; /* the earliest of them; 0: none has one */
};

/* What is to be done: either a batch of at most `rows` goes now, for this
 * reason, or, when `rows` is 0, nothing does until something happens or that
 * time has come. A request that is first and has more rows than that, though
 * not more than the maximum, goes whole. */
struct sco_batch_decision {
    uint64_t rows;
    enum sco_batch_reason reason;
    uint64_t wait_until_ns; /* SCO_BATCH_NO_TIME: until something happens */
};

/* Decides. Nothing that waits is kept beyond the moment from which it would
 * be late by what the fit says. A batch is made smaller for the earliest
 * deadline, unless that cost more than half of the throughput (then the many
 * would be late for the one), and not for one that cannot be met anyway. */
struct sco_batch_decision sco_batch_decide(const struct sco_batch_setup *setup,
                                           const struct sco_batch_fit *fit,
                                           const struct sco_batch_waves *waves,
                                           const struct sco_batch_view *view);

/* By how much a request of `rows` rows would miss a deadline that is
 * `left_ns` away, as far as can be told, when `ahead` rows are served before
 * it, at work now included, by so many workers in full batches. 0 is in time,
 * and so is one that may be in the next batch of a worker. For the door: who
 * cannot be in time is refused. */
uint64_t sco_batch_late_ns(const struct sco_batch_setup *setup,
                           const struct sco_batch_fit *fit, uint64_t ahead,
                           uint64_t rows, size_t workers, uint64_t left_ns);

#endif
