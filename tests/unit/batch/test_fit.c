/* test_fit.c - lines through the times of batches */
#include "base/clock.h"
#include "batch/fit.h"

#include "support/test.h"

#include <string.h>

static struct sco_batch_fit fit;
static uint64_t dice_state;

static int
empty(void **state)
{
    (void)state;
    memset(&fit, 0, sizeof(fit));
    dice_state = 20261124;
    return 0;
}

static double
uniform(void)
{
    dice_state =
        dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695);
    return (double)(dice_state >> 11) / 9007199254740992.0;
}

static uint64_t
rows_up_to(unsigned most)
{
    return 1 + (uint64_t)(uniform() * most);
}

static void
add_ms(double rows, double ms)
{
    sco_batch_fit_add(&fit, (uint64_t)rows, (uint64_t)(ms * 1e6));
}

/* Batches of 1 to `most` rows that take a + b n, give or take a share. */
static void
add_many(size_t count, unsigned most, double a_ms, double b_ms, double noise)
{
    for (size_t i = 0; i < count; i++) {
        double rows = (double)rows_up_to(most);

        add_ms(rows, (a_ms + b_ms * rows) * (1 + noise * (2 * uniform() - 1)));
    }
}

static void
assert_near_ms(double ns, double ms, double within_ms)
{
    double off_ms = ns / 1e6 - ms;

    if (off_ms > within_ms || off_ms < -within_ms) {
        fail_msg("%.4f ms, not %.4f", ns / 1e6, ms);
    }
}

static void
test_nothing_is_claimed_of_nothing(void **state)
{
    (void)state;
    assert_false(sco_batch_fit_is_known(&fit));
    assert_int_equal(sco_batch_fit_ns(&fit, 64), 0);
    assert_true(sco_batch_fit_rows(&fit, 0) == UINT64_MAX);
    assert_false(sco_batch_fit_pays(&fit, 1));
    sco_batch_fit_add(&fit, 0, 5);
    assert_int_equal(fit.count, 0);
    add_many(SCO_BATCH_FIT_LEAST - 1, 9, 2, 1, 0);
    assert_false(sco_batch_fit_is_known(&fit));
    add_many(1, 9, 2, 1, 0);
    assert_true(sco_batch_fit_is_known(&fit));
}

static void
test_a_line_is_found(void **state)
{
    static const struct {
        double a_ms, b_ms, noise, within_a_ms, within_b_ms;
    } cases[] = {
        { 2, 0.05, 0, 0.01, 0.001 },       { 2, 0.05, 0.05, 0.1, 0.003 },
        { 0.1, 0.5, 0, 0.01, 0.001 },      { 0.1, 0.5, 0.05, 0.25, 0.02 },
        { 0, 0.3, 0, 0.001, 0.001 },       { 7, 0, 0.05, 0.2, 0.005 },
        { 0.02, 0.0001, 0, 0.001, 0.001 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)empty(state);
        add_many(300, 64, cases[i].a_ms, cases[i].b_ms, cases[i].noise);
        assert_near_ms(fit.a_ns, cases[i].a_ms, cases[i].within_a_ms);
        assert_near_ms(fit.b_ns, cases[i].b_ms, cases[i].within_b_ms);
    }
}

static void
test_a_slow_first_batch_is_soon_of_no_account(void **state)
{
    (void)state;
    add_ms(1, 500);
    add_many(20, 64, 2, 0.05, 0.02);
    assert_near_ms(fit.a_ns, 2, 0.3);
    assert_near_ms(fit.b_ns, 0.05, 0.01);
}

static void
test_outliers_hardly_move_it(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        add_many(9, 64, 2, 0.05, 0.03);
        add_ms((double)rows_up_to(64), i % 2 == 0 ? 300 : 0.01);
    }
    assert_near_ms(fit.a_ns, 2, 0.2);
    assert_near_ms(fit.b_ns, 0.05, 0.006);
}

