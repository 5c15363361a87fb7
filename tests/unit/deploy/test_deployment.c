/* test_deployment.c - who gets what, and nothing twice */
#include "base/clock.h"
#include "deploy/deployment.h"
#include "support/fake_worker.h"
#include "support/heard.h"
#include "support/test.h"
#include "support/turner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_RUN_NS 1000
#define LONG_RUN_NS  (100 * SCO_NS_PER_MS)

static struct turner turner;
static struct sco_deployment *deployment;
static struct sco_deployment_setup how; /* zero but where a test says so */
static unsigned boot_failed, worn, empty;

static void
on_boot_failed(void *arg)
{
    (void)arg;
    boot_failed++;
}

static void
on_worn(void *arg, const char *why)
{
    (void)arg;
    assert_non_null(strstr(why, "thread"));
    worn++;
}

static void
on_empty(void *arg)
{
    (void)arg;
    empty++;
}

/* Turns until nothing is left to hear, as the loop does before it sleeps. */
static void
settle(void)
{
    while (sco_deployment_turn(deployment)) {
    }
}

static void
start(size_t workers, uint64_t limit_ns)
{
    struct sco_deployment_setup setup = how;

    setup.kind = how.kind != NULL ? how.kind : &fake_worker_kind;
    setup.limits.max_requests = 100;
    setup.limits.max_bytes = 10000;
    setup.workers = workers;
    setup.limit_ns = limit_ns;
    setup.on_boot_failed = on_boot_failed;
    setup.on_empty = on_empty;
    how = (struct sco_deployment_setup){ .workers = 0 };
    boot_failed = worn = empty = 0;
    fake_crew_reset();
    turner_init(&turner);
    setup.loop = turner.loop;
    assert_int_equal(sco_deployment_create(&setup, &deployment, NULL), SCO_OK);
    turner_turn(&turner);
    sco_deployment_start(deployment);
}

static struct fake_worker *
member(size_t number)
{
    assert_true(number < fake_crew.count);
    assert_non_null(fake_crew.members[number]);
    return fake_crew.members[number];
}

static void
start_ready(size_t workers)
{
    start(workers, /* limit_ns */ 0);
    for (size_t i = 0; i < workers; i++) {
        fake_ready(member(i), NULL, 0);
    }
    settle();
}

static int
stop(void **state)
{
    (void)state;
    if (empty == 0) {
        sco_deployment_kill(deployment);
        turner_turn(&turner);
    }
    assert_int_equal(empty, 1);
    assert_int_equal(sco_deployment_busy(deployment), 0);
    fake_come_back();
    sco_deployment_destroy(deployment);
    sco_deployment_destroy(NULL);
    turner_finish(&turner);
    return 0;
}

/* Hands a request in; its answer is heard in `heard`, which may be NULL. */
static struct sco_request *
submit(const char *body, struct heard *heard)
{
    struct sco_request *req =
        heard_request(sco_deployment_arena(deployment), body, heard);

    assert_int_equal(sco_deployment_submit(deployment, req), SCO_OK);
    return req;
}

/* Has a worker answer all it holds, each run() taking so long; how many. */
static size_t
work_off(size_t number, uint64_t run_ns)
{
    size_t count = 0;

    while (fake_take(member(number)) == SCO_CHILD_CALL) {
        fake_reply_after(member(number), "", run_ns);
        count++;
    }
    settle();
    return count;
}

/* Lets the mean of run() become long, or short. */
static void
learn(uint64_t run_ns)
{
    for (int i = 0; i < 50; i++) {
        (void)submit("x", NULL);
        settle();
        assert_int_equal(work_off(0, run_ns), 1);
    }
}

/* ---- feeding -------------------------------------------------------- */

static void
test_how_far_ahead_a_worker_is_fed(void **state)
{
    (void)state;
    assert_int_equal(sco_feed_depth(0), SCO_FEED_DEPTH);
    assert_int_equal(sco_feed_depth(SCO_NS_PER_MS / 2 - 1), SCO_FEED_DEPTH);
    assert_int_equal(sco_feed_depth(SCO_NS_PER_MS / 2), 1);
    assert_int_equal(sco_feed_depth(UINT64_MAX), 1);
}

