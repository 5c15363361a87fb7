/* test_worker.c - giving work, hearing replies, taking back, and time
 *
 * With a fake kind, whose far end the test plays.
 */
#include "base/clock.h"
#include "request/stream.h"
#include "support/one_worker.h"
#include "support/test.h"
#include "worker/worker.h"

#include <signal.h>
#include <string.h>

/* No limit that a test runs into. */
#define FOR_EVER (3600 * SCO_NS_PER_S)

static int
start(void **state)
{
    (void)state;
    one_worker_start(FOR_EVER, FOR_EVER);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    one_worker_stop();
    return 0;
}

/* ---- work ----------------------------------------------------------- */

static void
test_it_is_ready_when_init_is_done(void **state)
{
    const struct sco_document document = { SCO_SLICE("2"), SCO_SLICE("{}") };

    (void)state;
    assert_int_equal(one_worker.worker->state, SCO_WORKER_STARTING);
    assert_false(sco_worker_is_able(one_worker.worker));
    assert_false(sco_worker_poll(one_worker.worker));
    fake_ready(one_worker.fake, &document, 1);
    assert_true(sco_worker_poll(one_worker.worker));
    assert_int_equal(one_worker.ready, 1);
    assert_int_equal(one_worker.document_bytes, 2 + (2 + 1) + (4 + 2));
    assert_true(sco_worker_is_able(one_worker.worker));
}

static void
test_requests_are_scored_in_order_and_answered(void **state)
{
    (void)state;
    one_worker_be_ready();
    (void)one_worker_give(0, "one");
    (void)one_worker_give(1, "two");
    assert_int_equal(one_worker.worker->held_count, 2);
    assert_true(fake_took(one_worker.fake, "one"));
    fake_reply_after(one_worker.fake, "ONE", 77);
    assert_true(fake_took(one_worker.fake, "two"));
    fake_reply(one_worker.fake, "TWO");
    assert_true(sco_worker_poll(one_worker.worker));
    assert_false(sco_worker_poll(one_worker.worker));
    assert_string_equal(one_worker.heard[0].body, "ONE");
    assert_string_equal(one_worker.heard[1].body, "TWO");
    assert_int_equal(one_worker.heard[0].status, 200);
    assert_int_equal(one_worker.heard[0].pid, FAKE_FIRST_PID);
    assert_int_equal(one_worker.through, 2);
    assert_int_equal(one_worker.worker->served, 2);
    assert_int_equal(one_worker.worker->held_count, 0);
}

static void
test_a_full_ring_leaves_the_request_with_the_caller(void **state)
{
    struct sco_request *req;
    size_t given = 0;

    (void)state;
    one_worker_be_ready();
    for (;;) {
        req = heard_request(one_worker.arena, "x", NULL);
        if (!sco_worker_give(one_worker.worker, req)) {
            break;
        }
        given++;
        assert_true(given < 1000);
    }
    assert_true(given >= 16);
    assert_int_equal(one_worker.worker->held_count, given);
    assert_null(req->worker);
    assert_true(sco_list_empty(&req->link));
    sco_request_unref(req);
    while (fake_take(one_worker.fake) == SCO_CHILD_CALL) {
        fake_reply(one_worker.fake, "");
    }
    while (sco_worker_poll(one_worker.worker)) {
    }
    assert_int_equal(one_worker.through, given);
}

static void
test_what_was_not_started_can_be_taken_back(void **state)
{
    struct sco_request *first, *second;

    (void)state;
    one_worker_be_ready();
    first = one_worker_give(0, "first");
    second = one_worker_give(1, "second");
    assert_true(fake_took(one_worker.fake, "first"));
    assert_ptr_equal(sco_worker_spare(one_worker.worker), second);
    assert_false(sco_worker_take_back(one_worker.worker, first));
    assert_true(sco_worker_take_back(one_worker.worker, second));
    assert_int_equal(one_worker.worker->held_count, 1);
    assert_null(sco_worker_spare(one_worker.worker));
    fake_reply(one_worker.fake, "");
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_NONE);
    sco_request_unref(second);
}

/* The mark is made anew when it is given again; what is known of its client
 * must not get lost. */
