/* call.h - one request is scored: the road that every one takes
 *
 * Plain POST to a plain run(): all of it here, in C. Everything else goes
 * through Scoring.invoke(). Either way each call gets exactly one reply, also
 * when Python has no memory left or answers nonsense.
 *
 * Thread: that of the scorer's owner, attached to the interpreter, except
 * where a function says something else.
 */
#ifndef SCO_PYBRIDGE_CALL_H
#define SCO_PYBRIDGE_CALL_H

#include "pybridge/py.h"

#include "link/call.h"
#include "pybridge/encode.h"
#include "pybridge/reply.h"
#include "pybridge/scoring.h"

#include <stdatomic.h>

struct sco_tensors;

/* A thread that scores, one call at a time. */
struct sco_scorer {
    const struct sco_scoring *scoring;
    struct sco_tensors *tensors; /* of a script with tensors; else NULL */
    struct sco_encoder encoder;
    unsigned long thread_id;  /* as Python knows it */
    struct sco_sink *sink;    /* of the call in hand */
    struct sco_run_time time; /* ... as far as it was measured */
    Py_ssize_t refused;       /* what `refusals` held when it began */
    atomic_int run;           /* enum run_state of call.c */
};

/* Makes the calling thread's scorer.
 *
 * Ownership: `scoring` is borrowed; the caller ends *out with
 *            sco_scorer_finish().
 * Errors:    -1 with an exception, and *out is zero. */
int sco_scorer_init(const struct sco_scoring *scoring, struct sco_scorer *out);

/* Lets go of it. A zeroed one is allowed. */
void sco_scorer_finish(struct sco_scorer *scorer);

/* Scores one call and gives its reply.
 *
 * Blocks: as long as the script does. No exception is left pending. */
void sco_scorer_score(struct sco_scorer *scorer, const struct sco_call *call,
                      struct sco_sink *sink);

/* Around every call of the script: what has to be raised in it is raised
 * between these two. */
void sco_scorer_begin_run(struct sco_scorer *scorer);

/* ... and the end of it. */
void sco_scorer_end_run(struct sco_scorer *scorer);

/* The reply to calls whose script raised the pending exception, which is
 * logged and cleared: a new reference, or NULL with an exception. */
PyObject *sco_scorer_failed(struct sco_scorer *scorer);

/* Replies with what run() returned, as the contract has it. -1 with an
 * exception when no reply has been given. */
int sco_scorer_give_result(struct sco_scorer *scorer, PyObject *result,
                           uint64_t run_ns);

/* Begins a call, or several as one, whose sink hears what becomes of it. */
void sco_scorer_begin(struct sco_scorer *scorer, const struct sco_call *call,
                      struct sco_sink *sink);

/* What is to be raised in the script that has the thread: ScoringTimeout when
 * its time is over, Cancelled when nobody waits and raising is asked for; a
 * borrowed reference. NULL, and no exception: nothing, or no script has it. */
PyObject *sco_scorer_stop(const struct sco_scorer *scorer);

/* Has what sco_scorer_stop() says raised in a scorer's thread. It hits this
 * call or none; a ScoringTimeout takes the place of a Cancelled that the
 * script has not seen yet.
 *
 * Thread: another one, attached to the same interpreter. */
void sco_scorer_strike(struct sco_scorer *scorer);

#endif
