/* test_target.c - which part of a request target is the path? */
#include "pybridge/target.h"

#include "base/text.h"
#include "support/test.h"

/* clang-format off */
static const struct {
    const char *target, *path, *query;
} cases[] = {
    { "/score",                     "/score",       "" },
    { "/score?",                    "/score",       "" },
    { "/score?a=1&b=%20",           "/score",       "a=1&b=%20" },
    { "/score?a=1?b",               "/score",       "a=1?b" },
    { "/sc%6Fre",                   "/score",       "" },
    { "/sc%6fre#x?y",               "/score",       "" },
    { "/%C3%A9%ff",                 "/\xc3\xa9\xff", "" },
    { "/100%",                      "/100%",        "" },
    { "/%4",                        "/%4",          "" },
    { "/%zz%4g",                    "/%zz%4g",      "" },
    { "/a%41b%",                    "/aAb%",        "" },
    { "http://host:1/score?x=1",    "/score",       "x=1" },
    { "http://host?x=1",            "",             "x=1" },
    { "http://host",                "",             "" },
    { "*",                          "*",            "" },
    { "host:443",                   "host:443",     "" },
    { "",                           "",             "" },
    { "?",                          "",             "" },
};
/* clang-format on */

static void
test_splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sco_slice target = sco_slice_of(cases[i].target);
        struct sco_slice query = sco_target_query(target);
        struct sco_text path = { 0 };

        print_message("%s\n", cases[i].target);
        sco_target_path(target, &path);
        assert_true(sco_slice_equal(sco_text_slice(&path),
                                    sco_slice_of(cases[i].path)));
        assert_true(sco_slice_equal(query, sco_slice_of(cases[i].query)));
        sco_text_finish(&path);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits),
    };

    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
