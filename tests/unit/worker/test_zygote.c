/* test_zygote.c - asking a process for forks, and all that may go wrong
 *
 * The process that "loads the script" is this program: what it does instead
 * is said by the boot text. A worker that it forks obeys its socket, whose
 * other end the test has.
 */
#define _GNU_SOURCE
#include "worker/zygote.h"

#include "base/clock.h"
#include "support/test.h"
#include "support/turner.h"
#include "worker/zygote_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL = 3, FORKS = 3 };

/* ---- the process that is asked -------------------------------------- */

static void
say(uint32_t word, uint32_t number, int32_t pid, int32_t value, int fd)
{
    struct sco_zygote_message message = { .word = word,
                                          .number = number,
                                          .pid = pid };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .bytes = { 0 } };
    struct iovec part = { &message, sizeof(message) };
    struct msghdr out = { .msg_iov = &part, .msg_iovlen = 1 };

    message.exit_code = word == SCO_ZYGOTE_ENDED && value >= 0 ? value : 0;
    message.signal = word == SCO_ZYGOTE_ENDED && value < 0 ? -value : 0;
    message.error = word == SCO_ZYGOTE_FORKED ? value : 0;
    if (fd >= 0) {
        out.msg_control = control.bytes;
        out.msg_controllen = sizeof(control.bytes);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    }
    (void)!sendmsg(CONTROL, &out, 0);
}

/* A forked worker: ends with the code that its socket says. */
static void
be_worker(int socket, pid_t parent)
{
    char code = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    (void)setpgid(0, 0);
    _exit(recv(socket, &code, 1, 0) == 1 ? code : 0);
}

static int
take_order(struct sco_zygote_message *message)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .bytes = { 0 } };
    struct iovec part = { message, sizeof(*message) };
    struct msghdr in = { .msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes) };
    int socket = -1;

    if (recvmsg(CONTROL, &in, MSG_CMSG_CLOEXEC) == 0) {
        _exit(0);
    }
    memcpy(&socket, CMSG_DATA(&control.head), sizeof(socket));
    return socket;
}

/* Tells of every worker that has ended. */
static void
reap(const uint32_t *numbers, const pid_t *pids, size_t count)
{
    siginfo_t info = { 0 };

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 &&
           info.si_pid != 0) {
        for (size_t i = 0; i < count; i++) {
            if (pids[i] == info.si_pid) {
                say(SCO_ZYGOTE_ENDED, numbers[i], info.si_pid,
                    info.si_code == CLD_EXITED ? info.si_status
                                               : -info.si_status,
                    -1);
            }
        }
        info.si_pid = 0;
    }
}

static void
obey(const char *how, uint32_t *number, pid_t *pid)
{
    struct sco_zygote_message order = { 0 };
    int socket = take_order(&order);
    pid_t parent;
    int pidfd;

    if (strcmp(how, "die when asked") == 0) {
        _exit(9);
    }
    if (strcmp(how, "refuse") == 0) {
        say(SCO_ZYGOTE_FORKED, order.number, 0, EAGAIN, -1);
        return;
    }
    if (strcmp(how, "lie") == 0) {
        say(SCO_ZYGOTE_ENDED, 12345, 1, 0, -1);
        return;
    }
    parent = getpid();
    *number = order.number;
    *pid = fork();
    if (*pid == 0) {
        be_worker(socket, parent);
    }
    (void)close(socket);
    pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
    say(SCO_ZYGOTE_FORKED, *number, *pid, 0, pidfd);
    (void)close(pidfd);
}

static void
no_action(int number)
{
    (void)number;
}

static int
be_parent(void)
{
    const struct sigaction action = { .sa_handler = no_action };
    struct pollfd control = { .fd = CONTROL, .events = POLLIN };
    uint32_t numbers[64];
    pid_t pids[64] = { 0 };
    sigset_t child, before;
    char how[64] = "";
    size_t count = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (recv(CONTROL, how, sizeof(how) - 1, 0) <= 0) {
        return 1;
    }
    if (strcmp(how, "exit 3") == 0) {
        return 3;
    }
    if (strcmp(how, "hang") == 0) {
        (void)pause();
    }
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, &before);
    (void)sigaction(SIGCHLD, &action, NULL);
    say(SCO_ZYGOTE_READY, 0, getpid(), 0, -1);
    for (;;) {
        if (ppoll(&control, 1, NULL, &before) > 0 && count < 64) {
            obey(how, &numbers[count], &pids[count]);
            count++;
        }
        reap(numbers, pids, count);
    }
}

/* ---- the host ------------------------------------------------------- */

