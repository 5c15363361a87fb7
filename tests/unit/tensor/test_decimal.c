/* test_decimal.c - is text rounded to the nearest double, or half, once?
 *
 * A few of each way; millions are compared in tests/python/test_tensor.py.
 */
#include "tensor/decimal.h"
#include "tensor/half.h"

#include "support/test.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct {
    const char *text;
    double      number;
} texts[] = {
    { "0", 0.0 },
    { "-0.000e5", -0.0 },
    { "1", 1.0 },
    { "0.1", 0.1 },
    { "123.456e-7", 123.456e-7 },
    { "1e23", 1e23 },
    { "8.5e22", 8.5e22 },
    { "9007199254740993", 9007199254740992.0 },
    { "9007199254740993.00000000000000000000000000000000000000000000000001",
      9007199254740994.0 },
    { "1.7976931348623157e308", DBL_MAX },
    { "1.7976931348623159e308", __builtin_inf() },
    { "-1e309", -__builtin_inf() },
    { "1e1000000000000000000000000000000000000", __builtin_inf() },
    { "1e-1000000000000000000000000000000000000", 0.0 },
    { "2.2250738585072011e-308", 0x0.fffffffffffffp-1022 },
    { "2.2250738585072014e-308", DBL_MIN },
    { "2.47032822920623272e-324", 0.0 },
    { "2.47032822920623273e-324", 0x1p-1074 },
    { "6.631236846766476e-316", 6.631236846766476e-316 },
};

static const struct {
    double   number;
    uint16_t half, bfloat;
} halves[] = {
    { 0.0,            0x0000, 0x0000 },
    { -0.0,           0x8000, 0x8000 },
    { 1.0,            0x3c00, 0x3f80 },
    { 65504,          0x7bff, 0x4780 },
    { 65519.99,       0x7bff, 0x4780 },
    { 65520,          0x7c00, 0x4780 },
    { -1e300,         0xfc00, 0xff80 },
    { __builtin_inf(), 0x7c00, 0x7f80 },
    { 0x1p-24,        0x0001, 0x3380 },
    { 0x1p-25,        0x0000, 0x3300 },
    { 0x1.0000001p-25, 0x0001, 0x3300 },
    { 0x1p-14,        0x0400, 0x3880 },
    { 0x0.ffep-14,    0x0400, 0x3880 },
    /* By way of a float they would be halfway, and go the other way. */
    { 0x1.0020000001p0, 0x3c01, 0x3f80 },
    { 0x1.0100000001p0, 0x3c04, 0x3f81 },
    { 0x1p-133,       0x0000, 0x0001 },
    { 0x1p-134,       0x0000, 0x0000 },
    { 0x1.8p-134,     0x0000, 0x0001 },
    { 0x1p-1074,      0x0000, 0x0000 },
};
/* clang-format on */

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        double found = sco_decimal_text(sco_slice_of(texts[i].text));

        assert_memory_equal(&found, &texts[i].number, sizeof(found));
    }
}

/* Every power of ten, just below and above it, against the library's. */
static void
test_digits_and_exponent(void **state)
{
    static const uint64_t digits[] = { 1,
                                       9,
                                       UINT64_C(9007199254740993),
                                       UINT64_C(9999999999999999999),
                                       UINT64_C(1) << 63,
                                       UINT64_MAX };

    (void)state;
    for (int exp10 = -400; exp10 < 400; exp10++) {
        for (size_t i = 0; i < COUNT_OF(digits); i++) {
            double found = sco_decimal_round(digits[i], exp10);
            char text[64];

            (void)snprintf(text, sizeof(text), "%llue%d",
                           (unsigned long long)digits[i], exp10);
            assert_true(found == strtod(text, NULL));
        }
    }
}

static void
test_halves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(halves); i++) {
        assert_int_equal(sco_half_of_double(halves[i].number), halves[i].half);
        assert_int_equal(sco_bfloat_of_double(halves[i].number),
                         halves[i].bfloat);
    }
    assert_int_equal(sco_half_of_double(__builtin_nan("")), 0x7e00);
    assert_int_equal(sco_bfloat_of_double(__builtin_nan("")), 0x7fc0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_digits_and_exponent),
        cmocka_unit_test(test_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
