/* test_status.c - does a failure say what it should? */
#include "support/failing_memory.h"

#include "base/status.c"

#include "support/dying.h"
#include "support/test.h"

static void
test_every_status_has_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < SCO_STATUS_COUNT; i++) {
        const char *text = sco_status_text((enum sco_status)i);

        assert_non_null(text);
        assert_true(strlen(text) > 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(text, sco_status_text((enum sco_status)j));
        }
    }
}

static void
test_fail_fills_in_the_error(void **state)
{
    struct sco_error err = { 0 };

    (void)state;
    assert_int_equal(sco_fail(&err, SCO_BUSY, "%d wait, %s", 7, "full"),
                     SCO_BUSY);
    assert_int_equal(err.status, SCO_BUSY);
    assert_string_equal(err.text, "7 wait, full");
}

static void
test_fail_without_an_error(void **state)
{
    (void)state;
    assert_int_equal(sco_fail(NULL, SCO_TIMEOUT, "nobody reads this"),
                     SCO_TIMEOUT);
}

static void
test_fail_cuts_a_long_text(void **state)
{
    struct sco_error err = { 0 };
    char text[2 * sizeof(err.text)];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)sco_fail(&err, SCO_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void
check_a_falsehood(void)
{
    SCO_CHECK(1 + 1 == 3, "arithmetic");
}

static void
check_a_truth(void)
{
    SCO_CHECK(1 + 1 == 2, "arithmetic");
}

static void
alloc_without_memory(void)
{
    memory_fail_at(0);
    free(sco_alloc(2, 4));
}

static void
test_check_dies(void **state)
{
    (void)state;
    assert_true(dies(check_a_falsehood));
    assert_false(dies(check_a_truth));
}

static void
test_alloc(void **state)
{
    unsigned char *bytes = sco_alloc(3, 5);

    (void)state;
    for (size_t i = 0; i < 15; i++) {
        assert_int_equal(bytes[i], 0);
    }
    free(bytes);
    bytes = sco_alloc(0, 5); /* nothing is not a failure */
    assert_non_null(bytes);
    free(bytes);
    assert_true(dies(alloc_without_memory));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_a_text),
        cmocka_unit_test(test_fail_fills_in_the_error),
        cmocka_unit_test(test_fail_without_an_error),
        cmocka_unit_test(test_fail_cuts_a_long_text),
        cmocka_unit_test(test_check_dies),
        cmocka_unit_test(test_alloc),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
