/* test_sink.c - where a worker's replies are put */
#include "link/child.h"
#include "link/head.h"
#include "link/lane.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct sco_slice none = { NULL, 0 };

static struct sco_arena *arena;
static struct sco_lane *lane;
static struct sco_child *child;
static struct sco_sink *sink;
static struct sco_slot slot; /* of the call in hand */

/* Gives the worker a call, which it takes. */
static void
begin_call(void)
{
    struct sco_lane_call sent = { .kind = SCO_LANE_PLAIN, .body_bytes = 100 };
    struct sco_child_line line;
    struct sco_call call;

    assert_int_equal(sco_slots_take(sco_arena_slots(arena), 1000, &slot),
                     SCO_OK);
    sent.offset = slot.offset;
    sent.slot_bytes = slot.bytes;
    sent.ticket = sco_arena_mark(arena, slot);
    assert_true(sco_lane_send(lane, &sent));
    assert_int_equal(sco_child_try_next(child, &call, &line), SCO_CHILD_CALL);
}

static int
make_lane(void **state)
{
    (void)state;
    assert_int_equal(sco_arena_create(&arena, NULL), SCO_OK);
    assert_int_equal(sco_lane_create(arena, &lane, NULL), SCO_OK);
    assert_int_equal(sco_child_join(lane, &child, NULL), SCO_OK);
    sink = sco_child_sink(child);
    begin_call();
    return 0;
}

static int
drop_lane(void **state)
{
    (void)state;
    sco_child_destroy(child);
    sco_lane_unref(lane);
    sco_arena_destroy(arena);
    return 0;
}

static struct sco_lane_reply
take(enum sco_lane_reply_kind kind)
{
    struct sco_lane_reply reply = { .ticket = 0 };

    assert_int_equal(sco_lane_take(lane, &reply), SCO_OK);
    assert_int_equal(reply.kind, kind);
    return reply;
}

/* Replies with so many bytes and says where they went. */
static struct sco_lane_reply
reply_bytes(size_t bytes)
{
    struct sco_reply_head head = { .status = 200 };
    char *body = calloc(1, bytes);
    struct sco_lane_reply reply;

    assert_non_null(body);
    sink->ops->reply(sink, &head, none, (struct sco_slice){ body, bytes });
    free(body);
    reply = take(SCO_LANE_WHOLE);
    assert_int_equal(reply.body_bytes, bytes);
    assert_true(sco_lane_reply_fits(&reply, slot.bytes));
    return reply;
}

static void
test_all_of_a_reply_arrives(void **state)
{
    struct sco_reply_head head = {
        .status = 404,
        .flags = SCO_REPLY_FAILED | SCO_REPLY_EXEC_MS,
        .run_ns = 123,
        .stream_bytes = -1,
        .has_reason = true,
    };
    struct sco_lane_reply reply;
    const char *bytes;

    (void)state;
    sink->ops->reply(sink, &head, SCO_SLICE("headers"), SCO_SLICE("body"));
    reply = take(SCO_LANE_WHOLE);
    assert_int_equal(reply.status, 404);
    assert_int_equal(reply.flags, SCO_REPLY_FAILED | SCO_REPLY_EXEC_MS);
    assert_int_equal(reply.run_ns, 123);
    assert_int_equal(reply.has_reason, 1);
    assert_int_equal(reply.headers_bytes, 7);
    assert_int_equal(reply.body_bytes, 4);
    assert_int_equal(reply.place, SCO_LANE_IN_SLOT);
    bytes = sco_arena_bytes(arena, slot) + reply.offset - SCO_SLOT_MARK_BYTES;
    assert_memory_equal(bytes, "headersbody", 11);
}

static void
test_the_request_is_not_written_over(void **state)
{
    struct sco_lane_reply reply = reply_bytes(1);

    (void)state;
    assert_int_equal(reply.place, SCO_LANE_IN_SLOT);
    assert_true(reply.offset >= SCO_SLOT_MARK_BYTES + 100);
}

static void
test_what_fills_the_slot_stands_in_it_and_one_more_does_not(void **state)
{
    /* Mark and body come to 164 bytes, so a reply begins at 192. */
    const size_t room = slot.bytes - 192;
    struct sco_lane_reply reply = reply_bytes(room);

    (void)state;
    assert_int_equal(reply.place, SCO_LANE_IN_SLOT);
    assert_int_equal(reply.offset, 192);
    begin_call();
    assert_int_equal(reply_bytes(room + 1).place, SCO_LANE_IN_BLOCK);
}

