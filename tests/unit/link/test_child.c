/* test_child.c - how a worker process joins its host
 *
 * Both ends are in this process: the hello crosses a socket pair, and the
 * memory is then mapped twice.
 */
#define _GNU_SOURCE
#include "link/child.h"
#include "link/lane.h"
#include "link/link_int.h"
#include "support/test.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct ends {
    struct sco_arena *arena;
    struct sco_lane *lane;
    int host, child;
};

static int
make_ends(void **state)
{
    static struct ends ends;
    int pair[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ends.host = pair[0];
    ends.child = pair[1];
    assert_int_equal(sco_arena_create(&ends.arena, NULL), SCO_OK);
    assert_int_equal(sco_lane_create(ends.arena, &ends.lane, NULL), SCO_OK);
    *state = &ends;
    return 0;
}

static int
drop_ends(void **state)
{
    struct ends *ends = *state;

    if (ends->host >= 0) {
        (void)close(ends->host);
    }
    sco_lane_unref(ends->lane);
    sco_arena_destroy(ends->arena);
    (void)prctl(PR_SET_PDEATHSIG, 0);
    return 0;
}

static void
note_signal(int number)
{
    (void)number;
}

/* Whoever handles it already goes on doing so. */
static void
test_dumps_are_ignored_until_somebody_handles_them(void **state)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    (void)state;
    assert_int_equal(sigaction(SCO_DUMP_SIGNAL, &action, NULL), 0);
    sco_child_ignore_dumps();
    assert_int_equal(raise(SCO_DUMP_SIGNAL), 0);

    action.sa_handler = note_signal;
    assert_int_equal(sigaction(SCO_DUMP_SIGNAL, &action, NULL), 0);
    sco_child_ignore_dumps();
    assert_int_equal(sigaction(SCO_DUMP_SIGNAL, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, note_signal);
}

static size_t
open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

static struct sco_child *
attach(struct ends *ends, const char *boot)
{
    struct sco_child *child = NULL;

    assert_int_equal(
        sco_lane_hello(ends->lane, ends->host, sco_slice_of(boot), NULL),
        SCO_OK);
    assert_int_equal(sco_child_attach(ends->child, getppid(), &child, NULL),
                     SCO_OK);
    return child;
}

static void
test_the_boot_text_arrives(void **state)
{
    struct sco_child *child = attach(*state, "{\"script\": \"score.py\"}");

    assert_true(sco_slice_equal(sco_child_boot(child),
                                SCO_SLICE("{\"script\": \"score.py\"}")));
    sco_child_destroy(child);
}

static void
test_the_memory_is_shared(void **state)
{
    struct ends *ends = *state;
    struct sco_child *child = attach(ends, "");
    struct sco_lane_call sent = { .kind = SCO_LANE_GENERAL,
                                  .body_bytes = 4,
                                  .timeout_ms = 5 };
    struct sco_child_line line;
    struct sco_slot slot;
    struct sco_call call;

    assert_int_equal(sco_child_boot(child).len, 0);
    assert_int_equal(sco_slots_take(sco_arena_slots(ends->arena), 100, &slot),
                     SCO_OK);
    memcpy(sco_arena_bytes(ends->arena, slot), "body", 4);
    sent.offset = slot.offset;
    sent.slot_bytes = slot.bytes;
    sent.ticket = sco_arena_mark(ends->arena, slot);
    assert_true(sco_lane_send(ends->lane, &sent));
    assert_int_equal(sco_child_try_next(child, &call, &line), SCO_CHILD_CALL);
    assert_int_equal(call.way, SCO_CALL_GENERAL);
    assert_int_equal(call.timeout_ms, 5);
    assert_true(sco_slice_equal(call.body, SCO_SLICE("body")));
    assert_true(call.body.data != sco_arena_bytes(ends->arena, slot));
    assert_true(sco_arena_started_ns(ends->arena, slot) > 0);
    sco_child_destroy(child);
}

static void
test_it_asks_to_end_with_its_parent(void **state)
{
    struct sco_child *child = attach(*state, "");
    int number = 0;

    assert_int_equal(prctl(PR_GET_PDEATHSIG, &number), 0);
    assert_int_equal(number, SIGKILL);
    sco_child_destroy(child);
}

static void
test_everything_is_closed_at_the_end(void **state)
{
    struct ends *ends = *state;
    size_t before = open_descriptors();
    struct sco_child *child = attach(ends, "");

    assert_true(open_descriptors() > before);
    sco_child_destroy(child);
    assert_int_equal(open_descriptors(), before - 1); /* ends->child */
}

static void
test_a_host_that_is_gone_is_noticed(void **state)
{
    struct ends *ends = *state;
    struct sco_child *child = NULL;
    struct sco_error err;

    (void)close(ends->host);
    ends->host = -1;
    assert_int_equal(sco_child_attach(ends->child, getppid(), &child, &err),
                     SCO_CLOSED);
    assert_null(child);
    (void)close(ends->child); /* it stays the caller's */
}

static void
test_a_host_that_went_after_its_hello_is_noticed(void **state)
{
    struct ends *ends = *state;
    size_t before = open_descriptors();
    struct sco_child *child = NULL;

    assert_int_equal(
        sco_lane_hello(ends->lane, ends->host, SCO_SLICE("x"), NULL), SCO_OK);
    (void)close(ends->host);
    ends->host = -1;
    assert_int_equal(sco_child_attach(ends->child, getppid(), &child, NULL),
                     SCO_CLOSED);
    assert_int_equal(open_descriptors(), before - 1);
    (void)close(ends->child);
}

/* The maker of a socket and its child's parent, which goes at once; what the
 * child then says of it goes to `told_fd`. The socket's other end lives on for
 * `lasts_ms`, as with a host whose last thread has not ended, or until
 * `hold_fd` is closed at its other end. */
_Noreturn static void
leave_orphan(bool tells_parent, int lasts_ms, int told_fd, int hold_fd)
{
    struct pollfd hold = { .fd = hold_fd };
    pid_t parent = getpid();
    enum sco_status status;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) {
        _exit(1);
    }
    if (fork() == 0) {
        (void)close(told_fd);
        (void)poll(&hold, 1, lasts_ms);
    } else if (fork() == 0) {
        (void)close(pair[0]);
        while (getppid() == parent) {
            (void)sched_yield();
        }
        status = sco_child_tie(pair[1], tells_parent ? parent : 0, NULL);
        (void)!write(told_fd, &status, sizeof(status));
    }
    _exit(0);
}

