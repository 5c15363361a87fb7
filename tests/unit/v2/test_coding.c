/* test_coding.c - what a field Content-Encoding says */
#include "support/test.h"
#include "v2/coding.h"

/* clang-format off */
static const struct {
    const char *value;
    bool is_known;
    enum sco_v2_coding coding;
} cases[] = {
    { "",             true,  SCO_V2_AS_IT_IS },
    { "identity",     true,  SCO_V2_AS_IT_IS },
    { "gzip",         true,  SCO_V2_GZIP },
    { "GZIP",         true,  SCO_V2_GZIP },
    { " gzip\t",      true,  SCO_V2_GZIP },
    { "x-gzip",       true,  SCO_V2_GZIP },
    { "deflate",      true,  SCO_V2_DEFLATE },
    { " ",            true,  SCO_V2_AS_IT_IS },
    { "br",           false, SCO_V2_AS_IT_IS },
    { "zstd",         false, SCO_V2_AS_IT_IS },
    { "compress",     false, SCO_V2_AS_IT_IS },
    { "gzip, gzip",   false, SCO_V2_AS_IT_IS },
    { "gzip;q=1",     false, SCO_V2_AS_IT_IS },
    { "gzi",          false, SCO_V2_AS_IT_IS },
    { "gzipp",        false, SCO_V2_AS_IT_IS },
    { "*",            false, SCO_V2_AS_IT_IS },
};
/* clang-format on */

static void
test_finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum sco_v2_coding coding = SCO_V2_AS_IT_IS;

        print_message("'%s'\n", cases[i].value);
        assert_int_equal(
            sco_v2_coding_find(sco_slice_of(cases[i].value), &coding),
            cases[i].is_known);
        assert_int_equal(coding, cases[i].coding);
    }
}

static void
test_what_is_told_is_understood(void **state)
{
    struct sco_slice list = sco_v2_codings();
    enum sco_v2_coding coding;

    (void)state;
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.data) : list.len;

        assert_true(
            sco_v2_coding_find((struct sco_slice){ list.data, len }, &coding));
        assert_int_not_equal(coding, SCO_V2_AS_IT_IS);
        len += comma != NULL ? 1 : 0;
        list.data += len;
        list.len -= len;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_what_is_told_is_understood),
    };

    return cmocka_run_group_tests_name("coding", tests, NULL, NULL);
}
