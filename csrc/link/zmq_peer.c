/* zmq_peer.c - one remote worker, as the host's zmq thread sees it
 *
 * Design notes
 *
 * OFFERED -> SERVING -> GONE, or straight to GONE. What was taken out of the
 * lane was sent and counts as started: should the worker be lost, it is not
 * scored again. What is still in the lane can move, as with any worker. So no
 * more is taken than the worker has credit for.
 *
 * A lane's far end has one call in hand; here there may be several, so each
 * flight keeps its own (sco_child_held) and puts it back before its reply.
 * Time is counted from the moment at which a call is the oldest one: the
 * worker runs them in turn.
 *
 * Nothing here waits. Pieces of a stream cannot be too many, because the
 * worker sends no more than SCO_FRAME_WINDOW ahead of our ACKs, which follow
 * the client; one that does is given up. So the lane's ring has always room.
 */
#include "link/zmq_host_int.h"

#include "base/clock.h"
#include "link/head.h"

#include <stdio.h>
#include <string.h>

/* Longer messages are announced, so that the wait for them is no silence. */
enum { ANNOUNCE_BYTES = 64 * 1024 };

/* The slowest that such a message may come, at a byte in this time. */
#define BYTE_NS 1000

_Static_assert(SCO_FRAME_CREDITS_MAX *(SCO_FRAME_WINDOW + 4) < SHARED_REPLIES,
               "the ring of replies has room for all that may come");

/* ---- sending --------------------------------------------------------- */

void
peer_send(struct sco_zmq_peer *peer, struct sco_frame *frame,
          const struct sco_slice *parts)
{
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice all[2 + SCO_FRAME_PARTS_MAX] = {
        { peer->identity, peer->identity_bytes },
    };
    size_t count = parts != NULL ? sco_frame_parts(frame->kind) : 0;
    enum sco_status status;

    if (peer->state == PEER_GONE) {
        return;
    }
    frame->session = peer->session;
    all[1].data = head;
    all[1].len = sco_frame_write(frame, head);
    for (size_t i = 0; i < count; i++) {
        all[2 + i] = parts[i];
    }
    status = host_send(peer->host, all, 2 + count);
    if (status == SCO_CLOSED) {
        peer_end(peer, SCO_BYE_REASONS, "its connection broke");
    } else if (status != SCO_OK && frame->kind != SCO_FRAME_BEAT) {
        peer_end(peer, SCO_BYE_KILLED, "it takes nothing that is sent");
    }
}

void
peer_end(struct sco_zmq_peer *peer, enum sco_frame_bye bye, const char *why)
{
    struct sco_frame frame = { .kind = SCO_FRAME_BYE, .number = bye };

    if (peer->state == PEER_GONE) {
        return;
    }
    if (why != NULL) {
        (void)snprintf(peer->why, sizeof(peer->why), "%s", why);
        frame.text = sco_slice_of(peer->why);
    }
    if (bye != SCO_BYE_REASONS) {
        char head[SCO_FRAME_HEAD_MAX];
        struct sco_slice parts[2] = {
            { peer->identity, peer->identity_bytes },
            { head, 0 },
        };

        frame.session = peer->session;
        parts[1].len = sco_frame_write(&frame, head);
        (void)host_send(peer->host, parts, 2);
    }
    peer->state = PEER_GONE;
    host_let_go(peer);
}

/* It broke the rules of the wire. */
static void
give_up(struct sco_zmq_peer *peer)
{
    peer_end(peer, SCO_BYE_KILLED, "it sent what it must not");
}

/* ---- calls ----------------------------------------------------------- */

/* The time of a call counts from now on. */
static void
begin_time(struct flight *flight)
{
    atomic_store_explicit(&flight->held.mark->started_ns, sco_clock_now_ns(),
                          memory_order_release);
}

/* How long the caller of a request still waits; 0: for ever. Rounded up, so
 * that the worker never gives up before the host does. */
static uint32_t
left_ms(const struct sco_lane_call *call)
{
    uint64_t now_ns = sco_clock_now_ns();
    uint64_t left_ns =
        call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 0;
    uint64_t ms = left_ns / SCO_NS_PER_MS + 1;

    if (call->deadline_ns == 0 || ms > UINT32_MAX) {
        return 0;
    }
    return (uint32_t)ms;
}