static void
test_requests_wait_for_the_first_worker(void **state)
{
    struct heard heard;

    (void)state;
    start(1, /* limit_ns */ 0);
    (void)submit("early", &heard);
    settle();
    assert_int_equal(sco_deployment_busy(deployment), 1);
    assert_int_equal(fake_take(member(0)), SCO_CHILD_NONE);
    fake_ready(member(0), NULL, 0);
    settle();
    assert_true(fake_took(member(0), "early"));
    fake_reply(member(0), "late");
    settle();
    assert_string_equal(heard.body, "late");
    assert_int_equal(sco_deployment_busy(deployment), 0);
}

static void
test_a_short_run_is_fed_ahead_and_a_long_one_is_not(void **state)
{
    (void)state;
    start_ready(1);
    learn(SHORT_RUN_NS);
    for (int i = 0; i < 20; i++) {
        (void)submit("x", NULL);
    }
    settle();
    assert_int_equal(member(0)->base.held_count, SCO_FEED_DEPTH);
    assert_int_equal(work_off(0, SHORT_RUN_NS), SCO_FEED_DEPTH);
    assert_int_equal(work_off(0, SHORT_RUN_NS), 20 - SCO_FEED_DEPTH);
    learn(LONG_RUN_NS);
    for (int i = 0; i < 3; i++) {
        (void)submit("x", NULL);
    }
    settle();
    assert_int_equal(member(0)->base.held_count, 1);
}

static void
test_work_is_spread_evenly(void **state)
{
    (void)state;
    start_ready(3);
    for (int i = 0; i < 9; i++) {
        (void)submit("x", NULL);
    }
    settle();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(member(i)->base.held_count, 3);
    }
}

static void
test_an_idle_worker_takes_over_what_another_has_not_begun(void **state)
{
    struct heard heard[4];

    (void)state;
    start_ready(2);
    for (size_t i = 0; i < 4; i++) {
        (void)submit(i % 2 == 0 ? "slow" : "quick", &heard[i]);
    }
    settle();
    assert_true(fake_took(member(0), "slow")); /* and it hangs in there */
    assert_true(fake_took(member(1), "quick"));
    fake_reply(member(1), "");
    assert_true(fake_took(member(1), "quick"));
    fake_reply(member(1), "");
    settle();
    assert_true(fake_took(member(1), "slow"));
    fake_reply(member(1), "taken over");
    settle();
    assert_string_equal(heard[2].body, "taken over");
    assert_int_equal(heard[2].pid, FAKE_FIRST_PID + 1);
    fake_reply(member(0), "");
    settle();
    assert_int_equal(fake_take(member(0)), SCO_CHILD_NONE);
    assert_int_equal(heard[0].count, 1);
}

static void
test_the_queue_has_limits(void **state)
{
    struct sco_request *req;

    (void)state;
    start(1, /* limit_ns */ 0);
    for (int i = 0; i < 100; i++) {
        (void)submit("x", NULL);
    }
    req = heard_request(sco_deployment_arena(deployment), "x", NULL);
    assert_int_equal(sco_deployment_submit(deployment, req), SCO_BUSY);
    sco_request_unref(req);
    assert_true(sco_deployment_retry_after_s(deployment) >= 1);
}

/* ---- clients that leave --------------------------------------------- */

static void
test_what_waits_is_dropped_with_its_client(void **state)
{
    struct heard heard[3];
    struct sco_request *reqs[3];

    (void)state;
    start_ready(1);
    learn(LONG_RUN_NS);
    for (size_t i = 0; i < 3; i++) {
        reqs[i] = submit(i == 0 ? "runs" : "waits", &heard[i]);
    }
    settle();
    assert_true(fake_took(member(0), "runs"));
    sco_deployment_cancel(deployment, reqs[1]); /* in the queue */
    assert_true(sco_deployment_half_closed(deployment, reqs[2]));
    assert_int_equal(sco_deployment_busy(deployment), 1);
    assert_false(sco_deployment_half_closed(deployment, reqs[0]));
    assert_int_equal(work_off(0, 1) + 1, 1); /* nothing more comes */
    fake_reply(member(0), "");
    settle();
    assert_int_equal(heard[0].count, 1);
    assert_int_equal(heard[1].count + heard[2].count, 0);
}

