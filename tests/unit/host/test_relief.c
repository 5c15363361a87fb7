/* test_relief.c - what a host says to its supervisor, and does with answers */
#include "host/relief.h"
#include "supervisor/report.h"
#include "support/test.h"
#include "support/turner.h"

#include <unistd.h>

static struct turner turner;
static struct sco_relief relief;
static int pair[2]; /* the supervisor's end, and ours */
static unsigned relieved, alone;

static void
on_relieved(void *arg)
{
    (void)arg;
    relieved++;
}

static void
on_alone(void *arg)
{
    (void)arg;
    alone++;
}

static int
make(void **state)
{
    (void)state;
    relieved = alone = 0;
    turner_init(&turner);
    if (sco_report_pair(pair, NULL) != SCO_OK) {
        return -1;
    }
    return sco_relief_watch(&relief, turner.loop, pair[1], on_relieved,
                            on_alone, NULL, NULL) == SCO_OK
               ? 0
               : -1;
}

static int
drop(void **state)
{
    (void)state;
    sco_relief_close(&relief);
    (void)close(pair[0]);
    (void)close(pair[1]);
    turner_finish(&turner);
    return 0;
}

/* Whether the host has just said this, and nothing else. */
static bool
has_said(enum sco_report_kind kind)
{
    struct sco_report report;

    return sco_report_take(pair[0], &report) && report.kind == kind &&
           !sco_report_take(pair[0], &report);
}

static bool
has_heard(void *arg)
{
    (void)arg;
    return relieved + alone > 0 || relief.watch.fd < 0;
}

/* Says something, and waits until it has been heard. */
static void
answer(enum sco_report_kind kind)
{
    sco_report_send(pair[0], kind, 0);
    assert_true(turner_until(&turner, has_heard, NULL));
}

static void
test_ready_is_told_once(void **state)
{
    (void)state;
    sco_relief_tell_ready(&relief);
    sco_relief_tell_ready(&relief);
    assert_true(has_said(SCO_REPORT_READY));
}

static void
test_it_is_relieved(void **state)
{
    (void)state;
    sco_relief_ask(&relief, "it is old");
    sco_relief_ask(&relief, "it is older");
    assert_true(has_said(SCO_REPORT_SUCCESSOR));
    answer(SCO_REPORT_RELIEVED);
    assert_int_equal(relieved, 1);
    assert_int_equal(alone, 0);
}

static void
test_left_alone_it_may_ask_again(void **state)
{
    (void)state;
    sco_relief_ask(&relief, "it is old");
    assert_true(has_said(SCO_REPORT_SUCCESSOR));
    answer(SCO_REPORT_ALONE);
    assert_int_equal(alone, 1);
    assert_int_equal(relieved, 0);
    sco_relief_ask(&relief, "it is older");
    assert_true(has_said(SCO_REPORT_SUCCESSOR));
}

static void
test_what_a_host_says_is_no_answer(void **state)
{
    (void)state;
    sco_report_send(pair[0], SCO_REPORT_READY, 0);
    answer(SCO_REPORT_RELIEVED);
    assert_int_equal(relieved, 1);
    assert_int_equal(alone, 0);
}

static void
test_a_worn_host_hands_over(void **state)
{
    struct sco_report report;

    (void)state;
    assert_true(sco_relief_hand_over(&relief, "it is lame", SCO_RELIEF_AFTER));
    assert_true(sco_report_take(pair[0], &report));
    assert_int_equal(report.kind, SCO_REPORT_WORN);
    assert_int_equal(report.code, 1);
}

static void
test_without_a_supervisor_it_goes_on(void **state)
{
    (void)state;
    (void)close(pair[0]);
    assert_true(turner_until(&turner, has_heard, NULL));
    assert_int_equal(relief.watch.fd, -1);
    sco_relief_tell_ready(&relief);
    sco_relief_ask(&relief, "it is old");
    assert_false(
        sco_relief_hand_over(&relief, "it is lame", SCO_RELIEF_BESIDE));
    assert_false(relief.is_asking);
    assert_int_equal(relieved + alone, 0);
    pair[0] = dup(pair[1]);
}

#define WITH_LINE(test) cmocka_unit_test_setup_teardown(test, make, drop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINE(test_ready_is_told_once),
        WITH_LINE(test_it_is_relieved),
        WITH_LINE(test_left_alone_it_may_ask_again),
        WITH_LINE(test_what_a_host_says_is_no_answer),
        WITH_LINE(test_a_worn_host_hands_over),
        WITH_LINE(test_without_a_supervisor_it_goes_on),
    };

    return cmocka_run_group_tests_name("relief", tests, NULL, NULL);
}
