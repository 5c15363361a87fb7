/* test_skip.c - where an array ends, wherever its marks stand */
#include "base/text.h"
#include "support/test.h"
#include "v2/skip.h"

static const char *const arrays[] = {
    "[]",
    "[1,2,3]",
    "[[],[[]],1]",
    "[\"]\",\"[[\",\"\\\"]\",\"\\\\\"]",
    "[12345678,12345678,12345678]",
    "[12345678,\"12345678]12345678\",[12345678]]",
};

/* Each array, pushed to every place of eight, with more behind it. */
static void
test_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]) * 16; i++) {
        struct sco_slice array = sco_slice_of(arrays[i / 16]);
        struct sco_text text = { 0 };
        struct sco_slice found;
        struct sco_json json;

        sco_text_addf(&text, "%*s%s ],\"]", (int)(i % 16), "", array.data);
        sco_json_begin(&json, sco_text_slice(&text), 4);
        assert_int_equal(sco_json_peek(&json), SCO_JSON_ARRAY);
        found = sco_v2_skip_array(&json);
        assert_true(sco_slice_equal(found, array));
        assert_int_equal(json.at, i % 16 + array.len);
        sco_json_finish(&json);
        sco_text_finish(&text);
    }
}

/* Cut anywhere, none of them ends. */
static void
test_endless(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        size_t whole = strlen(arrays[i]);

        for (size_t len = 1; len < whole; len++) {
            struct sco_json json;

            sco_json_begin(&json, (struct sco_slice){ arrays[i], len }, 4);
            assert_int_equal(sco_v2_skip_array(&json).len, 0);
            assert_false(sco_json_is_ok(&json));
            sco_json_finish(&json);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