static void
test_who_sends_no_more_is_known_wherever_the_work_goes(void **state)
{
    struct sco_sink *sink;
    struct sco_request *req;

    (void)state;
    one_worker_be_ready();
    req = one_worker_give(0, "x");
    assert_true(sco_worker_take_back(one_worker.worker, req));
    req->half_closed = true;
    assert_true(sco_worker_give(one_worker.worker, req));
    assert_true(fake_took(one_worker.fake, "x"));
    sink = sco_child_sink(one_worker.fake->child);
    assert_true(sink->ops->cancelled(sink));
    fake_reply(one_worker.fake, "heard");
    assert_true(sco_worker_poll(one_worker.worker));
    assert_string_equal(one_worker.heard[0].body, "heard");
}

static void
test_an_answered_request_still_keeps_the_worker(void **state)
{
    struct sco_request *req;

    (void)state;
    one_worker_be_ready();
    req = one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    assert_true(sco_request_fail(req, SCO_CANCELLED, NULL, 0));
    sco_worker_cancel(one_worker.worker, req, SCO_CANCEL_GONE);
    assert_int_equal(one_worker.worker->held_count, 1);
    assert_true(sco_child_sink(one_worker.fake->child)
                    ->ops->cancelled(sco_child_sink(one_worker.fake->child)));
    fake_reply(one_worker.fake, "too late");
    assert_true(sco_worker_poll(one_worker.worker));
    assert_int_equal(one_worker.heard[0].count, 1);
    assert_int_equal(one_worker.heard[0].failure, SCO_CANCELLED);
    assert_int_equal(one_worker.through, 1);
}

static void
test_a_line_is_no_request(void **state)
{
    struct sco_request *line = heard_request(one_worker.arena, "line", NULL);

    (void)state;
    one_worker_be_ready();
    line->kind = SCO_LANE_LINE;
    assert_true(sco_worker_give(one_worker.worker, line));
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_LINE);
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_NONE);
    assert_true(sco_worker_poll(one_worker.worker));
    assert_int_equal(one_worker.worker->held_count, 0);
    assert_int_equal(one_worker.worker->served, 0);
    assert_int_equal(one_worker.through, 0);
}

/* ---- streams -------------------------------------------------------- */

static void
say_piece(const char *text)
{
    struct sco_sink *sink = sco_child_sink(one_worker.fake->child);

    assert_int_equal(sink->ops->chunk(sink, sco_slice_of(text)), SCO_OK);
    assert_true(sco_worker_poll(one_worker.worker));
}

static void
end_stream(enum sco_status how)
{
    struct sco_sink *sink = sco_child_sink(one_worker.fake->child);

    sink->ops->end(sink, how);
    assert_true(sco_worker_poll(one_worker.worker));
}

static void
test_a_stream_is_answered_at_its_start(void **state)
{
    char bytes[16];

    (void)state;
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    one_worker_start_stream();
    assert_int_equal(one_worker.heard[0].count, 1);
    assert_non_null(one_worker.heard[0].stream);
    assert_int_equal(one_worker.through, 0);
    say_piece("piece");
    assert_int_equal(sco_stream_read(one_worker.heard[0].stream, bytes, 16),
                     5);
    assert_memory_equal(bytes, "piece", 5);
    assert_int_equal(sco_stream_read(one_worker.heard[0].stream, bytes, 16),
                     0);
    end_stream(SCO_OK);
    assert_int_equal(sco_stream_read(one_worker.heard[0].stream, bytes, 16),
                     -1);
    assert_int_equal(one_worker.through, 1);
    heard_finish(&one_worker.heard[0]);
}

static void
test_a_stream_that_breaks_fails_for_its_reader(void **state)
{
    char bytes[16];

    (void)state;
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    one_worker_start_stream();
    end_stream(SCO_SCRIPT);
    assert_int_equal(sco_stream_read(one_worker.heard[0].stream, bytes, 16),
                     -2);
    heard_finish(&one_worker.heard[0]);
}

static void
test_a_stream_that_nobody_wants_is_cancelled(void **state)
{
    struct sco_sink *sink = sco_child_sink(one_worker.fake->child);
    struct sco_request *req;

    (void)state;
    one_worker_be_ready();
    req = one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    req->on_answer = NULL; /* the client has left */
    one_worker_start_stream();
    assert_int_equal(sink->ops->chunk(sink, SCO_SLICE("x")), SCO_CANCELLED);
    end_stream(SCO_CANCELLED);
    assert_int_equal(one_worker.through, 1);
    assert_int_equal(one_worker.heard[0].count, 0);
}

