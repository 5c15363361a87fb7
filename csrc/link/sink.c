#define _GNU_SOURCE
#include "link/child_int.h"

#include "link/head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STREAM_BYTES_MAX = 4 * 1024 * 1024, /* on their way to a slow client */
    STREAM_BLOCKS_MAX = 64,
};

static void
ring_doorbell(struct sco_child *child)
{
    if (atomic_load(&child->shared_arena->host_sleeps) == 0 ||
        atomic_exchange(&child->shared_arena->host_sleeps, 0) == 0) {
        return;
    }
    shared_ring(child->doorbell);
}

/* Sleeps until the host has taken or released something; `ready` is looked
 * at once more after the host can see that we sleep. */
static void
wait_for_space(struct sco_child *child, bool (*ready)(struct sco_child *))
{
    struct shared_lane *shared = child->shared;

    while (!ready(child)) {
        unsigned seen = atomic_load(&shared->bell);

        atomic_store(&shared->child_sleeps, SLEEP_FOR_SPACE);
        if (!ready(child)) {
            (void)shared_wait(&shared->bell, seen);
        }
        atomic_store_explicit(&shared->child_sleeps, SLEEP_NO,
                              memory_order_relaxed);
    }
}

static bool
ring_has_room(struct sco_child *child)
{
    return child->replies_tail - atomic_load(&child->shared->replies_head) <
           SHARED_REPLIES;
}

void
child_push(struct sco_child *child, const struct sco_lane_reply *reply)
{
    struct shared_lane *shared = child->shared;

    wait_for_space(child, ring_has_room);
    shared->replies[child->replies_tail % SHARED_REPLIES] = *reply;
    child->replies_tail++;
    atomic_store(&shared->replies_tail, child->replies_tail);
    if (reply->batch_told != 0) {
        child->run.told = 0;
    }
    ring_doorbell(child);
}

/* Forgets the blocks that the host has released. */
static void
collect_blocks(struct sco_child *child)
{
    size_t kept = 0;

    for (size_t i = 0; i < child->block_count; i++) {
        struct child_block *block = &child->blocks[i];

        if (atomic_load(&block->head->busy) != 0) {
            child->blocks[kept++] = *block;
        } else {
            sco_slots_give(child->region, block->slot);
        }
    }
    child->block_count = kept;
}

