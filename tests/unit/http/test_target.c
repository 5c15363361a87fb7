/* test_target.c - what does a request target ask for? */
#include "http/target.h"
#include "support/test.h"

/* A slice where the compiler wants a constant. */
#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

/* clang-format off */
static const struct {
    const char *why;
    struct sco_slice target, path, query;
} cases[] = {
    { "a path", TEXT("/score"), TEXT("/score"), TEXT("") },
    { "the root", TEXT("/"), TEXT("/"), TEXT("") },
    { "a query", TEXT("/a?b=c?d"), TEXT("/a"), TEXT("b=c?d") },
    { "an empty query", TEXT("/a?"), TEXT("/a"), TEXT("") },
    { "a query alone", TEXT("?a"), TEXT("/"), TEXT("a") },
    { "nothing", TEXT(""), TEXT("/"), TEXT("") },
    { "a fragment", TEXT("/a#b?c"), TEXT("/a"), TEXT("") },
    { "a fragment behind a query", TEXT("/a?b#c"), TEXT("/a"),
      TEXT("b") },
    { "slashes in front", TEXT("///a//b/"), TEXT("/a//b/"),
      TEXT("") },
    { "slashes alone", TEXT("//"), TEXT("/"), TEXT("") },
    { "a slash that is escaped", TEXT("/%2fa"), TEXT("/a"),
      TEXT("") },
    { "escapes", TEXT("/sc%6fr%65"), TEXT("/score"), TEXT("") },
    { "an escape at the end", TEXT("/%41"), TEXT("/A"),
      TEXT("") },
    { "half an escape", TEXT("/%4"), TEXT("/%4"), TEXT("") },
    { "no escape", TEXT("/%zz%"), TEXT("/%zz%"), TEXT("") },
    { "an escape of an escape", TEXT("/%2541"), TEXT("/%41"),
      TEXT("") },
    { "a NUL", TEXT("/a%00b"), TEXT("/a\0b"), TEXT("") },
    { "a question mark that is escaped", TEXT("/a%3Fb"),
      TEXT("/a?b"), TEXT("") },
    { "a query is left alone", TEXT("/?%41+b"), TEXT("/"),
      TEXT("%41+b") },
    { "dots stay", TEXT("/./a/.."), TEXT("/./a/.."),
      TEXT("") },
    { "a host", TEXT("http://h:1/a?b"), TEXT("/a"),
      TEXT("b") },
    { "a host alone", TEXT("http://h"), TEXT("/"), TEXT("") },
    { "a host and a query", TEXT("http://h?a"), TEXT("/"),
      TEXT("a") },
    { "a scheme in a path", TEXT("/a://b/c"), TEXT("/a://b/c"),
      TEXT("") },
    { "a star", TEXT("*"), TEXT("*"), TEXT("") },
    { "a host and a port", TEXT("h:80"), TEXT("h:80"),
      TEXT("") },
};
/* clang-format on */

static void
test_splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char room[64];
        struct sco_slice path, query;

        print_message("%s\n", cases[i].why);
        sco_target_split(cases[i].target, room, &path, &query);
        assert_int_equal(path.len, cases[i].path.len);
        assert_memory_equal(path.data, cases[i].path.data, path.len);
        assert_int_equal(query.len, cases[i].query.len);
        assert_true(sco_slice_equal(query, cases[i].query));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits),
    };

    return cmocka_run_group_tests_name("http target", tests, NULL, NULL);
}
