/* test_supervisor.c - hosts that crash, leave, wear out and are replaced
 *
 * Each supervisor is a process of its own. Its hosts are small: they do what
 * a word says, letter by letter, and each host has the next word. What they
 * say, and what the supervisor says, is read from stderr.
 *
 *   r s w   report READY, SUCCESSOR, WORN
 *   a       report WORN, and that no other host can start before this one ends
 *   0 1 3   report LEAVING with this code, and exit with it
 *   c k     crash by SIGSEGV, be killed by SIGKILL
 *   7       exit with 7, unplanned
 *   .       wait for SIGTERM, saying what other signals come; then as 0
 *   h       wait for what the supervisor has to say
 *   d       hear nothing and stay for ever
 *   x       close the line to the supervisor
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "supervisor/report.h"
#include "supervisor/supervisor.h"
#include "support/program.h"
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const int host_signals[] = { SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
                                    SIGTTIN, SIGTTOU, SIGUSR1, SIGWINCH };

/* What a test and its processes share. */
static struct {
    atomic_int hosts; /* started so far */
    _Atomic(pid_t) host_pid;
    _Atomic(pid_t) stray_pid;
} * shared;

/* How a supervisor is run. */
struct plan {
    const char *words[8];
    uint64_t patience_ns; /* 0: ten seconds */
    bool (*prepare)(void);
    int failing_fork; /* this one fails; 0: none */
};

/* ---- a host ----------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
    char text[128];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static sigset_t
set_of_host_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(host_signals) / sizeof(int); i++) {
        (void)sigaddset(&set, host_signals[i]);
    }
    return set;
}

static void
leave(int fd, int code)
{
    sco_report_send(fd, SCO_REPORT_LEAVING, code);
    _exit(code);
}

static void
hear_signals(int fd, int number)
{
    sigset_t set = set_of_host_signals();
    int heard = 0;

    (void)sigaddset(&set, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    say("host %d waits\n", number);
    while (sigwait(&set, &heard) == 0 && heard != SIGTERM) {
        say("host %d heard %d\n", number, heard);
    }
    say("host %d was told to end\n", number);
    leave(fd, 0);
}

static void
hear_reports(int fd, int number)
{
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    struct sco_report report;

    (void)poll(&polled, 1, -1);
    if (sco_report_take(fd, &report)) {
        say("host %d is %s\n", number,
            report.kind == SCO_REPORT_RELIEVED ? "relieved" : "alone");
    }
}

static void
obey(char letter, int fd, int number)
{
    switch (letter) {
    case 'r':
        sco_report_send(fd, SCO_REPORT_READY, 0);
        break;
    case 's':
        sco_report_send(fd, SCO_REPORT_SUCCESSOR, 0);
        break;
    case 'w':
        sco_report_send(fd, SCO_REPORT_WORN, 0);
        break;
    case 'a':
        sco_report_send(fd, SCO_REPORT_WORN, 1);
        break;
    case 'c':
        (void)raise(SIGSEGV);
        break;
    case 'k':
        (void)raise(SIGKILL);
        break;
    case '.':
        hear_signals(fd, number);
        break;
    case 'h':
        hear_reports(fd, number);
        break;
    case 'x':
        (void)close(fd);
        break;
    case 'd':
        for (;;) {
            (void)pause();
        }
    case '7':
        _exit(7);
    default:
        leave(fd, letter - '0');
    }
}

static bool
is_blocked(int number)
{
    sigset_t mask;

    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, number) == 1;
}

static void
be_host(void *arg, const struct sco_stand *stand)
{
    const struct rlimit no_core = { 0, 0 };
    const struct plan *plan = arg;
    int number = atomic_fetch_add(&shared->hosts, 1) + 1;

    atomic_store(&shared->host_pid, getpid());
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer may have it */
    if (stand->kind_unfit) {
        say("host %d: the kind is unfit\n", number);
    }
    if (stand->before + 1 != (unsigned)number ||
        stand->supervisor != getppid() || getpgrp() != getpid() ||
        is_blocked(SIGCHLD) || is_blocked(SIGUSR2) || !is_blocked(SIGTERM)) {
        say("host %d: not as a host should be\n", number);
    }
    for (const char *at = plan->words[number - 1]; *at != '\0'; at++) {
        obey(*at, stand->report_fd, number);
    }
    _exit(99);
}

