/* test_policy.c - what follows when a host has ended? */
#include "supervisor/policy.h"
#include "support/test.h"

#include <signal.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

/* clang-format off */
static const struct sco_policy_end at_import = { SIGSEGV, 0, false, 80 * MS };
static const struct sco_policy_end exited    = { 0, 7, false, 80 * MS };
static const struct sco_policy_end served    = { SIGSEGV, 0, true, 300 * MS };
static const struct sco_policy_end steady    = { SIGSEGV, 0, true, 5 * S };
static const struct sco_policy_end killed    = { SIGKILL, 0, true, 5 * S };
/* clang-format on */

/* Judges an end and expects a delay. */
static void
expect(struct sco_policy *policy, const struct sco_policy_end *end,
       uint64_t delay_ns)
{
    struct sco_policy_verdict verdict = sco_policy_judge(policy, end);

    assert_false(verdict.give_up);
    assert_int_equal(verdict.delay_ns, delay_ns);
}

static void
test_the_first_crash_costs_no_pause(void **state)
{
    struct sco_policy policy = { 0 };

    (void)state;
    expect(&policy, &at_import, 0);
}

static void
test_crashes_in_a_row_wait_longer_each(void **state)
{
    struct sco_policy policy = { 0 };

    (void)state;
    expect(&policy, &served, 0);
    expect(&policy, &served, 100 * MS);
    expect(&policy, &served, 200 * MS);
    expect(&policy, &served, 400 * MS);
    for (int i = 0; i < 100; i++) {
        (void)sco_policy_judge(&policy, &served);
    }
    expect(&policy, &served, 1 * S);
    expect(&policy, &at_import, 1 * S);
}

static void
test_one_that_lived_long_begins_a_new_row(void **state)
{
    struct sco_policy policy = { 0 };

    (void)state;
    expect(&policy, &served, 0);
    expect(&policy, &served, 100 * MS);
    expect(&policy, &steady, 0);
    expect(&policy, &served, 100 * MS);
}

static void
test_it_gives_up_when_none_becomes_ready(void **state)
{
    struct sco_policy policy = { 0 };

    (void)state;
    for (int i = 1; i < SCO_POLICY_USELESS_MAX; i++) {
        assert_false(sco_policy_judge(&policy, &at_import).give_up);
    }
    assert_true(sco_policy_judge(&policy, &exited).give_up);
    assert_int_equal(policy.useless, SCO_POLICY_USELESS_MAX);
    assert_int_equal(policy.ends[0].signal, SIGSEGV);
    assert_int_equal(policy.ends[SCO_POLICY_USELESS_MAX - 1].code, 7);
}

static void
test_one_that_was_ready_keeps_it_going(void **state)
{
    struct sco_policy policy = { 0 };

    (void)state;
    for (int i = 0; i < 100; i++) {
        const struct sco_policy_end *end =
            i % SCO_POLICY_USELESS_MAX == 0 ? &served : &at_import;

        assert_false(sco_policy_judge(&policy, end).give_up);
    }
}

static void
test_two_faults_make_the_kind_unfit(void **state)
{
    struct sco_policy policy = { 0 };

    (void)state;
    assert_false(sco_policy_is_unfit(&policy));
    (void)sco_policy_judge(&policy, &served);
    assert_false(sco_policy_is_unfit(&policy));
    (void)sco_policy_judge(&policy, &steady);
    assert_true(sco_policy_is_unfit(&policy));
}

static void
test_who_was_killed_from_outside_is_not_to_blame(void **state)
{
    static const int outside[] = { SIGKILL, SIGTERM, SIGINT, SIGQUIT,
                                   SIGHUP,  SIGUSR1, SIGUSR2 };
    struct sco_policy policy = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        struct sco_policy_end end = killed;

        end.signal = outside[i];
        (void)sco_policy_judge(&policy, &end);
    }
    assert_false(sco_policy_is_unfit(&policy));
    (void)sco_policy_judge(&policy, &exited);
    (void)sco_policy_judge(&policy, &exited);
    assert_true(sco_policy_is_unfit(&policy));
}

static void
test_exit_codes(void **state)
{
    const struct sco_policy_end nothing = { 0, 0, false, 0 };

    (void)state;
    assert_int_equal(sco_policy_exit_code(&at_import), 128 + SIGSEGV);
    assert_int_equal(sco_policy_exit_code(&killed), 137);
    assert_int_equal(sco_policy_exit_code(&exited), 7);
    assert_int_equal(sco_policy_exit_code(&nothing), 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_crash_costs_no_pause),
        cmocka_unit_test(test_crashes_in_a_row_wait_longer_each),
        cmocka_unit_test(test_one_that_lived_long_begins_a_new_row),
        cmocka_unit_test(test_it_gives_up_when_none_becomes_ready),
        cmocka_unit_test(test_one_that_was_ready_keeps_it_going),
        cmocka_unit_test(test_two_faults_make_the_kind_unfit),
        cmocka_unit_test(test_who_was_killed_from_outside_is_not_to_blame),
        cmocka_unit_test(test_exit_codes),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
