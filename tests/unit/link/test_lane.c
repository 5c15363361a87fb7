/* test_lane.c - host and worker over one lane, in two threads */
#include "base/clock.h"
#include "link/child.h"
#include "link/head.h"
#include "link/lane.h"
#include "support/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 20000 };

struct pair {
    struct sco_arena *arena;
    struct sco_lane *lane;
    struct sco_child *child;
};

static int
make_pair(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    assert_non_null(pair);
    assert_int_equal(sco_arena_create(&pair->arena, NULL), SCO_OK);
    assert_int_equal(sco_lane_create(pair->arena, &pair->lane, NULL), SCO_OK);
    assert_int_equal(sco_child_join(pair->lane, &pair->child, NULL), SCO_OK);
    *state = pair;
    return 0;
}

static int
drop_pair(void **state)
{
    struct pair *pair = *state;

    sco_child_destroy(pair->child);
    sco_lane_unref(pair->lane);
    sco_arena_destroy(pair->arena);
    free(pair);
    return 0;
}

/* Lays a request of one body into a slot and sends it; returns its ticket. */
static uint64_t
send_body(struct pair *pair, const char *body, struct sco_slot *slot_out)
{
    size_t len = strlen(body);
    struct sco_lane_call call = { .kind = SCO_LANE_PLAIN };

    assert_int_equal(
        sco_slots_take(sco_arena_slots(pair->arena), 1000, slot_out), SCO_OK);
    memcpy(sco_arena_bytes(pair->arena, *slot_out), body, len);
    call.offset = slot_out->offset;
    call.slot_bytes = slot_out->bytes;
    call.body_bytes = len;
    call.ticket = sco_arena_mark(pair->arena, *slot_out);
    assert_true(sco_lane_send(pair->lane, &call));
    return call.ticket;
}

static void
reply_text(struct pair *pair, const char *text)
{
    struct sco_reply_head head = { .status = 200, .run_ns = 5 };
    struct sco_sink *sink = sco_child_sink(pair->child);

    sink->ops->reply(sink, &head, (struct sco_slice){ NULL, 0 },
                     sco_slice_of(text));
}

static void
test_a_call_comes_as_it_was_sent_and_its_reply_too(void **state)
{
    struct pair *pair = *state;
    struct sco_lane_reply reply;
    struct sco_child_line line;
    struct sco_slot slot;
    struct sco_call call;
    uint64_t ticket = send_body(pair, "hello", &slot);
    const char *bytes;

    assert_int_equal(sco_arena_started_ns(pair->arena, slot), 0);
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    assert_int_equal(call.body.len, 5);
    assert_memory_equal(call.body.data, "hello", 5);
    assert_true(sco_arena_started_ns(pair->arena, slot) > 0);
    assert_int_equal(sco_lane_take(pair->lane, &reply), SCO_NOT_FOUND);

    reply_text(pair, "world");

    assert_int_equal(sco_lane_take(pair->lane, &reply), SCO_OK);
    assert_int_equal(reply.ticket, ticket);
    assert_int_equal(reply.kind, SCO_LANE_WHOLE);
    assert_int_equal(reply.place, SCO_LANE_IN_SLOT);
    assert_true(sco_lane_reply_fits(&reply, slot.bytes));
    bytes = sco_arena_bytes(pair->arena, slot) + reply.offset -
            SCO_SLOT_MARK_BYTES;
    assert_memory_equal(bytes, "world", 5);
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_NONE);
}

static void
test_a_revoked_call_is_never_started(void **state)
{
    struct pair *pair = *state;
    struct sco_child_line line;
    struct sco_slot first, second;
    struct sco_call call;
    uint64_t ticket = send_body(pair, "first", &first);

    (void)send_body(pair, "second", &second);
    assert_true(sco_arena_revoke(pair->arena, first, ticket));
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    assert_memory_equal(call.body.data, "second", 6);
}

static void
test_a_started_call_cannot_be_revoked(void **state)
{
    struct pair *pair = *state;
    struct sco_child_line line;
    struct sco_slot slot;
    struct sco_call call;
    uint64_t ticket = send_body(pair, "x", &slot);

    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    assert_false(sco_arena_revoke(pair->arena, slot, ticket));
}

