/* test_process.c - workers that are processes
 *
 * The worker's program is this one: as a worker it attaches to its host and
 * does what the body of a request says.
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "link/child.h"
#include "support/heard.h"
#include "support/test.h"
#include "support/turner.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a child of the worker's keeps a pipe open: its path is in here. */
static const char pipe_variable[] = "SCO_TEST_PIPE";

/* ---- the worker ----------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void
hang_until_interrupted(void)
{
    sigset_t interrupt, before;

    sigemptyset(&interrupt);
    sigaddset(&interrupt, SCO_INTERRUPT_SIGNAL);
    (void)sigprocmask(SIG_BLOCK, &interrupt, &before);
    while (!interrupted) {
        (void)sigsuspend(&before);
    }
    interrupted = 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Leaves a process behind that holds a pipe open and never ends. */
static void
leave_a_child(void)
{
    const char *where = getenv(pipe_variable);
    int held = where != NULL ? open(where, O_WRONLY | O_CLOEXEC) : -1;

    if (fork() == 0) {
        for (;;) {
            (void)pause();
        }
    }
    (void)close(held);
}

static void
do_as_told(struct sco_slice body)
{
    if (sco_slice_equal(body, SCO_SLICE("exit 7"))) {
        _exit(7);
    }
    if (sco_slice_equal(body, SCO_SLICE("die"))) {
        (void)raise(SIGTERM);
    }
    if (sco_slice_equal(body, SCO_SLICE("hang"))) {
        hang_until_interrupted();
    }
    if (sco_slice_equal(body, SCO_SLICE("leave a child"))) {
        leave_a_child();
    }
}

static int
be_worker(void)
{
    const struct sigaction action = { .sa_handler = on_interrupt };
    const struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct sco_child_line line;
    struct sco_child *child;
    struct sco_sink *sink;
    struct sco_call call;

    (void)sigaction(SCO_INTERRUPT_SIGNAL, &action, NULL);
    if (sco_child_attach(3, /* parent */ 0, &child, NULL) != SCO_OK ||
        sco_child_ready(child, NULL, 0, NULL) != SCO_OK) {
        return 1;
    }
    sink = sco_child_sink(child);
    for (;;) {
        switch (sco_child_try_next(child, &call, &line)) {
        case SCO_CHILD_CALL:
            do_as_told(call.body);
            sink->ops->reply(sink, &head, sco_child_boot(child), call.body);
            break;
        case SCO_CHILD_STOP:
            sco_child_destroy(child);
            return 0;
        case SCO_CHILD_LINE:
        case SCO_CHILD_SIGNAL:
        case SCO_CHILD_NONE:
            (void)sco_child_wait(child);
            break;
        }
    }
}

/* ---- the host ------------------------------------------------------- */

static struct turner turner;
static struct sco_arena *arena;
static struct sco_watch doorbell;
static struct sco_worker_setup setup;
static struct sco_worker *worker;
static struct sco_worker_end end;
static struct heard heard[2];
static unsigned returned;
static char folder[] = "/tmp/sco-process-XXXXXX";
static char pipe_path[64];

static void
on_ready(void *arg, struct sco_worker *who, struct sco_slice documents)
{
    (void)arg;
    (void)who;
    (void)documents;
}

static void
on_through(void *arg, struct sco_worker *who, uint64_t run_ns)
{
    (void)arg;
    (void)who;
    (void)run_ns;
}

static void
on_return(void *arg, struct sco_worker *who, struct sco_request *req)
{
    (void)arg;
    (void)who;
    returned++;
    sco_request_unref(req);
}

static void
on_gone(void *arg, struct sco_worker *who, const struct sco_worker_end *how)
{
    (void)arg;
    end = *how;
    worker = NULL;
    sco_worker_destroy(who);
}

static bool
hear(void *arg, uint64_t now_ns)
{
    bool heard_something;

    (void)arg;
    (void)now_ns;
    sco_arena_awake(arena);
    heard_something = worker != NULL && sco_worker_poll(worker);
    sco_arena_sleep(arena);
    return (worker != NULL && sco_worker_poll(worker)) || heard_something;
}

static void
on_doorbell(void *arg, uint32_t events)
{
    (void)arg;
    (void)events;
}

static bool
is_ready(void *arg)
{
    (void)arg;
    return worker == NULL || worker->state == SCO_WORKER_READY;
}

static bool
is_gone(void *arg)
{
    (void)arg;
    return worker == NULL;
}

static bool
is_answered(void *arg)
{
    return ((const struct heard *)arg)->count > 0;
}

static bool
is_able_again(void *arg)
{
    (void)arg;
    return worker == NULL ||
           (worker->held_count == 0 && sco_worker_is_able(worker));
}

