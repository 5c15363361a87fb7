/* batching_int.h - between batching.c, which takes calls and says what goes,
 * and batching_run.c, which runs it
 *
 * A batch that goes is a flight until its replies are given. On a CPU that is
 * one call. On a GPU run() returns before its work is done: the flight is then
 * in the air, and another may go meanwhile.
 *
 * Thread: that of the scorer's owner, attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_BATCHING_INT_H
#define SCO_PYBRIDGE_BATCHING_INT_H

#include "pybridge/py.h"

#include "base/list.h"
#include "batch/former.h"
#include "link/child.h"
#include "pybridge/gathered.h"
#include "pybridge/tensors.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    HELD_MAX = 256,
    FLIGHTS = 2, /* the stage has a slot more, for calls that go alone */
};

/* A call that is held. */
struct held_call {
    struct sco_batch_entry entry;
    struct sco_list link; /* among the free, or those in hand */
    struct sco_child_held held;
    struct sco_call call;
    struct sco_job job;           /* of tensors */
    PyObject *body;               /* of bodies: a str */
    struct sco_gathered gathered; /* of one that is cut: its outputs */
    bool is_answered;
    bool is_in_air; /* in a flight that is: it is let alone until that lands */
};

/* A part of a batch. */
struct share {
    struct held_call *call;
    size_t part; /* in the former's batch */
};

/* A batch that went, until all of it is answered. */
struct flight {
    struct sco_batch *batch; /* the former's; NULL: no flight */
    enum sco_batch_reason reason;
    bool is_in_air;
    struct sco_pass pass;
    struct share shares[HELD_MAX];
    struct sco_part parts[HELD_MAX]; /* of tensors, as the shares */
    size_t share_count;
};

/* All that there is. */
struct batching {
    struct sco_sink sink; /* first: what the whole batch is told */
    struct sco_scorer *scorer;
    struct sco_child *child;
    const struct sco_tensor_model *model;
    struct sco_batch_former *former;
    struct sco_list spare, in_hand;
    size_t in_hand_count;
    struct flight flights[FLIGHTS];
    size_t first;           /* the flight that went first */
    size_t air_count;       /* how many are in the air, from it on */
    struct flight *running; /* whose run() is called, or NULL */

    /* The batch that was over last, while it is not settled; or NULL. */
    struct sco_batch *over;
    enum sco_batch_end end; /* how it ended */
    uint64_t end_ns;        /* and when */

    struct held_call calls[HELD_MAX];
};

/* Makes a call the one in hand, and says where its reply goes. */
struct sco_sink *batching_sink(struct batching *all,
                               const struct held_call *call);

/* Whether it is a request of the v2 protocol. */
bool batching_is_infer(const struct held_call *call);

/* A call has its reply: nothing more is to be looked at. */
void batching_release(struct batching *all, struct held_call *call);

/* Whether nobody waits for a call any more; it then has an answer, which
 * nobody reads. */
bool batching_drop_if_cancelled(struct batching *all, struct held_call *call);

/* Replies to a call that is not what run() takes. */
void batching_refuse(struct batching *all, struct held_call *call,
                     const struct sco_error *why);

/* Runs a batch that went for this reason. Each part of it that is still
 * wanted has its reply then, or the batch is in the air. There must not be
 * FLIGHTS already. */
void batching_run(struct batching *all, struct sco_batch *batch,
                  enum sco_batch_reason reason);

/* Whether the first flight in the air can land without waiting. */
bool batching_can_land(struct batching *all);

/* Lands it: its parts have their replies then.
 * Blocks: until the GPU is through with it; the GIL is let go. */
void batching_land(struct batching *all);

#endif