static void
send_call(struct sco_zmq_peer *peer, const struct sco_call *call)
{
    struct flight *flight = &peer->flights[peer->flight_count];
    const struct sco_slice parts[2] = { call->head, call->body };
    struct sco_frame frame = {
        .kind = SCO_FRAME_CALL,
        .way = call->way,
        .timeout_ms = call->timeout_ms,
    };
    struct sco_frame beat = { .kind = SCO_FRAME_BEAT,
                              .number = call->body.len };

    *flight = (struct flight){ .held = sco_child_hold(peer->child) };
    frame.left_ms = left_ms(&flight->held.call);
    flight->id = frame.id = flight->held.call.ticket;
    if (peer->flight_count > 0) {
        /* Sent, but not begun. */
        atomic_store(&flight->held.mark->started_ns, 0);
    }
    peer->flight_count++;
    if (call->body.len > ANNOUNCE_BYTES) {
        peer_send(peer, &beat, NULL);
    }
    peer_send(peer, &frame, parts);
}

static void
send_line(struct sco_zmq_peer *peer, const struct sco_child_line *line)
{
    const struct sco_slice parts[2] = { line->logger, line->message };
    struct sco_frame frame = { .kind = SCO_FRAME_LINE };

    peer_send(peer, &frame, parts);
    child_finish_line(peer->child);
}

/* The lane was stopped and is empty: all is answered. */
static void
say_farewell(struct sco_zmq_peer *peer)
{
    if (peer->leaving) {
        peer_end(peer, SCO_BYE_DONE, NULL);
    } else if (host_is_ending(peer->host)) {
        peer_end(peer, SCO_BYE_ENDING, NULL);
    } else {
        peer_end(peer, SCO_BYE_RENEW, NULL);
    }
}

/* Takes out of the lane what the worker has credit for. */
static void
give_calls(struct sco_zmq_peer *peer)
{
    struct sco_child_line line;
    struct sco_call call;

    while (peer->state == PEER_SERVING &&
           peer->flight_count < peer->info.credits) {
        switch (sco_child_try_next(peer->child, &call, &line)) {
        case SCO_CHILD_CALL:
            send_call(peer, &call);
            break;
        case SCO_CHILD_LINE:
            send_line(peer, &line);
            break;
        case SCO_CHILD_STOP:
            if (peer->flight_count == 0) {
                say_farewell(peer);
            }
            return;
        case SCO_CHILD_SIGNAL:
        case SCO_CHILD_NONE:
            return;
        }
    }
}

/* ---- what the loop wants --------------------------------------------- */

/* Reads the documents of its hello. False when they are none. */
static bool
read_documents(const struct sco_zmq_peer *peer,
               struct sco_document documents[], size_t room, size_t *count_out)
{
    struct sco_reader in = sco_reader_of(sco_text_slice(&peer->documents));

    if (sco_fields_read_count(&in, count_out) != SCO_OK || *count_out > room) {
        return false;
    }
    for (size_t i = 0; i < *count_out; i++) {
        if (sco_fields_read(&in, &documents[i].name, &documents[i].body) !=
            SCO_OK) {
            return false;
        }
    }
    return in.left == 0;
}

/* The loop has given it a lane: it is ready, as its hello said. */
static void
welcome(struct sco_zmq_peer *peer)
{
    struct sco_frame frame = { .kind = SCO_FRAME_WELCOME,
                               .beat_ms = host_beat_ms(peer->host) };
    struct sco_document documents[8];
    size_t count;

    peer->state = PEER_SERVING;
    if (!read_documents(peer, documents, 8, &count) ||
        sco_child_ready(peer->child, documents, count, NULL) != SCO_OK) {
        give_up(peer);
        return;
    }
    peer->welcomed = true;
    peer_send(peer, &frame, NULL);
}

static void
refuse(struct sco_zmq_peer *peer)
{
    struct sco_frame frame = {
        .kind = SCO_FRAME_REFUSED,
        .number = SCO_REFUSED_LATER,
        .text = SCO_SLICE("the host wants no further worker now"),
    };

    peer_send(peer, &frame, NULL);
    peer_end(peer, SCO_BYE_REASONS, "it was sent away");
}

