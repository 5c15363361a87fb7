/* test_report.c - two bytes there, two bytes back */
#include "supervisor/report.h"
#include "support/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static int
open_pair(void **state)
{
    (void)state;
    return sco_report_pair(pair, NULL) == SCO_OK ? 0 : -1;
}

static int
close_pair(void **state)
{
    (void)state;
    (void)close(pair[0]);
    (void)close(pair[1]);
    return 0;
}

static void
test_messages_come_in_order(void **state)
{
    struct sco_report report = { .kind = SCO_REPORT_ALONE };

    (void)state;
    assert_false(sco_report_take(pair[0], &report));
    assert_int_equal(report.kind, SCO_REPORT_ALONE);
    sco_report_send(pair[1], SCO_REPORT_READY, 0);
    sco_report_send(pair[1], SCO_REPORT_LEAVING, 255);
    assert_true(sco_report_take(pair[0], &report));
    assert_int_equal(report.kind, SCO_REPORT_READY);
    assert_true(sco_report_take(pair[0], &report));
    assert_int_equal(report.kind, SCO_REPORT_LEAVING);
    assert_int_equal(report.code, 255);
    assert_false(sco_report_take(pair[0], &report));
}

static void
test_both_sides_may_speak(void **state)
{
    struct sco_report report;

    (void)state;
    sco_report_send(pair[0], SCO_REPORT_RELIEVED, 0);
    sco_report_send(pair[1], SCO_REPORT_SUCCESSOR, 0);
    assert_true(sco_report_take(pair[1], &report));
    assert_int_equal(report.kind, SCO_REPORT_RELIEVED);
    assert_true(sco_report_take(pair[0], &report));
    assert_int_equal(report.kind, SCO_REPORT_SUCCESSOR);
}

static void
test_nonsense_is_passed_over(void **state)
{
    struct sco_report report;

    (void)state;
    assert_int_equal(send(pair[1], "\xff\x00", 2, 0), 2);
    assert_int_equal(send(pair[1], "\x00\x00", 2, 0), 2);
    assert_int_equal(send(pair[1], "\x01", 1, 0), 1);
    assert_int_equal(send(pair[1], "a long message", 14, 0), 14);
    sco_report_send(pair[1], SCO_REPORT_WORN, 0);
    assert_true(sco_report_take(pair[0], &report));
    assert_int_equal(report.kind, SCO_REPORT_WORN);
}

static void
test_who_has_nobody_tells_nobody(void **state)
{
    struct sco_report report;

    (void)state;
    sco_report_send(-1, SCO_REPORT_READY, 0);
    assert_false(sco_report_take(-1, &report));
    (void)close(pair[1]);
    sco_report_send(pair[0], SCO_REPORT_RELIEVED, 0);
    assert_false(sco_report_take(pair[0], &report));
}

static void
test_no_program_inherits_it_and_nobody_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(fcntl(pair[i], F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(pair[i], F_GETFL) & O_NONBLOCK);
    }
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(test_messages_come_in_order),
        OPEN(test_both_sides_may_speak),
        OPEN(test_nonsense_is_passed_over),
        OPEN(test_who_has_nobody_tells_nobody),
        OPEN(test_no_program_inherits_it_and_nobody_waits),
    };

    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
