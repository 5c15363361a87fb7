/* test_program.c - a supervised host: what its clients see when it goes
 *
 * Worker threads and a script in C, so that a crash of the script is one of
 * the host.
 */
#define _GNU_SOURCE
#include "host/program.h"
#include "support/c_runner.h"
#include "support/http_client.h"
#include "support/serving.h"
#include "support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct serving program;

/* ---- a script that crashes -------------------------------------------- */

static void
crash(void)
{
    const struct rlimit no_core = { 0, 0 };

    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer may have it */
    (void)raise(SIGSEGV);
}

static void
score_or_crash(void *arg, void *thread, const struct sco_call *call,
               struct sco_sink *sink)
{
    if (sco_slice_equal(call->body, SCO_SLICE("crash"))) {
        crash();
    }
    c_runner.score(arg, thread, call, sink);
}

static enum sco_status
load_and_crash(void *arg, struct sco_error *err)
{
    (void)arg;
    (void)err;
    crash();
    return SCO_OK;
}

static void
start(const char *more)
{
    static struct sco_runner runner;

    runner = c_runner;
    runner.score = score_or_crash;
    serving_start(&program, SERVING_SUPERVISED, more, &runner);
    serving_assert_says(&program, "Listening at: unix:");
    serving_assert_says(&program, "Using worker: ");
    serving_assert_scores(&program, "it is ready");
}

static int
make_folder(void **state)
{
    (void)state;
    return serving_init(&program);
}

static int
drop_folder(void **state)
{
    (void)state;
    return serving_finish(&program);
}

/* ---- the tests -------------------------------------------------------- */

static void
test_it_ends_like_one_process(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGQUIT };

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        start("");
        (void)kill(program.program.pid, signals[i]);
        serving_assert_says(&program, "Handling signal: ");
        serving_assert_says(&program, "Shutting down: Master");
        assert_int_equal(program_end(&program.program), 0);
        assert_null(strstr(program.program.seen, "Shutting down"));
        assert_int_not_equal(access(program.path, F_OK), 0);
    }
}

static void
test_a_crash_costs_the_requests_in_hand_alone(void **state)
{
    int crashing;

    (void)state;
    start("");
    crashing = serving_post(&program, "crash");
    assert_int_equal(http_status(crashing), 0); /* its connection is gone */
    (void)close(crashing);
    serving_assert_scores(&program, "whoever comes next");
    serving_assert_says(&program, "was killed by SIGSEGV");
    serving_assert_says(&program, "starting it again");
    serving_assert_scores(&program, "and all others");
    serving_stop(&program);
}

static void
test_clients_wait_while_no_host_is_there(void **state)
{
    int fds[8];

    (void)state;
    start("");
    for (int i = 0; i < 3; i++) { /* so that there is a pause */
        int crashing = serving_post(&program, "crash");

        assert_int_equal(http_status(crashing), 0);
        (void)close(crashing);
    }
    for (size_t i = 0; i < 8; i++) {
        fds[i] = serving_post(&program, "patience");
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(http_status(fds[i]), 200);
        (void)close(fds[i]);
    }
    serving_stop(&program);
}

static void
test_two_crashes_move_interpreters_to_processes(void **state)
{
    (void)state;
    /* There is no Python that could be a worker process: it says so. */
    serving_start(&program, SERVING_SUPERVISED,
                  ", \"worker_kind\": \"interpreter\", \"worker_count\": 1,"
                  " \"python\": \"/no/such/python\"",
                  &(struct sco_runner){ .load = load_and_crash });
    serving_assert_says(&program, "was killed by SIGSEGV");
    serving_assert_says(&program, "was killed by SIGSEGV");
    serving_assert_says(&program, "until the script changes");
    serving_assert_says(&program, "Using worker: process");
    serving_stop(&program);
}

static void
test_a_script_that_crashes_at_load_is_given_up(void **state)
{
    struct sco_runner runner = c_runner;

    (void)state;
    runner.load = load_and_crash;
    serving_start(&program, SERVING_SUPERVISED, "", &runner);
    serving_assert_says(&program, "host-given-up");
    assert_int_equal(program_end(&program.program), 128 + SIGSEGV);
    assert_int_not_equal(access(program.path, F_OK), 0);
}

static void
test_a_script_that_cannot_be_loaded_ends_it_with_code_3(void **state)
{
    (void)state;
    c_runner_state.load_fails = true;
    serving_start(&program, SERVING_SUPERVISED, "", &c_runner);
    c_runner_state.load_fails = false;
    serving_assert_says(&program, "Reason: Worker failed to boot.");
    assert_int_equal(program_end(&program.program), 3);
    assert_null(strstr(program.program.seen, "host-"));
}

static void
test_without_a_thread_runner_it_ends_with_code_1(void **state)
{
    (void)state;
    serving_start(&program, SERVING_SUPERVISED, "", /* runner */ NULL);
    serving_assert_says(&program, "no worker kind thread");
    assert_int_equal(program_end(&program.program), 1);
}

/* Kind thread loads the script again in another host, beside the one that
 * serves. */
static void
test_hup_brings_a_successor(void **state)
{
    struct http_reply reply;
    int held;

    (void)state;
    start(", \"worker_count\": 2, \"scoring_timeout_ms\": 2000");
    held = serving_post(&program, "hold");
    serving_assert_says(&program, "a call is held");
    (void)kill(program.program.pid, SIGHUP);
    serving_assert_says(&program, "Hang up: Master");
    serving_assert_says(&program, "takes over from ");
    serving_assert_scores(&program, "the new one");
    reply = http_read(held); /* the old one answers what it has */
    assert_int_equal(reply.status, 500);
    http_reply_finish(&reply);
    (void)close(held);
    serving_stop(&program);
}

static void
test_a_script_that_hangs_does_not_keep_it(void **state)
{
    int fd;

    (void)state;
    start(", \"drain_timeout_ms\": 100");
    fd = serving_post(&program, "stubborn");
    serving_assert_says(&program, "a call is held");
    (void)kill(program.program.pid, SIGTERM);
    serving_assert_says(&program, "drain-timeout");
    assert_int_equal(program_end(&program.program), 0);
    assert_int_not_equal(access(program.path, F_OK), 0);
    (void)close(fd);
}

static void
test_off_means_one_process(void **state)
{
    (void)state;
    start(", \"supervisor\": false");
    (void)kill(program.program.pid, SIGHUP);
    serving_assert_says(&program, "no-supervisor a new host is needed (");
    serving_assert_scores(&program, "it goes on");
    serving_stop(&program);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends_like_one_process),
        cmocka_unit_test(test_a_crash_costs_the_requests_in_hand_alone),
        cmocka_unit_test(test_clients_wait_while_no_host_is_there),
        cmocka_unit_test(test_two_crashes_move_interpreters_to_processes),
        cmocka_unit_test(test_a_script_that_crashes_at_load_is_given_up),
        cmocka_unit_test(
            test_a_script_that_cannot_be_loaded_ends_it_with_code_3),
        cmocka_unit_test(test_without_a_thread_runner_it_ends_with_code_1),
        cmocka_unit_test(test_hup_brings_a_successor),
        cmocka_unit_test(test_a_script_that_hangs_does_not_keep_it),
        cmocka_unit_test(test_off_means_one_process),
    };

    return cmocka_run_group_tests_name("program", tests, make_folder,
                                       drop_folder);
}