static void
test_a_stale_entry_does_not_start_the_slots_next_request(void **state)
{
    struct pair *pair = *state;
    struct sco_child_line line;
    struct sco_slot slot, again;
    struct sco_call call;
    uint64_t ticket = send_body(pair, "old", &slot);

    assert_true(sco_arena_revoke(pair->arena, slot, ticket));
    sco_slots_give(sco_arena_slots(pair->arena), slot);
    (void)send_body(pair, "new", &again);
    assert_int_equal(again.offset, slot.offset);
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    assert_memory_equal(call.body.data, "new", 3);
    reply_text(pair, "");
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_NONE);
}

static void
test_a_full_ring_refuses(void **state)
{
    struct pair *pair = *state;
    struct sco_lane_call call = { .kind = SCO_LANE_PLAIN };
    int sent = 0;

    while (sco_lane_send(pair->lane, &call)) {
        sent++;
        assert_true(sent < 10000);
    }
    assert_true(sent >= 16);
}

static void
test_a_large_reply_stands_in_a_block(void **state)
{
    struct pair *pair = *state;
    char *large = malloc(100001);
    struct sco_lane_reply reply;
    struct sco_child_line line;
    struct sco_slot slot;
    struct sco_call call;

    assert_non_null(large);
    memset(large, 'a', 100000);
    large[100000] = '\0';
    (void)send_body(pair, "x", &slot);
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    reply_text(pair, large);
    assert_int_equal(sco_lane_take(pair->lane, &reply), SCO_OK);
    assert_int_equal(reply.place, SCO_LANE_IN_BLOCK);
    assert_int_equal(reply.body_bytes, 100000);
    assert_memory_equal(sco_lane_bytes(pair->lane, reply.offset), large,
                        100000);
    sco_lane_release(pair->lane, reply.offset);
    free(large);
}

static void
test_cancelling_is_seen_by_the_running_call_alone(void **state)
{
    struct pair *pair = *state;
    struct sco_sink *sink = sco_child_sink(pair->child);
    struct sco_child_line line;
    struct sco_slot first, second;
    struct sco_call call;

    (void)send_body(pair, "first", &first);
    (void)send_body(pair, "second", &second);
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    assert_false(sink->ops->cancelled(sink));
    sco_arena_cancel(pair->arena, first, SCO_CANCEL_TIMEOUT);
    assert_true(sink->ops->cancelled(sink));
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_TIMEOUT);
    reply_text(pair, "");
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_NOT);
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    assert_false(sink->ops->cancelled(sink));
}

/* clang-format off */
static const struct {
    const char   *why;
    unsigned      bits;
    bool          is_told, is_heard;
    enum sco_stop stop;
} cancels[] = {
    { "nobody left", 0, false, true, SCO_STOP_NOT },
    { "the client left", SCO_CANCEL_GONE, true, false, SCO_STOP_NOT },
    { "... and raising is on", SCO_CANCEL_GONE | SCO_CANCEL_RAISE,
      true, false, SCO_STOP_CANCELLED },
    { "it sends no more", SCO_CANCEL_SENDING, true, true, SCO_STOP_NOT },
    { "over its own time", SCO_CANCEL_DEADLINE, true, false, SCO_STOP_NOT },
    { "over the host's limit", SCO_CANCEL_TIMEOUT, true, false,
      SCO_STOP_TIMEOUT },
    { "... and the client left", SCO_CANCEL_TIMEOUT | SCO_CANCEL_GONE |
      SCO_CANCEL_RAISE, true, false, SCO_STOP_TIMEOUT },
};
/* clang-format on */

static void
test_what_a_cancelled_call_is_told(void **state)
{
    const struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct pair *pair = *state;
    struct sco_sink *sink = sco_child_sink(pair->child);
    struct sco_child_line line;

    for (size_t i = 0; i < sizeof(cancels) / sizeof(cancels[0]); i++) {
        struct sco_slot slot;
        struct sco_call call;

        print_message("%s\n", cancels[i].why);
        (void)send_body(pair, "x", &slot);
        assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                         SCO_CHILD_CALL);
        sco_arena_cancel(pair->arena, slot, cancels[i].bits);
        assert_int_equal(sink->ops->cancelled(sink), cancels[i].is_told);
        assert_int_equal(sink->ops->stop(sink), cancels[i].stop);
        assert_int_equal(sink->ops->start(sink, &head, SCO_SLICE("")),
                         cancels[i].is_heard ? SCO_OK : SCO_CANCELLED);
        sink->ops->end(sink, SCO_OK);
        assert_false(sink->ops->cancelled(sink));
    }
}