struct worker {
    struct sco_fork fork;
    int socket; /* our end */
    pid_t pid;  /* once forked */
    bool ended;
    pid_t end_pid;
    struct sco_worker_end end;
};

static struct turner turner;
static struct sco_worker_setup setup;
static struct sco_zygote *zygote;
static struct worker workers[FORKS];
static int reloaded; /* 1, or -1 when it failed */
static bool mend;    /* with the first end: the next one loads */

static void
on_forked(void *arg, pid_t pid)
{
    ((struct worker *)arg)->pid = pid;
}

static void
on_ended(void *arg, pid_t pid, const struct sco_worker_end *end)
{
    struct worker *worker = arg;

    assert_false(worker->ended);
    worker->ended = true;
    worker->end_pid = pid;
    worker->end = *end;
    if (mend) {
        setup.boot = SCO_SLICE("load");
    }
}

static void
on_reloaded(void *arg, bool loaded)
{
    (void)arg;
    reloaded = loaded ? 1 : -1;
}

static bool
is_forked(void *arg)
{
    return ((const struct worker *)arg)->pid != 0;
}

static bool
is_ended(void *arg)
{
    return ((const struct worker *)arg)->ended;
}

static bool
is_reloaded(void *arg)
{
    (void)arg;
    return reloaded != 0;
}

/* A process is gone, or a zombie that its reaper has not looked at. */
static bool
is_gone(void *arg)
{
    char path[64], text[256] = "";
    const char *state;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)arg);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return true;
    }
    (void)!read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    state = strrchr(text, ')');
    return state == NULL || state[2] == 'Z' || state[2] == 'X';
}

static int
prepare(void **state)
{
    const struct sco_zygote_boss boss = { .on_reloaded = on_reloaded };

    (void)state;
    turner_init(&turner);
    memset(workers, 0, sizeof(workers));
    reloaded = 0;
    mend = true;
    setup = (struct sco_worker_setup){ .loop = turner.loop,
                                       .boot = SCO_SLICE("load"),
                                       .python = "/proc/self/exe",
                                       .threads_each = 1 };
    assert_int_equal(sco_zygote_create(&setup, &boss, &zygote, NULL), SCO_OK);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORKS; i++) {
        sco_fork_finish(&workers[i].fork);
        if (workers[i].socket > 0) {
            (void)close(workers[i].socket);
        }
    }
    sco_zygote_destroy(zygote);
    turner_finish(&turner);
    return 0;
}

static enum sco_status
try_ask(struct worker *worker, struct sco_error *err)
{
    enum sco_status status;
    int pair[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *worker = (struct worker){ .socket = pair[0] };
    worker->fork.arg = worker;
    worker->fork.on_forked = on_forked;
    worker->fork.on_ended = on_ended;
    status = sco_zygote_fork(zygote, &worker->fork, pair[1], err);
    if (status != SCO_OK) {
        (void)close(pair[1]);
    }
    return status;
}

static void
ask(struct worker *worker)
{
    assert_int_equal(try_ask(worker, NULL), SCO_OK);
}

/* Asks for a worker and waits until it is there. */
static void
get(struct worker *worker)
{
    ask(worker);
    assert_true(turner_until(&turner, is_forked, worker));
    assert_int_not_equal(worker->pid, getpid());
}

static pid_t
parent_of(pid_t pid)
{
    char path[64], text[256] = "";
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    (void)close(fd);
    return (pid_t)strtol(strrchr(text, ')') + 4, NULL, 10);
}

/* Has a worker exit. */
static void
end_with(struct worker *worker, char code)
{
    assert_int_equal(send(worker->socket, &code, 1, 0), 1);
    assert_true(turner_until(&turner, is_ended, worker));
}

static void
test_workers_have_one_parent(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORKS; i++) {
        ask(&workers[i]); /* all at once: they wait for it to load */
    }
    for (size_t i = 0; i < FORKS; i++) {
        assert_true(turner_until(&turner, is_forked, &workers[i]));
        assert_int_equal(parent_of(workers[i].pid), parent_of(workers[0].pid));
    }
    assert_int_equal(parent_of(parent_of(workers[0].pid)), getpid());
}

static void
test_its_end_is_told_as_it_was(void **state)
{
    (void)state;
    get(&workers[0]);
    get(&workers[1]);
    end_with(&workers[0], 7);
    assert_int_equal(workers[0].end.exit_code, 7);
    assert_int_equal(workers[0].end.signal, 0);
    assert_int_equal(workers[0].end_pid, workers[0].pid);
    assert_int_equal(kill(workers[1].pid, SIGTERM), 0);
    assert_true(turner_until(&turner, is_ended, &workers[1]));
    assert_int_equal(workers[1].end.signal, SIGTERM);
}

