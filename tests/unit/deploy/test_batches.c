/* test_batches.c - each call of run() counts once, whatever is said of it */
#include "deploy/batches.h"

#include "support/test.h"

static struct sco_batches batches;

static int
begin(void **state)
{
    (void)state;
    sco_batches_init(&batches);
    return 0;
}

static void
count(unsigned reason, uint32_t rows, bool has_failed)
{
    const struct sco_ran ran = { .reason = reason,
                                 .rows = rows,
                                 .has_failed = has_failed };

    sco_batches_count(&batches, &ran);
}

static void
test_reasons_and_rows(void **state)
{
    (void)state;
    count(SCO_BATCH_FULL, 64, /* has_failed */ false);
    count(SCO_BATCH_IDLE, 1, false);
    count(SCO_BATCH_IDLE, 2, true);
    count(SCO_BATCH_STOP, 3, false);
    assert_int_equal(batches.reasons[SCO_BATCH_FULL], 1);
    assert_int_equal(batches.reasons[SCO_BATCH_IDLE], 2);
    assert_int_equal(batches.reasons[SCO_BATCH_STOP], 1);
    assert_int_equal(batches.reasons[SCO_BATCH_DELAY], 0);
    assert_int_equal(batches.reasons[SCO_BATCHES_OTHER], 0);
    assert_int_equal(batches.failed, 1);
    assert_int_equal(batches.rows.sum, 70);
    assert_int_equal(batches.rows.counts[0], 1);
}

static void
test_reasons_that_are_none(void **state)
{
    (void)state;
    count(SCO_BATCH_REASON_COUNT, 1, /* has_failed */ false);
    count(254, UINT32_MAX, false);
    count(UINT32_MAX, 0, false);
    assert_int_equal(batches.reasons[SCO_BATCHES_OTHER], 3);
    for (unsigned i = 0; i < SCO_BATCHES_OTHER; i++) {
        assert_int_equal(batches.reasons[i], 0);
    }
}

static void
test_each_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCO_BATCHES_REASONS; i++) {
        assert_string_not_equal(sco_batches_reason_text(i), "");
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(sco_batches_reason_text(i),
                                    sco_batches_reason_text(k));
        }
    }
    assert_string_equal(sco_batches_reason_text(SCO_BATCH_PREFERRED),
                        "preferred");
    assert_string_equal(sco_batches_reason_text(SCO_BATCHES_OTHER), "other");
    assert_string_equal(sco_batches_reason_text(1000), "other");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reasons_and_rows, begin),
        cmocka_unit_test_setup(test_reasons_that_are_none, begin),
        cmocka_unit_test_setup(test_each_has_a_name, begin),
    };

    return cmocka_run_group_tests_name("batches", tests, NULL, NULL);
}