static void
test_nothing_needs_no_place(void **state)
{
    (void)state;
    assert_int_equal(reply_bytes(0).place, SCO_LANE_NOWHERE);
}

static void
test_a_block_is_used_again_once_it_was_released(void **state)
{
    uint64_t first = reply_bytes(20000).offset;
    uint64_t second;

    (void)state;
    begin_call();
    second = reply_bytes(20000).offset;
    assert_int_not_equal(first, second);
    sco_lane_release(lane, first);
    begin_call();
    assert_int_equal(reply_bytes(20000).offset, first);
}

static void
test_many_blocks_can_be_out_at_once(void **state)
{
    uint64_t offsets[100];

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        offsets[i] = reply_bytes(20000).offset;
        begin_call();
    }
    for (size_t i = 0; i < 100; i++) {
        sco_lane_release(lane, offsets[i]);
    }
    assert_int_equal(reply_bytes(20000).offset, offsets[99]);
}

/* ---- streams -------------------------------------------------------- */

static void
start_stream(void)
{
    struct sco_reply_head head = { .status = 200, .stream_bytes = 5 };
    struct sco_lane_reply reply;

    assert_int_equal(sink->ops->start(sink, &head, SCO_SLICE("headers")),
                     SCO_OK);
    reply = take(SCO_LANE_START);
    assert_int_equal(reply.place, SCO_LANE_IN_BLOCK);
    assert_int_equal(reply.stream_bytes, 5);
    assert_int_equal(reply.headers_bytes, 7);
    assert_memory_equal(sco_lane_bytes(lane, reply.offset), "headers", 7);
    sco_lane_release(lane, reply.offset);
}

static void
test_a_stream_is_a_start_its_pieces_and_an_end(void **state)
{
    struct sco_lane_reply reply;

    (void)state;
    start_stream();
    assert_int_equal(sink->ops->chunk(sink, SCO_SLICE("piece")), SCO_OK);
    assert_int_equal(sink->ops->chunk(sink, none), SCO_OK);
    sink->ops->end(sink, SCO_SCRIPT);
    reply = take(SCO_LANE_CHUNK);
    assert_memory_equal(sco_lane_bytes(lane, reply.offset), "piece", 5);
    assert_int_equal(take(SCO_LANE_CHUNK).place, SCO_LANE_NOWHERE);
    assert_int_equal(take(SCO_LANE_END).status, SCO_SCRIPT);
}

static void
test_nothing_is_streamed_to_nobody(void **state)
{
    struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };

    (void)state;
    sco_arena_cancel(arena, slot, SCO_CANCEL_GONE);
    assert_int_equal(sink->ops->start(sink, &head, none), SCO_CANCELLED);
    assert_int_equal(sink->ops->chunk(sink, SCO_SLICE("x")), SCO_CANCELLED);
    sink->ops->end(sink, SCO_CANCELLED);
    (void)take(SCO_LANE_END);
}

/* The clients of earlier replies may be slow for as long as they like. (If a
 * stream waited for them, this test would not end.) */
static void
test_a_stream_does_not_wait_for_other_clients(void **state)
{
    (void)state;
    (void)reply_bytes((size_t)16 << 20);
    for (int i = 0; i < 70; i++) {
        begin_call();
        (void)reply_bytes(20000);
    }
    begin_call();
    start_stream();
    assert_int_equal(sink->ops->chunk(sink, SCO_SLICE("x")), SCO_OK);
    (void)take(SCO_LANE_CHUNK);
}

/* ---- the rest ------------------------------------------------------- */

static void
test_a_line_is_acknowledged_when_it_was_logged(void **state)
{
    struct sco_lane_call sent = { .kind = SCO_LANE_LINE, .head_bytes = 6 };
    struct sco_lane_reply reply;
    struct sco_child_line line;
    struct sco_slot place;
    struct sco_call call;

    (void)state;
    (void)reply_bytes(1);
    assert_int_equal(sco_slots_take(sco_arena_slots(arena), 1000, &place),
                     SCO_OK);
    memcpy(sco_arena_bytes(arena, place), "loggermessage", 13);
    sent.body_bytes = 7;
    sent.offset = place.offset;
    sent.slot_bytes = place.bytes;
    sent.ticket = sco_arena_mark(arena, place);
    assert_true(sco_lane_send(lane, &sent));
    assert_int_equal(sco_child_try_next(child, &call, &line), SCO_CHILD_LINE);
    assert_true(sco_slice_equal(line.logger, SCO_SLICE("logger")));
    assert_true(sco_slice_equal(line.message, SCO_SLICE("message")));
    assert_int_equal(sco_lane_take(lane, &reply), SCO_NOT_FOUND);
    assert_int_equal(sco_child_try_next(child, &call, &line), SCO_CHILD_NONE);
    assert_int_equal(take(SCO_LANE_SKIPPED).ticket, sent.ticket);
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_NOT);
    sco_arena_cancel(arena, place, SCO_CANCEL_TIMEOUT);
    assert_int_equal(sink->ops->stop(sink),
                     SCO_STOP_NOT); /* it is nobody's any more */
}

