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

    unsigned calls_head, replies_tail;
    struct sco_lane_call call; /* in hand */
    struct shared_mark *mark;  /* of the request in hand; NULL: none */
};

extern const struct sco_sink_ops child_sink_ops;

/* Fills in what both ways of joining have in common.
 * Errors: SCO_NOMEM. */
SCO_NODISCARD
enum sco_status child_start(struct sco_child *child, struct sco_error *err);

/* Puts a reply into the ring, and rings the host's doorbell if it sleeps.
 * Blocks: while the ring is full. */
void child_push(struct sco_child *child, const struct sco_lane_reply *reply);

#endif
