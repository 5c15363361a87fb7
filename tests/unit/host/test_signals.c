/* test_signals.c - signals are read by the loop and interrupt nothing */
#include "host/signals.h"
#include "support/test.h"
#include "support/turner.h"

#include <unistd.h>

enum { HEARD_MAX = 16 };

static struct turner turner;
static struct sco_signals signals;
static struct sco_signals_before before;
static int heard[HEARD_MAX];
static size_t heard_count;

static void
on_signal(void *arg, int number)
{
    assert_ptr_equal(arg, &turner);
    assert_true(heard_count < HEARD_MAX);
    heard[heard_count++] = number;
}

static bool
has_heard(void *arg)
{
    return heard_count >= *(const size_t *)arg;
}

static int
start(void **state)
{
    (void)state;
    heard_count = 0;
    turner_init(&turner);
    sco_signals_hold(&before);
    assert_int_equal(
        sco_signals_watch(&signals, turner.loop, on_signal, &turner, NULL),
        SCO_OK);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    sco_signals_close(&signals);
    sco_signals_close(&signals); /* once more does nothing */
    sco_signals_release(&before);
    turner_finish(&turner);
    return 0;
}

static void
test_each_is_told_to_the_loop(void **state)
{
    static const int numbers[] = { SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
                                   SIGTTIN, SIGTTOU, SIGUSR1, SIGWINCH };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size_t wanted = i + 1;

        assert_int_equal(kill(getpid(), numbers[i]), 0);
        assert_true(turner_until(&turner, has_heard, &wanted));
        assert_int_equal(heard[i], numbers[i]);
    }
}

static void
test_several_at_once_are_all_told(void **state)
{
    size_t wanted = 3;

    (void)state;
    (void)kill(getpid(), SIGHUP);
    (void)kill(getpid(), SIGUSR1);
    (void)kill(getpid(), SIGTERM);
    assert_true(turner_until(&turner, has_heard, &wanted));
    assert_int_equal(heard[0] + heard[1] + heard[2],
                     SIGHUP + SIGUSR1 + SIGTERM);
}

/* SIGTERM's default would end this program, so a signal that were let through
 * ends the test. */
static void
test_afterwards_the_mask_is_as_before_and_nothing_waits(void **state)
{
    sigset_t pending, mask;

    (void)state;
    sco_signals_close(&signals);
    (void)kill(getpid(), SIGTERM);
    sco_signals_release(&before);
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGTERM));
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM));
    assert_int_equal(heard_count, 0);
    sco_signals_hold(&before);
}

#define STARTED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STARTED(test_each_is_told_to_the_loop),
        STARTED(test_several_at_once_are_all_told),
        STARTED(test_afterwards_the_mask_is_as_before_and_nothing_waits),
    };

    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