static void
test_a_worker_is_killed(void **state)
{
    (void)state;
    get(&workers[0]);
    sco_fork_kill(&workers[0].fork);
    assert_false(workers[0].ended); /* never from there */
    assert_true(turner_until(&turner, is_ended, &workers[0]));
    assert_int_equal(workers[0].end.signal, SIGKILL);
    sco_fork_kill(&workers[0].fork); /* late, and nobody is hit */
}

static void
test_a_worker_is_killed_that_waits(void **state)
{
    (void)state;
    ask(&workers[0]);
    ask(&workers[1]);
    sco_fork_signal(&workers[0].fork, SIGTERM); /* there is nobody yet */
    sco_fork_kill(&workers[0].fork);
    sco_fork_kill(&workers[0].fork);
    assert_false(workers[0].ended);
    assert_true(turner_until(&turner, is_ended, &workers[0]));
    assert_int_equal(workers[0].end_pid, 0);
    assert_int_equal(workers[0].end.signal, SIGKILL);
    assert_true(turner_until(&turner, is_forked, &workers[1]));
}

static void
test_a_worker_is_killed_that_is_asked_for(void **state)
{
    (void)state;
    get(&workers[0]);
    ask(&workers[1]); /* the process is loaded: it is asked at once */
    sco_fork_kill(&workers[1].fork);
    assert_true(turner_until(&turner, is_ended, &workers[1]));
    assert_int_equal(workers[1].end.signal, SIGKILL);
    assert_int_not_equal(workers[1].end_pid, 0);
    assert_false(workers[0].ended);
}

static void
test_a_script_that_does_not_load_is_told_to_one(void **state)
{
    (void)state;
    setup.boot = SCO_SLICE("exit 3");
    ask(&workers[0]);
    ask(&workers[1]);
    assert_true(turner_until(&turner, is_ended, &workers[0]));
    assert_int_equal(workers[0].end.exit_code, 3);
    assert_int_not_equal(workers[0].end_pid, 0);
    assert_true(turner_until(&turner, is_forked, &workers[1]));
}

