/* zmq_desk.c - what a remote worker's script has in hand
 *
 * Design notes
 *
 * This is the host's end of a lane whose other end is the script's thread of
 * this very process: slots are taken, marked and sent as deploy/ and worker/
 * do it in a host. A stream's pieces are passed on while the host's window is
 * open; while it is not, they stay in the ring, and the script's thread waits
 * for room as it does for a slow client.
 */
#define _GNU_SOURCE
#include "link/zmq_worker_int.h"

#include "base/clock.h"
#include "link/child.h"

#include <signal.h>
#include <string.h>

enum {
    WINDOW_BYTES = 4 * 1024 * 1024, /* of a stream, on their way */
    REPLY_ROOM = 512,               /* behind a body, for a small reply */
    ANNOUNCE_BYTES = 64 * 1024,     /* longer messages are no silence */
};

enum sco_status
desk_init(struct desk *desk, struct sco_error *err)
{
    enum sco_status status = sco_arena_create(&desk->arena, err);

    desk->script = pthread_self();
    return status == SCO_OK ? sco_lane_create(desk->arena, &desk->lane, err)
                            : status;
}

void
desk_finish(struct desk *desk)
{
    sco_lane_unref(desk->lane);
    sco_arena_destroy(desk->arena);
    sco_text_finish(&desk->documents);
}

static struct desk_load *
load_with(struct desk *desk, uint64_t id)
{
    for (size_t i = 0; i < SHARED_CALLS; i++) {
        struct desk_load *load = &desk->loads[i];

        if (load->used && !load->orphan && !load->is_line && load->id == id) {
            return load;
        }
    }
    return NULL;
}

static struct desk_load *
load_of_ticket(struct desk *desk, uint64_t ticket)
{
    for (size_t i = 0; i < SHARED_CALLS; i++) {
        if (desk->loads[i].used && desk->loads[i].ticket == ticket) {
            return &desk->loads[i];
        }
    }
    return NULL;
}

static void
clear(struct desk *desk, struct desk_load *load)
{
    sco_slots_give(sco_arena_slots(desk->arena), load->slot);
    desk->calls -= !load->is_line;
    load->used = false;
}

/* ---- from the host --------------------------------------------------- */

static struct desk_load *
free_load(struct desk *desk)
{
    for (size_t i = 0; i < SHARED_CALLS; i++) {
        if (!desk->loads[i].used) {
            return &desk->loads[i];
        }
    }
    return NULL;
}

static void
copy(char *into, struct sco_slice bytes)
{
    if (bytes.len > 0) {
        memcpy(into, bytes.data, bytes.len);
    }
}

bool
desk_put(struct desk *desk, const struct sco_frame *frame,
         const struct sco_slice *parts)
{
    struct desk_load *load = free_load(desk);
    bool is_line = frame->kind == SCO_FRAME_LINE;
    struct sco_lane_call call = {
        .body_bytes = parts[1].len,
        .head_bytes = (uint32_t)parts[0].len,
        .timeout_ms = frame->timeout_ms,
        .flags = SCO_LANE_ANSWER_LATE,
    };
    char *at;

    if (load == NULL || parts[0].len > UINT32_MAX) {
        return false;
    }
    *load = (struct desk_load){ .is_line = is_line,
                                .id = frame->id,
                                .timeout_ms = frame->timeout_ms };
    if (sco_slots_take(sco_arena_slots(desk->arena),
                       SCO_SLOT_MARK_BYTES + parts[0].len + parts[1].len +
                           REPLY_ROOM,
                       &load->slot) != SCO_OK) {
        return false;
    }
    if (frame->left_ms != 0) {
        call.deadline_ns = sco_clock_now_ns() + frame->left_ms * SCO_NS_PER_MS;
    }
    at = sco_arena_bytes(desk->arena, load->slot);
    copy(at, parts[0]);
    copy(at + parts[0].len, parts[1]);
    if (is_line) {
        call.kind = SCO_LANE_LINE;
    } else {
        call.kind = frame->way; /* a request's kind is its way */
    }
    call.offset = load->slot.offset;
    call.slot_bytes = load->slot.bytes;
    load->ticket = call.ticket = sco_arena_mark(desk->arena, load->slot);
    if (!sco_lane_send(desk->lane, &call)) {
        sco_slots_give(sco_arena_slots(desk->arena), load->slot);
        return false;
    }
    load->used = true;
    desk->calls += !is_line;
    sco_lane_ring(desk->lane);
    return true;
}