/* ---- a supervisor ----------------------------------------------------- */

static pid_t
plain_fork(void *arg)
{
    const struct plan *plan = arg;
    static int forks;

    if (++forks == plan->failing_fork) {
        errno = EAGAIN;
        return -1;
    }
    return fork();
}

static void
say_end(void *arg)
{
    (void)arg;
    say("the end begins\n");
}

static int
supervise(void *arg)
{
    struct plan *plan = arg;
    const struct sco_supervision what = {
        .arg = plan,
        .patience_ns =
            plan->patience_ns != 0 ? plan->patience_ns : 10 * SCO_NS_PER_S,
        .fork = plain_fork,
        .host = be_host,
        .on_end = say_end,
    };
    sigset_t set = set_of_host_signals();
    int code;

    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    if (plan->prepare != NULL && !plan->prepare()) {
        return 98;
    }
    code = sco_supervise(&what);
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
        return 97; /* a child is left */
    }
    if (is_blocked(SIGCHLD) || is_blocked(SIGTSTP)) {
        return 96;
    }
    return code;
}

static int
share(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static int
unshare_all(void **state)
{
    (void)state;
    return munmap(shared, sizeof(*shared));
}

static struct program program;

static void
start(struct plan *plan)
{
    atomic_store(&shared->hosts, 0);
    program_start(&program, supervise, plan);
}

static void
assert_said(const char *text)
{
    assert_true(program_says(&program, text));
}

/* Ends the supervisor, whose host is the `number`-th. */
static void
end_with_term(int number)
{
    char text[64];

    (void)kill(program.pid, SIGTERM);
    (void)snprintf(text, sizeof(text), "host %d was told to end", number);
    assert_said(text);
    assert_int_equal(program_end(&program), 0);
}

/* ---- crashes ---------------------------------------------------------- */

static void
test_a_host_that_crashed_is_started_again(void **state)
{
    struct plan plan = { .words = { "rc", "r." } };

    (void)state;
    start(&plan);
    assert_said("host-lost the host (pid:");
    assert_said("was killed by SIGSEGV after 0.");
    assert_said("starting it again\n");
    assert_said("host 2 waits");
    end_with_term(2);
}

static void
test_one_that_exits_unplanned_has_crashed_too(void **state)
{
    struct plan plan = { .words = { "r7", "rk", "r." } };

    (void)state;
    start(&plan);
    assert_said("exited with code 7 after 0.");
    assert_said("was killed by SIGKILL after 0.");
    assert_said("(perhaps out of memory); starting it again in 0.1 s");
    assert_said("host 3 waits");
    end_with_term(3);
}

static void
test_a_loop_of_crashes_has_an_end(void **state)
{
    struct plan plan = { .words = { "c", "7", "c", "c", "c" } };

    (void)state;
    start(&plan);
    assert_said("host-backoff the host (pid:");
    assert_said("C [");
    assert_said("host-given-up the host ended 5 times before a worker was "
                "ready: it was killed by SIGSEGV after 0.");
    assert_said("it exited with code 7");
    assert_said("--worker_kind process");
    assert_said("the end begins");
    assert_int_equal(program_end(&program), 128 + SIGSEGV);
    assert_int_equal(atomic_load(&shared->hosts), 5);
}

static void
test_after_two_faults_the_kind_is_unfit(void **state)
{
    struct plan plan = { .words = { "rc", "rk", "rc", "r." } };

    (void)state;
    start(&plan);
    assert_said("host 4: the kind is unfit");
    assert_null(strstr(program.seen, "host 3: the kind"));
    end_with_term(4);
}

static void
test_a_parent_that_ignored_children_changes_nothing(void **state)
{
    struct plan plan = { .words = { "rc", "r." } };

    (void)state;
    (void)signal(SIGCHLD, SIG_IGN);
    start(&plan);
    (void)signal(SIGCHLD, SIG_DFL);
    assert_said("host 2 waits");
    end_with_term(2);
}

static void
test_without_a_process_to_be_had(void **state)
{
    struct plan first = { .words = { "r." }, .failing_fork = 1 };
    struct plan second = { .words = { "rc", "r." }, .failing_fork = 2 };

    (void)state;
    start(&first);
    assert_said("no host can be started (fork: ");
    assert_int_equal(program_end(&program), 1);
    start(&second);
    assert_said("no host can be started (fork: ");
    assert_said("starting it again in 0.1 s");
    assert_said("host 2 waits");
    end_with_term(2);
}

/* ---- ends as planned -------------------------------------------------- */

static void
test_exit_codes_are_passed_on(void **state)
{
    static const int codes[] = { 0, 1, 3 };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char word[] = { (char)('0' + codes[i]), '\0' };
        struct plan plan = { .words = { word } };

        start(&plan);
        assert_said("the end begins");
        assert_int_equal(program_end(&program), codes[i]);
        assert_int_equal(atomic_load(&shared->hosts), 1);
    }
}

