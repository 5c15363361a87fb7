/* test_text.c - does text grow, and say when it cannot? */
#include "support/failing_memory.h"

#include "base/text.c"

#include "support/test.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct {
    uint64_t    number;
    const char *text;
} numbers[] = {
    { 0, "0" },
    { 9, "9" },
    { 10, "10" },
    { 1234567890, "1234567890" },
    { UINT64_MAX, "18446744073709551615" },
};

static const struct {
    uint64_t    ns;
    const char *text;
} milliseconds[] = {
    { 0, "0.000" },
    { 499, "0.000" },
    { 500, "0.001" },
    { 1000, "0.001" },
    { 12345, "0.012" },
    { 672000, "0.672" },
    { 999499, "0.999" },
    { 999500, "1.000" },
    { 1234567, "1.235" },
    { UINT64_C(3600000000000), "3600000.000" },
    { UINT64_MAX, "18446744073709.552" },
};

/* What json.dumps of Python 3.11 makes of these, decoded with "replace". */
static const struct {
    const char      *why;
    struct sco_slice utf8;
    const char      *json;
} strings[] = {
    { "nothing",        { "", 0 },              "\"\"" },
    { "plain",          { "a b~", 4 },          "\"a b~\"" },
    { "quotes",         { "\"\\/", 3 },         "\"\\\"\\\\/\"" },
    { "short escapes",  { "\b\f\n\r\t", 5 },    "\"\\b\\f\\n\\r\\t\"" },
    { "other controls", { "\0\x1f\x7f", 3 },
      "\"\\u0000\\u001f\\u007f\"" },
    { "two bytes",      { "\xc3\xa9", 2 },      "\"\\u00e9\"" },
    { "three bytes",    { "\xe2\x82\xac", 3 },  "\"\\u20ac\"" },
    { "four bytes",     { "\xf0\x9f\x98\x80", 4 }, "\"\\ud83d\\ude00\"" },
    { "the last point", { "\xf4\x8f\xbf\xbf", 4 }, "\"\\udbff\\udfff\"" },
    { "the first of two units", { "\xf0\x90\x80\x80", 4 },
      "\"\\ud800\\udc00\"" },
    { "between letters", { "a\xc3\xa9z", 4 },   "\"a\\u00e9z\"" },
    { "a lone continuation", { "\x80" "a", 2 }, "\"\\ufffda\"" },
    { "never a byte",   { "\xff\xfe", 2 },      "\"\\ufffd\\ufffd\"" },
    { "overlong, two",  { "\xc0\xaf", 2 },      "\"\\ufffd\\ufffd\"" },
    { "overlong, three", { "\xe0\x80\xaf", 3 },
      "\"\\ufffd\\ufffd\\ufffd\"" },
    { "a surrogate",    { "\xed\xa0\x80", 3 },
      "\"\\ufffd\\ufffd\\ufffd\"" },
    { "past the last",  { "\xf4\x90\x80\x80", 4 },
      "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
    { "cut after one",  { "\xc3", 1 },          "\"\\ufffd\"" },
    { "cut after two",  { "\xe2\x82", 2 },      "\"\\ufffd\"" },
    { "cut after three", { "\xf0\x9f\x98", 3 }, "\"\\ufffd\"" },
    { "broken off by a letter", { "\xe2\x82" "a", 3 }, "\"\\ufffda\"" },
    { "broken off by a lead", { "\xe2\xc3\xa9", 3 },
      "\"\\ufffd\\u00e9\"" },
};
/* clang-format on */

static void
test_numbers(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        sco_text_clear(&text);
        sco_text_add_number(&text, numbers[i].number);
        assert_string_equal(text.data, numbers[i].text);
    }
    sco_text_finish(&text);
}

static void
test_milliseconds(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(milliseconds); i++) {
        sco_text_clear(&text);
        sco_text_add_ms(&text, milliseconds[i].ns);
        assert_string_equal(text.data, milliseconds[i].text);
    }
    sco_text_finish(&text);
}