static bool
block_room(struct sco_child *child)
{
    size_t room = child->block_room == 0 ? 16 : child->block_room * 2;
    struct child_block *grown;

    if (child->block_count < child->block_room) {
        return true;
    }
    grown = realloc(child->blocks, room * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    child->blocks = grown;
    child->block_room = room;
    return true;
}

/* Takes a block for `bytes` bytes: where they go, and in *offset_out what
 * the host is told. NULL when there is none. */
static char *
take_block(struct sco_child *child, size_t bytes, uint64_t *offset_out)
{
    struct child_block *block;
    struct sco_slot slot;
    char *at;

    collect_blocks(child);
    if (!block_room(child) ||
        sco_slots_take(child->region, bytes + SHARED_BLOCK_BYTES, &slot) !=
            SCO_OK) {
        return NULL;
    }
    at = child->lane.at + SHARED_LANE_HEAD + slot.offset;
    block = &child->blocks[child->block_count++];
    block->slot = slot;
    block->ticket = child->call.ticket;
    block->head = (struct shared_block *)(void *)at;
    atomic_store(&block->head->busy, 1);
    *offset_out = slot.offset + SHARED_BLOCK_BYTES;
    return at + SHARED_BLOCK_BYTES;
}

/* The rest of the request's slot, behind the body. */
static char *
room_in_slot(struct sco_child *child, size_t bytes, uint64_t *offset_out)
{
    const struct sco_lane_call *call = &child->call;
    uint64_t used = SHARED_MARK_BYTES + call->head_bytes + call->body_bytes;
    uint64_t offset = (used + SHARED_BLOCK_BYTES - 1) / SHARED_BLOCK_BYTES *
                      SHARED_BLOCK_BYTES;

    if (offset > call->slot_bytes || bytes > call->slot_bytes - offset) {
        return NULL;
    }
    *offset_out = offset;
    return child->arena.at + SHARED_PAGE + call->offset + offset;
}

static char *
copy(char *into, struct sco_slice bytes)
{
    if (bytes.len > 0) {
        memcpy(into, bytes.data, bytes.len);
    }
    return into + bytes.len;
}

/* Puts headers and body where the host can read them. */
static bool
place_pieces(struct sco_child *child, struct sco_lane_reply *reply,
             struct sco_slice headers, const struct sco_slice *body,
             size_t count)
{
    size_t bytes = headers.len;
    char *into;

    for (size_t i = 0; i < count; i++) {
        bytes += body[i].len;
    }

    if (bytes == 0) {
        reply->place = SCO_LANE_NOWHERE;
        return true;
    }
    into = reply->kind == SCO_LANE_WHOLE
               ? room_in_slot(child, bytes, &reply->offset)
               : NULL;
    reply->place = SCO_LANE_IN_SLOT;
    if (into == NULL) {
        into = take_block(child, bytes, &reply->offset);
        reply->place = SCO_LANE_IN_BLOCK;
    }
    if (into == NULL) {
        reply->place = SCO_LANE_NOWHERE;
        return false;
    }
    into = copy(into, headers);
    for (size_t i = 0; i < count; i++) {
        into = copy(into, body[i]);
    }
    reply->headers_bytes = (uint32_t)headers.len;
    reply->body_bytes = bytes - headers.len;
    return true;
}

static bool
place_bytes(struct sco_child *child, struct sco_lane_reply *reply,
            struct sco_slice headers, struct sco_slice body)
{
    return place_pieces(child, reply, headers, &body, 1);
}

static struct sco_child *
child_of(struct sco_sink *sink)
{
    return (struct sco_child *)(void *)sink;
}

/* Has a reply tell of the run() that was noted. */
static void
add_run(const struct sco_child *child, struct sco_lane_reply *reply)
{
    if (child->run.told != 0) {
        reply->batch_told = child->run.told;
        reply->batch_rows = child->run.rows;
        reply->begun_ns = child->run.begun_ns;
        reply->run_ns = child->run.run_ns;
    }
}

static struct sco_lane_reply
reply_with(const struct sco_child *child, const struct sco_reply_head *head,
           enum sco_lane_reply_kind kind)
{
    struct sco_lane_reply reply = {
        .ticket = child->call.ticket,
        .kind = kind,
        .status = head->status,
        .flags = head->flags,
        .run_ns = head->run_ns,
        .stream_bytes = head->stream_bytes,
        .has_reason = head->has_reason,
        .begun_ns = head->begun_ns,
        .rows = head->rows,
        .batch_rows = head->batch_rows,
        .batch_told = head->batch_told,
    };

    add_run(child, &reply);
    return reply;
}

void
sco_child_note_run(struct sco_child *child, const struct sco_child_run *run)
{
    child->run = *run;
}

void
sco_child_tell_run(struct sco_child *child)
{
    const struct sco_reply_head head = { .status = 200 };
    struct sco_lane_reply reply = reply_with(child, &head, SCO_LANE_RAN);

    if (reply.batch_told != 0) {
        child_push(child, &reply);
    }
}

static void
sink_pieces(struct sco_sink *sink, const struct sco_reply_head *head,
            struct sco_slice headers, const struct sco_slice *body,
            size_t count)
{
    static const char full[] =
        "{\"message\": \"The response is too large for this server.\"}";
    struct sco_child *child = child_of(sink);
    struct sco_lane_reply reply = reply_with(child, head, SCO_LANE_WHOLE);

    if (!place_pieces(child, &reply, headers, body, count)) {
        /* Even this needs room; when there is none the body stays empty. */
        reply.status = 500;
        reply.flags = SCO_REPLY_FAILED;
        reply.has_reason = false;
        (void)place_bytes(child, &reply, (struct sco_slice){ NULL, 0 },
                          SCO_SLICE(full));
    }
    child_let_go(child);
    child_push(child, &reply);
}

static void
sink_reply(struct sco_sink *sink, const struct sco_reply_head *head,
           struct sco_slice headers, struct sco_slice body)
{
    sink_pieces(sink, head, headers, &body, 1);
}

/* The bits of enum sco_cancel for the request in hand. */
static unsigned
cancel_bits(struct sco_child *child)
{
    struct shared_mark *mark =
        atomic_load_explicit(&child->mark, memory_order_acquire);

    return mark == NULL
               ? 0
               : atomic_load_explicit(&mark->cancel, memory_order_acquire);
}

static bool
sink_cancelled(struct sco_sink *sink)
{
    return cancel_bits(child_of(sink)) != 0;
}

static enum sco_stop
sink_stop(struct sco_sink *sink)
{
    unsigned bits = cancel_bits(child_of(sink));

    if ((bits & SCO_CANCEL_TIMEOUT) != 0) {
        return SCO_STOP_TIMEOUT;
    }
    return (bits & SCO_CANCEL_RAISE) != 0 ? SCO_STOP_CANCELLED : SCO_STOP_NOT;
}

/* Whether nobody hears the reply. Who has only closed the sending side may
 * still read. */
static bool
is_unheard(struct sco_child *child)
{
    return (cancel_bits(child) & ~(unsigned)SCO_CANCEL_SENDING) != 0;
}

static enum sco_status
sink_start(struct sco_sink *sink, const struct sco_reply_head *head,
           struct sco_slice headers)
{
    struct sco_child *child = child_of(sink);
    struct sco_lane_reply reply = reply_with(child, head, SCO_LANE_START);

    if (is_unheard(child) ||
        !place_bytes(child, &reply, headers, (struct sco_slice){ NULL, 0 })) {
        return SCO_CANCELLED;
    }
    child_push(child, &reply);
    return SCO_OK;
}

size_t
child_blocks(struct sco_child *child, uint64_t ticket, size_t *bytes_out)
{
    size_t count = 0;
    size_t bytes = 0;

    collect_blocks(child);
    for (size_t i = 0; i < child->block_count; i++) {
        if (child->blocks[i].ticket == ticket) {
            count++;
            bytes += child->blocks[i].slot.bytes;
        }
    }
    *bytes_out = bytes;
    return count;
}

/* What this stream's own client is slow to take counts, and what the clients
 * of earlier replies are slow to take does not. */
static bool
stream_has_room(struct sco_child *child)
{
    size_t bytes;
    size_t count = child_blocks(child, child->call.ticket, &bytes);

    return is_unheard(child) ||
           (count < STREAM_BLOCKS_MAX && bytes < STREAM_BYTES_MAX);
}

enum sco_status
child_chunk(struct sco_child *child, struct sco_slice bytes)
{
    struct sco_lane_reply reply = { .ticket = child->call.ticket,
                                    .kind = SCO_LANE_CHUNK };

    if (is_unheard(child) ||
        !place_bytes(child, &reply, (struct sco_slice){ NULL, 0 }, bytes)) {
        return SCO_CANCELLED;
    }
    child_push(child, &reply);
    return SCO_OK;
}

static enum sco_status
sink_chunk(struct sco_sink *sink, struct sco_slice bytes)
{
    struct sco_child *child = child_of(sink);

    wait_for_space(child, stream_has_room);
    return child_chunk(child, bytes);
}

static void
sink_end(struct sco_sink *sink, enum sco_status how)
{
    struct sco_child *child = child_of(sink);
    struct sco_lane_reply reply = { .ticket = child->call.ticket,
                                    .kind = SCO_LANE_END,
                                    .status = (uint32_t)how };

    add_run(child, &reply);
    child_let_go(child);
    child_push(child, &reply);
}

const struct sco_sink_ops child_sink_ops = {
    .reply = sink_reply,
    .pieces = sink_pieces,
    .start = sink_start,
    .chunk = sink_chunk,
    .end = sink_end,
    .cancelled = sink_cancelled,
    .stop = sink_stop,
};

enum sco_status
sco_child_ready(struct sco_child *child, const struct sco_document *documents,
                size_t count, struct sco_error *err)
{
    struct sco_lane_reply reply = { .kind = SCO_LANE_READY };
    struct sco_field fields[8];
    size_t bytes;
    char *into;

    if (count > sizeof(fields) / sizeof(fields[0])) {
        return sco_fail(err, SCO_TOO_LARGE, "%zu documents", count);
    }
    for (size_t i = 0; i < count; i++) {
        fields[i] = (struct sco_field){ documents[i].name, documents[i].body };
    }
    bytes = sco_fields_bytes(fields, count);
    into = take_block(child, bytes, &reply.offset);
    if (into == NULL) {
        return sco_fail(err, SCO_TOO_LARGE, "documents: %zu bytes", bytes);
    }
    sco_fields_write(fields, count, into);
    reply.place = SCO_LANE_IN_BLOCK;
    reply.headers_bytes = (uint32_t)bytes;
    child_push(child, &reply);
    return SCO_OK;
}