/* Passes on that requests are cancelled, once for each way. */
static void
pass_cancels(struct sco_zmq_peer *peer)
{
    for (size_t i = 0; i < peer->flight_count; i++) {
        struct flight *flight = &peer->flights[i];
        unsigned cancel = atomic_load(&flight->held.mark->cancel);

        if (cancel != flight->told) {
            struct sco_frame frame = { .kind = SCO_FRAME_CANCEL,
                                       .id = flight->id,
                                       .number = cancel };

            flight->told = cancel;
            peer_send(peer, &frame, NULL);
        }
    }
}

/* How many pieces the client has taken. The stream's headers stand in a block
 * too, so this is one too few while they are being sent. */
static uint64_t
pieces_taken(struct sco_zmq_peer *peer, const struct flight *flight)
{
    size_t bytes;
    size_t left = child_blocks(peer->child, flight->id, &bytes);

    return left < flight->pieces ? flight->pieces - left : 0;
}

static void
send_acks(struct sco_zmq_peer *peer)
{
    for (size_t i = 0; i < peer->flight_count; i++) {
        struct flight *flight = &peer->flights[i];
        uint64_t taken = flight->streaming ? pieces_taken(peer, flight) : 0;

        if (taken > flight->acked) {
            struct sco_frame frame = { .kind = SCO_FRAME_ACK,
                                       .id = flight->id,
                                       .number = taken - flight->acked };

            flight->acked = taken;
            peer_send(peer, &frame, NULL);
        }
    }
}

void
peer_pump(struct sco_zmq_peer *peer)
{
    enum peer_order order = (enum peer_order)atomic_load(&peer->order);

    if (order == ORDER_REFUSE) {
        refuse(peer);
    } else if (order == ORDER_KILL) {
        peer_end(peer, SCO_BYE_KILLED, "it was given up");
    }
    if (peer->state == PEER_OFFERED && atomic_load(&peer->child) != NULL) {
        welcome(peer);
    }
    if (peer->state == PEER_SERVING) {
        child_awake(peer->child);
        pass_cancels(peer);
    }
    if (peer->state == PEER_SERVING) {
        send_acks(peer);
    }
    give_calls(peer);
}

bool
peer_may_sleep(struct sco_zmq_peer *peer)
{
    struct sco_child *child = atomic_load(&peer->child);
    bool streaming = false;
    bool waits, stopped;

    if (atomic_load(&peer->order) != ORDER_NONE) {
        return false;
    }
    if (peer->state != PEER_SERVING) {
        return child == NULL;
    }
    for (size_t i = 0; i < peer->flight_count; i++) {
        streaming = streaming || peer->flights[i].streaming;
    }
    (void)child_sleeps(child, streaming);
    for (size_t i = 0; i < peer->flight_count; i++) {
        const struct flight *flight = &peer->flights[i];

        if (atomic_load(&flight->held.mark->cancel) != flight->told ||
            (flight->streaming &&
             pieces_taken(peer, flight) > flight->acked)) {
            return false;
        }
    }
    waits = atomic_load(&child->shared->calls_tail) != child->calls_head;
    stopped = atomic_load(&child->shared->stop) != 0;
    return !(waits && peer->flight_count < peer->info.credits) &&
           !(stopped && peer->flight_count == 0);
}

/* ---- what the worker says -------------------------------------------- */

static struct flight *
flight_with(struct sco_zmq_peer *peer, uint64_t id)
{
    for (size_t i = 0; i < peer->flight_count; i++) {
        if (peer->flights[i].id == id) {
            return &peer->flights[i];
        }
    }
    return NULL;
}

/* The worker is through with it. */
static void
land(struct sco_zmq_peer *peer, struct flight *flight)
{
    size_t at = (size_t)(flight - peer->flights);

    peer->flight_count--;
    memmove(flight, flight + 1, (peer->flight_count - at) * sizeof(*flight));
    if (at == 0 && peer->flight_count > 0) {
        begin_time(&peer->flights[0]);
    }
}

static void
hear_start(struct sco_zmq_peer *peer, struct flight *flight,
           const struct sco_reply_head *head, struct sco_slice headers)
{
    const struct sco_reply_head no_room = { .status = 500,
                                            .flags = SCO_REPLY_FAILED,
                                            .stream_bytes = -1 };
    const struct sco_slice none = { NULL, 0 };
    struct sco_sink *sink = sco_child_sink(peer->child);

    flight->streaming = true;
    if (sink->ops->start(sink, head, headers) != SCO_OK &&
        !sink->ops->cancelled(sink)) {
        sink->ops->reply(sink, &no_room, none, none);
        land(peer, flight);
    }
}

