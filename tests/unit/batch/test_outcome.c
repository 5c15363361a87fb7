/* test_outcome.c - rows that are counted, and bad ones that fail alone */
#include "batch/outcome.h"

#include "support/test.h"

#include <string.h>

/* ---- rows ----------------------------------------------------------- */

static void
test_each_output_has_a_row_for_each(void **state)
{
    struct sco_batch_output outputs[] = { { SCO_SLICE("y"), 3 },
                                          { SCO_SLICE("p"), 3 } };
    struct sco_error err = { .text = "" };

    (void)state;
    assert_int_equal(sco_batch_check_rows(3, outputs, 2, &err), SCO_OK);
    assert_int_equal(sco_batch_check_rows(3, outputs, 2, NULL), SCO_OK);
    assert_string_equal(err.text, "");
    assert_int_equal(sco_batch_check_rows(4, outputs, 2, NULL), SCO_SCRIPT);
}

static void
test_what_is_wrong_is_named(void **state)
{
    static char name[300];
    const struct {
        struct sco_batch_output second;
        const char *text;
    } cases[] = {
        { { SCO_SLICE("p"), 31 },
          "the output \"p\" of run() has 31 rows, and 32 were expected: "
          "return one row for each row of the batch, in the same order" },
        { { SCO_SLICE(""), 1 },
          "the output of run() has 1 row, and 32 were expected: "
          "return one row for each row of the batch, in the same order" },
        { { SCO_SLICE("p"), 0 },
          "the output \"p\" of run() has 0 rows, and 32 were expected: "
          "return one row for each row of the batch, in the same order" },
        { { SCO_SLICE("p"), SCO_BATCH_NO_ROWS },
          "the output \"p\" of run() has no rows, and 32 were expected: "
          "return an array or a list with one row for each row of the batch" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sco_batch_output outputs[] = { { SCO_SLICE("y"), 32 },
                                              cases[i].second };
        struct sco_error err;

        assert_int_equal(sco_batch_check_rows(32, outputs, 2, &err),
                         SCO_SCRIPT);
        assert_string_equal(err.text, cases[i].text);
    }
    memset(name, 'n', sizeof(name));
    {
        struct sco_batch_output output = { { name, sizeof(name) }, 1 };
        struct sco_error err;

        assert_int_equal(sco_batch_check_rows(2, &output, 1, &err),
                         SCO_SCRIPT);
        assert_non_null(strstr(err.text, "in the same order"));
    }
}

static void
test_no_output_at_all(void **state)
{
    struct sco_error err;

    (void)state;
    assert_int_equal(sco_batch_check_rows(2, NULL, 0, &err), SCO_SCRIPT);
    assert_string_equal(err.text, "run() returned no output for a batch of 2 "
                                  "rows: return one row for each");
}

/* ---- a script with bad rows ----------------------------------------- */

enum { PARTS = 200 };

static struct script {
    size_t parts;
    bool bad[PARTS], gone[PARTS];
    unsigned answered[PARTS], failed[PARTS], untried[PARTS];
    unsigned runs;
    size_t leaves_at; /* run; 0: nobody leaves while it goes on */
} script;

static uint64_t dice_state;

static unsigned
roll(unsigned sides)
{
    dice_state =
        dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695);
    return (unsigned)(dice_state >> 33) % sides;
}

static int
empty(void **state)
{
    (void)state;
    memset(&script, 0, sizeof(script));
    dice_state = 20261124;
    return 0;
}

static bool
is_wanted(void *arg, size_t part)
{
    const struct script *at = arg;

    assert_true(part < at->parts);
    return !at->gone[part];
}

static bool
run_fails(struct sco_batch_range range)
{
    bool fails = false;

    script.runs++;
    assert_true(is_wanted(&script, range.first));
    assert_true(is_wanted(&script, range.first + range.count - 1));
    for (size_t i = range.first; i < range.first + range.count; i++) {
        fails = fails || script.bad[i];
    }
    if (script.runs == script.leaves_at) {
        script.gone[roll((unsigned)script.parts)] = true;
    }
    return fails;
}

static void
count(unsigned *counts, struct sco_batch_range range)
{
    for (size_t i = range.first; i < range.first + range.count; i++) {
        counts[i]++;
    }
}