static void
test_signals_are_passed_on(void **state)
{
    static const int numbers[] = { SIGHUP,  SIGTTIN, SIGTTOU,
                                   SIGUSR1, SIGUSR2, SIGWINCH };
    struct plan plan = { .words = { "r." } };

    (void)state;
    start(&plan);
    assert_said("host 1 waits");
    assert_null(strstr(program.seen, "not as a host should be"));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char text[64];

        (void)kill(program.pid, numbers[i]);
        (void)snprintf(text, sizeof(text), "host 1 heard %d\n", numbers[i]);
        assert_said(text);
    }
    end_with_term(1);
}

static void
test_the_second_signal_is_passed_on_too(void **state)
{
    struct plan plan = { .words = { "r." } };

    (void)state;
    start(&plan);
    assert_said("host 1 waits");
    (void)kill(program.pid, SIGINT);
    assert_said("the end begins");
    assert_said("host 1 heard 2\n");
    (void)kill(program.pid, SIGQUIT);
    assert_said("host 1 heard 3\n");
    end_with_term(1);
}

static void
test_who_does_not_end_in_time_is_killed(void **state)
{
    struct plan plan = { .words = { "xrd" },
                         .patience_ns = 50 * SCO_NS_PER_MS };

    (void)state;
    start(&plan);
    while (atomic_load(&shared->hosts) == 0) {
        (void)sched_yield();
    }
    (void)kill(program.pid, SIGTERM);
    assert_said("host-killed the host (pid:");
    assert_int_equal(program_end(&program), 0);
}

static void
test_in_a_pause_a_signal_ends_it_at_once(void **state)
{
    struct plan plan = { .words = { "rc", "rc", "rc", "rc", "rc", "rc" } };

    (void)state;
    start(&plan);
    assert_said("starting it again in 0.8 s");
    (void)kill(program.pid, SIGTERM);
    assert_said("Handling signal: term");
    assert_said("Shutting down: Master");
    assert_int_equal(program_end(&program), 0);
    assert_int_equal(atomic_load(&shared->hosts), 5);
}

static void
test_a_crash_at_the_end_shows_in_the_exit_code(void **state)
{
    struct plan plan = { .words = { "rd" } };

    (void)state;
    start(&plan);
    while (atomic_load(&shared->hosts) == 0) {
        (void)sched_yield();
    }
    (void)kill(program.pid, SIGTERM);
    assert_said("the end begins");
    (void)kill(atomic_load(&shared->host_pid), SIGABRT);
    assert_said("was killed by SIGABRT");
    assert_int_equal(program_end(&program), 128 + SIGABRT);
}