static int
start(void **state)
{
    const struct sco_worker_boss boss = {
        .on_ready = on_ready,
        .on_through = on_through,
        .on_return = on_return,
        .on_gone = on_gone,
    };

    (void)state;
    returned = 0;
    turner_init(&turner);
    assert_int_equal(sco_arena_create(&arena, NULL), SCO_OK);
    doorbell = (struct sco_watch){ .fd = sco_arena_doorbell(arena),
                                   .on_ready = on_doorbell };
    assert_int_equal(
        sco_loop_add(turner.loop, &doorbell, EPOLLIN | EPOLLET, NULL), SCO_OK);
    sco_loop_hook(turner.loop, hear, NULL);
    setup = (struct sco_worker_setup){ .loop = turner.loop,
                                       .arena = arena,
                                       .boot = SCO_SLICE("boot"),
                                       .python = "/proc/self/exe",
                                       .threads_each = 1,
                                       .limit_ns = 300 * SCO_NS_PER_MS };
    assert_int_equal(
        sco_worker_create(&sco_process_worker, &setup, &boss, &worker, NULL),
        SCO_OK);
    assert_true(turner_until(&turner, is_ready, NULL));
    assert_non_null(worker);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    if (worker != NULL) {
        sco_worker_kill(worker);
        assert_true(turner_until(&turner, is_gone, NULL));
    }
    sco_arena_destroy(arena);
    turner_finish(&turner);
    return 0;
}

static void
give(size_t i, const char *body)
{
    assert_true(
        sco_worker_give(worker, heard_request(arena, body, &heard[i])));
    sco_worker_flush(worker);
}

static void
test_it_scores_in_another_process(void **state)
{
    (void)state;
    assert_int_not_equal(worker->pid, getpid());
    give(0, "hello");
    assert_true(turner_until(&turner, is_answered, &heard[0]));
    assert_string_equal(heard[0].body, "hello");
    assert_int_equal(heard[0].pid, worker->pid);
}

static void
test_it_leaves_with_code_0(void **state)
{
    (void)state;
    give(0, "hello");
    sco_worker_leave(worker);
    assert_true(turner_until(&turner, is_gone, NULL));
    assert_string_equal(heard[0].body, "hello");
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.signal, 0);
}

static void
test_its_end_is_told_as_it_was(void **state)
{
    (void)state;
    give(0, "exit 7");
    give(1, "hello");
    assert_true(turner_until(&turner, is_gone, NULL));
    assert_int_equal(end.exit_code, 7);
    assert_int_equal(end.signal, 0);
    assert_int_equal(heard[0].failure, SCO_WORKER_LOST);
    assert_string_equal(heard[0].detail, "worker process exited with code 7");
    assert_int_equal(returned, 1);
}

static void
test_a_signal_is_told_by_its_name(void **state)
{
    (void)state;
    give(0, "die");
    assert_true(turner_until(&turner, is_gone, NULL));
    assert_int_equal(end.signal, SIGTERM);
    assert_string_equal(heard[0].detail,
                        "worker process was killed by SIGTERM");
}

static void
test_killing_ends_it_whatever_it_does(void **state)
{
    (void)state;
    give(0, "hang");
    sco_worker_kill(worker);
    assert_true(turner_until(&turner, is_gone, NULL));
    assert_int_equal(end.signal, SIGKILL);
}

static void
test_an_interrupt_reaches_what_hangs(void **state)
{
    (void)state;
    give(0, "hang");
    assert_true(turner_until(&turner, is_answered, &heard[0]));
    assert_int_equal(heard[0].failure, SCO_TIMEOUT);
    assert_true(turner_until(&turner, is_able_again, NULL));
    assert_non_null(worker);
    give(1, "hello");
    assert_true(turner_until(&turner, is_answered, &heard[1]));
    assert_string_equal(heard[1].body, "hello");
}

static void
test_what_the_script_started_goes_with_it(void **state)
{
    struct pollfd held = { .events = POLLIN };

    (void)state;
    held.fd = open(pipe_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(held.fd >= 0);
    give(0, "leave a child");
    assert_true(turner_until(&turner, is_answered, &heard[0]));
    assert_int_equal(poll(&held, 1, 0), 0); /* somebody holds it */
    give(1, "exit 7");
    assert_true(turner_until(&turner, is_gone, NULL));
    assert_int_equal(poll(&held, 1, 10000), 1);
    assert_true((held.revents & POLLHUP) != 0);
    (void)close(held.fd);
}

static void
test_what_is_not_there_cannot_be_started(void **state)
{
    const struct sco_worker_boss boss = { .arg = NULL };
    struct sco_worker *other = NULL;
    struct sco_error err = { .text = "" };

    (void)state;
    setup.python = "/no/such/python";
    assert_int_equal(
        sco_worker_create(&sco_process_worker, &setup, &boss, &other, &err),
        SCO_INTERNAL);
    assert_null(other);
    assert_non_null(strstr(err.text, "/no/such/python"));
}

static int
make_pipe(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    return setenv(pipe_variable, pipe_path, 1);
}

static int
drop_pipe(void **state)
{
    (void)state;
    (void)unlink(pipe_path);
    return rmdir(folder);
}

#define STARTED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STARTED(test_it_scores_in_another_process),
        STARTED(test_it_leaves_with_code_0),
        STARTED(test_its_end_is_told_as_it_was),
        STARTED(test_a_signal_is_told_by_its_name),
        STARTED(test_killing_ends_it_whatever_it_does),
        STARTED(test_an_interrupt_reaches_what_hangs),
        STARTED(test_what_the_script_started_goes_with_it),
        STARTED(test_what_is_not_there_cannot_be_started),
    };

    if (argc == 4 && strcmp(argv[1], "-m") == 0) {
        return be_worker();
    }
    return cmocka_run_group_tests_name("process", tests, make_pipe, drop_pipe);
}
