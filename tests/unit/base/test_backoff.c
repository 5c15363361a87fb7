/* test_backoff.c - how long is waited after the next failure? */
#include "base/backoff.h"
#include "support/test.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

/* clang-format off */
static const struct {
    const char *why;
    unsigned    failures;
    uint64_t    delay_ns;
} delays[] = {
    { "none",                    0,   0 },
    { "the first: at once",      1,   0 },
    { "the second",              2,   100 * MS },
    { "it doubles",              3,   200 * MS },
    { "and doubles",             4,   400 * MS },
    { "the last below the most", 8,  6400 * MS },
    { "the most",                9,  10 * S },
    { "and no more than that",  19,  10 * S },
    { "a row without end", UINT32_MAX, 10 * S },
};
/* clang-format on */

static void
test_each_failure_waits_longer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        print_message("%s\n", delays[i].why);
        assert_int_equal(sco_backoff_delay_ns(delays[i].failures),
                         delays[i].delay_ns);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_failure_waits_longer),
    };

    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