/* A run() that returns an iterator after its client has left: the worker's
 * sink starts no stream, and ends it all the same. */
static void
test_a_stream_after_its_client_left_ends_without_a_start(void **state)
{
    struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct sco_sink *sink = sco_child_sink(one_worker.fake->child);
    struct sco_request *req = one_worker_give(0, "x");

    (void)state;
    assert_true(fake_took(one_worker.fake, "x"));
    req->on_answer = NULL;
    sco_worker_cancel(one_worker.worker, req, SCO_CANCEL_GONE);
    assert_int_equal(
        sink->ops->start(sink, &head, (struct sco_slice){ NULL, 0 }),
        SCO_CANCELLED);
    sink->ops->end(sink, SCO_CANCELLED);
    assert_true(sco_worker_poll(one_worker.worker));
    assert_int_equal(fake_crew.kills, 0);
    assert_int_equal(one_worker.through, 1);
}

static void
test_a_dropped_stream_cancels_its_request(void **state)
{
    struct sco_sink *sink = sco_child_sink(one_worker.fake->child);

    (void)state;
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    one_worker_start_stream();
    sco_stream_drop(one_worker.heard[0].stream);
    say_piece("for nobody");
    assert_int_equal(sink->ops->chunk(sink, SCO_SLICE("x")), SCO_CANCELLED);
    end_stream(SCO_CANCELLED);
    heard_finish(&one_worker.heard[0]);
}

static void
test_a_stream_ends_with_its_worker(void **state)
{
    char bytes[16];

    (void)state;
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    one_worker_start_stream();
    say_piece("piece");
    fake_end(one_worker.fake, 0, SIGSEGV);
    turner_turn(&one_worker.turner);
    assert_int_equal(sco_stream_read(one_worker.heard[0].stream, bytes, 16),
                     5);
    assert_int_equal(sco_stream_read(one_worker.heard[0].stream, bytes, 16),
                     -2);
    assert_int_equal(one_worker.heard[0].count, 1);
    heard_finish(&one_worker.heard[0]);
}

/* ---- ends ----------------------------------------------------------- */

/* clang-format off */
static const struct {
    int         exit_code, signal;
    const char *detail;
} ends[] = {
    { 0, SIGSEGV, "worker process was killed by SIGSEGV" },
    { 0, SIGKILL, "worker process was killed by SIGKILL" },
    { 0, 63,      "worker process was killed by SIG?" },
    { 0, 0,       "worker process exited with code 0" },
    { 17, 0,      "worker process exited with code 17" },
};
/* clang-format on */

static void
test_a_lost_worker_costs_only_what_it_had_started(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (i > 0) {
            assert_int_equal(start(state), 0);
        }
        one_worker_be_ready();
        (void)one_worker_give(0, "started");
        (void)one_worker_give(1, "waits");
        (void)one_worker_give(2, "waits too");
        assert_true(fake_took(one_worker.fake, "started"));
        fake_end(one_worker.fake, ends[i].exit_code, ends[i].signal);
        turner_turn(&one_worker.turner);
        assert_null(one_worker.worker);
        assert_int_equal(one_worker.gone, 1);
        assert_int_equal(one_worker.end.signal, ends[i].signal);
        assert_int_equal(one_worker.heard[0].failure, SCO_WORKER_LOST);
        assert_string_equal(one_worker.heard[0].detail, ends[i].detail);
        assert_int_equal(one_worker.heard[0].pid, FAKE_FIRST_PID);
        assert_int_equal(one_worker.heard[1].count, 0);
        assert_int_equal(one_worker.returned_count, 2); /* newest first */
        assert_ptr_equal(one_worker.returned[1]->on_answer_arg,
                         &one_worker.heard[1]);
        if (i + 1 < sizeof(ends) / sizeof(ends[0])) {
            assert_int_equal(stop(state), 0);
        }
    }
}

static void
test_last_words_are_heard(void **state)
{
    (void)state;
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    fake_reply(one_worker.fake, "just in time");
    fake_end(one_worker.fake, 0, SIGSEGV);
    turner_turn(&one_worker.turner);
    assert_int_equal(one_worker.heard[0].failure, SCO_OK);
    assert_string_equal(one_worker.heard[0].body, "just in time");
}

