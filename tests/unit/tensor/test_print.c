/* test_print.c - is every element printed as Python would, in its lists? */
#include "tensor/print.h"

#include "support/test.h"

#include <stdlib.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
/* repr() of Python 3.11. */
static const struct {
    double      number;
    const char *text;
} doubles[] = {
    { 0.0, "0.0" }, { -0.0, "-0.0" }, { 1.0, "1.0" }, { -1.5, "-1.5" },
    { 0.1, "0.1" }, { 100.0, "100.0" }, { 123456.0, "123456.0" },
    { 1e15, "1000000000000000.0" }, { 1e16, "1e+16" },
    { 12345678901234567.0, "1.2345678901234568e+16" },
    { 0.0001, "0.0001" }, { 0.00012, "0.00012" }, { 0.00001, "1e-05" },
    { 1e-7, "1e-07" }, { 1.5e-10, "1.5e-10" }, { 1e100, "1e+100" },
    { 0x1p-1074, "5e-324" }, { 2.2250738585072014e-308,
                               "2.2250738585072014e-308" },
    { -1.7976931348623157e308, "-1.7976931348623157e+308" },
    { 9007199254740993.0, "9007199254740992.0" },
    { __builtin_inf(), "Infinity" }, { -__builtin_inf(), "-Infinity" },
    { __builtin_nan(""), "NaN" },
};

static const struct {
    struct sco_shape shape;
    const char      *compact, *spaced;
} lists[] = {
    { { 0, { 0 } }, "1", "1" },
    { { 1, { 0 } }, "[]", "[]" },
    { { 1, { 3 } }, "[1,-2,3]", "[1, -2, 3]" },
    { { 2, { 2, 0 } }, "[[],[]]", "[[], []]" },
    { { 2, { 0, 2 } }, "[]", "[]" },
    { { 2, { 3, 1 } }, "[[1],[-2],[3]]", "[[1], [-2], [3]]" },
    { { 3, { 1, 2, 2 } }, "[[[1,-2],[3,4]]]", "[[[1, -2], [3, 4]]]" },
};
/* clang-format on */

static void
test_doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(doubles); i++) {
        char text[SCO_PRINT_MAX_CHARS + 1];
        char *end = sco_print_element(text, SCO_FP64, &doubles[i].number);

        *end = '\0';
        assert_string_equal(text, doubles[i].text);
    }
}

/* Few digits, since only few are needed to tell these apart. */
static void
test_narrow_floats(void **state)
{
    const float single = 0.1F;
    const uint16_t half = 0x2e66;   /* 0.0999755859375 */
    const uint16_t bfloat = 0x3dcd; /* 0.10009765625 */
    char text[SCO_PRINT_MAX_CHARS + 1];

    (void)state;
    *sco_print_element(text, SCO_FP32, &single) = '\0';
    assert_string_equal(text, "0.1");
    *sco_print_element(text, SCO_FP16, &half) = '\0';
    assert_string_equal(text, "0.1");
    *sco_print_element(text, SCO_BF16, &bfloat) = '\0';
    assert_string_equal(text, "0.1");
}

static void
test_integers(void **state)
{
    const uint64_t unsigned_most = UINT64_MAX;
    const int64_t least = INT64_MIN;
    const int8_t small = -128;
    const uint32_t round = 100000000;
    const bool booleans[2] = { true, false };
    struct sco_text text = { 0 };
    char one[SCO_PRINT_MAX_CHARS + 1];

    (void)state;
    *sco_print_element(one, SCO_UINT64, &unsigned_most) = '\0';
    assert_string_equal(one, "18446744073709551615");
    *sco_print_element(one, SCO_INT64, &least) = '\0';
    assert_string_equal(one, "-9223372036854775808");
    *sco_print_element(one, SCO_INT8, &small) = '\0';
    assert_string_equal(one, "-128");
    *sco_print_element(one, SCO_UINT32, &round) = '\0';
    assert_string_equal(one, "100000000");
    sco_print_flat(&text, SCO_BOOL, 2, booleans, SCO_PRINT_COMPACT);
    assert_string_equal(text.data, "[true,false]");
    sco_text_finish(&text);
}

static void
test_lists(void **state)
{
    const int32_t elements[] = { 1, -2, 3, 4 };
    struct sco_text text = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        sco_text_clear(&text);
        sco_print_tensor(&text, SCO_INT32, &lists[i].shape, elements,
                         SCO_PRINT_COMPACT);
        assert_string_equal(text.data, lists[i].compact);
        sco_text_clear(&text);
        sco_print_tensor(&text, SCO_INT32, &lists[i].shape, elements,
                         SCO_PRINT_SPACED);
        assert_string_equal(text.data, lists[i].spaced);
    }
    sco_text_finish(&text);
}

/* A row that is longer than what is printed at once. */
static void
test_a_long_row(void **state)
{
    enum { MANY = 1000 };
    float elements[MANY];
    struct sco_text text = { 0 };
    const char *at;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        elements[i] = (float)i / 8;
    }
    sco_print_flat(&text, SCO_FP32, MANY, elements, SCO_PRINT_SPACED);
    at = text.data;
    for (int i = 0; i < MANY; i++) {
        char *end;

        assert_true(*at == (i == 0 ? '[' : ','));
        assert_true(strtof(at + 1, &end) == elements[i]);
        at = end;
    }
    assert_string_equal(at, "]");
    sco_text_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_narrow_floats),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_a_long_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
