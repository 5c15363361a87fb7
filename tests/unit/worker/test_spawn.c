/* test_spawn.c - what a worker process is born with
 *
 * The program started is this one: as a worker (`-m scorehost.worker 3`) it
 * says what it finds, over its socket.
 */
#define _GNU_SOURCE
#include "support/test.h"
#include "worker/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What CUDA_VISIBLE_DEVICES is asked to be. */
static const char *asked_gpu;

/* What the child found. */
struct findings {
    pid_t pid, group;
    int open_fds;          /* of 3..63, as bits */
    bool blocked, handled; /* some signal is blocked, or not as by default */
    char arguments[64];
    char omp[16], mkl[16], gpu[16];
    int gpus; /* how often it stands in the environment */
};

/* ---- the child ------------------------------------------------------ */

static void
find_signals(struct findings *found)
{
    /* Not those that a sanitizer catches for itself. */
    static const int numbers[] = { SIGTERM, SIGINT,  SIGHUP,
                                   SIGPIPE, SIGUSR1, SIGCHLD };
    struct sigaction action;
    sigset_t mask;

    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaction(numbers[i], NULL, &action);
        found->blocked |= sigismember(&mask, numbers[i]) != 0;
        found->handled |= action.sa_handler != SIG_DFL;
    }
}

static void
copy_variable(const char *name, char *into, size_t room)
{
    const char *value = getenv(name);

    (void)snprintf(into, room, "%s", value != NULL ? value : "(none)");
}

static int
be_child(int argc, char **argv)
{
    struct findings found = { .pid = getpid(), .group = getpgrp() };

    for (int fd = 3; fd < 32; fd++) {
        found.open_fds |= (fcntl(fd, F_GETFD) >= 0) << (fd - 3);
    }
    find_signals(&found);
    (void)snprintf(found.arguments, sizeof(found.arguments), "%d %s %s %s",
                   argc, argv[1], argv[2], argv[3]);
    copy_variable("OMP_NUM_THREADS", found.omp, sizeof(found.omp));
    copy_variable("MKL_NUM_THREADS", found.mkl, sizeof(found.mkl));
    copy_variable("CUDA_VISIBLE_DEVICES", found.gpu, sizeof(found.gpu));
    for (char **variable = environ; *variable != NULL; variable++) {
        found.gpus += strncmp(*variable, "CUDA_VISIBLE_DEVICES=", 21) == 0;
    }
    return send(SCO_SPAWN_FD, &found, sizeof(found), 0) < 0;
}

/* ---- the tests ------------------------------------------------------ */

/* Starts a child and hears what it has found. */
static struct findings
ask_child(unsigned threads_each)
{
    struct findings found;
    struct pollfd end = { .events = POLLIN };
    int status = -1;
    int pair[2];
    pid_t pid = 0;

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(sco_spawn_worker("/proc/self/exe", pair[1], threads_each,
                                      asked_gpu, &pid, &end.fd, NULL),
                     SCO_OK);
    (void)close(pair[1]);
    assert_int_equal(recv(pair[0], &found, sizeof(found), 0), sizeof(found));
    assert_int_equal(found.pid, pid);
    assert_int_equal(poll(&end, 1, 10000), 1); /* its end is seen */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(pair[0]);
    (void)close(end.fd);
    return found;
}

static void
test_it_is_called_as_a_worker(void **state)
{
    (void)state;
    assert_string_equal(ask_child(1).arguments, "4 -m scorehost.worker 3");
}

static void
test_it_has_a_process_group_of_its_own(void **state)
{
    struct findings found = ask_child(1);

    (void)state;
    assert_int_equal(found.group, found.pid);
    assert_int_not_equal(found.group, getpgrp());
}

static void
test_no_descriptor_of_ours_gets_there(void **state)
{
    /* One that somebody forgot to close, as the shell may have. */
    int forgotten = open("/dev/null", O_RDONLY);
    int far = fcntl(forgotten, F_DUPFD, 20);

    (void)state;
    assert_true(forgotten >= 0 && far >= 0);
    assert_int_equal(ask_child(1).open_fds, 1 << (SCO_SPAWN_FD - 3));
    (void)close(forgotten);
    (void)close(far);
}

static void
test_its_signals_are_as_by_default(void **state)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct findings found;
    struct sigaction before;
    sigset_t some, mask_before;

    (void)state;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &some, &mask_before);
    (void)sigaction(SIGPIPE, &ignore, &before);
    found = ask_child(1);
    (void)sigaction(SIGPIPE, &before, NULL);
    (void)sigprocmask(SIG_SETMASK, &mask_before, NULL);
    assert_false(found.blocked);
    assert_false(found.handled);
}

static void
test_numeric_libraries_are_told_their_share(void **state)
{
    struct findings found;

    (void)state;
    (void)unsetenv("OMP_NUM_THREADS");
    (void)setenv("MKL_NUM_THREADS", "7", 1);
    found = ask_child(3);
    assert_string_equal(found.omp, "3");
    assert_string_equal(found.mkl, "7"); /* the user's stays */
    (void)unsetenv("MKL_NUM_THREADS");
    assert_null(getenv("OMP_NUM_THREADS"));
}

static void
test_it_sees_the_gpu_that_it_was_given(void **state)
{
    struct findings found;

    (void)state;
    (void)setenv("CUDA_VISIBLE_DEVICES", "0,1,2", 1);
    assert_string_equal(ask_child(1).gpu, "0,1,2");
    asked_gpu = "2";
    found = ask_child(1);
    assert_string_equal(found.gpu, "2");
    assert_int_equal(found.gpus, 1);
    asked_gpu = "";
    assert_string_equal(ask_child(1).gpu, "");
    asked_gpu = NULL;
    (void)unsetenv("CUDA_VISIBLE_DEVICES");
}

static void
test_what_is_not_there_cannot_be_started(void **state)
{
    struct sco_error err = { .text = "" };
    pid_t pid = -5;
    int pidfd = -5;

    (void)state;
    assert_int_equal(
        sco_spawn_worker("/no/such/python", 0, 1, NULL, &pid, &pidfd, &err),
        SCO_INTERNAL);
    assert_non_null(strstr(err.text, "/no/such/python"));
    assert_int_equal(pid, -5);
    assert_int_equal(pidfd, -5);
}

static void
test_there_is_at_least_one_cpu(void **state)
{
    long online = sysconf(_SC_NPROCESSORS_CONF);

    (void)state;
    assert_true(sco_spawn_cpus() >= 1);
    assert_true((long)sco_spawn_cpus() <= online);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_called_as_a_worker),
        cmocka_unit_test(test_it_has_a_process_group_of_its_own),
        cmocka_unit_test(test_no_descriptor_of_ours_gets_there),
        cmocka_unit_test(test_its_signals_are_as_by_default),
        cmocka_unit_test(test_numeric_libraries_are_told_their_share),
        cmocka_unit_test(test_it_sees_the_gpu_that_it_was_given),
        cmocka_unit_test(test_what_is_not_there_cannot_be_started),
        cmocka_unit_test(test_there_is_at_least_one_cpu),
    };

    if (argc == 4 && strcmp(argv[1], "-m") == 0) {
        return be_child(argc, argv);
    }
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
