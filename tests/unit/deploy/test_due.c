/* test_due.c - wherever a request is, its caller is told when time is up
 *
 * The time is real and short; the tests wait for what must happen, and never
 * say how soon it does.
 */
#include "deploy/deployment.h"

#include "base/clock.h"
#include "support/fake_worker.h"
#include "support/heard.h"
#include "support/test.h"
#include "support/turner.h"

enum { REQUESTS = 4 };

#define SOON_NS  (10 * SCO_NS_PER_MS)
#define LATER_NS (3600 * SCO_NS_PER_S)

static struct turner turner;
static struct sco_deployment *deployment;
static struct heard heard[REQUESTS];

static void
nothing(void *arg)
{
    (void)arg;
}

static bool
on_turn(void *arg, uint64_t now_ns)
{
    (void)arg;
    (void)now_ns;
    return sco_deployment_turn(deployment);
}

/* Starts one worker, which may be ready. */
static void
start(size_t ready, bool raise_cancelled)
{
    struct sco_deployment_setup setup = {
        .kind = &fake_worker_kind,
        .limits = { .max_requests = 100, .max_bytes = 10000 },
        .workers = 1,
        .raise_cancelled = raise_cancelled,
        .on_boot_failed = nothing,
        .on_empty = nothing,
    };

    fake_crew_reset();
    turner_init(&turner);
    setup.loop = turner.loop;
    assert_int_equal(sco_deployment_create(&setup, &deployment, NULL), SCO_OK);
    sco_loop_hook(turner.loop, on_turn, NULL);
    turner_turn(&turner);
    sco_deployment_start(deployment);
    for (size_t i = 0; i < ready; i++) {
        fake_ready(fake_crew.members[i], NULL, 0);
    }
    turner_turn(&turner);
}

static int
stop(void **state)
{
    (void)state;
    sco_deployment_kill(deployment);
    turner_turn(&turner);
    turner_turn(&turner);
    assert_int_equal(sco_deployment_busy(deployment), 0);
    sco_deployment_destroy(deployment);
    turner_finish(&turner);
    return 0;
}

/* Hands a request in whose caller waits for so long; 0: for ever. */
static struct sco_request *
submit(size_t i, const char *body, uint64_t wait_ns)
{
    struct sco_request *req =
        heard_request(sco_deployment_arena(deployment), body, &heard[i]);

    req->deadline_ns = wait_ns == 0 ? 0 : sco_clock_now_ns() + wait_ns;
    assert_int_equal(sco_deployment_submit(deployment, req), SCO_OK);
    return req;
}

static bool
is_answered(void *arg)
{
    return ((const struct heard *)arg)->count > 0;
}

/* Runs until a request was answered, which must be with `failure`. */
static void
expect(size_t i, enum sco_status failure, pid_t pid)
{
    assert_true(turner_until(&turner, is_answered, &heard[i]));
    assert_int_equal(heard[i].count, 1);
    assert_int_equal(heard[i].failure, failure);
    assert_int_equal(heard[i].pid, pid);
}

static struct fake_worker *
only_worker(void)
{
    return fake_crew.members[0];
}

static void
test_one_that_waits_in_the_queue(void **state)
{
    (void)state;
    start(/* ready */ 0, false);
    (void)submit(0, "patient", 0);
    (void)submit(1, "late", SOON_NS);
    (void)submit(2, "in time", LATER_NS);
    expect(1, SCO_DEADLINE, /* pid */ 0);
    assert_int_equal(heard[0].count + heard[2].count, 0);
    assert_int_equal(sco_deployment_busy(deployment), 2);
}

static void
test_one_that_was_given_ahead_is_taken_back(void **state)
{
    (void)state;
    start(1, false);
    (void)submit(0, "runs", 0);
    turner_turn(&turner);
    assert_true(fake_took(only_worker(), "runs"));
    (void)submit(1, "ahead", SOON_NS);
    turner_turn(&turner);
    assert_int_equal(only_worker()->base.held_count, 2);
    expect(1, SCO_DEADLINE, /* pid */ 0);
    assert_int_equal(only_worker()->base.held_count, 1);
    fake_reply(only_worker(), "done");
    assert_int_equal(fake_take(only_worker()), SCO_CHILD_NONE);
    expect(0, SCO_OK, FAKE_FIRST_PID);
}

/* Also when the worker reaches it before the host's timer has rung. */
static void
test_a_worker_does_not_begin_what_is_late(void **state)
{
    const struct timespec moment = { .tv_nsec = 2 * (long)SCO_NS_PER_MS };

    (void)state;
    start(1, false);
    (void)submit(0, "late", SCO_NS_PER_MS);
    (void)submit(1, "next", 0);
    (void)sco_deployment_turn(deployment);
    assert_int_equal(only_worker()->base.held_count, 2);
    assert_int_equal(nanosleep(&moment, NULL), 0); /* no turn meanwhile */
    assert_true(fake_took(only_worker(), "next"));
    expect(0, SCO_DEADLINE, /* pid */ 0);
    fake_reply(only_worker(), "done");
    expect(1, SCO_OK, FAKE_FIRST_PID);
}