static void
test_what_was_given_ahead_is_dropped_too(void **state)
{
    struct sco_request *req;
    struct heard heard;

    (void)state;
    start_ready(1);
    (void)submit("runs", NULL);
    req = submit("ahead", &heard);
    settle();
    assert_int_equal(member(0)->base.held_count, 2);
    assert_true(fake_took(member(0), "runs"));
    sco_deployment_cancel(deployment, req);
    assert_int_equal(member(0)->base.held_count, 1);
    fake_reply(member(0), "");
    assert_int_equal(fake_take(member(0)), SCO_CHILD_NONE);
}

static void
test_what_runs_sees_that_it_is_cancelled(void **state)
{
    struct sco_request *req;
    struct sco_sink *sink;
    struct heard heard;

    (void)state;
    start_ready(1);
    req = submit("runs", &heard);
    settle();
    assert_true(fake_took(member(0), "runs"));
    sink = sco_child_sink(member(0)->child);
    assert_false(sink->ops->cancelled(sink));
    sco_deployment_cancel(deployment, req);
    assert_true(sink->ops->cancelled(sink));
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_NOT);
    fake_reply(member(0), "for nobody");
    settle();
    assert_int_equal(heard.count, 0);
    assert_int_equal(sco_deployment_busy(deployment), 0);
}

/* ---- lost workers --------------------------------------------------- */

static void
test_a_crash_costs_only_the_request_that_ran(void **state)
{
    struct heard heard[3];

    (void)state;
    start_ready(1);
    (void)submit("kills it", &heard[0]);
    (void)submit("second", &heard[1]);
    (void)submit("third", &heard[2]);
    settle();
    assert_true(fake_took(member(0), "kills it"));
    fake_end(member(0), 0, SIGSEGV);
    turner_turn(&turner);
    assert_int_equal(heard[0].failure, SCO_WORKER_LOST);
    fake_ready(member(1), NULL, 0);
    settle();
    assert_true(fake_took(member(1), "second")); /* in the old order */
    fake_reply(member(1), "");
    assert_true(fake_took(member(1), "third"));
    fake_reply(member(1), "");
    settle();
    assert_int_equal(heard[1].failure, SCO_OK);
    assert_int_equal(heard[2].failure, SCO_OK);
}

static void
test_a_client_that_left_is_not_scored_after_a_crash(void **state)
{
    struct sco_request *req;

    (void)state;
    start_ready(1);
    (void)submit("kills it", NULL);
    req = submit("left", NULL); /* nobody waits for this one any more */
    settle();
    assert_null(req->on_answer);
    assert_true(fake_took(member(0), "kills it"));
    fake_end(member(0), 0, SIGSEGV);
    turner_turn(&turner);
    assert_int_equal(sco_deployment_busy(deployment), 0);
}

static void
test_with_no_worker_to_be_had_nobody_waits(void **state)
{
    struct heard heard;

    (void)state;
    start_ready(1);
    fake_end(member(0), 1, 0);
    turner_turn(&turner);
    (void)submit("waits", &heard);
    fake_end(member(1), 1, 0);
    turner_turn(&turner);
    settle();
    assert_int_equal(sco_pool_health(sco_deployment_pool(deployment)),
                     SCO_POOL_FAILING);
    assert_int_equal(heard.failure, SCO_CLOSED);
}

static void
test_a_failed_boot_is_told(void **state)
{
    (void)state;
    start(1, /* limit_ns */ 0);
    fake_end(member(0), 3, 0);
    turner_turn(&turner);
    assert_int_equal(boot_failed, 1);
}

