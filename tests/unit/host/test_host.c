/* test_host.c - the real host from its first line to its exit code
 *
 * One process, with worker threads and a script in C; the supervised road is
 * test_program.c's.
 */
#define _GNU_SOURCE
#include "host/program.h"
#include "support/c_runner.h"
#include "support/http_client.h"
#include "support/serving.h"
#include "support/test.h"

#include <signal.h>
#include <unistd.h>

static struct serving host;

static int
make_folder(void **state)
{
    (void)state;
    return serving_init(&host);
}

/* The sockets are gone: each host removes its own. */
static int
drop_folder(void **state)
{
    (void)state;
    return serving_finish(&host);
}

/* Starts a host with more of a configuration, and waits until it listens. */
static void
start(const char *more)
{
    serving_start(&host, SERVING_ALONE, more, &c_runner);
    serving_assert_says(&host, "Listening at: unix:");
}

/* ---- the tests ------------------------------------------------------ */

static void
test_it_serves_until_it_is_told_to_stop(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGQUIT };

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        start("");
        serving_assert_scores(&host, "hello");
        (void)kill(host.program.pid, signals[i]);
        serving_assert_says(&host, "Handling signal: ");
        serving_assert_says(&host, "Shutting down: Master");
        assert_int_equal(program_end(&host.program), 0);
        assert_int_not_equal(access(host.path, F_OK), 0);
    }
}

static void
test_many_workers_score_at_once(void **state)
{
    int fds[8];

    (void)state;
    start(", \"worker_count\": 3");
    for (size_t i = 0; i < 8; i++) {
        fds[i] = serving_post(&host, "hello");
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(http_status(fds[i]), 200);
        (void)close(fds[i]);
    }
    serving_stop(&host);
}

static void
test_other_signals_do_not_end_it(void **state)
{
    (void)state;
    start(", \"worker_count\": 2");
    (void)kill(host.program.pid, SIGTTIN);
    serving_assert_says(&host, "Handling signal: ttin");
    (void)kill(host.program.pid, SIGTTOU);
    serving_assert_says(&host, "Handling signal: ttou");
    (void)kill(host.program.pid, SIGUSR1);
    serving_assert_says(&host, "Handling signal: usr1");
    (void)kill(host.program.pid, SIGWINCH);
    serving_assert_says(&host, "Handling signal: winch");
    serving_assert_scores(&host, "still there");
    serving_stop(&host);
}

static void
test_draining_the_running_request_is_answered(void **state)
{
    struct http_reply reply;
    int fd;

    (void)state;
    start(", \"scoring_timeout_ms\": 300");
    serving_assert_scores(&host, "it is ready");
    fd = serving_post(&host, "hold"); /* until it is interrupted */
    serving_assert_says(&host, "a call is held");
    (void)kill(host.program.pid, SIGTERM);
    reply = http_read(fd);
    assert_int_equal(reply.status, 500);
    assert_string_equal(reply.body,
                        "{\"message\": \"Scoring timeout after 300 ms\"}");
    http_reply_finish(&reply);
    (void)close(fd);
    assert_int_equal(program_end(&host.program), 0);
}

static void
test_a_script_that_never_returns_does_not_keep_it(void **state)
{
    int fd;

    (void)state;
    start(", \"drain_timeout_ms\": 100");
    serving_assert_scores(&host, "it is ready");
    fd = serving_post(&host, "stubborn");
    serving_assert_says(&host, "a call is held");
    (void)kill(host.program.pid, SIGTERM);
    serving_assert_says(&host, "drain-timeout");
    assert_int_equal(program_end(&host.program), 0);
    assert_int_not_equal(access(host.path, F_OK), 0);
    (void)close(fd);
}

static void
test_a_script_that_cannot_be_loaded_ends_it_with_code_3(void **state)
{
    (void)state;
    c_runner_state.load_fails = true;
    start("");
    c_runner_state.load_fails = false;
    serving_assert_says(&host, "Reason: Worker failed to boot.");
    assert_int_equal(program_end(&host.program), 3);
}

static void
test_an_address_in_use_ends_it_and_leaves_the_other_alone(void **state)
{
    struct serving second;

    (void)state;
    start("");
    second = host;
    serving_start(&second, SERVING_ALONE, "", &c_runner);
    serving_assert_says(&second, "Connection in use: unix:");
    assert_int_equal(program_end(&second.program), 1);
    serving_assert_scores(&host, "the first one is there still");
    serving_stop(&host);
}

static void
test_what_it_cannot_understand_ends_it_with_code_1(void **state)
{
    (void)state;
    assert_int_equal(sco_program_run(SCO_SLICE("{\"listen\": 5}"),
                                     SCO_SLICE(""), NULL, NULL),
                     1);
    assert_int_equal(
        sco_program_run(SCO_SLICE("{\"listen\": [\"127.0.0.1:0\"],"
                                  " \"worker_kind\": \"thread\"}"),
                        SCO_SLICE(""), /* runners */ NULL, NULL),
        1);
}

/* After it, the process is as it was. */
static void
test_it_gives_the_signals_back(void **state)
{
    struct sigaction action;
    sigset_t mask;

    (void)state;
    assert_int_equal(
        sco_program_run(SCO_SLICE("{\"listen\": [\"unix:/no/such/x\"]}"),
                        SCO_SLICE(""), NULL, NULL),
        1);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_serves_until_it_is_told_to_stop),
        cmocka_unit_test(test_many_workers_score_at_once),
        cmocka_unit_test(test_other_signals_do_not_end_it),
        cmocka_unit_test(test_draining_the_running_request_is_answered),
        cmocka_unit_test(test_a_script_that_never_returns_does_not_keep_it),
        cmocka_unit_test(
            test_a_script_that_cannot_be_loaded_ends_it_with_code_3),
        cmocka_unit_test(
            test_an_address_in_use_ends_it_and_leaves_the_other_alone),
        cmocka_unit_test(test_what_it_cannot_understand_ends_it_with_code_1),
        cmocka_unit_test(test_it_gives_the_signals_back),
    };

    return cmocka_run_group_tests_name("host", tests, make_folder,
                                       drop_folder);
}