/* The log ends when the last process has closed it. */
static void
test_a_host_does_not_outlive_its_supervisor(void **state)
{
    struct plan plan = { .words = { "r." } };

    (void)state;
    start(&plan);
    assert_said("host 1 waits");
    (void)kill(program.pid, SIGKILL);
    assert_int_equal(program_end(&program), -SIGKILL);
}

/* ---- successors ------------------------------------------------------- */

static void
test_a_successor_takes_over_when_it_is_ready(void **state)
{
    struct plan plan = { .words = { "rsh0", "r." } };

    (void)state;
    start(&plan);
    assert_said("host-successor a host (pid:");
    assert_said("host-successor the host (pid:");
    assert_said(" takes over from (pid:");
    assert_said("host 1 is relieved");
    (void)kill(program.pid, SIGHUP);
    assert_said("host 2 heard 1\n");
    end_with_term(2);
}

static void
test_a_successor_that_cannot_be_changes_nothing(void **state)
{
    struct plan plan = { .words = { "rshsh.", "3", "c" } };

    (void)state;
    start(&plan);
    assert_said("exited with code 3 after 0.");
    assert_said("before it was ready; the one before (pid:");
    assert_said("host 1 is alone");
    assert_said("was killed by SIGSEGV");
    assert_said("host 1 is alone");
    assert_said("host 1 waits");
    end_with_term(1);
}

static void
test_a_successor_that_cannot_be_started(void **state)
{
    struct plan plan = { .words = { "rsh." }, .failing_fork = 2 };

    (void)state;
    start(&plan);
    assert_said("host-successor-failed no new host can be started: fork: ");
    assert_said("host 1 is alone");
    assert_said("host 1 waits");
    end_with_term(1);
}

static void
test_a_crash_beside_a_successor_makes_it_the_host(void **state)
{
    struct plan plan = { .words = { "rsk", "r." } };

    (void)state;
    start(&plan);
    assert_said("was killed by SIGKILL");
    assert_said("; its successor "); /* ready or not by then */
    (void)kill(program.pid, SIGUSR1);
    assert_said("host 2 heard 10\n");
    end_with_term(2);
    assert_int_equal(atomic_load(&shared->hosts), 2);
}

static void
test_a_worn_host_is_replaced_at_once(void **state)
{
    struct plan plan = { .words = { "rw0", "r." } };

    (void)state;
    start(&plan);
    assert_said("a host starts in place of (pid:");
    assert_said("host 2 waits");
    end_with_term(2);
}

static void
test_a_worn_host_may_be_in_the_way(void **state)
{
    struct plan plan = { .words = { "ra.", "r." } };

    (void)state;
    start(&plan);
    assert_said("a host starts after (pid:");
    assert_int_equal(atomic_load(&shared->hosts), 1);
    (void)kill(atomic_load(&shared->host_pid), SIGTERM);
    assert_said("host 2 waits");
    end_with_term(2);
}

static void
test_a_worn_host_that_does_not_end_is_killed(void **state)
{
    struct plan plan = { .words = { "rwd", "r." },
                         .patience_ns = 50 * SCO_NS_PER_MS };

    (void)state;
    start(&plan);
    assert_said("host-killed the host (pid:");
    (void)kill(program.pid, SIGUSR1);
    assert_said("host 2 heard 10\n");
    end_with_term(2);
}

static void
test_hosts_that_wear_out_one_after_the_other(void **state)
{
    struct plan plan = { .words = { "rw0", "rw0", "rw0", "rw0", "rw0", "rw0",
                                    "r." } };

    (void)state;
    start(&plan);
    assert_said("host 7 waits");
    end_with_term(7);
}

/* ---- PID 1 ------------------------------------------------------------ */

/* A child that crashes, and an orphan that this process is given, as PID 1
 * is: its parent ends before it. */
