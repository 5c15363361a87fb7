/* test_stream.c - a reply in pieces, from a worker to a slow client */
#include "link/child.h"
#include "request/stream.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>

static struct sco_arena *arena;
static struct sco_lane *lane;
static struct sco_child *child;
static struct sco_stream *stream;
static unsigned told;

static int
make_stream(void **state)
{
    (void)state;
    told = 0;
    assert_int_equal(sco_arena_create(&arena, NULL), SCO_OK);
    assert_int_equal(sco_lane_create(arena, &lane, NULL), SCO_OK);
    assert_int_equal(sco_child_join(lane, &child, NULL), SCO_OK);
    stream = sco_stream_create();
    assert_non_null(stream);
    return 0;
}

static int
drop_stream(void **state)
{
    (void)state;
    sco_stream_unref(stream);
    sco_child_destroy(child);
    sco_lane_unref(lane);
    sco_arena_destroy(arena);
    return 0;
}

static void
on_data(void *arg)
{
    assert_ptr_equal(arg, &told);
    told++;
}

/* Has the worker send a piece; where it stands. */
static uint64_t
place_piece(const char *text)
{
    struct sco_sink *sink = sco_child_sink(child);
    struct sco_lane_reply reply;

    assert_int_equal(sink->ops->chunk(sink, sco_slice_of(text)), SCO_OK);
    assert_int_equal(sco_lane_take(lane, &reply), SCO_OK);
    assert_int_equal(reply.place, SCO_LANE_IN_BLOCK);
    return reply.offset;
}

static uint64_t
push(const char *text)
{
    uint64_t offset = place_piece(text);

    assert_int_equal(sco_stream_push(stream, lane, offset, strlen(text)),
                     SCO_OK);
    return offset;
}

/* Reads at most `max` bytes and compares them. */
static void
assert_read(size_t max, const char *wanted)
{
    char got[64] = "";

    assert_int_equal(sco_stream_read(stream, got, max), strlen(wanted));
    assert_memory_equal(got, wanted, strlen(wanted));
}

static void
test_pieces_come_out_in_order_and_never_two_at_once(void **state)
{
    char none[1];

    (void)state;
    (void)push("one");
    (void)push("three");
    assert_read(2, "on");
    assert_read(64, "e");
    assert_read(64, "three");
    assert_int_equal(sco_stream_read(stream, none, 1), 0);
    sco_stream_end(stream, SCO_OK);
    assert_false(sco_stream_has_failed(stream));
    assert_int_equal(sco_stream_read(stream, none, 1), -1);
    assert_int_equal(sco_stream_read(stream, none, 1), -1);
}

static void
test_a_failure_comes_after_what_is_there(void **state)
{
    char none[1];

    (void)state;
    (void)push("piece");
    assert_false(sco_stream_has_failed(stream));
    sco_stream_end(stream, SCO_WORKER_LOST);
    sco_stream_end(stream, SCO_OK); /* too late to be heard */
    assert_true(sco_stream_has_failed(stream));
    assert_read(64, "piece");
    assert_int_equal(sco_stream_read(stream, none, 1), -2);
}

static void
test_the_listener_is_told_of_pieces_and_of_one_end(void **state)
{
    (void)state;
    (void)push("before anybody listens");
    sco_stream_listen(stream, on_data, &told);
    assert_int_equal(told, 0);
    (void)push("x");
    assert_int_equal(told, 1);
    sco_stream_end(stream, SCO_OK);
    sco_stream_end(stream, SCO_OK);
    assert_int_equal(told, 2);
}

static void
test_a_piece_is_given_back_with_its_last_byte(void **state)
{
    uint64_t first = push("abc");

    (void)state;
    assert_read(2, "ab");
    assert_int_not_equal(place_piece("x"), first);
    assert_read(2, "c");
    assert_int_equal(place_piece("x"), first);
}

static void
test_dropping_gives_everything_back_and_takes_nothing_more(void **state)
{
    uint64_t first = push("abc");
    uint64_t second;

    (void)state;
    sco_stream_listen(stream, on_data, &told);
    sco_stream_drop(stream);
    second = place_piece("x");
    assert_int_equal(second, first);
    assert_int_equal(sco_stream_push(stream, lane, second, 1), SCO_CANCELLED);
    assert_int_equal(place_piece("x"), first);
    sco_stream_end(stream, SCO_OK);
    assert_int_equal(told, 0);
}

static void
test_nothing_comes_after_the_end(void **state)
{
    uint64_t offset = place_piece("x");

    (void)state;
    sco_stream_end(stream, SCO_OK);
    assert_int_equal(sco_stream_push(stream, lane, offset, 1), SCO_CANCELLED);
    assert_int_equal(place_piece("x"), offset);
}

static void
test_the_last_reference_gives_the_pieces_back(void **state)
{
    uint64_t first = push("abc");

    (void)state;
    assert_ptr_equal(sco_stream_ref(stream), stream);
    sco_stream_unref(stream);
    assert_int_not_equal(place_piece("x"), first);
    sco_stream_unref(stream);
    stream = NULL; /* and that is allowed in drop_stream() */
    assert_int_equal(place_piece("x"), first);
}

#define WITH_STREAM(test) \
    cmocka_unit_test_setup_teardown(test, make_stream, drop_stream)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STREAM(test_pieces_come_out_in_order_and_never_two_at_once),
        WITH_STREAM(test_a_failure_comes_after_what_is_there),
        WITH_STREAM(test_the_listener_is_told_of_pieces_and_of_one_end),
        WITH_STREAM(test_a_piece_is_given_back_with_its_last_byte),
        WITH_STREAM(
            test_dropping_gives_everything_back_and_takes_nothing_more),
        WITH_STREAM(test_nothing_comes_after_the_end),
        WITH_STREAM(test_the_last_reference_gives_the_pieces_back),
    };

    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