/* Sends a call with these limits, and takes it. */
static enum sco_child_event
take_limited(struct pair *pair, uint64_t deadline_ns, uint32_t timeout_ms,
             struct sco_call *call_out)
{
    struct sco_child_line line;
    struct sco_lane_call call = { .deadline_ns = deadline_ns,
                                  .timeout_ms = timeout_ms };
    struct sco_slot slot;

    assert_int_equal(sco_slots_take(sco_arena_slots(pair->arena), 1000, &slot),
                     SCO_OK);
    call.offset = slot.offset;
    call.slot_bytes = slot.bytes;
    call.ticket = sco_arena_mark(pair->arena, slot);
    assert_true(sco_lane_send(pair->lane, &call));
    return sco_child_try_next(pair->child, call_out, &line);
}

static void
test_a_call_knows_when_its_time_is_over(void **state)
{
    const uint64_t now_ns = sco_clock_now_ns();
    const uint64_t hour_ns = 3600 * SCO_NS_PER_S;
    struct pair *pair = *state;
    struct sco_call call;

    assert_int_equal(take_limited(pair, 0, 0, &call), SCO_CHILD_CALL);
    assert_int_equal(call.deadline_ns, 0);
    assert_int_in_range(call.given_ns, now_ns, sco_clock_now_ns());
    reply_text(pair, "");
    assert_int_equal(take_limited(pair, now_ns + hour_ns, 0, &call),
                     SCO_CHILD_CALL);
    assert_int_equal(call.deadline_ns, now_ns + hour_ns);
    reply_text(pair, "");
    assert_int_equal(take_limited(pair, now_ns + hour_ns, 1000, &call),
                     SCO_CHILD_CALL);
    assert_true(call.deadline_ns >= now_ns + SCO_NS_PER_S);
    assert_true(call.deadline_ns < now_ns + hour_ns);
    reply_text(pair, "");
    assert_int_equal(take_limited(pair, now_ns, 0, &call), SCO_CHILD_NONE);
}

/* A host that is elsewhere cannot take it back. */
static void
test_a_late_call_is_answered_where_that_is_asked_for(void **state)
{
    struct sco_lane_call call = { .flags = SCO_LANE_ANSWER_LATE,
                                  .deadline_ns = 1 };
    struct pair *pair = *state;
    struct sco_lane_reply reply;
    struct sco_child_line line;
    struct sco_slot slot;
    struct sco_call taken;

    assert_int_equal(sco_slots_take(sco_arena_slots(pair->arena), 1000, &slot),
                     SCO_OK);
    call.offset = slot.offset;
    call.slot_bytes = slot.bytes;
    call.ticket = sco_arena_mark(pair->arena, slot);
    assert_true(sco_lane_send(pair->lane, &call));
    while (sco_lane_take(pair->lane, &reply) == SCO_OK) {
    }
    assert_int_equal(sco_child_try_next(pair->child, &taken, &line),
                     SCO_CHILD_NONE);
    assert_int_equal(sco_lane_take(pair->lane, &reply), SCO_OK);
    assert_int_equal(reply.kind, SCO_LANE_WHOLE);
    assert_int_equal(reply.ticket, call.ticket);
    assert_int_equal(reply.status, 504);
    assert_int_equal(sco_arena_started_ns(pair->arena, slot), 0);
}

static void
test_stop_comes_after_what_waits(void **state)
{
    struct pair *pair = *state;
    struct sco_child_line line;
    struct sco_slot slot;
    struct sco_call call;

    (void)send_body(pair, "x", &slot);
    sco_lane_stop(pair->lane);
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    reply_text(pair, "");
    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_STOP);
}

static void
test_ready_carries_its_documents(void **state)
{
    struct pair *pair = *state;
    struct sco_document documents[] = {
        { SCO_SLICE("2"), SCO_SLICE("{}") },
        { SCO_SLICE("mode"), SCO_SLICE("raw") },
    };
    struct sco_lane_reply reply;
    struct sco_slice name, body, block;
    struct sco_reader in;
    size_t count = 0;

    assert_int_equal(sco_child_ready(pair->child, documents, 2, NULL), SCO_OK);
    assert_int_equal(sco_lane_take(pair->lane, &reply), SCO_OK);
    assert_int_equal(reply.kind, SCO_LANE_READY);
    block.data = sco_lane_bytes(pair->lane, reply.offset);
    block.len = reply.headers_bytes;
    in = sco_reader_of(block);
    assert_int_equal(sco_fields_read_count(&in, &count), SCO_OK);
    assert_int_equal(count, 2);
    assert_int_equal(sco_fields_read(&in, &name, &body), SCO_OK);
    assert_int_equal(sco_fields_read(&in, &name, &body), SCO_OK);
    assert_true(sco_slice_equal(body, SCO_SLICE("raw")));
}

