/* test_timeout.c - which numbers say how long a caller waits */
#include "host/timeout.h"

#include "support/test.h"

#define FIELD(name, value)                          \
    {                                               \
        SCO_SLICE_INIT(name), SCO_SLICE_INIT(value) \
    }

/* clang-format off */
static const struct {
    const char     *value;
    enum sco_status status;
    uint64_t        ms;
} values[] = {
    { "1",                       SCO_OK,      1 },
    { "1500",                    SCO_OK,      1500 },
    { "007",                     SCO_OK,      7 },
    { "1000000000000",           SCO_OK,      SCO_TIMEOUT_MAX_MS },
    { "1000000000001",           SCO_OK,      0 },
    { "18446744073709551617",    SCO_OK,      0 },
    { "99999999999999999999999", SCO_OK,      0 },
    { "99999999999999999999999x", SCO_INVALID, 77 },
    { "0",                       SCO_INVALID, 77 },
    { "000",                     SCO_INVALID, 77 },
    { "",                        SCO_INVALID, 77 },
    { "-1",                      SCO_INVALID, 77 },
    { "+1",                      SCO_INVALID, 77 },
    { " 1",                      SCO_INVALID, 77 },
    { "1.5",                     SCO_INVALID, 77 },
    { "1e3",                     SCO_INVALID, 77 },
    { "0x10",                    SCO_INVALID, 77 },
    { "5s",                      SCO_INVALID, 77 },
    { "inf",                     SCO_INVALID, 77 },
    { "\xd9\xa1",                SCO_INVALID, 77 }, /* an Arabic one */
};
/* clang-format on */

static void
test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint64_t ms = 77;

        print_message("%s\n", values[i].value);
        assert_int_equal(sco_timeout_parse(sco_slice_of(values[i].value), &ms),
                         values[i].status);
        assert_int_equal(ms, values[i].ms);
    }
}

static void
test_among_other_fields(void **state)
{
    static const struct sco_field fields[] = {
        FIELD("Host", "a"),
        FIELD("X-Request-Timeout-MS", "250"),
        FIELD("x-request-timeout", "9"),
        FIELD("x-request-timeout-ms", "251"),
    };
    struct sco_slice value = { NULL, 0 };
    uint64_t ms = 77;

    (void)state;
    assert_int_equal(sco_timeout_find(fields, 1, &ms, &value), SCO_NOT_FOUND);
    assert_int_equal(ms, 77);
    assert_int_equal(sco_timeout_find(fields, 3, &ms, &value), SCO_OK);
    assert_int_equal(ms, 250);
    assert_int_equal(sco_timeout_find(fields, 4, &ms, &value), SCO_INVALID);
    assert_true(sco_slice_equal(value, SCO_SLICE("251"))); /* sent twice */
    assert_int_equal(sco_timeout_find(fields + 2, 1, &ms, &value),
                     SCO_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_among_other_fields),
    };

    return cmocka_run_group_tests_name("timeout", tests, NULL, NULL);
}
