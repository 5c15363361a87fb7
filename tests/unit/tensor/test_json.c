/* test_json.c - is JSON pulled as it stands, and refused as Python does? */
#include "tensor/json.h"

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

enum { DEPTH = 4 };

/* A copy of exactly its length, so that a sanitizer sees a read past it. */
static struct sco_slice
exact(struct sco_slice text)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);

    assert_non_null(copy);
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    return (struct sco_slice){ copy, text.len };
}

static void
begin(struct sco_json *json, struct sco_slice text)
{
    sco_json_begin(json, exact(text), DEPTH);
}

static void
finish(struct sco_json *json)
{
    sco_json_finish(json);
    free((void *)(uintptr_t)json->text.data);
}

/* ---- what is sound, and what is not ----------------------------------- */

static const char *const sound[] = {
    "0",
    "-0",
    " 12.5e-7 ",
    "1E+400",
    "NaN",
    "Infinity",
    "-Infinity",
    "true",
    "false",
    "null",
    "[]",
    "[ ]",
    "{}",
    "{ }",
    "[[],{},[1,2]]",
    "{\"a\":1,\"a\":[2,{\"b\":null}],\"\":\"\"}",
    "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"",
    "\"\xed\xa0\x80\"",
    "\"\\ud800\"",
    "\"0123456789abcdef\\\"0123456789abcdef\"",
    "\xef\xbb\xbf[1]",
    "\t\r\n [ 1 ,\t2 ] ",
};

/* clang-format off */
static const struct {
    const char *text;
    const char *why;
} broken[] = {
    { "", "line 1, column 1: the text ends where a value should stand" },
    { "  ", "line 1, column 3: the text ends" },
    { "[1,]", "column 4: nothing stands between ',' and ']'" },
    { "{\"a\":1,}", "column 8: nothing stands between ',' and '}'" },
    { "[,1]", "column 2: expected a value, found ','" },
    { "[1 2]", "column 4: expected ',' or ']', found '2'" },
    { "[1", "column 3: the text ends where ',' or ']' should stand" },
    { "{\"a\" 1}", "column 6: expected ':', found '1'" },
    { "{a:1}", "column 2: expected a key in double quotes, found 'a'" },
    { "{\"a\":}", "column 6: expected a value, found '}'" },
    { "{\"a\":1", "column 7: the text ends where ',' or '}' should stand" },
    { "[\n1,\n\xc3]", "line 3, column 1: expected a value, found the byte" },
    { "\"\xc3\xa9\" x", "column 5: expected the end of the text, found 'x'" },
    { "[1}", "column 3: expected ',' or ']', found '}'" },
    { "01", "begins with a 0 too many" },
    { "-", "the text ends where a digit should stand" },
    { "1.", "the text ends where a digit should stand" },
    { ".5", "expected a value, found '.'" },
    { "1e", "a digit" },
    { "1e+", "a digit" },
    { "+1", "expected a value, found '+'" },
    { "-NaN", "expected a digit, found 'N'" },
    { "-Inf", "expected a digit, found 'I'" },
    { "Nan", "expected a digit, found 'N'" },
    { "nul", "expected a value, found 'n'" },
    { "truefalse", "expected the end of the text" },
    { "\"", "a string does not end" },
    { "\"abc\\", "after a backslash" },
    { "\"\\x\"", "one of \"\\/bfnrtu after a backslash, found 'x'" },
    { "\"\\u12g4\"", "four hexadecimal digits" },
    { "\"\\u12", "four hexadecimal digits" },
    { "\"\t\"", "the control character 0x09 must be escaped" },
    { "\"12345678\x1f\"", "the control character 0x1f" },
    { "\"\x80\"", "the byte 0x80 is not UTF-8 here" },
    { "\"\xc0\x80\"", "0xc0 is not UTF-8" },
    { "\"\xe0\x9f\xbf\"", "0xe0 is not UTF-8" },
    { "\"\xf0\x8f\xbf\xbf\"", "0xf0 is not UTF-8" },
    { "\"\xf4\x90\x80\x80\"", "0xf4 is not UTF-8" },
    { "\"\xe2\x82", "0xe2 is not UTF-8" },
    { "[[[[[]]]]]", "column 5: arrays and objects lie deeper than 4" },
};

