/* test_counts.c - labels, and what counts as what */
#include "host/counts.h"

#include "base/clock.h"
#include "support/test.h"

#include <string.h>

static struct sco_counts *counts;

static int
make(void **state)
{
    (void)state;
    counts = sco_counts_create();
    return 0;
}

static int
drop(void **state)
{
    (void)state;
    sco_counts_destroy(counts);
    sco_counts_destroy(NULL);
    return 0;
}

static void
test_all_begins_at_zero(void **state)
{
    (void)state;
    for (int i = 0; i < VISIT_ROUTES; i++) {
        for (size_t k = 0; k < SCO_CODES; k++) {
            assert_int_equal(counts->answered[i][k], 0);
        }
        assert_ptr_equal(counts->took[i].buckets, &sco_buckets_times);
    }
    assert_true(counts->begun_ns > UINT64_C(1600000000) * SCO_NS_PER_S);
}

static void
test_statuses_of_three_digits(void **state)
{
    (void)state;
    sco_counts_answer(counts, VISIT_SCORE, 100);
    sco_counts_answer(counts, VISIT_SCORE, 999);
    sco_counts_answer(counts, VISIT_SCORE, 99);
    sco_counts_answer(counts, VISIT_SCORE, 1000);
    sco_counts_answer(counts, VISIT_SCORE, 0);
    assert_int_equal(counts->answered[VISIT_SCORE][0], 1);
    assert_int_equal(counts->answered[VISIT_SCORE][SCO_CODES - 1], 1);
    for (size_t k = 1; k + 1 < SCO_CODES; k++) {
        assert_int_equal(counts->answered[VISIT_SCORE][k], 0);
    }
    assert_int_equal(counts->answered[VISIT_HEALTH][SCO_CODES - 1], 0);
}

static void
test_stages_that_were_reached(void **state)
{
    const struct sco_stage_times times = {
        .ns = { [SCO_STAGE_READ] = 7, [SCO_STAGE_QUEUE] = 600000 },
        .was_reached = { [SCO_STAGE_READ] = true, [SCO_STAGE_QUEUE] = true },
    };

    (void)state;
    sco_counts_stages(counts, &times);
    assert_int_equal(counts->stages[SCO_STAGE_READ].counts[0], 1);
    assert_int_equal(counts->stages[SCO_STAGE_READ].sum, 7);
    assert_int_equal(counts->stages[SCO_STAGE_QUEUE].counts[1], 1);
    assert_int_equal(counts->stages[SCO_STAGE_RUN].counts[0], 0);
}

/* Whether a label is one that needs no quotes, and has not come before. */
static void
assert_label(const char *text, const char *before)
{
    assert_true(strlen(text) > 0);
    assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                     strlen(text));
    assert_string_not_equal(text, before);
}

static void
test_labels(void **state)
{
    (void)state;
    for (int i = 0; i < VISIT_ROUTES; i++) {
        assert_label(sco_route_text((enum visit_route)i),
                     i > 0 ? sco_route_text((enum visit_route)(i - 1)) : "");
    }
    for (int i = 0; i < SCO_REFUSED_COUNT; i++) {
        assert_label(sco_refused_text((enum sco_refused)i),
                     i > 0 ? sco_refused_text((enum sco_refused)(i - 1)) : "");
    }
    for (int i = 0; i < SCO_FAILED_COUNT; i++) {
        assert_label(sco_failed_text((enum sco_failed)i),
                     i > 0 ? sco_failed_text((enum sco_failed)(i - 1)) : "");
    }
    assert_string_equal(sco_route_text(VISIT_NOWHERE), "other");
    assert_string_equal(sco_refused_text(SCO_REFUSED_FULL), "queue_full");
    assert_string_equal(sco_failed_text(SCO_FAILED_WORKER), "worker_lost");
    assert_string_equal(sco_stage_text(SCO_STAGE_WRITE), "write");
}

#define MADE(test) cmocka_unit_test_setup_teardown(test, make, drop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(test_all_begins_at_zero),
        MADE(test_statuses_of_three_digits),
        MADE(test_stages_that_were_reached),
        MADE(test_labels),
    };

    return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