static void
test_leaving_it_does_what_it_holds(void **state)
{
    (void)state;
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    sco_worker_leave(one_worker.worker);
    sco_worker_leave(one_worker.worker); /* once more does nothing */
    assert_int_equal(one_worker.worker->state, SCO_WORKER_LEAVING);
    assert_false(sco_worker_is_able(one_worker.worker));
    assert_true(fake_took(one_worker.fake, "x"));
    fake_reply(one_worker.fake, "done");
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_STOP);
    assert_true(sco_worker_poll(one_worker.worker));
    assert_string_equal(one_worker.heard[0].body, "done");
    assert_int_equal(fake_crew.kills, 0);
}

static void
test_one_that_starts_is_killed_when_it_should_leave(void **state)
{
    (void)state;
    sco_worker_leave(one_worker.worker);
    assert_int_equal(fake_crew.kills, 1);
    turner_turn(&one_worker.turner);
    assert_int_equal(one_worker.gone, 1);
    assert_int_equal(one_worker.end.signal, SIGKILL);
}

static void
test_what_cannot_be_started_is_reported(void **state)
{
    const struct sco_worker_boss boss = { .arg = NULL };
    struct sco_worker *other = NULL;
    struct sco_error err = { .text = "" };

    (void)state;
    fake_crew.failing_starts = 1;
    assert_int_equal(sco_worker_create(&fake_worker_kind, &one_worker.setup,
                                       &boss, &other, &err),
                     SCO_INTERNAL);
    assert_null(other);
    assert_true(err.text[0] != '\0');
}

/* Each call of run() for a batch is told once, before what it answered. */
static void
test_a_batch_is_told_of(void **state)
{
    const struct sco_child_run first = { .told = 3, .rows = 64 };
    const struct sco_child_run second = {
        .told = 1 | SCO_BATCH_TOLD_FAILED,
        .rows = 5,
    };
    struct sco_child *child;

    (void)state;
    one_worker_be_ready();
    child = one_worker.fake->child;
    one_worker_give(0, "x")->kind = SCO_LANE_INFER;
    (void)one_worker_give(1, "y");
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_CALL);
    sco_child_note_run(child, &first);
    sco_child_tell_run(child);
    sco_child_tell_run(child);
    assert_true(sco_worker_poll(one_worker.worker));
    assert_int_equal(one_worker.ran_count, 1);
    assert_int_equal(one_worker.ran.reason, 2);
    assert_int_equal(one_worker.ran.rows, 64);
    assert_int_equal(one_worker.heard[0].count, 0);
    assert_int_equal(one_worker.through, 0);
    sco_child_note_run(child, &second);
    fake_reply(one_worker.fake, "");
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_CALL);
    sco_child_tell_run(child);
    fake_reply(one_worker.fake, "");
    assert_true(sco_worker_poll(one_worker.worker));
    assert_int_equal(one_worker.ran_count, 2);
    assert_int_equal(one_worker.ran.reason, 0);
    assert_true(one_worker.ran.has_failed);
    assert_int_equal(one_worker.through, 2);
    assert_int_equal(one_worker.heard[1].count, 1);
}

#define WITH_WORKER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORKER(test_it_is_ready_when_init_is_done),
        WITH_WORKER(test_requests_are_scored_in_order_and_answered),
        WITH_WORKER(test_a_full_ring_leaves_the_request_with_the_caller),
        WITH_WORKER(test_what_was_not_started_can_be_taken_back),
        WITH_WORKER(test_who_sends_no_more_is_known_wherever_the_work_goes),
        WITH_WORKER(test_an_answered_request_still_keeps_the_worker),
        WITH_WORKER(test_a_line_is_no_request),
        WITH_WORKER(test_a_stream_is_answered_at_its_start),
        WITH_WORKER(test_a_stream_that_breaks_fails_for_its_reader),
        WITH_WORKER(test_a_stream_that_nobody_wants_is_cancelled),
        WITH_WORKER(test_a_stream_after_its_client_left_ends_without_a_start),
        WITH_WORKER(test_a_dropped_stream_cancels_its_request),
        WITH_WORKER(test_a_stream_ends_with_its_worker),
        WITH_WORKER(test_a_lost_worker_costs_only_what_it_had_started),
        WITH_WORKER(test_last_words_are_heard),
        WITH_WORKER(test_leaving_it_does_what_it_holds),
        WITH_WORKER(test_one_that_starts_is_killed_when_it_should_leave),
        WITH_WORKER(test_what_cannot_be_started_is_reported),
        WITH_WORKER(test_a_batch_is_told_of),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
