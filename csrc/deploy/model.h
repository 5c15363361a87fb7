/* model.h - the deployment as a model of the Open Inference Protocol
 *
 * Its signature, which workers offer in a document when they are ready, and
 * what it has done so far. A script that declares no tensors is no model.
 *
 * Counting costs the same for every request, however many there were: sums,
 * and one entry for each number of rows that run() was called with. Where
 * run() takes one request, the request tells of its call; where it takes
 * batches, each call is told of by itself (worker/ran.h), since neither the
 * requests of a call nor the calls of a request are one.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_DEPLOY_MODEL_H
#define SCO_DEPLOY_MODEL_H

#include "base/slice.h"
#include "base/text.h"
#include "v2/documents.h"
#include "v2/signature.h"
#include "worker/ran.h"

#include <stdbool.h>
#include <stdint.h>

/* So many numbers of rows have an entry; more of them are in the sums. */
enum { SCO_MODEL_BATCHES_MAX = 256 };

/* One infer request that was answered. */
struct sco_inference {
    bool went_well;
    uint64_t rows;      /* of those that went well */
    uint64_t took_ns;   /* from its head to its answer */
    uint64_t queue_ns;  /* until a worker began with it */
    uint64_t input_ns;  /* until run() was called */
    uint64_t run_ns;    /* inside of run() */
    uint64_t output_ns; /* until the answer was here */
};

/* Embedded in its owner; zeroed, it is that of a script without tensors. */
struct sco_model {
    struct sco_v2_signature signature;
    struct sco_text declared; /* what the signature was read from */
    bool is_there;            /* there is a signature */
    struct sco_v2_stats stats;
    struct sco_v2_batch_stats batches[SCO_MODEL_BATCHES_MAX];
};

/* Takes the signature that a ready worker offers; empty: the script has
 * none. What was counted stays, unless it is another model by its name or
 * version. A signature that cannot be read is told in the log, and there is
 * then no model. */
void sco_model_declare(struct sco_model *model, struct sco_slice signature);

/* The signature, or NULL. It holds until the next sco_model_declare(). */
const struct sco_v2_signature *
sco_model_signature(const struct sco_model *model);

/* Counts a request, and its call of run() where that takes no batches. */
void sco_model_count(struct sco_model *model,
                     const struct sco_inference *inference);

/* Counts a call of run() that takes batches, if it went well and an infer
 * request told of it. */
void sco_model_count_run(struct sco_model *model, const struct sco_ran *ran);

/* Frees what a model has. */
void sco_model_finish(struct sco_model *model);

#endif
