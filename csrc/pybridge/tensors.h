/* tensors.h - requests of tensors are scored, and their replies made
 *
 * Thread: that of the scorer's owner, attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_TENSORS_H
#define SCO_PYBRIDGE_TENSORS_H

#include "pybridge/py.h"

#include "base/text.h"
#include "pybridge/call.h"
#include "pybridge/pass.h"

struct sco_device;

/* What a scorer has for tensors. */
struct sco_tensors {
    const struct sco_tensor_model *model;
    struct sco_device *device; /* NULL: arrays are in main memory */
    struct sco_memory_shelf shelf;
    struct sco_job job;   /* of a call that is scored alone */
    struct sco_pass pass; /* ... and its run() */
    struct sco_v2_output shares[SCO_V2_TENSORS_MAX]; /* of one request */
    struct sco_v2_reply reply;
    struct sco_text text;
};

/* Makes it for a model with tensors, which must outlive it. -1 with an
 * exception. */
int sco_tensors_create(const struct sco_tensor_model *model,
                       struct sco_tensors **out);

/* Ends it. NULL is allowed. */
void sco_tensors_destroy(struct sco_tensors *tensors);

/* Scores one call. 0: it has its reply; -1: it has none, and there is an
 * exception; 1: it is not what a schema says, and none is given: it goes to
 * Scoring.invoke(). */
int sco_tensors_score(struct sco_scorer *scorer, const struct sco_call *call);

/* Reads a job, while other threads may run if it is large. A packed body is
 * unpacked on the way. */
SCO_NODISCARD
enum sco_status sco_tensors_read(struct sco_tensors *tensors,
                                 struct sco_job *job,
                                 const struct sco_call *call,
                                 struct sco_error *err);

/* Replies to a request with its outputs, which all together have so many
 * bytes. -1, and an exception, without. */
int sco_tensors_give(struct sco_scorer *scorer, struct sco_sink *sink,
                     const struct sco_job *job,
                     const struct sco_v2_output *outputs, size_t count,
                     size_t bytes, uint64_t batch_rows);

/* Replies to a request that is not what run() takes. */
void sco_tensors_refuse(struct sco_scorer *scorer, struct sco_sink *sink,
                        bool is_infer, const struct sco_error *why);

/* Replies to a request whose script failed: with the reply that the contract
 * has for it, or for v2 with its status and a text. -1 with an exception. */
int sco_tensors_give_failed(struct sco_scorer *scorer, struct sco_sink *sink,
                            bool is_infer, PyObject *reply, const char *text);

/* What a client of v2 is told of the pending exception, which stays pending:
 * what is wrong with the outputs, but of the script's own nothing, as on
 * /score. */
void sco_tensors_tell(char *text, size_t room);

#endif