static void
hear_piece(struct sco_zmq_peer *peer, struct flight *flight,
           struct sco_slice bytes)
{
    struct sco_sink *sink = sco_child_sink(peer->child);

    if (flight->pieces - flight->acked >= SCO_FRAME_WINDOW) {
        give_up(peer);
        return;
    }
    flight->pieces++;
    /* One that nobody wants counts as taken; the worker hears of it. */
    if (child_chunk(peer->child, bytes) != SCO_OK &&
        !sink->ops->cancelled(sink)) {
        sink->ops->end(sink, SCO_NOMEM);
        land(peer, flight);
    }
}

/* run() was called, and gave no reply. When, the worker's own clock says. */
static void
hear_run(struct sco_zmq_peer *peer, const struct sco_reply_head *head)
{
    const struct sco_child_run run = { .told = head->batch_told,
                                       .rows = head->batch_rows,
                                       .run_ns = head->run_ns };

    sco_child_note_run(peer->child, &run);
    sco_child_tell_run(peer->child);
}

/* A reply, or a part of one. */
static void
hear_reply(struct sco_zmq_peer *peer, const struct sco_frame *frame,
           const struct sco_slice *parts)
{
    struct flight *flight = flight_with(peer, frame->id);
    struct sco_sink *sink = sco_child_sink(peer->child);
    struct sco_reply_head head = frame->head;
    bool of_stream =
        frame->kind == SCO_FRAME_CHUNK || frame->kind == SCO_FRAME_END;

    if (flight == NULL) {
        return;
    }
    sco_child_resume(peer->child, &flight->held);
    if (of_stream != flight->streaming &&
        !(frame->kind == SCO_FRAME_END && sink->ops->cancelled(sink))) {
        give_up(peer);
        return;
    }
    head.flags &= ~(uint32_t)SCO_REPLY_UNFIT; /* no kind of ours */
    if (frame->kind == SCO_FRAME_WHOLE) {
        sink->ops->reply(sink, &head, parts[0], parts[1]);
        land(peer, flight);
    } else if (frame->kind == SCO_FRAME_START) {
        hear_start(peer, flight, &head, parts[0]);
    } else if (frame->kind == SCO_FRAME_CHUNK) {
        hear_piece(peer, flight, parts[0]);
    } else if (frame->kind == SCO_FRAME_RAN) {
        hear_run(peer, &head);
    } else {
        sink->ops->end(sink, (enum sco_status)frame->number);
        land(peer, flight);
    }
}

static void
hear_bye(struct sco_zmq_peer *peer, const struct sco_frame *frame)
{
    if (frame->number == SCO_BYE_GONE) {
        peer_end(peer, SCO_BYE_REASONS,
                 peer->flight_count == 0 ? NULL : "it ended");
    } else if (frame->number == SCO_BYE_LEAVING && !peer->leaving) {
        peer->leaving = true;
        host_post(peer->host, &peer->left);
    }
}

/* It lives: it need not be heard of again for so long. */
static void
be_patient(struct sco_zmq_peer *peer, const struct sco_frame *frame)
{
    uint64_t bytes = frame->kind == SCO_FRAME_BEAT ? frame->number : 0;
    uint64_t beat_ms = host_beat_ms(peer->host);

    if (bytes > UINT32_MAX) {
        bytes = UINT32_MAX;
    }
    peer->patience_ns =
        sco_clock_now_ns() + bytes * BYTE_NS + 3 * SCO_NS_PER_MS * beat_ms;
}

static bool
is_reply(enum sco_frame_kind kind)
{
    return kind == SCO_FRAME_WHOLE || kind == SCO_FRAME_START ||
           kind == SCO_FRAME_CHUNK || kind == SCO_FRAME_END ||
           kind == SCO_FRAME_RAN;
}

void
peer_hear(struct sco_zmq_peer *peer, const struct sco_frame *frame,
          const struct sco_slice *parts)
{
    be_patient(peer, frame);
    if (is_reply(frame->kind)) {
        if (peer->state == PEER_SERVING) {
            hear_reply(peer, frame, parts);
        }
    } else if (frame->kind == SCO_FRAME_BYE) {
        hear_bye(peer, frame);
    } else if (frame->kind != SCO_FRAME_BEAT &&
               frame->kind != SCO_FRAME_HELLO /* said twice */) {
        give_up(peer);
    }
}