/* ---- replacing ------------------------------------------------------ */

static void
test_an_unfit_script_moves_and_only_one_request_tells_it(void **state)
{
    struct heard heard[3];

    (void)state;
    how.kind = &fake_inside_kind;
    how.fallback = &fake_worker_kind;
    start_ready(1);
    (void)submit("needs it", &heard[0]);
    (void)submit("ahead", &heard[1]);
    settle();
    assert_true(fake_took(member(0), "needs it"));
    fake_reply_unfit(member(0));
    settle();
    assert_int_equal(heard[0].status, 503);
    (void)submit("after", &heard[2]);
    settle();
    assert_int_equal(fake_take(member(0)), SCO_CHILD_NONE);
    assert_int_equal(sco_deployment_busy(deployment), 2);
    assert_int_equal(fake_crew.count, 2);
    fake_ready(member(1), NULL, 0);
    settle();
    assert_int_equal(fake_take(member(0)), SCO_CHILD_STOP);
    fake_end(member(0), 0, 0);
    assert_int_equal(work_off(1, SHORT_RUN_NS), 2);
    assert_int_equal(heard[1].status, 200);
    assert_int_equal(heard[2].status, 200);
}

static void
test_a_move_that_failed_is_tried_again_after_a_reload(void **state)
{
    (void)state;
    how.kind = &fake_inside_kind;
    how.fallback = &fake_worker_kind;
    start_ready(1);
    for (size_t round = 0; round < 3; round++) {
        (void)submit("needs it", NULL);
        settle();
        assert_true(fake_took(member(0), "needs it"));
        fake_reply_unfit(member(0));
        settle();
        if (round == 0) {
            fake_end(member(1), 1, 0);
            turner_turn(&turner);
        } else if (round == 1) {
            assert_int_equal(fake_crew.count, 2);
            sco_deployment_reload(deployment);
            fake_end(member(2), 1, 0); /* the reload comes to nothing */
            turner_turn(&turner);
        }
    }
    assert_int_equal(fake_crew.count, 4);
    fake_ready(member(3), NULL, 0);
    settle();
    fake_end(member(0), 0, 0);
    turner_turn(&turner);
}

static void
test_a_reload_serves_new_documents(void **state)
{
    const struct sco_document fresh = { SCO_SLICE("2"), SCO_SLICE("new") };
    struct heard heard;

    (void)state;
    start_ready(1);
    sco_deployment_reload(deployment);
    (void)submit("meanwhile", &heard);
    settle();
    assert_int_equal(work_off(0, SHORT_RUN_NS), 1);
    assert_int_equal(heard.status, 200);
    fake_ready(member(1), &fresh, 1);
    settle();
    assert_true(
        sco_slice_equal(sco_deployment_document(deployment, SCO_SLICE("2")),
                        SCO_SLICE("new")));
    fake_end(member(0), 0, 0);
    turner_turn(&turner);
    (void)submit("after", &heard);
    settle();
    assert_int_equal(work_off(1, SHORT_RUN_NS), 1);
}

static void
test_what_only_a_new_host_cures_is_handed_on(void **state)
{
    (void)state;
    how.kind = &fake_fixed_kind;
    how.on_worn = on_worn;
    start_ready(1);
    sco_deployment_reload(deployment);
    assert_int_equal(worn, 1);
    sco_deployment_stop(deployment);
    fake_end(member(0), 0, 0);
    turner_turn(&turner);
}

static bool
has_two(void *arg)
{
    (void)arg;
    return fake_crew.count >= 2;
}

static void
test_more_workers_come_while_requests_wait(void **state)
{
    (void)state;
    how.workers_max = 4;
    start_ready(1);
    learn(LONG_RUN_NS);
    for (int i = 0; i < 20; i++) {
        (void)submit("x", NULL);
    }
    settle();
    assert_true(turner_until(&turner, has_two, NULL));
    assert_int_equal(sco_deployment_pool(deployment)->wanted, 2);
}

