/* child_int.h - the two halves of the worker's end: taking (child.c) and
 * replying (sink.c)
 *
 * Thread: the worker's.
 */
#ifndef SCO_LINK_CHILD_INT_H
#define SCO_LINK_CHILD_INT_H

#include "base/clock.h"
#include "link/child.h"
#include "link/link_int.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A block that the host may still be sending from. */
struct child_block {
    struct sco_slot slot;
    uint64_t ticket; /* of the request that it was taken for */
    struct shared_block *head;
};

struct sco_child {
    struct sco_sink sink; /* first: a sink is its child */
    struct link_map arena, lane;
    struct shared_arena *shared_arena;
    struct shared_lane *shared;
    struct sco_slots *region; /* the books of the lane's blocks */
    struct child_block *blocks;
    size_t block_count, block_room;
    char *boot;
    size_t boot_bytes;
    int socket, doorbell;
    bool own; /* the maps and the doorbell are ours to close */
    bool line_in_hand;
    atomic_bool poked; /* by another thread: do not wait */

    unsigned calls_head, replies_tail;
    struct sco_lane_call call; /* in hand */
    struct sco_child_run run;  /* that is to be told of; `told` 0: none */
    /* Of the request in hand; NULL: none. Written by the worker's thread,
     * read by whoever asks whether it is cancelled. */
    struct shared_mark *_Atomic mark;
};

extern const struct sco_sink_ops child_sink_ops;

/* The request in hand is no longer ours: nobody hears of its mark. */
static inline void
child_let_go(struct sco_child *child)
{
    atomic_store_explicit(&child->mark, NULL, memory_order_release);
}

/* Fills in what both ways of joining have in common.
 * Errors: SCO_NOMEM. */
SCO_NODISCARD
enum sco_status child_start(struct sco_child *child, struct sco_error *err);

/* Tells the host that the line which was taken last is dealt with. */
void child_finish_line(struct sco_child *child);

/* Says that the worker is about to sleep elsewhere than in sco_child_wait(),
 * where sco_lane_wake_by() reaches it. `for_space`: also when the host gives
 * blocks back. False: something waits already, and it must not sleep. */
bool child_sleeps(struct sco_child *child, bool for_space);

/* Takes that back. */
void child_awake(struct sco_child *child);

/* How many blocks of a request the host has not given back, and their
 * bytes. */
size_t child_blocks(struct sco_child *child, uint64_t ticket,
                    size_t *bytes_out);

/* Gives a piece of a stream without waiting for the client to take earlier
 * ones: the caller limits how many are on their way.
 * Errors: SCO_CANCELLED, as for a sink's chunk(). */
SCO_NODISCARD
enum sco_status child_chunk(struct sco_child *child, struct sco_slice bytes);

/* Puts a reply into the ring, and rings the host's doorbell if it sleeps.
 * Blocks: while the ring is full. */
void child_push(struct sco_child *child, const struct sco_lane_reply *reply);

#endif
