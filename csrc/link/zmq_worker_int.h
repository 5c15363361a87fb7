/* zmq_worker_int.h - the two halves of a remote worker's end: the line to
 * the host (zmq_worker.c), and what the script's thread has in hand
 * (zmq_desk.c)
 *
 * Thread: zmq.
 */
#ifndef SCO_LINK_ZMQ_WORKER_INT_H
#define SCO_LINK_ZMQ_WORKER_INT_H

#include "base/text.h"
#include "link/link_int.h"
#include "link/zmq_frame.h"
#include "link/zmq_worker.h"

#include <pthread.h>
#include <stdbool.h>

/* A call or a line that is in the lane. */
struct desk_load {
    bool used, is_line;
    bool orphan;    /* its session is over: nobody hears the answer */
    bool streaming; /* START was sent */
    uint64_t id;    /* the host's */
    uint64_t ticket;
    struct sco_slot slot;
    unsigned cancelled; /* enum sco_cancel, or'ed */
    uint32_t timeout_ms;

    /* Pieces that were sent and not acknowledged: their sizes, in a ring. */
    size_t sizes[SCO_FRAME_WINDOW];
    unsigned sent, acked; /* counts, which wrap */
    size_t bytes;
};

/* What the script's thread has before it. */
struct desk {
    struct sco_arena *arena;
    struct sco_lane *lane;
    pthread_t script; /* the thread that runs it */
    struct desk_load loads[SHARED_CALLS];
    unsigned calls; /* loads that are calls */
    bool ready;     /* init() is done */
    struct sco_text documents;

    /* How the desk speaks to the host. */
    void *arg;
    void (*send)(void *arg, struct sco_frame *frame,
                 const struct sco_slice *parts);
};

/* Makes arena and lane for the calling thread, which is the script's.
 * Errors: SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status desk_init(struct desk *desk, struct sco_error *err);

/* Frees them; the script's thread uses them no more. A zeroed one is
 * allowed. */
void desk_finish(struct desk *desk);

/* Puts a call or a line from the host on the desk. False when there is no
 * room for it. */
bool desk_put(struct desk *desk, const struct sco_frame *frame,
              const struct sco_slice *parts);

/* A request is cancelled: `why` as in enum sco_cancel. */
void desk_cancel(struct desk *desk, uint64_t id, unsigned why);

/* The host's client has taken so many pieces. */
void desk_ack(struct desk *desk, uint64_t id, uint64_t count);

/* The session is over: nobody hears what is in hand. */
void desk_orphan(struct desk *desk);

/* Interrupts orphans that run over the limit which their host had set. True
 * while there is one that must be looked at again. */
bool desk_watch_orphans(struct desk *desk);

/* Passes on what the script's thread replied. */
void desk_answer(struct desk *desk);

/* Whether desk_answer() would do something; for the moment before a sleep. */
bool desk_has_answers(const struct desk *desk);

#endif