static void
test_a_model_that_is_another_is_learnt_anew(void **state)
{
    (void)state;
    add_many(200, 64, 2, 0.05, 0.05);
    add_many(100, 64, 20, 0.5, 0.05);
    assert_near_ms(fit.a_ns, 20, 1.5);
    assert_near_ms(fit.b_ns, 0.5, 0.05);
    add_many(100, 64, 1, 0.1, 0.05);
    assert_near_ms(fit.a_ns, 1, 0.1);
    assert_near_ms(fit.b_ns, 0.1, 0.01);
}

static void
test_one_size_only(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        add_ms(8, 3);
    }
    assert_near_ms(fit.a_ns, 3, 0.001); /* nobody knows better */
    assert_near_ms(fit.b_ns, 0, 0.001);
    add_many(100, 64, 2, 0.125, 0);
    for (int i = 0; i < 1000; i++) {
        add_ms(8, 3 * (0.95 + 0.1 * uniform())); /* what was known stays */
    }
    assert_near_ms(fit.b_ns, 0.125, 0.01);
    assert_near_ms(fit.a_ns, 2, 0.2);
    for (int i = 0; i < 100; i++) {
        add_ms(8, 0.5); /* less than the rows took: b is not that either */
    }
    assert_near_ms((double)sco_batch_fit_ns(&fit, 8), 0.5, 0.01);
    assert_true(fit.a_ns >= 0);
}

/* Whether the times are the same each time, or none, or fall with the rows,
 * nothing below 0 comes of it. */
static void
test_degenerate_times(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        sco_batch_fit_add(&fit, rows_up_to(64), 0);
    }
    assert_int_equal(sco_batch_fit_ns(&fit, 64), 0);
    assert_true(sco_batch_fit_rows(&fit, 0) == UINT64_MAX);
    assert_false(sco_batch_fit_pays(&fit, 1));
    (void)empty(state);
    for (int i = 0; i < 100; i++) {
        double rows = (double)rows_up_to(64);

        add_ms(rows, 70 - rows);
    }
    assert_true(fit.b_ns == 0 && fit.a_ns > 0);
    (void)empty(state);
    for (int i = 0; i < 100; i++) {
        sco_batch_fit_add(&fit, UINT64_MAX, UINT64_MAX);
    }
    assert_true(sco_batch_fit_ns(&fit, UINT64_MAX) <= UINT64_MAX / 2);
}

static void
test_how_many_rows_fit_into_a_time(void **state)
{
    (void)state;
    add_many(200, 64, 2, 0.05, 0);
    assert_int_in_range(sco_batch_fit_rows(&fit, 5 * SCO_NS_PER_MS), 59, 61);
    assert_int_equal(sco_batch_fit_rows(&fit, 2 * SCO_NS_PER_MS), 0);
    assert_int_equal(sco_batch_fit_rows(&fit, 0), 0);
    for (uint64_t rows = 1; rows < 200; rows++) {
        uint64_t takes_ns = sco_batch_fit_ns(&fit, rows);

        assert_int_in_range(sco_batch_fit_rows(&fit, takes_ns + 2), rows,
                            rows);
        assert_true(sco_batch_fit_rows(&fit, takes_ns - 10) < rows);
    }
}

static void
test_whether_it_pays(void **state)
{
    (void)state;
    add_many(200, 64, 2, 0.05, 0);
    assert_true(sco_batch_fit_pays(&fit, 1));
    assert_true(sco_batch_fit_pays(&fit, 64));
    assert_false(sco_batch_fit_pays(&fit, 1000));
    (void)empty(state);
    add_many(200, 64, 0.1, 0.5, 0);
    assert_false(sco_batch_fit_pays(&fit, 1));
    assert_false(sco_batch_fit_pays(&fit, 32));
}

#define EMPTY(test) cmocka_unit_test_setup(test, empty)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY(test_nothing_is_claimed_of_nothing),
        EMPTY(test_a_line_is_found),
        EMPTY(test_a_slow_first_batch_is_soon_of_no_account),
        EMPTY(test_outliers_hardly_move_it),
        EMPTY(test_a_model_that_is_another_is_learnt_anew),
        EMPTY(test_one_size_only),
        EMPTY(test_degenerate_times),
        EMPTY(test_how_many_rows_fit_into_a_time),
        EMPTY(test_whether_it_pays),
    };

    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
