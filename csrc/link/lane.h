/* lane.h - the host's end of the memory it shares with workers
 *
 * The arena is one for each deployment and holds the requests' bytes; a lane
 * is one for each worker and carries calls to it and replies from it. The
 * worker's end of a lane is link/child.h. What lies in that memory, and why
 * no lock is needed, is told in link/shared.h.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_LINK_LANE_H
#define SCO_LINK_LANE_H

#include "base/slice.h"
#include "base/status.h"
#include "link/slots.h"

#include <stdbool.h>
#include <stdint.h>

struct sco_arena;
struct sco_lane;

/* Bytes at the begin of a slot that are not the caller's. */
enum { SCO_SLOT_MARK_BYTES = 64 };

enum sco_lane_call_kind {
    SCO_LANE_PLAIN,   /* a request; as enum sco_call_way */
    SCO_LANE_GENERAL, /* a request */
    SCO_LANE_INFER,   /* a request */
    SCO_LANE_LINE,    /* a line for Python's logging */
};

/* What a worker is to do, beside calling run(). */
enum sco_lane_call_flag {
    /* Answer what comes too late, with 504: whoever sent it does not watch
     * the time, and waits for an answer to each. */
    SCO_LANE_ANSWER_LATE = 1,
};

/* What goes to a worker: a request that stands in a slot. The head block
 * follows the mark, the body follows the head block. */
struct sco_lane_call {
    uint64_t ticket; /* from sco_arena_mark() */
    uint64_t offset; /* of the slot */
    uint64_t slot_bytes;
    uint64_t body_bytes;
    uint32_t head_bytes;
    uint32_t kind;
    uint32_t timeout_ms;
    uint32_t flags;       /* enum sco_lane_call_flag */
    uint64_t deadline_ns; /* the caller's, on the host's monotonic clock;
                             0: none. A worker does not begin it later. */
    uint64_t given_ns;    /* when sco_lane_send() gave it */
};

enum sco_lane_reply_kind {
    SCO_LANE_READY,   /* init() is done; the bytes are documents */
    SCO_LANE_WHOLE,   /* a reply, complete */
    SCO_LANE_START,   /* a streamed reply begins; the bytes are its headers */
    SCO_LANE_CHUNK,   /* a piece of it */
    SCO_LANE_END,     /* its end; status is an enum sco_status */
    SCO_LANE_SKIPPED, /* a line was logged */
    SCO_LANE_RAN,     /* run() was called for it and others, and none of them
                         has a reply by that; it will have one */
    SCO_LANE_KINDS,
};

enum sco_lane_place {
    SCO_LANE_NOWHERE,
    SCO_LANE_IN_SLOT,  /* offset counts from the begin of the slot */
    SCO_LANE_IN_BLOCK, /* offset is a block's; see sco_lane_release() */
};

/* What comes from a worker. */
struct sco_lane_reply {
    uint64_t ticket;
    uint64_t offset;
    uint64_t body_bytes;
    uint64_t run_ns;
    int64_t stream_bytes;
    uint32_t headers_bytes; /* a field block, in front of the body */
    uint32_t kind;
    uint32_t place;
    uint32_t status;
    uint32_t flags; /* enum sco_reply_flag */
    uint16_t has_reason;
    uint16_t batch_told; /* bits of enum sco_batch_told */
    uint64_t begun_ns;   /* when run() was called, on the host's monotonic
                            clock; 0: unknown */
    uint32_t rows;       /* that the request has; 0: it has none */
    uint32_t batch_rows; /* ... and that the run() had which they were in */
};

/* Why a request is wanted no longer: bits, or'ed together. */
enum sco_cancel {
    SCO_CANCEL_GONE = 1,     /* the client left */
    SCO_CANCEL_TIMEOUT = 2,  /* over the scoring limit; the client was told */
    SCO_CANCEL_DEADLINE = 4, /* over the caller's; the client was told */
    SCO_CANCEL_SENDING = 8,  /* the client sends no more, and may still read:
                                run() is told, an answer is still sent */
    SCO_CANCEL_RAISE = 16,   /* beside GONE or DEADLINE: Cancelled is to be
                                raised in run() */
};

