/* test_signal_name.c - the names that operators look for in the log */
#include "base/signal_name.h"
#include "support/test.h"

#include <signal.h>

static void
test_signals_have_names(void **state)
{
    (void)state;
    assert_string_equal(sco_signal_name(SIGSEGV), "SIGSEGV");
    assert_string_equal(sco_signal_name(SIGKILL), "SIGKILL");
    assert_string_equal(sco_signal_name(SIGXCPU), "SIGXCPU");
}

static void
test_what_has_none_is_named_all_the_same(void **state)
{
    (void)state;
    assert_string_equal(sco_signal_name(0), "SIG?");
    assert_string_equal(sco_signal_name(-1), "SIG?");
    assert_string_equal(sco_signal_name(SIGRTMAX), "SIG?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_have_names),
        cmocka_unit_test(test_what_has_none_is_named_all_the_same),
    };

    return cmocka_run_group_tests_name("signal_name", tests, NULL, NULL);
}