/* Raises in the script what the mark of the request says; when its time is
 * over, after its stack was written down. */
static void
interrupt(struct desk *desk, unsigned why)
{
    if ((why & SCO_CANCEL_TIMEOUT) != 0) {
        pthread_kill(desk->script, SCO_DUMP_SIGNAL);
    }
    pthread_kill(desk->script, SCO_INTERRUPT_SIGNAL);
}

static void
cancel(struct desk *desk, struct desk_load *load, unsigned why)
{
    unsigned fresh = why & ~load->cancelled;

    load->cancelled |= why;
    sco_arena_cancel(desk->arena, load->slot, fresh);
    if ((fresh & (SCO_CANCEL_TIMEOUT | SCO_CANCEL_RAISE)) != 0) {
        interrupt(desk, fresh);
    }
    /* It may be waiting for room that nobody will make. */
    sco_lane_ring(desk->lane);
}

void
desk_cancel(struct desk *desk, uint64_t id, unsigned why)
{
    struct desk_load *load = load_with(desk, id);

    if (load != NULL) {
        cancel(desk, load, why);
    }
}

void
desk_ack(struct desk *desk, uint64_t id, uint64_t count)
{
    struct desk_load *load = load_with(desk, id);

    for (; load != NULL && count > 0 && load->acked != load->sent; count--) {
        load->bytes -= load->sizes[load->acked % SCO_FRAME_WINDOW];
        load->acked++;
    }
}

void
desk_orphan(struct desk *desk)
{
    for (size_t i = 0; i < SHARED_CALLS; i++) {
        struct desk_load *load = &desk->loads[i];

        if (load->used && !load->is_line && !load->orphan) {
            load->orphan = true;
            cancel(desk, load, SCO_CANCEL_GONE);
        }
    }
}

bool
desk_watch_orphans(struct desk *desk)
{
    uint64_t now_ns = sco_clock_now_ns();
    bool again = false;

    for (size_t i = 0; i < SHARED_CALLS; i++) {
        struct desk_load *load = &desk->loads[i];
        uint64_t begun_ns;

        if (!load->used || !load->orphan || load->timeout_ms == 0) {
            continue;
        }
        again = true;
        begun_ns = sco_arena_started_ns(desk->arena, load->slot);
        if (begun_ns != 0 &&
            now_ns - begun_ns > load->timeout_ms * SCO_NS_PER_MS) {
            cancel(desk, load, SCO_CANCEL_TIMEOUT);
        }
    }
    return again;
}

/* ---- to the host ----------------------------------------------------- */

static const char *
reply_bytes(const struct desk *desk, const struct desk_load *load,
            const struct sco_lane_reply *reply)
{
    if (reply->place == SCO_LANE_IN_SLOT) {
        return sco_arena_bytes(desk->arena, load->slot) + reply->offset -
               SCO_SLOT_MARK_BYTES;
    }
    return reply->place == SCO_LANE_IN_BLOCK
               ? sco_lane_bytes(desk->lane, reply->offset)
               : "";
}

static void
count_piece(struct desk_load *load, size_t bytes)
{
    load->sizes[load->sent % SCO_FRAME_WINDOW] = bytes;
    load->sent++;
    load->bytes += bytes;
}

static enum sco_frame_kind
frame_kind(uint32_t kind)
{
    switch ((enum sco_lane_reply_kind)kind) {
    case SCO_LANE_WHOLE:
        return SCO_FRAME_WHOLE;
    case SCO_LANE_START:
        return SCO_FRAME_START;
    case SCO_LANE_CHUNK:
        return SCO_FRAME_CHUNK;
    case SCO_LANE_END:
        return SCO_FRAME_END;
    case SCO_LANE_RAN:
        return SCO_FRAME_RAN;
    case SCO_LANE_READY:
    case SCO_LANE_SKIPPED:
    case SCO_LANE_KINDS:
        break;
    }
    return SCO_FRAME_KINDS;
}