/* ---- two threads ---------------------------------------------------- */

static void *
echo(void *arg)
{
    struct pair *pair = arg;
    struct sco_sink *sink = sco_child_sink(pair->child);
    struct sco_reply_head head = { .status = 200 };
    struct sco_child_line line;
    struct sco_call call;

    for (;;) {
        switch (sco_child_try_next(pair->child, &call, &line)) {
        case SCO_CHILD_CALL:
            sink->ops->reply(sink, &head, (struct sco_slice){ NULL, 0 },
                             call.body);
            break;
        case SCO_CHILD_STOP:
            return NULL;
        case SCO_CHILD_LINE:
        case SCO_CHILD_SIGNAL:
        case SCO_CHILD_NONE:
            (void)sco_child_wait(pair->child);
            break;
        }
    }
}

/* Sleeps as the host's loop does: says so, looks once more, then waits. */
static void
sleep_for_reply(struct pair *pair, struct sco_lane_reply *reply)
{
    struct pollfd bell = { .fd = sco_arena_doorbell(pair->arena),
                           .events = POLLIN };
    uint64_t count;

    while (sco_lane_take(pair->lane, reply) == SCO_NOT_FOUND) {
        sco_arena_sleep(pair->arena);
        if (sco_lane_take(pair->lane, reply) == SCO_OK) {
            break;
        }
        assert_int_equal(poll(&bell, 1, 10000), 1);
        assert_int_equal(read(bell.fd, &count, sizeof(count)), 8);
        sco_arena_awake(pair->arena);
    }
}

static void
test_no_wakeup_is_ever_lost(void **state)
{
    struct pair *pair = *state;
    struct sco_lane_reply reply;
    pthread_t worker;

    assert_int_equal(pthread_create(&worker, NULL, echo, pair), 0);
    for (int i = 0; i < MANY; i++) {
        struct sco_slot slots[3];
        uint64_t tickets[3];
        int burst = i % 3 + 1;
        char text[32];

        for (int j = 0; j < burst; j++) {
            snprintf(text, sizeof(text), "%d.%d", i, j);
            tickets[j] = send_body(pair, text, &slots[j]);
        }
        sco_lane_ring(pair->lane);
        for (int j = 0; j < burst; j++) {
            snprintf(text, sizeof(text), "%d.%d", i, j);
            sleep_for_reply(pair, &reply);
            assert_int_equal(reply.ticket, tickets[j]);
            assert_memory_equal(sco_arena_bytes(pair->arena, slots[j]) +
                                    reply.offset - SCO_SLOT_MARK_BYTES,
                                text, strlen(text));
            sco_slots_give(sco_arena_slots(pair->arena), slots[j]);
        }
    }
    sco_lane_stop(pair->lane);
    pthread_join(worker, NULL);
}

static void *
stream(void *arg)
{
    struct pair *pair = arg;
    struct sco_sink *sink = sco_child_sink(pair->child);
    struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct sco_child_line line;
    struct sco_call call;
    int sent = 0;

    assert_int_equal(sco_child_try_next(pair->child, &call, &line),
                     SCO_CHILD_CALL);
    assert_int_equal(
        sink->ops->start(sink, &head, (struct sco_slice){ NULL, 0 }), SCO_OK);
    while (sink->ops->chunk(sink, SCO_SLICE("chunk")) == SCO_OK) {
        sent++;
        if (sent == 2000) {
            break;
        }
    }
    sink->ops->end(sink, SCO_OK);
    return (void *)(intptr_t)sent;
}

static void
test_a_slow_reader_slows_the_stream_and_loses_nothing(void **state)
{
    struct pair *pair = *state;
    struct sco_lane_reply reply;
    struct sco_slot slot;
    pthread_t worker;
    void *sent;
    int seen = 0;

    (void)send_body(pair, "go", &slot);
    assert_int_equal(pthread_create(&worker, NULL, stream, pair), 0);
    sleep_for_reply(pair, &reply);
    assert_int_equal(reply.kind, SCO_LANE_START);
    for (;;) {
        sleep_for_reply(pair, &reply);
        if (reply.kind == SCO_LANE_END) {
            break;
        }
        assert_int_equal(reply.kind, SCO_LANE_CHUNK);
        assert_memory_equal(sco_lane_bytes(pair->lane, reply.offset), "chunk",
                            5);
        sco_lane_release(pair->lane, reply.offset);
        seen++;
    }
    pthread_join(worker, &sent);
    assert_int_equal(seen, (intptr_t)sent);
    assert_int_equal(seen, 2000);
}