static void
test_the_operator_stays_within_the_limits(void **state)
{
    struct sco_pool *pool;

    (void)state;
    how.workers_min = 2;
    how.workers_max = 3;
    start(1, /* limit_ns */ 0);
    pool = sco_deployment_pool(deployment);
    assert_int_equal(pool->wanted, 2);
    for (size_t i = 0; i < 3; i++) {
        sco_deployment_add_workers(deployment, 1);
    }
    assert_int_equal(pool->wanted, 3);
    for (size_t i = 0; i < 3; i++) {
        sco_deployment_add_workers(deployment, -1);
    }
    assert_int_equal(pool->wanted, 2);
}

/* ---- documents and lines -------------------------------------------- */

static void
test_documents_are_the_last_ready_workers(void **state)
{
    const struct sco_document first[] = {
        { SCO_SLICE("2"), SCO_SLICE("two") },
        { SCO_SLICE("mode"), SCO_SLICE("raw") },
    };
    const struct sco_document second[] = {
        { SCO_SLICE("2"), SCO_SLICE("TWO") },
    };

    (void)state;
    start(2, /* limit_ns */ 0);
    assert_int_equal(sco_deployment_document(deployment, SCO_SLICE("2")).len,
                     0);
    assert_int_equal(sco_deployment_pid(deployment), 0);
    fake_ready(member(0), first, 2);
    settle();
    assert_int_equal(sco_deployment_pid(deployment), FAKE_FIRST_PID);
    assert_true(
        sco_slice_equal(sco_deployment_document(deployment, SCO_SLICE("2")),
                        SCO_SLICE("two")));
    assert_true(
        sco_slice_equal(sco_deployment_document(deployment, SCO_SLICE("mode")),
                        SCO_SLICE("raw")));
    fake_ready(member(1), second, 1);
    settle();
    assert_true(
        sco_slice_equal(sco_deployment_document(deployment, SCO_SLICE("2")),
                        SCO_SLICE("TWO")));
    assert_int_equal(
        sco_deployment_document(deployment, SCO_SLICE("mode")).len, 0);
}

static bool
log_line(pid_t pid, const char *message)
{
    bool is_sent = sco_deployment_line(deployment, pid, SCO_SLICE("logger"),
                                       sco_slice_of(message));

    settle();
    return is_sent;
}

static void
test_a_line_is_logged_by_the_worker_that_it_is_about(void **state)
{
    (void)state;
    start(2, /* limit_ns */ 0);
    assert_false(log_line(0, "nobody is there"));
    fake_ready(member(0), NULL, 0);
    fake_ready(member(1), NULL, 0);
    settle();
    assert_true(log_line(FAKE_FIRST_PID + 1, "second"));
    assert_int_equal(fake_take(member(1)), SCO_CHILD_LINE);
    assert_true(sco_slice_equal(member(1)->line.logger, SCO_SLICE("logger")));
    assert_true(sco_slice_equal(member(1)->line.message, SCO_SLICE("second")));
    assert_int_equal(fake_take(member(1)), SCO_CHILD_NONE);
    assert_int_equal(fake_take(member(0)), SCO_CHILD_NONE);
    assert_true(log_line(4711, "of one that is gone"));
    settle();
    assert_int_equal(fake_take(member(0)) == SCO_CHILD_LINE ||
                         fake_take(member(1)) == SCO_CHILD_LINE,
                     true);
}

static bool
is_answered(void *arg)
{
    return ((const struct heard *)arg)->count > 0;
}

/* The line that tells of the timeout must not wait for the worker that
 * caused it. */
static void
test_a_stuck_worker_is_given_no_line(void **state)
{
    struct heard heard;

    (void)state;
    start(1, 10 * SCO_NS_PER_MS);
    fake_ready(member(0), NULL, 0);
    settle();
    (void)submit("hangs", &heard);
    settle();
    assert_true(fake_took(member(0), "hangs"));
    assert_true(turner_until(&turner, is_answered, &heard));
    assert_int_equal(heard.failure, SCO_TIMEOUT);
    assert_false(log_line(FAKE_FIRST_PID, "timed out"));
}

