/* test_worker_time.c - what happens when a request takes too long
 *
 * The limits are short and the time is real, so nothing here says how soon
 * something happens, only that it does, and in which order.
 */
#include "base/clock.h"
#include "request/stream.h"
#include "support/one_worker.h"
#include "support/test.h"

#define LIMIT_NS (20 * SCO_NS_PER_MS)
#define FOR_EVER (3600 * SCO_NS_PER_S)

static int
stop(void **state)
{
    (void)state;
    one_worker_stop();
    return 0;
}

static bool
first_is_answered(void *arg)
{
    (void)arg;
    return one_worker.heard[0].count > 0;
}

static bool
second_is_answered(void *arg)
{
    (void)arg;
    return one_worker.heard[1].count > 0;
}

static bool
is_gone(void *arg)
{
    (void)arg;
    return one_worker.worker == NULL;
}

static bool
is_interrupted(void *arg)
{
    (void)arg;
    return fake_crew.interrupts > 0;
}

static bool
is_killed(void *arg)
{
    (void)arg;
    return fake_crew.kills > 0;
}

/* Whether three limits have gone by since the moment in `arg`. */
static bool
time_has_passed(void *arg)
{
    return sco_clock_now_ns() > *(const uint64_t *)arg + 3 * LIMIT_NS;
}

/* Lets three limits go by, with the timers that ring meanwhile. A timer of
 * the test's own keeps the loop from sleeping past it. */
static void
nothing(void *arg, uint64_t now_ns)
{
    (void)arg;
    (void)now_ns;
}

static void
let_time_pass(void)
{
    uint64_t begin_ns = sco_clock_now_ns();
    struct sco_timer alarm = { .on_time = nothing };

    sco_loop_timer_set(one_worker.turner.loop, &alarm,
                       begin_ns + 4 * LIMIT_NS);
    assert_true(turner_until(&one_worker.turner, time_has_passed, &begin_ns));
    sco_loop_timer_clear(one_worker.turner.loop, &alarm);
}

/* Runs until the request in heard[0] was answered as timed out. */
static void
overrun_first(void)
{
    assert_true(turner_until(&one_worker.turner, first_is_answered, NULL));
    assert_int_equal(one_worker.heard[0].failure, SCO_TIMEOUT);
    assert_int_equal(one_worker.heard[0].pid, FAKE_FIRST_PID);
}

static void
test_at_the_limit_the_client_is_told_whatever_the_script_does(void **state)
{
    (void)state;
    one_worker_start(LIMIT_NS, LIMIT_NS);
    one_worker_be_ready();
    (void)one_worker_give(0, "hangs");
    (void)one_worker_give(1, "waits");
    assert_true(fake_took(one_worker.fake, "hangs"));
    overrun_first();
    assert_int_equal(fake_crew.interrupts, 1);
    assert_int_equal(fake_crew.kills, 0);
    assert_false(sco_worker_is_able(one_worker.worker));
    assert_int_equal(one_worker.heard[1].count, 0);
    assert_int_equal(one_worker.returned_count, 1);
    assert_ptr_equal(one_worker.returned[0]->on_answer_arg,
                     &one_worker.heard[1]);
}

/* What is known when a turn ends, and answers and lines go out. */
static bool
note_interrupts(void *arg)
{
    *(unsigned *)arg = (unsigned)fake_crew.interrupts;
    return one_worker.heard[0].count > 0;
}

static void
test_the_answer_goes_out_before_the_script_is_interrupted(void **state)
{
    unsigned interrupts = 99;

    (void)state;
    one_worker_start(LIMIT_NS, LIMIT_NS);
    one_worker_be_ready();
    (void)one_worker_give(0, "hangs");
    assert_true(fake_took(one_worker.fake, "hangs"));
    assert_true(
        turner_until(&one_worker.turner, note_interrupts, &interrupts));
    assert_int_equal(interrupts, 0);
    assert_true(turner_until(&one_worker.turner, is_interrupted, NULL));
}

static void
test_a_script_that_obeys_keeps_its_worker(void **state)
{
    struct sco_sink *sink;

    (void)state;
    one_worker_start(LIMIT_NS, LIMIT_NS);
    one_worker_be_ready();
    (void)one_worker_give(0, "obeys");
    assert_true(fake_took(one_worker.fake, "obeys"));
    overrun_first();
    sink = sco_child_sink(one_worker.fake->child);
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_TIMEOUT);
    fake_reply(one_worker.fake, "too late");
    assert_true(sco_worker_poll(one_worker.worker));
    assert_int_equal(one_worker.heard[0].count, 1);
    assert_true(sco_worker_is_able(one_worker.worker));
    let_time_pass();
    assert_int_equal(fake_crew.kills, 0);
}

static void
test_a_script_that_does_not_obey_is_killed(void **state)
{
    (void)state;
    one_worker_start(LIMIT_NS, LIMIT_NS);
    one_worker_be_ready();
    (void)one_worker_give(0, "hangs");
    assert_true(fake_took(one_worker.fake, "hangs"));
    assert_true(turner_until(&one_worker.turner, is_gone, NULL));
    assert_int_equal(one_worker.heard[0].count, 1);
    assert_int_equal(one_worker.heard[0].failure, SCO_TIMEOUT);
    assert_int_equal(one_worker.gone, 1);
}

static void
test_one_that_cannot_be_killed_is_asked_once(void **state)
{
    (void)state;
    one_worker_start(LIMIT_NS, LIMIT_NS);
    one_worker_be_ready();
    one_worker.fake->is_stubborn = true;
    (void)one_worker_give(0, "hangs");
    assert_true(fake_took(one_worker.fake, "hangs"));
    assert_true(turner_until(&one_worker.turner, is_killed, NULL));
    let_time_pass();
    assert_int_equal(fake_crew.kills, 1);
    assert_int_equal(fake_crew.interrupts, 1);
    fake_reply(one_worker.fake, "after all");
    assert_true(sco_worker_poll(one_worker.worker));
    assert_false(sco_worker_is_able(one_worker.worker));
}

