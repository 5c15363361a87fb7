/* test_interrupt.c - does the signal stop a late run(), and nothing else? */
#include "embedded.h"
#include "fake_sink.h"

#include "pybridge/call.h"
#include "pybridge/interrupt.h"

#include <signal.h>

static struct sco_scoring scoring;
static struct sco_scorer scorer;
static struct fake_sink fake;
static PyObject *installed;

static void
begin(const char *script)
{
    embedded_script(script, &scoring);
    assert_int_equal(sco_scorer_init(&scoring, &scorer), 0);
    fake_sink_init(&fake);
    installed = sco_interrupt_install(&scorer);
    assert_non_null(installed);
}

static void
score(const char *body)
{
    const struct sco_call call = { .way = SCO_CALL_PLAIN,
                                   .body = sco_slice_of(body) };

    sco_scorer_score(&scorer, &call, &fake.sink);
}

static void
finish(void)
{
    sco_interrupt_remove(installed);
    fake_sink_finish(&fake);
    sco_scorer_finish(&scorer);
    sco_scoring_finish(&scoring);
}

/* The script sends the signal itself: it comes while run() is at work. */
static const char signalling[] =
    "import os, signal, time\n"
    "def run(data):\n"
    "    os.kill(os.getpid(), signal.SIGRTMAX - 2)\n"
    "    for _ in range(1000): time.sleep(0)\n"
    "    return data\n";

static void
test_late_is_stopped(void **state)
{
    (void)state;
    begin(signalling);
    fake.stop = SCO_STOP_TIMEOUT;
    score("x");
    assert_string_equal(fake_text(&fake.body), "failed ScoringTimeout");
    finish();
}

static void
test_cancelled_is_stopped_too(void **state)
{
    (void)state;
    begin(signalling);
    fake.stop = SCO_STOP_CANCELLED;
    score("x");
    assert_string_equal(fake_text(&fake.body), "failed Cancelled");
    finish();
}

/* run() is only told that its client has left. */
static void
test_without_being_asked_for_nothing_is_raised(void **state)
{
    (void)state;
    begin(signalling);
    fake.left = true;
    score("x");
    assert_string_equal(fake_text(&fake.body), "\"x\"");
    finish();
}

static void
test_in_time_goes_on(void **state)
{
    (void)state;
    begin(signalling);
    score("x");
    assert_string_equal(fake_text(&fake.body), "\"x\"");
    finish();
}

/* A late call, whose signal comes when it is over: the next is not hit. */
static void
test_after_the_call(void **state)
{
    (void)state;
    begin("def run(data):\n"
          "    for _ in range(1000): pass\n"
          "    return data\n");
    fake.stop = SCO_STOP_TIMEOUT;
    assert_int_equal(raise(SCO_INTERRUPT_SIGNAL), 0);
    assert_int_equal(PyErr_CheckSignals(), 0); /* no call in hand */
    assert_int_equal(raise(SCO_INTERRUPT_SIGNAL), 0);
    fake.stop = SCO_STOP_NOT; /* the next call's */
    score("next");
    assert_string_equal(fake_text(&fake.body), "\"next\"");
    finish();
}

/* The script may keep our handler, and put its own in our place. */
static void
test_handler_outlives_us(void **state)
{
    (void)state;
    begin("import signal\n"
          "run = lambda data: 1\n"
          "before = signal.SIG_DFL\n");
    py_run("kept = signal.getsignal(signal.SIGRTMAX - 2)\n");
    py_assert("callable(kept)");
    fake.stop = SCO_STOP_TIMEOUT;
    finish();
    py_assert("signal.getsignal(signal.SIGRTMAX - 2) == signal.SIG_DFL");
    py_assert("kept(62, None) is None");
    py_run("del kept\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_is_stopped),
        cmocka_unit_test(test_cancelled_is_stopped_too),
        cmocka_unit_test(test_without_being_asked_for_nothing_is_raised),
        cmocka_unit_test(test_in_time_goes_on),
        cmocka_unit_test(test_after_the_call),
        cmocka_unit_test(test_handler_outlives_us),
    };

    return cmocka_run_group_tests_name("interrupt", tests, embedded_start,
                                       embedded_stop);
}
