/* shared.h - what host and worker see of each other's memory
 *
 * Two mappings. The *arena* holds the requests: the host allocates its slots,
 * every worker of the deployment maps it, so a request that no worker has
 * started can move. The *lane* belongs to one worker: two rings and the
 * region where the worker puts what does not fit behind a request.
 *
 * Design notes
 *
 * A ring has one writer and one reader. `tail` is the writer's count of
 * entries ever written, `head` the reader's of entries ever read; both wrap.
 * Nobody is woken who is awake: a reader that is about to sleep says so, and
 * looks once more; a writer publishes, and looks whether to ring the bell.
 * Both sides use sequentially consistent operations for that pair, so that
 * one of them sees the other.
 *
 * A request's slot begins with a mark: its ticket and how far it is. Only
 * WAITING -> STARTED (the worker) and WAITING -> REVOKED (the host) happen,
 * by compare-and-exchange, so that a request is started once at the most,
 * whatever stale entries stand in a ring. Tickets are never used twice.
 *
 * A block of a lane's region begins with a word that the worker sets and the
 * host clears when it has sent the bytes.
 *
 * The host believes nothing that it reads here: sizes and offsets are copied
 * and checked before use (sco_lane_take). A worker that breaks the rules is
 * killed.
 *
 * Private to link/.
 */
#ifndef SCO_LINK_SHARED_H
#define SCO_LINK_SHARED_H

#include "link/lane.h"
#include "link/slots.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
    SHARED_PAGE = 4096,
    SHARED_MARK_BYTES = 64,  /* struct shared_mark, in each slot */
    SHARED_BLOCK_BYTES = 64, /* struct shared_block, in each block */
    SHARED_CALLS = 256,      /* a power of two */
    SHARED_REPLIES = 256,    /* a power of two */
    SHARED_LANE_HEAD = 64 * 1024,
};

#define SHARED_LANE_BYTES  (SHARED_LANE_HEAD + SCO_SLOTS_BYTES)
#define SHARED_ARENA_BYTES (SHARED_PAGE + SCO_SLOTS_BYTES)

/* The first page of the arena. */
struct shared_arena {
    atomic_uint host_sleeps; /* 1: ring the doorbell after a reply */
};

enum { MARK_WAITING, MARK_STARTED, MARK_REVOKED, MARK_BITS = 2 };

/* The begin of each slot of the arena. */
struct shared_mark {
    _Atomic uint64_t ticket;     /* ticket << MARK_BITS | how far */
    _Atomic uint64_t started_ns; /* set after STARTED; 0 before */
    atomic_uint cancel;          /* enum sco_cancel, or'ed by the host */
};

/* The begin of each block of a lane's region. */
struct shared_block {
    atomic_uint busy; /* 1 from the worker's write to the host's release */
};

enum { SLEEP_NO, SLEEP_FOR_CALLS, SLEEP_FOR_SPACE };

/* The first SHARED_LANE_HEAD bytes of a lane. */
struct shared_lane {
    /* The worker waits here (a futex). */
    alignas(64) atomic_uint bell;
    atomic_uint child_sleeps; /* SLEEP_... */
    atomic_uint stop;         /* 1: end when nothing more waits */

    alignas(64) atomic_uint calls_tail;
    alignas(64) atomic_uint calls_head;
    alignas(64) atomic_uint replies_tail;
    alignas(64) atomic_uint replies_head;

    alignas(64) struct sco_lane_call calls[SHARED_CALLS];
    alignas(64) struct sco_lane_reply replies[SHARED_REPLIES];
};

_Static_assert(sizeof(struct shared_lane) <= SHARED_LANE_HEAD,
               "the rings fit in front of the region");
_Static_assert(sizeof(struct shared_mark) <= SHARED_MARK_BYTES,
               "a mark fits in front of a request");

/* Wakes whoever waits at a futex word of a lane. Thread: any. */
void shared_wake(atomic_uint *word);

/* Writes to an eventfd. Thread: any. */
void shared_ring(int eventfd);

/* Waits until the word is no longer `seen`, a wake-up or a signal. Returns
 * whether it was a signal. Thread: the worker's. Blocks: until then. */
int shared_wait(atomic_uint *word, unsigned seen);

/* The same, but at most until `until_ns` on the monotonic clock; 0: for
 * ever. */
int shared_wait_until(atomic_uint *word, unsigned seen, uint64_t until_ns);

#endif
