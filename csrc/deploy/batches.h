/* batches.h - why batches went, and how large they were: counters
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_DEPLOY_BATCHES_H
#define SCO_DEPLOY_BATCHES_H

#include "batch/policy.h"
#include "metrics/histogram.h"
#include "worker/ran.h"

#include <stdint.h>

/* A worker may say what it likes: a reason that is none of policy.h is
 * SCO_BATCHES_OTHER. */
enum {
    SCO_BATCHES_OTHER = SCO_BATCH_REASON_COUNT,
    SCO_BATCHES_REASONS,
};

/* Embedded in its owner. */
struct sco_batches {
    uint64_t reasons[SCO_BATCHES_REASONS];
    uint64_t failed;
    struct sco_histogram rows;
};

/* Sets all to zero. */
void sco_batches_init(struct sco_batches *batches);

/* Counts a call of run(). */
void sco_batches_count(struct sco_batches *batches, const struct sco_ran *ran);

/* The label of a reason, SCO_BATCHES_OTHER included. Thread: any. */
const char *sco_batches_reason_text(unsigned reason);

#endif
