/* test_respawn.c - when is the next worker started? */
#include "support/test.h"
#include "worker/respawn.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

/* clang-format off */
static const struct {
    const char *why;
    uint64_t    ready_ns;
    unsigned    served;
    bool        was_useful;
} ends[] = {
    { "ended as soon as it was ready",  0,          0, false },
    { "answered one request",           1,          1, true },
    { "nobody asked it, for a moment",  5 * S - 1,  0, false },
    { "nobody asked it, for a while",   5 * S,      0, true },
};

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
test_what_was_useful(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        print_message("%s\n", ends[i].why);
        assert_int_equal(
            sco_respawn_was_useful(ends[i].ready_ns, ends[i].served),
            ends[i].was_useful);
    }
}

static void
test_how_long_to_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        print_message("%s\n", delays[i].why);
        assert_int_equal(sco_respawn_delay_ns(delays[i].failures),
                         delays[i].delay_ns);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_useful),
        cmocka_unit_test(test_how_long_to_wait),
    };

    return cmocka_run_group_tests_name("respawn", tests, NULL, NULL);
}
