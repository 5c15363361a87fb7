/* test_slice.c - when are two slices equal? */
#include "base/slice.h"

#include "support/test.h"

/* clang-format off */
static const struct {
    const char      *why;
    struct sco_slice a, b;
    bool             equal, equal_nocase;
} cases[] = {
    { "both empty",         { NULL, 0 },   { "", 0 },      true,  true },
    { "the same",           { "abc", 3 },  { "abc", 3 },   true,  true },
    { "another case",       { "aBc", 3 },  { "AbC", 3 },   false, true },
    { "one is longer",      { "abc", 3 },  { "abcd", 4 },  false, false },
    { "one is empty",       { "", 0 },     { "a", 1 },     false, false },
    { "only the length counts", { "abX", 2 }, { "abY", 2 }, true, true },
    { "no letters",         { "[", 1 },    { "{", 1 },     false, false },
};
/* clang-format on */

static void
test_equal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].why);
        assert_int_equal(sco_slice_equal(cases[i].a, cases[i].b),
                         cases[i].equal);
        assert_int_equal(sco_slice_equal_nocase(cases[i].a, cases[i].b),
                         cases[i].equal_nocase);
    }
}

static void
test_made_of(void **state)
{
    (void)state;
    assert_int_equal(SCO_SLICE("four").len, 4);
    assert_int_equal(sco_slice_of("three").len, 5);
    assert_int_equal(sco_slice_of(NULL).len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_made_of),
    };

    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