static void
bisect(unsigned runs_most)
{
    struct sco_batch_bisect plan;
    struct sco_batch_range range;
    bool is_over;

    if (!sco_batch_bisect_init(&plan, script.parts, runs_most)) {
        count(script.failed, (struct sco_batch_range){ 0, script.parts });
        return;
    }
    while (
        sco_batch_bisect_next(&plan, is_wanted, &script, &range, &is_over)) {
        if (is_over) {
            count(script.untried, range);
        } else if (!run_fails(range)) {
            count(script.answered, range);
        } else if (sco_batch_bisect_failed(&plan)) {
            assert_int_equal(range.count, 1);
            count(script.failed, range);
        }
    }
}

static void
test_one_bad_row_fails_alone(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < 64; bad++) {
        (void)empty(state);
        script.parts = 64;
        script.bad[bad] = true;
        bisect(SCO_BATCH_RUNS_MOST);
        assert_int_equal(script.runs, 12);
        for (size_t i = 0; i < 64; i++) {
            assert_int_equal(script.failed[i], i == bad);
            assert_int_equal(script.answered[i], i != bad);
        }
    }
}

static void
test_a_single_request_and_who_turned_it_off(void **state)
{
    (void)state;
    script.parts = 1;
    script.bad[0] = true;
    bisect(SCO_BATCH_RUNS_MOST);
    assert_int_equal(script.runs, 0);
    assert_int_equal(script.failed[0], 1);
    script.parts = 5;
    bisect(0);
    assert_int_equal(script.runs, 0);
    assert_int_equal(script.failed[4], 1);
}

static void
test_when_all_are_bad_the_runs_are_bounded(void **state)
{
    (void)state;
    script.parts = 64;
    memset(script.bad, true, sizeof(script.bad));
    bisect(20);
    assert_int_equal(script.runs, 20);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(script.failed[i] + script.untried[i], 1);
        assert_int_equal(script.answered[i], 0);
    }
}

/* A failure that does not come again is nobody's. */
static void
test_a_batch_that_failed_by_chance(void **state)
{
    (void)state;
    script.parts = 10;
    bisect(SCO_BATCH_RUNS_MOST);
    assert_int_equal(script.runs, 2);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(script.answered[i], 1);
    }
}

static void
test_nobody_is_left_to_want_it(void **state)
{
    (void)state;
    script.parts = 10;
    memset(script.gone, true, sizeof(script.gone));
    bisect(SCO_BATCH_RUNS_MOST);
    assert_int_equal(script.runs, 0);
}

/* Whoever is wanted gets one outcome, and the right one. */
static void
test_any_bad_rows_and_any_that_leave(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 3000; seed++) {
        unsigned most;

        (void)empty(state);
        dice_state = seed;
        script.parts = 2 + roll(PARTS - 2);
        most = 1 + roll(400);
        script.leaves_at = roll(20);
        for (size_t i = 0; i < script.parts; i++) {
            script.bad[i] = roll(10) == 0;
            script.gone[i] = roll(5) == 0;
        }
        bisect(most);
        assert_true(script.runs <= most);
        for (size_t i = 0; i < script.parts; i++) {
            unsigned outcomes =
                script.answered[i] + script.failed[i] + script.untried[i];

            assert_true(outcomes <= 1);
            assert_true(outcomes == 1 || script.gone[i]);
            assert_true(script.answered[i] == 0 || !script.bad[i]);
            assert_true(script.failed[i] == 0 || script.bad[i]);
            assert_true(script.untried[i] == 0 || script.runs == most);
        }
    }
}

#define EMPTY(test) cmocka_unit_test_setup(test, empty)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY(test_each_output_has_a_row_for_each),
        EMPTY(test_what_is_wrong_is_named),
        EMPTY(test_no_output_at_all),
        EMPTY(test_one_bad_row_fails_alone),
        EMPTY(test_a_single_request_and_who_turned_it_off),
        EMPTY(test_when_all_are_bad_the_runs_are_bounded),
        EMPTY(test_a_batch_that_failed_by_chance),
        EMPTY(test_nobody_is_left_to_want_it),
        EMPTY(test_any_bad_rows_and_any_that_leave),
    };

    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