/* Makes an arena with its doorbell.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_NOMEM, SCO_INTERNAL with the system's reason. */
SCO_NODISCARD
enum sco_status sco_arena_create(struct sco_arena **out,
                                 struct sco_error *err);

/* Frees an arena whose slots are all given back. NULL is allowed. */
void sco_arena_destroy(struct sco_arena *arena);

/* The slots' books, to take and to give. */
struct sco_slots *sco_arena_slots(struct sco_arena *arena);

/* The bytes of a slot behind its mark. */
char *sco_arena_bytes(struct sco_arena *arena, struct sco_slot slot);

/* The eventfd that workers write to when the host sleeps; to be watched with
 * EPOLLIN | EPOLLET and never read. */
int sco_arena_doorbell(const struct sco_arena *arena);

/* Says that the host is about to sleep; it must then look at the lanes once
 * more. */
void sco_arena_sleep(struct sco_arena *arena);

/* Says that the host is awake: workers need not ring. */
void sco_arena_awake(struct sco_arena *arena);

/* Marks the slot's request as waiting, under a new ticket, and returns it. */
uint64_t sco_arena_mark(struct sco_arena *arena, struct sco_slot slot);

/* Takes back a request that no worker has started. False: it has been. */
bool sco_arena_revoke(struct sco_arena *arena, struct sco_slot slot,
                      uint64_t ticket);

/* When the request was started, on the monotonic clock; 0: not yet. */
uint64_t sco_arena_started_ns(struct sco_arena *arena, struct sco_slot slot);

/* Tells the worker that has the request why nobody waits any more: bits of
 * enum sco_cancel. */
void sco_arena_cancel(struct sco_arena *arena, struct sco_slot slot,
                      unsigned why);

/* Makes a lane.
 *
 * Ownership: the caller owns one reference of *out, ended with
 *            sco_lane_unref(). `arena` is borrowed.
 * Errors:    SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_lane_create(struct sco_arena *arena, struct sco_lane **out,
                                struct sco_error *err);

/* One more reference, for bytes of the lane that are still being sent. */
struct sco_lane *sco_lane_ref(struct sco_lane *lane);

/* Gives a reference back; the last one unmaps the lane. NULL is allowed. */
void sco_lane_unref(struct sco_lane *lane);

/* Sends the boot text and the descriptors of arena, lane and doorbell over
 * the SOCK_SEQPACKET socket that the worker process was spawned with.
 *
 * Blocks: never; the socket is new and empty.
 * Errors: SCO_TOO_LARGE, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_lane_hello(struct sco_lane *lane, int socket,
                               struct sco_slice boot, struct sco_error *err);

/* Has an eventfd written to where a worker would be woken, for one whose
 * thread waits for more than its lane. The descriptor is the caller's and
 * outlives the lane's use. */
void sco_lane_wake_by(struct sco_lane *lane, int eventfd);

/* Puts a call into the ring. False when it is full. */
bool sco_lane_send(struct sco_lane *lane, const struct sco_lane_call *call);

/* Wakes the worker if it sleeps; called once after a burst of sends. */
void sco_lane_ring(struct sco_lane *lane);

/* Takes the next reply, if there is one. What is taken is sound in itself:
 * kinds, places and sizes are in bounds (SCO_LANE_IN_SLOT is checked by
 * sco_lane_reply_fits()).
 *
 * Errors: SCO_NOT_FOUND when nothing waits, SCO_INVALID when the worker broke
 *         the rules. */
SCO_NODISCARD
enum sco_status sco_lane_take(struct sco_lane *lane,
                              struct sco_lane_reply *out);

/* Whether a reply's bytes lie inside the slot of its request, or inside a
 * lane's region. Pure. Thread: any. */
bool sco_lane_reply_fits(const struct sco_lane_reply *reply,
                         uint64_t slot_bytes);

/* The bytes of a block; valid until it is released. */
const char *sco_lane_bytes(const struct sco_lane *lane, uint64_t offset);

/* Gives a block back to the worker. */
void sco_lane_release(struct sco_lane *lane, uint64_t offset);

/* Tells the worker to end when nothing more waits in its ring. */
void sco_lane_stop(struct sco_lane *lane);

#endif