static const struct {
    struct sco_slice text;
    struct sco_slice decoded;
} strings[] = {
#define S(text, decoded) { SCO_SLICE_INIT(text), SCO_SLICE_INIT(decoded) }
    S("\"\"", ""),
    S("\"plain and long enough\"", "plain and long enough"),
    S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"),
    S("\"a\\u0000b\"", "a\0b"),
    S("\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac"),
    S("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"),
    S("\"\\ud83d\"", "\xed\xa0\xbd"),
    S("\"\\ud83dx\"", "\xed\xa0\xbdx"),
    S("\"\\ud83d\\n\"", "\xed\xa0\xbd\n"),
    S("\"\\ud83d\\u0041\"", "\xed\xa0\xbd" "A"),
    S("\"\\ud83d\\ud83d\\ude00\"", "\xed\xa0\xbd\xf0\x9f\x98\x80"),
    S("\"\\ude00\\ud83d\"", "\xed\xb8\x80\xed\xa0\xbd"),
    S("\"long before \\u0041 and long behind\"",
      "long before A and long behind"),
#undef S
};

static const struct {
    const char *text;
    int64_t     value; /* 0: it fails */
    bool        fits_uint;
} integers[] = {
    { "1", 1, true },
    { "-1", -1, false },
    { "9223372036854775807", INT64_MAX, true },
    { "-9223372036854775808", INT64_MIN, false },
    { "9223372036854775808", 0, true },
    { "18446744073709551615", 0, true },
    { "18446744073709551616", 0, false },
    { "-9223372036854775809", 0, false },
    { "100000000000000000000000000000000", 0, false },
    { "1.0", 0, false },
    { "1e3", 0, false },
    { "NaN", 0, false },
    { "-Infinity", 0, false },
    { "\"1\"", 0, false },
    { "true", 0, false },
};
/* clang-format on */

static void
test_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sound); i++) {
        struct sco_json json;
        struct sco_error err = { .text = "" };

        begin(&json, sco_slice_of(sound[i]));
        (void)sco_json_skip(&json);
        sco_json_end(&json);
        if (sco_json_status(&json, &err) != SCO_OK) {
            fail_msg("%s: %s", sound[i], err.text);
        }
        finish(&json);
    }
}

static void
test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct sco_json json;
        struct sco_error err = { .text = "" };

        begin(&json, sco_slice_of(broken[i].text));
        (void)sco_json_skip(&json);
        sco_json_end(&json);
        assert_int_not_equal(sco_json_status(&json, &err), SCO_OK);
        if (strstr(err.text, broken[i].why) == NULL) {
            fail_msg("%s: %s", broken[i].text, err.text);
        }
        assert_int_equal(sco_json_peek(&json), SCO_JSON_NONE);
        assert_null(sco_json_skip(&json).data);
        finish(&json);
    }
}

static void
test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        struct sco_json json;
        struct sco_slice decoded;

        begin(&json, strings[i].text);
        decoded = sco_json_string(&json);
        sco_json_end(&json);
        assert_true(sco_json_is_ok(&json));
        assert_int_equal(decoded.len, strings[i].decoded.len);
        assert_memory_equal(decoded.data, strings[i].decoded.data,
                            decoded.len);
        finish(&json);
    }
}

static void
test_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        struct sco_json json;

        begin(&json, sco_slice_of(integers[i].text));
        assert_int_equal(sco_json_int(&json), integers[i].value);
        assert_int_equal(sco_json_is_ok(&json), integers[i].value != 0);
        finish(&json);
        begin(&json, sco_slice_of(integers[i].text));
        (void)sco_json_uint(&json);
        assert_int_equal(sco_json_is_ok(&json), integers[i].fits_uint);
        finish(&json);
    }
}