static void
test_a_stream_that_nobody_reads_ends_when_it_is_cancelled(void **state)
{
    struct pair *pair = *state;
    struct sco_lane_reply reply;
    struct sco_slot slot;
    pthread_t worker;
    void *sent;

    (void)send_body(pair, "go", &slot);
    assert_int_equal(pthread_create(&worker, NULL, stream, pair), 0);
    sleep_for_reply(pair, &reply);
    sco_arena_cancel(pair->arena, slot, SCO_CANCEL_GONE);
    sco_lane_ring(pair->lane);
    do {
        sleep_for_reply(pair, &reply);
    } while (reply.kind != SCO_LANE_END);
    pthread_join(worker, &sent);
    assert_true((intptr_t)sent < 2000);
}

/* ---- what a broken worker might say --------------------------------- */

/* clang-format off */
static const struct {
    const char *why;
    struct sco_lane_reply reply;
    bool fits;
} claims[] = {
    { "nothing nowhere", { .place = SCO_LANE_NOWHERE }, true },
    { "something nowhere",
      { .place = SCO_LANE_NOWHERE, .body_bytes = 1 }, false },
    { "inside the slot",
      { .place = SCO_LANE_IN_SLOT, .offset = 128, .body_bytes = 8064 },
      true },
    { "one byte past the slot",
      { .place = SCO_LANE_IN_SLOT, .offset = 128, .body_bytes = 8065 },
      false },
    { "over the mark",
      { .place = SCO_LANE_IN_SLOT, .offset = 0, .body_bytes = 1 }, false },
    { "not at a boundary",
      { .place = SCO_LANE_IN_SLOT, .offset = 65, .body_bytes = 1 }, false },
    { "a length that wraps",
      { .place = SCO_LANE_IN_SLOT, .offset = 128,
        .body_bytes = UINT64_MAX - 64 }, false },
    { "an offset that wraps",
      { .place = SCO_LANE_IN_BLOCK, .offset = UINT64_MAX - 63,
        .body_bytes = 128 }, false },
    { "headers and body together too long",
      { .place = SCO_LANE_IN_SLOT, .offset = 64, .headers_bytes = 8000,
        .body_bytes = 8000 }, false },
    { "inside the region",
      { .place = SCO_LANE_IN_BLOCK, .offset = 64, .body_bytes = 1 << 20 },
      true },
    { "past the region",
      { .place = SCO_LANE_IN_BLOCK, .offset = SCO_SLOTS_BYTES - 64,
        .body_bytes = 65 }, false },
};
/* clang-format on */

static void
test_a_reply_outside_its_memory_does_not_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        print_message("%s\n", claims[i].why);
        assert_int_equal(sco_lane_reply_fits(&claims[i].reply, 8192),
                         claims[i].fits);
    }
}

#define WITH_PAIR(test) \
    cmocka_unit_test_setup_teardown(test, make_pair, drop_pair)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(test_a_call_comes_as_it_was_sent_and_its_reply_too),
        WITH_PAIR(test_a_revoked_call_is_never_started),
        WITH_PAIR(test_a_started_call_cannot_be_revoked),
        WITH_PAIR(test_a_stale_entry_does_not_start_the_slots_next_request),
        WITH_PAIR(test_a_full_ring_refuses),
        WITH_PAIR(test_a_large_reply_stands_in_a_block),
        WITH_PAIR(test_cancelling_is_seen_by_the_running_call_alone),
        WITH_PAIR(test_what_a_cancelled_call_is_told),
        WITH_PAIR(test_a_call_knows_when_its_time_is_over),
        WITH_PAIR(test_a_late_call_is_answered_where_that_is_asked_for),
        WITH_PAIR(test_stop_comes_after_what_waits),
        WITH_PAIR(test_ready_carries_its_documents),
        WITH_PAIR(test_no_wakeup_is_ever_lost),
        WITH_PAIR(test_a_slow_reader_slows_the_stream_and_loses_nothing),
        WITH_PAIR(test_a_stream_that_nobody_reads_ends_when_it_is_cancelled),
        cmocka_unit_test(test_a_reply_outside_its_memory_does_not_fit),
    };

    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