static enum sco_status
tie_orphan(bool tells_parent, int lasts_ms)
{
    enum sco_status status = SCO_OK;
    int told[2], hold[2];
    pid_t maker;

    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(hold), 0);
    maker = fork();
    if (maker == 0) {
        (void)close(hold[1]);
        leave_orphan(tells_parent, lasts_ms, told[1], hold[0]);
    }
    (void)close(told[1]);
    (void)close(hold[0]);
    assert_int_equal(waitpid(maker, NULL, 0), maker);
    assert_int_equal(read(told[0], &status, sizeof(status)), sizeof(status));
    (void)close(told[0]);
    (void)close(hold[1]);
    return status;
}

static void
test_a_host_that_ends_bit_by_bit_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(tie_orphan(/* tells_parent */ true, -1), SCO_CLOSED);
    assert_int_equal(tie_orphan(/* tells_parent */ false, 100), SCO_CLOSED);
}

/* A wrapper that starts Python and stays: the host has not gone. */
static void
test_a_program_between_host_and_worker_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(tie_orphan(/* tells_parent */ false, -1), SCO_OK);
}

static void
test_a_stranger_is_refused(void **state)
{
    static const char *const strange[] = { "x", "GET / HTTP/1.1\r\n\r\n" };
    struct link_hello hello = { .magic = LINK_MAGIC,
                                .version = LINK_VERSION + 1 };
    struct ends *ends = *state;
    struct sco_child *child = NULL;
    struct sco_error err;

    for (size_t i = 0; i < 2; i++) {
        assert_true(send(ends->host, strange[i], strlen(strange[i]), 0) > 0);
        assert_int_equal(
            sco_child_attach(ends->child, getppid(), &child, &err),
            SCO_INVALID);
    }
    assert_true(send(ends->host, &hello, sizeof(hello), 0) > 0);
    assert_int_equal(sco_child_attach(ends->child, getppid(), &child, &err),
                     SCO_INVALID);
    hello.version = LINK_VERSION; /* and no descriptors */
    assert_true(send(ends->host, &hello, sizeof(hello), 0) > 0);
    assert_int_equal(sco_child_attach(ends->child, getppid(), &child, &err),
                     SCO_INVALID);
    assert_null(child);
    (void)close(ends->child);
}