/* Sends a reply to a call whose session still stands. */
static void
send_reply(struct desk *desk, struct desk_load *load,
           const struct sco_lane_reply *reply)
{
    const char *bytes = reply_bytes(desk, load, reply);
    struct sco_slice parts[2] = {
        { bytes, reply->headers_bytes },
        { bytes + reply->headers_bytes, reply->body_bytes },
    };
    struct sco_frame frame = {
        .kind = frame_kind(reply->kind),
        .id = load->id,
        .number = reply->status,
        .head = { .status = reply->status,
                  .flags = reply->flags,
                  .run_ns = reply->run_ns,
                  .stream_bytes = reply->stream_bytes,
                  .has_reason = reply->has_reason != 0,
                  .rows = reply->rows,
                  .batch_rows = reply->batch_rows,
                  .batch_told = reply->batch_told },
    };
    struct sco_frame beat = { .kind = SCO_FRAME_BEAT,
                              .number = reply->body_bytes };

    if (frame.kind == SCO_FRAME_CHUNK &&
        (load->cancelled & ~(unsigned)SCO_CANCEL_SENDING) != 0) {
        return; /* nobody wants it */
    }
    if (frame.kind == SCO_FRAME_CHUNK) {
        parts[0] = parts[1];
        count_piece(load, reply->body_bytes);
    }
    load->streaming = load->streaming || frame.kind == SCO_FRAME_START;
    if (reply->body_bytes > ANNOUNCE_BYTES) {
        desk->send(desk->arg, &beat, NULL);
    }
    desk->send(desk->arg, &frame, parts);
}

/* init() is done: the documents are kept for every hello. */
static void
note_ready(struct desk *desk, const struct sco_lane_reply *reply)
{
    const char *bytes = sco_lane_bytes(desk->lane, reply->offset);

    sco_text_add(&desk->documents,
                 (struct sco_slice){ bytes, reply->headers_bytes });
    desk->ready = true;
}

static void
pass_on(struct desk *desk, const struct sco_lane_reply *reply)
{
    struct desk_load *load = load_of_ticket(desk, reply->ticket);
    bool is_last = reply->kind == SCO_LANE_WHOLE ||
                   reply->kind == SCO_LANE_END ||
                   reply->kind == SCO_LANE_SKIPPED;

    if (reply->kind == SCO_LANE_READY) {
        note_ready(desk, reply);
    } else if (load != NULL && !load->is_line && !load->orphan) {
        send_reply(desk, load, reply);
    }
    if (reply->place == SCO_LANE_IN_BLOCK) {
        sco_lane_release(desk->lane, reply->offset);
    }
    if (load != NULL && is_last) {
        clear(desk, load);
    }
}

/* Whether a stream's host has enough of it for now. */
static bool
window_is_closed(const struct desk *desk)
{
    for (size_t i = 0; i < SHARED_CALLS; i++) {
        const struct desk_load *load = &desk->loads[i];
        unsigned ahead = load->sent - load->acked;

        if (load->used && !load->orphan && load->streaming &&
            load->cancelled == 0 &&
            (ahead >= SCO_FRAME_WINDOW ||
             (ahead > 0 && load->bytes >= WINDOW_BYTES))) {
            return true;
        }
    }
    return false;
}

bool
desk_has_answers(const struct desk *desk)
{
    const struct shared_lane *shared =
        (const struct shared_lane *)(const void *)desk->lane->map.at;

    return atomic_load(&shared->replies_tail) != desk->lane->replies_head &&
           !window_is_closed(desk);
}

void
desk_answer(struct desk *desk)
{
    struct sco_lane_reply reply;

    while (!window_is_closed(desk) &&
           sco_lane_take(desk->lane, &reply) == SCO_OK) {
        pass_on(desk, &reply);
    }
}