/* ---- stopping ------------------------------------------------------- */

static void
test_stopping_serves_what_waits_first(void **state)
{
    struct heard heard[2];

    (void)state;
    start_ready(1);
    learn(LONG_RUN_NS);
    (void)submit("runs", &heard[0]);
    (void)submit("waits", &heard[1]);
    settle();
    sco_deployment_stop(deployment);
    assert_true(fake_took(member(0), "runs"));
    fake_reply_after(member(0), "", LONG_RUN_NS);
    assert_int_equal(fake_take(member(0)), SCO_CHILD_NONE);
    settle();
    assert_true(fake_took(member(0), "waits"));
    fake_reply_after(member(0), "", LONG_RUN_NS);
    settle();
    assert_int_equal(heard[1].failure, SCO_OK);
    assert_int_equal(fake_take(member(0)), SCO_CHILD_STOP);
    assert_int_equal(empty, 0);
    fake_end(member(0), 0, 0);
    turner_turn(&turner);
    assert_int_equal(empty, 1);
}

static void
test_nothing_is_taken_once_it_has_stopped(void **state)
{
    struct sco_request *req;

    (void)state;
    start_ready(1);
    sco_deployment_stop(deployment);
    req = heard_request(sco_deployment_arena(deployment), "x", NULL);
    assert_int_equal(sco_deployment_submit(deployment, req), SCO_CLOSED);
    sco_request_unref(req);
}

static void
test_killing_answers_everything_at_once(void **state)
{
    struct heard heard[3];

    (void)state;
    start_ready(1);
    (void)submit("runs", &heard[0]);
    (void)submit("ahead", &heard[1]);
    settle();
    assert_true(fake_took(member(0), "runs"));
    (void)submit("waits", &heard[2]);
    sco_deployment_kill(deployment);
    assert_int_equal(heard[2].failure, SCO_CLOSED);
    turner_turn(&turner);
    assert_int_equal(heard[0].failure, SCO_WORKER_LOST);
    assert_int_equal(heard[1].failure, SCO_CLOSED);
    assert_int_equal(empty, 1);
    assert_int_equal(fake_crew.count, 1);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_far_ahead_a_worker_is_fed),
        STOPPED(test_requests_wait_for_the_first_worker),
        STOPPED(test_a_short_run_is_fed_ahead_and_a_long_one_is_not),
        STOPPED(test_work_is_spread_evenly),
        STOPPED(test_an_idle_worker_takes_over_what_another_has_not_begun),
        STOPPED(test_the_queue_has_limits),
        STOPPED(test_what_waits_is_dropped_with_its_client),
        STOPPED(test_what_was_given_ahead_is_dropped_too),
        STOPPED(test_what_runs_sees_that_it_is_cancelled),
        STOPPED(test_a_crash_costs_only_the_request_that_ran),
        STOPPED(test_a_client_that_left_is_not_scored_after_a_crash),
        STOPPED(test_with_no_worker_to_be_had_nobody_waits),
        STOPPED(test_a_failed_boot_is_told),
        STOPPED(test_an_unfit_script_moves_and_only_one_request_tells_it),
        STOPPED(test_a_move_that_failed_is_tried_again_after_a_reload),
        STOPPED(test_a_reload_serves_new_documents),
        STOPPED(test_what_only_a_new_host_cures_is_handed_on),
        STOPPED(test_more_workers_come_while_requests_wait),
        STOPPED(test_the_operator_stays_within_the_limits),
        STOPPED(test_documents_are_the_last_ready_workers),
        STOPPED(test_a_line_is_logged_by_the_worker_that_it_is_about),
        STOPPED(test_a_stuck_worker_is_given_no_line),
        STOPPED(test_stopping_serves_what_waits_first),
        STOPPED(test_nothing_is_taken_once_it_has_stopped),
        STOPPED(test_killing_answers_everything_at_once),
    };

    return cmocka_run_group_tests_name("deployment", tests, NULL, NULL);
}