static void
test_json(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        print_message("%s\n", strings[i].why);
        sco_text_clear(&text);
        sco_text_add_json(&text, strings[i].utf8);
        assert_string_equal(text.data, strings[i].json);
        assert_int_equal(text.len, strlen(strings[i].json));
        assert_int_equal(sco_is_utf8(strings[i].utf8),
                         strstr(text.data, "\\ufffd") == NULL);
    }
    sco_text_finish(&text);
    assert_true(sco_is_utf8(SCO_SLICE("\xef\xbf\xbd is one that was sent")));
}

/* Adds one of everything: "a1,22,0.003,four,"\u00e9"". */
static void
add_all(struct sco_text *text)
{
    sco_text_add_char(text, 'a');
    sco_text_add(text, SCO_SLICE("1,"));
    sco_text_add(text, (struct sco_slice){ NULL, 0 });
    sco_text_add_number(text, 22);
    sco_text_add_char(text, ',');
    sco_text_add_ms(text, 3000);
    sco_text_addf(text, ",%s,", "four");
    sco_text_add_json(text, SCO_SLICE("\xc3\xa9"));
}

static void
test_adds_in_order(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    add_all(&text);
    assert_string_equal(text.data, "a1,22,0.003,four,\"\\u00e9\"");
    assert_int_equal(sco_text_slice(&text).len, strlen(text.data));
    sco_text_clear(&text);
    assert_int_equal(text.len, 0);
    assert_string_equal(text.data, "");
    sco_text_finish(&text);
    assert_null(text.data);
    sco_text_finish(&text); /* twice is allowed */
}

static void
test_grows_over_every_size(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        sco_text_add_char(&text, (char)('a' + i % 26));
        assert_int_equal(text.data[text.len], '\0');
    }
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(text.data[i], 'a' + i % 26);
    }
    assert_true(text.room < 20000);
    sco_text_finish(&text);
}

static void
test_a_piece_larger_than_the_text(void **state)
{
    struct sco_text text = { 0 };
    char *room;

    (void)state;
    sco_text_add_char(&text, 'a');
    room = sco_text_room(&text, 100000);
    assert_non_null(room);
    memset(room, 'b', 100000);
    text.len += 100000;
    sco_text_add_char(&text, 'c');
    assert_int_equal(text.len, 100002);
    assert_int_equal(text.data[100001], 'c');
    sco_text_finish(&text);
}

static void
test_failure_is_sticky(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    memory_fail_at(0);
    add_all(&text);
    assert_true(text.failed);
    assert_int_equal(text.len, 0);
    assert_null(sco_text_room(&text, 1));

    sco_text_clear(&text); /* forgets it */
    sco_text_add(&text, SCO_SLICE("again"));
    assert_false(text.failed);
    assert_string_equal(text.data, "again");
    sco_text_finish(&text);
}

static void
test_failing_to_grow_keeps_the_text(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    sco_text_add(&text, SCO_SLICE("kept"));
    memory_fail_at(0);
    assert_null(sco_text_room(&text, 1000));
    assert_true(text.failed);
    sco_text_add_char(&text, '!');
    assert_string_equal(text.data, "kept");
    sco_text_finish(&text);
}

static void
test_room_that_cannot_be(void **state)
{
    struct sco_text text = { 0 };
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        sco_text_clear(&text);
        sco_text_add(&text, SCO_SLICE("abcd"));
        assert_null(sco_text_room(&text, sizes[i]));
        assert_true(text.failed);
    }
    sco_text_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_milliseconds),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_adds_in_order),
        cmocka_unit_test(test_grows_over_every_size),
        cmocka_unit_test(test_a_piece_larger_than_the_text),
        cmocka_unit_test(test_failure_is_sticky),
        cmocka_unit_test(test_failing_to_grow_keeps_the_text),
        cmocka_unit_test(test_room_that_cannot_be),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