static void
test_the_limit_counts_from_the_start_of_the_request(void **state)
{
    (void)state;
    one_worker_start(LIMIT_NS, LIMIT_NS);
    one_worker_be_ready();
    (void)one_worker_give(0, "waits long for its turn");
    let_time_pass();
    assert_int_equal(one_worker.heard[0].count, 0);
    assert_true(fake_took(one_worker.fake, "waits long for its turn"));
    overrun_first();
}

static void
test_without_a_limit_there_is_no_timer(void **state)
{
    (void)state;
    one_worker_start(/* limit_ns */ 0, /* stream_limit_ns */ 0);
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    assert_int_equal(one_worker.worker->limit.place, 0);
    one_worker_start_stream();
    assert_int_equal(one_worker.worker->limit.place, 0);
}

static void
test_the_next_one_has_the_whole_limit_and_no_more(void **state)
{
    uint64_t now_ns;

    (void)state;
    one_worker_start(LIMIT_NS, LIMIT_NS);
    one_worker_be_ready();
    (void)one_worker_give(0, "obeys");
    assert_true(fake_took(one_worker.fake, "obeys"));
    overrun_first();
    fake_reply(one_worker.fake, "");
    assert_true(sco_worker_poll(one_worker.worker));
    now_ns = sco_loop_now_ns(one_worker.turner.loop);
    (void)one_worker_give(1, "hangs");
    assert_true(one_worker.worker->limit.at_ns <= now_ns + LIMIT_NS);
    assert_true(fake_took(one_worker.fake, "hangs"));
    assert_true(turner_until(&one_worker.turner, second_is_answered, NULL));
    assert_int_equal(one_worker.heard[1].failure, SCO_TIMEOUT);
}

/* ---- streams -------------------------------------------------------- */

static void
test_a_stream_may_take_longer_than_run(void **state)
{
    (void)state;
    one_worker_start(LIMIT_NS, FOR_EVER);
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    one_worker_start_stream();
    let_time_pass();
    assert_int_equal(fake_crew.interrupts, 0);
    assert_int_equal(one_worker.heard[0].failure, SCO_OK);
}

static void
test_a_silent_stream_is_ended(void **state)
{
    char bytes[8];

    (void)state;
    one_worker_start(FOR_EVER, LIMIT_NS);
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    assert_true(fake_took(one_worker.fake, "x"));
    one_worker_start_stream();
    assert_true(turner_until(&one_worker.turner, is_killed, NULL));
    assert_int_equal(fake_crew.interrupts, 1);
    assert_int_equal(one_worker.heard[0].count, 1);
    assert_int_equal(sco_stream_read(one_worker.heard[0].stream, bytes, 8),
                     -2);
}

static void
test_after_a_stream_the_limit_of_run_holds_again(void **state)
{
    struct sco_sink *sink;

    (void)state;
    one_worker_start(LIMIT_NS, FOR_EVER);
    one_worker_be_ready();
    (void)one_worker_give(0, "streams");
    (void)one_worker_give(1, "hangs");
    assert_true(fake_took(one_worker.fake, "streams"));
    one_worker_start_stream();
    sink = sco_child_sink(one_worker.fake->child);
    sink->ops->end(sink, SCO_OK);
    assert_true(sco_worker_poll(one_worker.worker));
    assert_true(fake_took(one_worker.fake, "hangs"));
    assert_true(turner_until(&one_worker.turner, second_is_answered, NULL));
    assert_int_equal(one_worker.heard[1].failure, SCO_TIMEOUT);
}

static void
test_after_a_stream_without_limit_too(void **state)
{
    struct sco_sink *sink;

    (void)state;
    one_worker_start(LIMIT_NS, /* stream_limit_ns */ 0);
    one_worker_be_ready();
    (void)one_worker_give(0, "streams");
    (void)one_worker_give(1, "hangs");
    assert_true(fake_took(one_worker.fake, "streams"));
    one_worker_start_stream();
    let_time_pass();
    sink = sco_child_sink(one_worker.fake->child);
    sink->ops->end(sink, SCO_OK);
    assert_true(sco_worker_poll(one_worker.worker));
    assert_true(one_worker.run_ns >= 3 * LIMIT_NS);
    assert_true(fake_took(one_worker.fake, "hangs"));
    assert_true(turner_until(&one_worker.turner, second_is_answered, NULL));
    assert_int_equal(one_worker.heard[1].failure, SCO_TIMEOUT);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_at_the_limit_the_client_is_told_whatever_the_script_does),
        STOPPED(test_the_answer_goes_out_before_the_script_is_interrupted),
        STOPPED(test_a_script_that_obeys_keeps_its_worker),
        STOPPED(test_a_script_that_does_not_obey_is_killed),
        STOPPED(test_one_that_cannot_be_killed_is_asked_once),
        STOPPED(test_the_limit_counts_from_the_start_of_the_request),
        STOPPED(test_without_a_limit_there_is_no_timer),
        STOPPED(test_the_next_one_has_the_whole_limit_and_no_more),
        STOPPED(test_a_stream_may_take_longer_than_run),
        STOPPED(test_a_silent_stream_is_ended),
        STOPPED(test_after_a_stream_the_limit_of_run_holds_again),
        STOPPED(test_after_a_stream_without_limit_too),
    };

    return cmocka_run_group_tests_name("worker time", tests, NULL, NULL);
}