static void
test_digits_as_in_python(void **state)
{
    char digits[SCO_JSON_DIGITS_MAX + 1];

    (void)state;
    memset(digits, '7', sizeof(digits));
    for (size_t more = 0; more < 2; more++) {
        struct sco_slice text = { digits, SCO_JSON_DIGITS_MAX + more };
        struct sco_json json;

        begin(&json, text);
        assert_int_equal(sco_json_number(&json).len, more ? 0 : text.len);
        assert_int_equal(sco_json_status(&json, NULL),
                         more ? SCO_TOO_LARGE : SCO_OK);
        finish(&json);
    }
}

/* ---- pulling ---------------------------------------------------------- */

static void
test_members(void **state)
{
    struct sco_json json;
    struct sco_slice key, raw;
    int64_t sum = 0;

    (void)state;
    begin(&json, SCO_SLICE(" { \"on\" : true, \"skipped\": {\"a\": [1, {}]} ,"
                           "\"list\":[ 1,20 , 300],\"none\":[], \"n\":null }"
                           " "));
    assert_int_equal(sco_json_peek(&json), SCO_JSON_OBJECT);
    sco_json_enter_object(&json);
    assert_true(sco_json_next_key(&json, &key));
    assert_true(sco_slice_equal(key, SCO_SLICE("on")));
    assert_true(sco_json_bool(&json));
    assert_true(sco_json_next_key(&json, &key));
    raw = sco_json_skip(&json);
    assert_true(sco_slice_equal(raw, SCO_SLICE("{\"a\": [1, {}]}")));
    assert_true(sco_json_next_key(&json, &key));
    sco_json_enter_array(&json);
    while (sco_json_next_item(&json)) {
        sum += sco_json_int(&json);
    }
    assert_int_equal(sum, 321);
    assert_true(sco_json_next_key(&json, &key));
    assert_true(sco_slice_equal(key, SCO_SLICE("none")));
    sco_json_enter_array(&json);
    assert_false(sco_json_next_item(&json));
    assert_true(sco_json_next_key(&json, &key));
    assert_int_equal(sco_json_peek(&json), SCO_JSON_NULL);
    assert_int_equal(sco_json_skip(&json).len, 4);
    assert_false(sco_json_next_key(&json, &key));
    sco_json_end(&json);
    assert_int_equal(sco_json_status(&json, NULL), SCO_OK);
    finish(&json);
}

static void
test_another_kind_than_asked_for(void **state)
{
    struct sco_error err = { .text = "" };
    struct sco_json json;
    struct sco_slice key;

    (void)state;
    begin(&json, SCO_SLICE("\n [1]"));
    sco_json_enter_object(&json);
    assert_false(sco_json_next_key(&json, &key));
    assert_false(sco_json_next_item(&json));
    assert_false(sco_json_bool(&json));
    assert_null(sco_json_string(&json).data);
    sco_json_end(&json);
    sco_json_refuse(&json, SCO_NOT_FOUND, 0, "comes too late");
    assert_int_equal(sco_json_status(&json, &err), SCO_INVALID);
    assert_string_equal(
        err.text, "line 2, column 2: expected an object, found an array");
    finish(&json);
}

static void
test_refused_by_the_caller(void **state)
{
    struct sco_error err = { .text = "" };
    struct sco_json json;

    (void)state;
    begin(&json, SCO_SLICE("[\"\xc3\xa9\", 2]"));
    sco_json_refuse(&json, SCO_UNSUPPORTED, 7, "no %s here", "twos");
    assert_int_equal(sco_json_status(&json, &err), SCO_UNSUPPORTED);
    assert_string_equal(err.text, "line 1, column 7: no twos here");
    finish(&json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_digits_as_in_python),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_another_kind_than_asked_for),
        cmocka_unit_test(test_refused_by_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
