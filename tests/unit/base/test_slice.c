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

static void
test_parts(void **state)
{
    struct sco_slice text = SCO_SLICE("/a/b");

    (void)state;
    assert_int_equal(sco_slice_find(text, '/'), 0);
    assert_int_equal(sco_slice_find(text, 'b'), 3);
    assert_int_equal(sco_slice_find(text, 'c'), 4);
    assert_int_equal(sco_slice_find(sco_slice_of(NULL), 'c'), 0);
    assert_true(sco_slice_equal(sco_slice_from(text, 2), SCO_SLICE("/b")));
    assert_int_equal(sco_slice_from(text, 4).len, 0);
    assert_null(sco_slice_from(sco_slice_of(NULL), 0).data);
}

/* clang-format off */
static const struct {
    struct sco_slice text;
    size_t           at;
    int              byte;
} escapes[] = {
    { SCO_SLICE_INIT("%2F"),  0, '/' },
    { SCO_SLICE_INIT("a%fF"), 1, 0xff },
    { SCO_SLICE_INIT("%00"),  0, 0 },
    { SCO_SLICE_INIT("%2"),   0, -1 },
    { SCO_SLICE_INIT("%"),    0, -1 },
    { SCO_SLICE_INIT("%%20"), 0, -1 },
    { SCO_SLICE_INIT("%g0"),  0, -1 },
    { SCO_SLICE_INIT("%0G"),  0, -1 },
    { SCO_SLICE_INIT("%0@"),  0, -1 },
    { SCO_SLICE_INIT("%\x10""1"), 0, -1 }, /* with 0x20 a digit, else none */
    { SCO_SLICE_INIT("25F"),  0, -1 },
};
/* clang-format on */

static void
test_escapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        print_message("%s\n", escapes[i].text.data);
        assert_int_equal(sco_slice_escape(escapes[i].text, escapes[i].at),
                         escapes[i].byte);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_made_of),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_escapes),
    };

    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
