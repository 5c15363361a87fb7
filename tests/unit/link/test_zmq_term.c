/* test_zmq_term.c - signals that end a remote worker, wherever it is */
#include "link/zmq_term.h"

#include "base/clock.h"
#include "link/child.h"
#include "link/zmq_worker.h"
#include "support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A worker of a host that is not there, whose script is ready. */
static struct sco_zmq_worker *
start_worker(void)
{
    const struct sco_zmq_worker_setup setup = {
        .endpoint = "ipc:///nowhere/at/all",
        .name = "alpha",
        .gpu = "",
        .script = "score.py",
        .credits = 1,
    };
    const struct sco_document document = { SCO_SLICE("2"), SCO_SLICE("{}") };
    struct sco_zmq_worker *worker = NULL;

    if (sco_zmq_worker_create(&setup, &worker, NULL) != SCO_OK ||
        sco_child_ready(sco_zmq_worker_child(worker), &document, 1, NULL) !=
            SCO_OK) {
        abort();
    }
    return worker;
}

/* Sleeps as the script's thread does, until it is told to stop. */
static void
sleep_until_stop(struct sco_zmq_worker *worker)
{
    struct sco_child *child = sco_zmq_worker_child(worker);
    struct sco_child_line line;
    struct sco_call call;

    while (sco_child_try_next(child, &call, &line) != SCO_CHILD_STOP) {
        (void)sco_child_wait(child);
    }
}

/* The signal comes right before the sleep: nothing interrupts that. */
static void
test_a_signal_before_the_sleep_ends_it(void **state)
{
    const int numbers[] = { SIGTERM, SIGINT };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sco_zmq_worker *worker = start_worker();

        sco_zmq_term_install(worker, SCO_NS_PER_S);
        assert_int_equal(raise(numbers[i]), 0);
        sleep_until_stop(worker);
        sco_zmq_term_remove();
        assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_ENDED);
    }
}

static void
test_the_same_signal_by_another_way_is_one(void **state)
{
    struct sco_zmq_worker *worker = start_worker();

    (void)state;
    sco_zmq_term_install(worker, 3600 * SCO_NS_PER_S);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(raise(SIGINT), 0);
    sleep_until_stop(worker);
    sco_zmq_term_remove();
    assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_ENDED);
}

/* A process that does as `body` says: the signal it ended by, or 0. */
static int
ends_by(void (*body)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
insist(void)
{
    uint64_t first_ns;

    sco_zmq_term_install(start_worker(), /* insist_ns */ 1);
    (void)raise(SIGTERM);
    first_ns = sco_clock_now_ns();
    while (sco_clock_now_ns() - first_ns < 2) {
    }
    (void)raise(SIGTERM);
}

static void
raise_without_handler(void)
{
    sco_zmq_term_install(start_worker(), SCO_NS_PER_S);
    sco_zmq_term_remove();
    (void)raise(SIGINT);
}

static void
test_a_second_signal_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(ends_by(insist), SIGTERM);
    assert_int_equal(ends_by(raise_without_handler), SIGINT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, while there is no other thread to fork beside. */
        cmocka_unit_test(test_a_second_signal_ends_the_process),
        cmocka_unit_test(test_a_signal_before_the_sleep_ends_it),
        cmocka_unit_test(test_the_same_signal_by_another_way_is_one),
    };

    return cmocka_run_group_tests_name("signals of a remote worker", tests,
                                       NULL, NULL);
}