static void
test_there_is_room_for_so_many_documents(void **state)
{
    struct sco_document documents[9];
    struct sco_error err;

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        documents[i] =
            (struct sco_document){ SCO_SLICE("2"), SCO_SLICE("{}") };
    }
    assert_int_equal(sco_child_ready(child, documents, 9, &err),
                     SCO_TOO_LARGE);
    assert_int_equal(sco_child_ready(child, documents, 8, &err), SCO_OK);
    assert_int_equal(take(SCO_LANE_READY).headers_bytes,
                     2 + 8 * (2 + 1 + 4 + 2));
}

static void
test_the_next_reply_tells_of_a_run(void **state)
{
    const struct sco_child_run run = {
        .told = 0x104, .rows = 9, .begun_ns = 5, .run_ns = 6
    };
    struct sco_lane_reply reply;

    (void)state;
    sco_child_note_run(child, &run);
    reply = reply_bytes(1);
    assert_int_equal(reply.batch_told, 0x104);
    assert_int_equal(reply.batch_rows, 9);
    assert_int_equal(reply.begun_ns, 5);
    assert_int_equal(reply.run_ns, 6);
    begin_call();
    reply = reply_bytes(1);
    assert_int_equal(reply.batch_told, 0);
    assert_int_equal(reply.batch_rows, 0);
    sco_child_tell_run(child); /* nothing is left to be told */
    assert_int_equal(sco_lane_take(lane, &reply), SCO_NOT_FOUND);
}

static void
test_a_run_without_a_reply_is_told_of_by_itself(void **state)
{
    const struct sco_child_run run = { .told = 2, .rows = 64 };
    struct sco_lane_reply reply;

    (void)state;
    sco_child_note_run(child, &run);
    sco_child_tell_run(child);
    reply = take(SCO_LANE_RAN);
    assert_int_equal(reply.place, SCO_LANE_NOWHERE);
    assert_int_equal(reply.batch_told, 2);
    assert_int_equal(reply.batch_rows, 64);
    assert_true(reply.ticket != 0);
    reply = reply_bytes(1); /* the call has its own */
    assert_int_equal(reply.batch_told, 0);
}

static void
test_a_stream_that_nobody_wants_tells_of_one_at_its_end(void **state)
{
    const struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    const struct sco_child_run run = { .told = 2, .rows = 64 };
    struct sco_lane_reply reply;

    (void)state;
    sco_child_note_run(child, &run);
    sco_arena_cancel(arena, slot, SCO_CANCEL_GONE);
    assert_int_equal(sink->ops->start(sink, &head, none), SCO_CANCELLED);
    sink->ops->end(sink, SCO_CANCELLED);
    reply = take(SCO_LANE_END);
    assert_int_equal(reply.batch_told, 2);
    assert_int_equal(reply.batch_rows, 64);
}

#define WITH_LANE(test) \
    cmocka_unit_test_setup_teardown(test, make_lane, drop_lane)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LANE(test_all_of_a_reply_arrives),
        WITH_LANE(test_the_request_is_not_written_over),
        WITH_LANE(test_what_fills_the_slot_stands_in_it_and_one_more_does_not),
        WITH_LANE(test_nothing_needs_no_place),
        WITH_LANE(test_a_block_is_used_again_once_it_was_released),
        WITH_LANE(test_many_blocks_can_be_out_at_once),
        WITH_LANE(test_a_stream_is_a_start_its_pieces_and_an_end),
        WITH_LANE(test_nothing_is_streamed_to_nobody),
        WITH_LANE(test_a_stream_does_not_wait_for_other_clients),
        WITH_LANE(test_a_line_is_acknowledged_when_it_was_logged),
        WITH_LANE(test_there_is_room_for_so_many_documents),
        WITH_LANE(test_the_next_reply_tells_of_a_run),
        WITH_LANE(test_a_run_without_a_reply_is_told_of_by_itself),
        WITH_LANE(test_a_stream_that_nobody_wants_tells_of_one_at_its_end),
    };

    return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
