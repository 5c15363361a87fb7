/* test_host.c - the real host from its first line to its exit code
 *
 * sco_host_serve() takes the signals of its process, so each host is a child
 * of its own, with worker threads and a script in C.
 */
#define _GNU_SOURCE
#include "host/host.h"
#include "support/c_runner.h"
#include "support/http_client.h"
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/sco-host-XXXXXX";
static char path[64]; /* of a socket in there */

static int
make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int
drop_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* the sockets are gone: each host removes its own */
}

/* ---- a host --------------------------------------------------------- */

struct host {
    pid_t pid;
    int log; /* what it writes to stderr */
};

/* Starts a host at the socket with more of a configuration. */
static struct host
start(const char *more, bool load_fails)
{
    const struct sco_runners runners = { .thread = &c_runner };
    struct host host;
    char config[512];
    int pair[2];

    (void)snprintf(config, sizeof(config),
                   "{\"listen\": [\"unix:%s\"], \"worker_kind\": \"thread\","
                   " \"access_log\": false%s}",
                   path, more);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    host.pid = fork();
    assert_true(host.pid >= 0);
    if (host.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if this test fails */
        (void)dup2(pair[1], STDERR_FILENO);
        c_runner_state.load_fails = load_fails;
        _exit(sco_host_serve(sco_slice_of(config), SCO_SLICE("{}"), &runners));
    }
    (void)close(pair[1]);
    host.log = pair[0];
    return host;
}

/* Reads the log until a text has come; false at its end. */
static bool
wait_for_line(const struct host *host, const char *text)
{
    char seen[8192];
    size_t length = 0;

    while (length + 1 < sizeof(seen) &&
           read(host->log, seen + length, 1) == 1) {
        seen[++length] = '\0';
        if (strstr(seen, text) != NULL) {
            return true;
        }
    }
    return false;
}

/* Waits for its end and returns its exit code; -1 for a signal. */
static int
wait_for_end(struct host *host)
{
    int status = 0;

    assert_int_equal(waitpid(host->pid, &status, 0), host->pid);
    (void)close(host->log);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Sends a POST; the connection, on which the answer comes. */
static int
post(const char *body)
{
    char text[256];
    int fd = http_connect_unix(path);

    (void)snprintf(text, sizeof(text),
                   "POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: %zu"
                   "\r\n\r\n%s",
                   strlen(body), body);
    assert_true(http_say(fd, text));
    return fd;
}

static void
assert_scores(const char *body)
{
    int fd = post(body);
    struct http_reply reply = http_read(fd);

    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, body);
    http_reply_finish(&reply);
    (void)close(fd);
}

/* ---- the tests ------------------------------------------------------ */

static void
test_it_serves_until_it_is_told_to_stop(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGQUIT };

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct host host = start("", /* load_fails */ false);

        assert_true(wait_for_line(&host, "Listening at: unix:"));
        assert_scores("hello");
        (void)kill(host.pid, signals[i]);
        assert_true(wait_for_line(&host, "Handling signal: "));
        assert_true(wait_for_line(&host, "Shutting down: Master"));
        assert_int_equal(wait_for_end(&host), 0);
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

static void
test_many_workers_score_at_once(void **state)
{
    struct host host = start(", \"worker_count\": 3", /* load_fails */ false);
    int fds[8];

    (void)state;
    assert_true(wait_for_line(&host, "Listening at: unix:"));
    for (size_t i = 0; i < 8; i++) {
        fds[i] = post("hello");
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(http_status(fds[i]), 200);
        (void)close(fds[i]);
    }
    (void)kill(host.pid, SIGTERM);
    assert_int_equal(wait_for_end(&host), 0);
}

static void
test_other_signals_do_not_end_it(void **state)
{
    struct host host = start(", \"worker_count\": 2", /* load_fails */ false);

    (void)state;
    assert_true(wait_for_line(&host, "Listening at: unix:"));
    (void)kill(host.pid, SIGTTIN);
    assert_true(wait_for_line(&host, "Handling signal: ttin"));
    (void)kill(host.pid, SIGTTOU);
    assert_true(wait_for_line(&host, "Handling signal: ttou"));
    (void)kill(host.pid, SIGUSR1);
    assert_true(wait_for_line(&host, "Handling signal: usr1"));
    (void)kill(host.pid, SIGWINCH);
    assert_true(wait_for_line(&host, "Handling signal: winch"));
    assert_scores("still there");
    (void)kill(host.pid, SIGTERM);
    assert_int_equal(wait_for_end(&host), 0);
}

static void
test_draining_the_running_request_is_answered(void **state)
{
    struct host host = start(", \"scoring_timeout_ms\": 300",
                             /* load_fails */ false);
    struct http_reply reply;
    int fd;

    (void)state;
    assert_true(wait_for_line(&host, "Listening at: unix:"));
    assert_scores("it is ready");
    fd = post("hold"); /* until it is interrupted */
    assert_true(wait_for_line(&host, "a call is held"));
    (void)kill(host.pid, SIGTERM);
    reply = http_read(fd);
    assert_int_equal(reply.status, 500);
    assert_string_equal(reply.body,
                        "{\"message\": \"Scoring timeout after 300 ms\"}");
    http_reply_finish(&reply);
    (void)close(fd);
    assert_int_equal(wait_for_end(&host), 0);
}

static void
test_a_script_that_never_returns_does_not_keep_it(void **state)
{
    struct host host = start(", \"drain_timeout_ms\": 100",
                             /* load_fails */ false);
    int fd;

    (void)state;
    assert_true(wait_for_line(&host, "Listening at: unix:"));
    assert_scores("it is ready");
    fd = post("stubborn");
    assert_true(wait_for_line(&host, "a call is held"));
    (void)kill(host.pid, SIGTERM);
    assert_true(wait_for_line(&host, "drain-timeout"));
    assert_int_equal(wait_for_end(&host), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    (void)close(fd);
}

static void
test_a_script_that_cannot_be_loaded_ends_it_with_code_3(void **state)
{
    struct host host = start("", /* load_fails */ true);

    (void)state;
    assert_true(wait_for_line(&host, "Reason: Worker failed to boot."));
    assert_int_equal(wait_for_end(&host), 3);
}

static void
test_an_address_in_use_ends_it_and_leaves_the_other_alone(void **state)
{
    struct host first = start("", /* load_fails */ false);
    struct host second;

    (void)state;
    assert_true(wait_for_line(&first, "Listening at: unix:"));
    second = start("", /* load_fails */ false);
    assert_true(wait_for_line(&second, "Connection in use: unix:"));
    assert_int_equal(wait_for_end(&second), 1);
    assert_scores("the first one is there still");
    (void)kill(first.pid, SIGTERM);
    assert_int_equal(wait_for_end(&first), 0);
}

static void
test_what_it_cannot_understand_ends_it_with_code_1(void **state)
{
    (void)state;
    assert_int_equal(
        sco_host_serve(SCO_SLICE("{\"listen\": 5}"), SCO_SLICE(""), NULL), 1);
    assert_int_equal(sco_host_serve(SCO_SLICE("{\"worker_kind\": \"thread\"}"),
                                    SCO_SLICE(""), /* runners */ NULL),
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
        sco_host_serve(SCO_SLICE("{\"listen\": [\"unix:/no/such/x\"]}"),
                       SCO_SLICE(""), NULL),
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