static void
test_a_boot_text_that_is_too_long_is_not_sent(void **state)
{
    struct ends *ends = *state;
    char *text = calloc(1, LINK_BOOT_MAX + 1);
    struct sco_error err;

    assert_int_equal(
        sco_lane_hello(ends->lane, ends->host,
                       (struct sco_slice){ text, LINK_BOOT_MAX + 1 }, &err),
        SCO_TOO_LARGE);
    assert_int_equal(sco_lane_hello(ends->lane, ends->host,
                                    (struct sco_slice){ text, LINK_BOOT_MAX },
                                    &err),
                     SCO_OK);
    (void)close(ends->child);
    free(text);
}

/* ---- waiting -------------------------------------------------------- */

static void
on_signal(int number)
{
    (void)number;
}

struct waiter {
    struct sco_child *child;
    enum sco_child_event event;
};

static void *
wait_body(void *arg)
{
    struct waiter *waiter = arg;

    waiter->event = sco_child_wait(waiter->child);
    return NULL;
}

/* Whether the worker says in the shared memory that it sleeps. */
static bool
child_sleeps(const struct sco_lane *lane)
{
    const struct shared_lane *shared = (const void *)lane->map.at;

    return atomic_load(&shared->child_sleeps) == SLEEP_FOR_CALLS;
}

static void
test_a_signal_ends_the_wait(void **state)
{
    struct ends *ends = *state;
    struct sigaction action = { .sa_handler = on_signal };
    struct waiter waiter = { .child = NULL };
    struct sigaction before;
    pthread_t thread;

    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(sco_child_join(ends->lane, &waiter.child, NULL), SCO_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_body, &waiter), 0);
    /* Again and again: it may say so a moment before it does. */
    while (!child_sleeps(ends->lane)) {
    }
    do {
        (void)pthread_kill(thread, SIGUSR1);
    } while (pthread_tryjoin_np(thread, NULL) != 0);
    assert_int_equal(waiter.event, SCO_CHILD_SIGNAL);
    sco_child_destroy(waiter.child);
    (void)sigaction(SIGUSR1, &before, NULL);
    (void)close(ends->child);
}

static void
test_stopping_ends_the_wait(void **state)
{
    struct ends *ends = *state;
    struct waiter waiter = { .child = NULL };
    struct sco_child_line line;
    struct sco_call call;
    pthread_t thread;

    assert_int_equal(sco_child_join(ends->lane, &waiter.child, NULL), SCO_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_body, &waiter), 0);
    sco_lane_stop(ends->lane);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiter.event, SCO_CHILD_NONE);
    assert_int_equal(sco_child_try_next(waiter.child, &call, &line),
                     SCO_CHILD_STOP);
    sco_child_destroy(waiter.child);
    (void)close(ends->child);
}

static void
test_a_poke_ends_the_wait(void **state)
{
    struct ends *ends = *state;
    struct waiter waiter = { .child = NULL };
    pthread_t thread;

    assert_int_equal(sco_child_join(ends->lane, &waiter.child, NULL), SCO_OK);
    sco_child_poke(waiter.child); /* the wait that follows */
    assert_int_equal(sco_child_wait(waiter.child), SCO_CHILD_NONE);
    assert_int_equal(pthread_create(&thread, NULL, wait_body, &waiter), 0);
    while (!child_sleeps(ends->lane)) {
    }
    sco_child_poke(waiter.child);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiter.event, SCO_CHILD_NONE);
    sco_child_destroy(waiter.child);
    (void)close(ends->child);
}

#define WITH_ENDS(test) \
    cmocka_unit_test_setup_teardown(test, make_ends, drop_ends)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dumps_are_ignored_until_somebody_handles_them),
        WITH_ENDS(test_the_boot_text_arrives),
        WITH_ENDS(test_the_memory_is_shared),
        WITH_ENDS(test_it_asks_to_end_with_its_parent),
        WITH_ENDS(test_everything_is_closed_at_the_end),
        WITH_ENDS(test_a_host_that_is_gone_is_noticed),
        WITH_ENDS(test_a_host_that_went_after_its_hello_is_noticed),
        cmocka_unit_test(test_a_host_that_ends_bit_by_bit_is_noticed),
        cmocka_unit_test(test_a_program_between_host_and_worker_is_allowed),
        WITH_ENDS(test_a_stranger_is_refused),
        WITH_ENDS(test_a_boot_text_that_is_too_long_is_not_sent),
        WITH_ENDS(test_a_signal_ends_the_wait),
        WITH_ENDS(test_stopping_ends_the_wait),
        WITH_ENDS(test_a_poke_ends_the_wait),
    };

    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
