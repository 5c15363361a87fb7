/* test_histogram.c - which bucket is a value in? */
#include "base/clock.h"
#include "metrics/histogram.h"

#include "support/test.h"

static const uint64_t bounds[] = { 1, 2, 10 };
static const struct sco_buckets few = { .bounds = bounds, .count = 3 };

/* clang-format off */
static const struct {
    const char *why;
    uint64_t    value;
    size_t      bucket;
} cases[] = {
    { "nothing is in the first",        0, 0 },
    { "a bound is in its own",          1, 0 },
    { "one more is in the next",        2, 1 },
    { "between two bounds",             3, 2 },
    { "the last bound",                10, 2 },
    { "over it there is one more",     11, 3 },
    { "whatever it is", UINT64_MAX / 2, 3 },
};
/* clang-format on */

static void
test_each_value_has_its_bucket(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sco_histogram histogram;

        print_message("%s\n", cases[i].why);
        sco_histogram_init(&histogram, &few);
        sco_histogram_observe(&histogram, cases[i].value);
        for (size_t k = 0; k <= few.count; k++) {
            assert_int_equal(histogram.counts[k], k == cases[i].bucket);
        }
        assert_true(histogram.sum == cases[i].value);
    }
}

static void
test_it_adds_up(void **state)
{
    struct sco_histogram histogram;

    (void)state;
    sco_histogram_init(&histogram, &few);
    for (uint64_t value = 0; value < 20; value++) {
        sco_histogram_observe(&histogram, value);
    }
    assert_int_equal(histogram.counts[0], 2);
    assert_int_equal(histogram.counts[1], 1);
    assert_int_equal(histogram.counts[2], 8);
    assert_int_equal(histogram.counts[3], 9);
    assert_int_equal(histogram.sum, 190);
}

static void
assert_ascending(const struct sco_buckets *buckets)
{
    assert_int_in_range(buckets->count, 2, SCO_BUCKETS_MOST);
    for (size_t i = 1; i < buckets->count; i++) {
        assert_true(buckets->bounds[i] > buckets->bounds[i - 1]);
    }
}

static void
test_the_bounds_of_ours(void **state)
{
    const struct sco_buckets *times = &sco_buckets_times;
    const struct sco_buckets *rows = &sco_buckets_rows;

    (void)state;
    assert_ascending(times);
    assert_true(times->are_of_times);
    assert_int_equal(times->bounds[0], SCO_NS_PER_MS / 2);
    assert_int_equal(times->bounds[times->count - 1], 60 * SCO_NS_PER_S);
    assert_ascending(rows);
    assert_false(rows->are_of_times);
    assert_int_equal(rows->bounds[0], 1);
    assert_int_equal(rows->bounds[rows->count - 1], 65536);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_value_has_its_bucket),
        cmocka_unit_test(test_it_adds_up),
        cmocka_unit_test(test_the_bounds_of_ours),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