static bool
have_strays(void)
{
    pid_t pid;

    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || (pid = fork()) < 0) {
        return false;
    }
    if (pid == 0) {
        if (fork() == 0) {
            atomic_store(&shared->stray_pid, getpid());
            _exit(5);
        }
        (void)raise(SIGKILL);
    }
    return true;
}

static void
test_strays_are_buried_and_mean_nothing(void **state)
{
    struct plan plan = { .words = { "r." }, .prepare = have_strays };
    pid_t stray;

    (void)state;
    start(&plan);
    assert_said("host 1 waits");
    while ((stray = atomic_load(&shared->stray_pid)) == 0 ||
           kill(stray, 0) == 0) {
        (void)sched_yield();
    }
    (void)kill(program.pid, SIGHUP);
    assert_said("host 1 heard 1\n");
    assert_null(strstr(program.seen, "host-lost"));
    end_with_term(1);
}

/* The state's letter of a process, by /proc. */
static char
state_of(pid_t pid)
{
    char path[64], line[512];
    const char *end = NULL;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file != NULL) {
        end = fgets(line, sizeof(line), file) != NULL ? strrchr(line, ')')
                                                      : NULL;
        (void)fclose(file);
    }
    return end != NULL ? end[2] : '-';
}

static void
test_who_is_stopped_in_a_terminal_stops_its_host(void **state)
{
    struct plan plan = { .words = { "r." } };
    int status;

    (void)state;
    start(&plan);
    assert_said("host 1 waits");
    (void)kill(program.pid, SIGTSTP);
    assert_int_equal(waitpid(program.pid, &status, WUNTRACED), program.pid);
    assert_true(WIFSTOPPED(status));
    while (state_of(atomic_load(&shared->host_pid)) != 'T') {
        (void)sched_yield();
    }
    (void)kill(program.pid, SIGCONT);
    (void)kill(program.pid, SIGUSR1);
    assert_said("host 1 heard 10\n");
    end_with_term(1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_host_that_crashed_is_started_again),
        cmocka_unit_test(test_one_that_exits_unplanned_has_crashed_too),
        cmocka_unit_test(test_a_loop_of_crashes_has_an_end),
        cmocka_unit_test(test_after_two_faults_the_kind_is_unfit),
        cmocka_unit_test(test_a_parent_that_ignored_children_changes_nothing),
        cmocka_unit_test(test_without_a_process_to_be_had),
        cmocka_unit_test(test_exit_codes_are_passed_on),
        cmocka_unit_test(test_signals_are_passed_on),
        cmocka_unit_test(test_the_second_signal_is_passed_on_too),
        cmocka_unit_test(test_who_does_not_end_in_time_is_killed),
        cmocka_unit_test(test_in_a_pause_a_signal_ends_it_at_once),
        cmocka_unit_test(test_a_crash_at_the_end_shows_in_the_exit_code),
        cmocka_unit_test(test_a_host_does_not_outlive_its_supervisor),
        cmocka_unit_test(test_a_successor_takes_over_when_it_is_ready),
        cmocka_unit_test(test_a_successor_that_cannot_be_changes_nothing),
        cmocka_unit_test(test_a_successor_that_cannot_be_started),
        cmocka_unit_test(test_a_crash_beside_a_successor_makes_it_the_host),
        cmocka_unit_test(test_a_worn_host_is_replaced_at_once),
        cmocka_unit_test(test_a_worn_host_may_be_in_the_way),
        cmocka_unit_test(test_a_worn_host_that_does_not_end_is_killed),
        cmocka_unit_test(test_hosts_that_wear_out_one_after_the_other),
        cmocka_unit_test(test_strays_are_buried_and_mean_nothing),
        cmocka_unit_test(test_who_is_stopped_in_a_terminal_stops_its_host),
    };

    return cmocka_run_group_tests_name("supervisor", tests, share,
                                       unshare_all);
}