static void
test_one_that_runs_is_told_and_its_worker_lives(void **state)
{
    struct sco_sink *sink;

    (void)state;
    start(1, false);
    (void)submit(0, "runs", SOON_NS);
    turner_turn(&turner);
    assert_true(fake_took(only_worker(), "runs"));
    sink = sco_child_sink(only_worker()->child);
    assert_false(sink->ops->cancelled(sink));
    expect(0, SCO_DEADLINE, FAKE_FIRST_PID);
    assert_true(sink->ops->cancelled(sink));
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_NOT);
    assert_int_equal(fake_crew.interrupts + fake_crew.kills, 0);
    (void)submit(1, "next", 0);
    fake_reply(only_worker(), "too late for him");
    turner_turn(&turner);
    assert_true(fake_took(only_worker(), "next"));
    assert_false(sink->ops->cancelled(sink));
    fake_reply(only_worker(), "mine");
    expect(1, SCO_OK, FAKE_FIRST_PID);
    assert_string_equal(heard[1].body, "mine");
    assert_int_equal(heard[0].count, 1);
}

static void
test_where_raising_is_asked_for_it_is_interrupted_once(void **state)
{
    struct sco_request *req;
    struct sco_sink *sink;

    (void)state;
    start(1, /* raise_cancelled */ true);
    req = sco_request_ref(submit(0, "runs", SOON_NS));
    turner_turn(&turner);
    assert_true(fake_took(only_worker(), "runs"));
    sink = sco_child_sink(only_worker()->child);
    assert_false(sco_deployment_half_closed(deployment, req));
    assert_true(sink->ops->cancelled(sink)); /* told, and not interrupted */
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_NOT);
    assert_int_equal(fake_crew.interrupts, 0);
    expect(0, SCO_DEADLINE, FAKE_FIRST_PID);
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_CANCELLED);
    sco_deployment_cancel(deployment, req); /* and now the client leaves */
    assert_int_equal(fake_crew.interrupts, 1);
    assert_int_equal(fake_crew.kills, 0);
    sco_request_unref(req);
}

static void
test_an_answer_in_time_is_the_only_one(void **state)
{
    struct sco_request *req;

    (void)state;
    start(1, false);
    req = sco_request_ref(submit(0, "quick", SOON_NS));
    (void)submit(1, "late", 2 * SOON_NS);
    turner_turn(&turner);
    assert_true(fake_took(only_worker(), "quick"));
    fake_reply(only_worker(), "done");
    expect(0, SCO_OK, FAKE_FIRST_PID);
    assert_null(req->due.set);
    expect(1, SCO_DEADLINE, /* pid */ 0); /* the timer has rung for both */
    assert_int_equal(heard[0].count, 1);
    sco_request_unref(req);
}

static void
test_one_whose_client_left_is_forgotten(void **state)
{
    struct sco_request *req;

    (void)state;
    start(/* ready */ 0, false);
    req = submit(0, "left", SOON_NS);
    sco_deployment_cancel(deployment, req);
    assert_int_equal(sco_deployment_busy(deployment), 0);
    (void)submit(1, "late", 2 * SOON_NS);
    expect(1, SCO_DEADLINE, /* pid */ 0);
    assert_int_equal(heard[0].count, 0);
}

/* What has begun to be answered is in time. */
static void
test_a_stream_that_has_begun_goes_on(void **state)
{
    struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct sco_sink *sink;

    (void)state;
    start(1, false);
    (void)submit(0, "streams", 2 * SOON_NS);
    turner_turn(&turner);
    assert_true(fake_took(only_worker(), "streams"));
    sink = sco_child_sink(only_worker()->child);
    assert_int_equal(
        sink->ops->start(sink, &head, (struct sco_slice){ NULL, 0 }), SCO_OK);
    expect(0, SCO_OK, FAKE_FIRST_PID);
    (void)submit(1, "late", 4 * SOON_NS);
    expect(1, SCO_DEADLINE, /* pid */ 0);
    assert_int_equal(sink->ops->chunk(sink, SCO_SLICE("more")), SCO_OK);
    sink->ops->end(sink, SCO_OK);
    heard_finish(&heard[0]);
}

/* ---- prospects ------------------------------------------------------ */

static void
test_whether_there_is_hope(void **state)
{
    uint64_t now_ns;

    (void)state;
    start(1, false);
    now_ns = sco_clock_now_ns();
    for (int i = 0; i < 50; i++) {
        (void)submit(0, "learn", 0);
        turner_turn(&turner);
        assert_true(fake_took(only_worker(), "learn"));
        fake_reply_after(only_worker(), "", SCO_NS_PER_S);
        turner_turn(&turner);
    }
    /* A second each; nobody is ahead. */
    assert_int_equal(sco_deployment_late_ns(deployment, now_ns + SOON_NS), 0);
    (void)submit(0, "runs", 0);
    (void)submit(1, "in no hurry", 0);
    turner_turn(&turner);
    assert_true(sco_deployment_late_ns(deployment, now_ns + SOON_NS) >
                SCO_NS_PER_S);
    assert_int_equal(sco_deployment_late_ns(deployment, 0), 0);
    /* It would be taken before the one that is in no hurry. */
    assert_int_equal(
        sco_deployment_late_ns(deployment, now_ns + 30 * SCO_NS_PER_S), 0);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_one_that_waits_in_the_queue),
        STOPPED(test_one_that_was_given_ahead_is_taken_back),
        STOPPED(test_a_worker_does_not_begin_what_is_late),
        STOPPED(test_one_that_runs_is_told_and_its_worker_lives),
        STOPPED(test_where_raising_is_asked_for_it_is_interrupted_once),
        STOPPED(test_an_answer_in_time_is_the_only_one),
        STOPPED(test_one_whose_client_left_is_forgotten),
        STOPPED(test_a_stream_that_has_begun_goes_on),
        STOPPED(test_whether_there_is_hope),
    };

    return cmocka_run_group_tests_name("due", tests, NULL, NULL);
}