static void
test_workers_end_with_their_parent(void **state)
{
    pid_t parent;

    (void)state;
    get(&workers[0]);
    get(&workers[1]);
    parent = parent_of(workers[0].pid);
    assert_int_equal(kill(parent, SIGKILL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_true(turner_until(&turner, is_ended, &workers[i]));
        assert_true(workers[i].end.with_parent);
        assert_true(is_gone(&workers[i].pid)); /* not sooner */
    }
    get(&workers[2]);
    assert_int_not_equal(parent_of(workers[2].pid), parent);
}

static void
test_one_that_never_loads_is_started_more_slowly(void **state)
{
    uint64_t begun_ns = sco_clock_now_ns();

    (void)state;
    mend = false;
    setup.boot = SCO_SLICE("exit 3");
    for (size_t i = 0; i < FORKS; i++) {
        ask(&workers[i]);
    }
    for (size_t i = 0; i < FORKS; i++) { /* each has a process of its own */
        assert_true(turner_until(&turner, is_ended, &workers[i]));
        assert_int_not_equal(workers[i].end_pid,
                             workers[(i + 1) % FORKS].end_pid);
    }
    /* At once, at once, after 100 ms. */
    assert_true(sco_clock_now_ns() - begun_ns > 95 * SCO_NS_PER_MS);
}

static void
test_a_parent_that_dies_when_asked(void **state)
{
    (void)state;
    setup.boot = SCO_SLICE("die when asked");
    ask(&workers[0]);
    ask(&workers[1]);
    assert_true(turner_until(&turner, is_ended, &workers[0]));
    assert_true(workers[0].end.with_parent);
    assert_int_equal(workers[0].pid, 0);
    assert_true(turner_until(&turner, is_forked, &workers[1]));
}

static void
test_a_fork_that_fails_is_an_end(void **state)
{
    (void)state;
    setup.boot = SCO_SLICE("refuse");
    ask(&workers[0]);
    assert_true(turner_until(&turner, is_ended, &workers[0]));
    assert_int_equal(workers[0].end_pid, 0);
    assert_int_equal(workers[0].end.exit_code, 1);
    assert_int_equal(workers[0].pid, 0);
}

static void
test_a_parent_that_lies_is_replaced(void **state)
{
    (void)state;
    setup.boot = SCO_SLICE("lie");
    ask(&workers[0]);
    assert_true(turner_until(&turner, is_ended, &workers[0]));
    assert_true(workers[0].end.with_parent);
    get(&workers[1]);
}

static void
test_a_reload_is_beside_what_is_there(void **state)
{
    pid_t parent;

    (void)state;
    get(&workers[0]);
    parent = parent_of(workers[0].pid);
    assert_int_equal(sco_zygote_reload(zygote, NULL), SCO_OK);
    assert_true(turner_until(&turner, is_reloaded, NULL));
    assert_int_equal(reloaded, 1);
    get(&workers[1]);
    assert_int_not_equal(parent_of(workers[1].pid), parent);
    assert_false(workers[0].ended);
    assert_false(is_gone(&parent)); /* its worker is there */
    end_with(&workers[0], 0);
    assert_true(turner_until(&turner, is_gone, &parent));
}

static void
test_a_reload_that_fails_changes_nothing(void **state)
{
    pid_t parent;

    (void)state;
    get(&workers[0]);
    parent = parent_of(workers[0].pid);
    setup.boot = SCO_SLICE("exit 3");
    assert_int_equal(sco_zygote_reload(zygote, NULL), SCO_OK);
    assert_true(turner_until(&turner, is_reloaded, NULL));
    assert_int_equal(reloaded, -1);
    get(&workers[1]);
    assert_int_equal(parent_of(workers[1].pid), parent);
    assert_false(workers[0].ended);
}

static void
test_the_later_reload_counts(void **state)
{
    (void)state;
    get(&workers[0]);
    setup.boot = SCO_SLICE("hang");
    assert_int_equal(sco_zygote_reload(zygote, NULL), SCO_OK);
    setup.boot = SCO_SLICE("load");
    assert_int_equal(sco_zygote_reload(zygote, NULL), SCO_OK);
    assert_true(turner_until(&turner, is_reloaded, NULL));
    assert_int_equal(reloaded, 1);
}

static void
test_who_reloads_stands_in_for_who_died(void **state)
{
    (void)state;
    get(&workers[0]);
    assert_int_equal(sco_zygote_reload(zygote, NULL), SCO_OK);
    assert_int_equal(kill(parent_of(workers[0].pid), SIGKILL), 0);
    assert_true(turner_until(&turner, is_ended, &workers[0]));
    get(&workers[1]);
    assert_true(turner_until(&turner, is_reloaded, NULL));
    assert_int_equal(reloaded, 1);
}

static void
test_what_still_loads_is_killed_at_the_end(void **state)
{
    uint64_t begun_ns = sco_clock_now_ns();

    (void)state;
    setup.boot = SCO_SLICE("hang");
    ask(&workers[0]);
    sco_zygote_destroy(zygote);
    zygote = NULL;
    workers[0].fork.zygote = NULL; /* it was forgotten there */
    (void)close(workers[0].fork.socket);
    assert_true(sco_clock_now_ns() - begun_ns < 900 * SCO_NS_PER_MS);
}

static void
test_what_is_not_there_cannot_be_started(void **state)
{
    struct sco_error err = { .text = "" };

    (void)state;
    setup.python = "/no/such/python";
    assert_int_equal(try_ask(&workers[0], &err), SCO_INTERNAL);
    assert_non_null(strstr(err.text, "/no/such/python"));
    assert_int_equal(sco_zygote_reload(zygote, NULL), SCO_INTERNAL);
}

#define PREPARED(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PREPARED(test_workers_have_one_parent),
        PREPARED(test_its_end_is_told_as_it_was),
        PREPARED(test_a_worker_is_killed),
        PREPARED(test_a_worker_is_killed_that_waits),
        PREPARED(test_a_worker_is_killed_that_is_asked_for),
        PREPARED(test_a_script_that_does_not_load_is_told_to_one),
        PREPARED(test_workers_end_with_their_parent),
        PREPARED(test_one_that_never_loads_is_started_more_slowly),
        PREPARED(test_a_parent_that_dies_when_asked),
        PREPARED(test_a_fork_that_fails_is_an_end),
        PREPARED(test_a_parent_that_lies_is_replaced),
        PREPARED(test_a_reload_is_beside_what_is_there),
        PREPARED(test_a_reload_that_fails_changes_nothing),
        PREPARED(test_the_later_reload_counts),
        PREPARED(test_who_reloads_stands_in_for_who_died),
        PREPARED(test_what_still_loads_is_killed_at_the_end),
        PREPARED(test_what_is_not_there_cannot_be_started),
    };

    if (argc == 4 && strcmp(argv[2], "scorehost.zygote") == 0) {
        return be_parent();
    }
    return cmocka_run_group_tests_name("zygote", tests, NULL, NULL);
}
