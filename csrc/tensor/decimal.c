/* Design notes
 *
 * sco_decimal_round() is the method of Eisel and Lemire ("Number Parsing at a
 * Gigabyte per Second", 2021): digits times the first 128 bits of the power
 * of ten give enough bits of the product to round it, but for the cases in
 * which the bits that were cut off might carry that far. Those, and numbers
 * with more than 19 digits whose rest matters, are decided by exact
 * comparison with the point halfway to the next double (struct big).
 */
#include "tensor/decimal.h"

#include "tensor/powers.h"

#include <string.h>

const double sco_decimal_tens[SCO_DECIMAL_EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

enum {
    FRACTION_BITS = 52, /* of a double, without the leading 1 */
    EXPONENT_BIAS = 1023,
    EXPONENT_INFINITE = 2047,
    EXP10_MAX = 308, /* anything times 10^309 is infinite */
    /* Only with these powers can a product of 64 bits lie exactly halfway
     * between two doubles: 5^23 has 54 bits, and 5^4 * 2^54 has 64. */
    TIE_EXP10_MIN = -4,
    TIE_EXP10_MAX = 23,
    /* Digits that can matter: a halfway point has 767 at most. */
    BIG_DIGITS_MAX = 800,
    BIG_WORDS_MAX = 256,
};

/* Far more than there are digits in any text, so that past it all is 0 or
 * infinite. */
static const int64_t explicit_exponent_max = INT64_C(1000000000000000);

static const uint64_t hidden_bit = UINT64_C(1) << FRACTION_BITS;
static const uint64_t infinite_bits = (uint64_t)EXPONENT_INFINITE
                                      << FRACTION_BITS;

static double
double_of_bits(uint64_t bits)
{
    double number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* ---- 64 bits of digits ------------------------------------------------ */

struct product {
    uint64_t high, low;
    bool is_unsure; /* what was cut off might carry into what is looked at */
};

/* The first 128 bits of digits * 10^exp10, digits having its highest bit
 * set. The lower half of the power is only looked at when it can matter. */
static struct product
multiply(uint64_t digits, int exp10)
{
    const uint64_t rounding_bits =
        (UINT64_C(1) << (64 - 3 - FRACTION_BITS)) - 1;
    struct sco_power power = sco_powers[exp10 - SCO_POWER_MIN];
    struct product product = { 0, 0, false };
    struct sco_power whole;

    if (exp10 < 0) {
        power = sco_power_above(exp10);
    }
    whole = sco_power_multiply(digits, power.high);
    product.high = whole.high;
    product.low = whole.low;
    if ((product.high & rounding_bits) == rounding_bits) {
        uint64_t more = sco_power_multiply(digits, power.low).high;

        product.low += more;
        product.high += product.low < more;
        product.is_unsure =
            product.low == UINT64_MAX && sco_power_is_cut(exp10);
    }
    return product;
}

/* Rounds what is too small for a leading 1: `excess` more bits go. */
static uint64_t
round_subnormal(uint64_t mantissa, int excess)
{
    if (excess >= 64) {
        return 0;
    }
    mantissa >>= excess;
    mantissa += mantissa & 1;
    return mantissa >> 1; /* 2^52 is the least normal, as bits too */
}

/* The bits of the double nearest to digits * 10^exp10, or false when that
 * cannot be told; then they are off by one at most. */
static bool
round_bits(uint64_t digits, int64_t exp10, uint64_t *out)
{
    int leading, upper, shift, exponent;
    struct product product;
    uint64_t mantissa;

    if (digits == 0 || exp10 < SCO_POWER_MIN) {
        *out = 0;
        return true;
    }
    if (exp10 > EXP10_MAX) {
        *out = infinite_bits;
        return true;
    }
    leading = __builtin_clzll(digits);
    product = multiply(digits << leading, (int)exp10);
    upper = (int)(product.high >> 63);
    shift = upper + 64 - 3 - FRACTION_BITS;
    mantissa = product.high >> shift; /* with one bit for the rounding */
    exponent =
        sco_power_log2((int)exp10) + 63 + upper - leading + EXPONENT_BIAS;
    if (exponent <= 0) {
        *out = round_subnormal(mantissa, 1 - exponent);
        return !product.is_unsure;
    }
    if (product.low <= 1 && exp10 >= TIE_EXP10_MIN && exp10 <= TIE_EXP10_MAX &&
        (mantissa & 3) == 1 && mantissa << shift == product.high) {
        mantissa &= ~UINT64_C(1);
    }
    mantissa += mantissa & 1;
    mantissa >>= 1;
    /* A carry out of the mantissa is one more in the exponent. */
    *out = ((uint64_t)exponent << FRACTION_BITS) + (mantissa - hidden_bit);
    if (*out > infinite_bits) {
        *out = infinite_bits;
    }
    return !product.is_unsure;
}

/* ---- any number of digits --------------------------------------------- */

/* A number that is not negative, the lowest word first. */
struct big {
    size_t count;
    uint32_t words[BIG_WORDS_MAX];
};

static void
big_multiply_add(struct big *big, uint32_t factor, uint32_t carry)
{
    uint64_t rest = carry;

    for (size_t i = 0; i < big->count; i++) {
        rest += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)rest;
        rest >>= 32;
    }
    if (rest > 0) {
        big->words[big->count++] = (uint32_t)rest;
    }
}

static void
big_multiply_power(struct big *big, uint32_t base, int64_t exponent)
{
    while (exponent > 0) {
        uint32_t factor = 1;

        for (int i = 0; i < 13 && exponent > 0; i++, exponent--) {
            factor *= base; /* 5^13 is below 2^32 */
        }
        big_multiply_add(big, factor, 0);
    }
}

static int
big_compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count) {
        return a->count < b->count ? -1 : 1;
    }
    for (size_t i = a->count; i-- > 0;) {
        if (a->words[i] != b->words[i]) {
            return a->words[i] < b->words[i] ? -1 : 1;
        }
    }
    return 0;
}

/* A sound number, taken apart. */
struct decimal {
    bool negative;
    uint64_t digits; /* the first 19 that count */
    int64_t exp10;   /* of the last of these */
    bool is_cut;     /* there are more, and not only zeros */
    struct sco_slice text;
    int64_t text_exp10; /* what the text is to be multiplied by */
};

/* A way over the digits that count, from the first that is not 0. */
struct digit_walk {
    const char *at, *end;
    bool is_fraction, has_begun;
    int64_t exp10; /* of the digit that was yielded last */
};

/* The next digit that counts, or -1 at the exponent or the end. `exp10` goes
 * down with each digit of the fraction, and is 0 in front of it. */
static int
walk_next(struct digit_walk *walk)
{
    for (; walk->at < walk->end; walk->at++) {
        int digit = *walk->at - '0';

        if (*walk->at == '.') {
            walk->is_fraction = true;
            continue;
        }
        if (digit < 0 || digit > 9) {
            break;
        }
        walk->exp10 -= walk->is_fraction;
        walk->has_begun = walk->has_begun || digit > 0;
        if (walk->has_begun) {
            walk->at++;
            return digit;
        }
    }
    return -1;
}

static struct digit_walk
walk_begin(struct sco_slice text)
{
    size_t sign = text.len > 0 && text.data[0] == '-';

    return (struct digit_walk){ .at = text.data + sign,
                                .end = text.data + text.len };
}

/* Reads e-12 at the end of a number; 0 when there is none. */
static int64_t
read_exponent(const char *at, const char *end)
{
    bool negative = false;
    int64_t exponent = 0;

    if (at < end) {
        at++;
    }
    if (at < end && (*at == '-' || *at == '+')) {
        negative = *at++ == '-';
    }
    for (; at < end; at++) {
        if (exponent < explicit_exponent_max) {
            exponent = exponent * 10 + (*at - '0');
        }
    }
    return negative ? -exponent : exponent;
}

static struct decimal
take_apart(struct sco_slice text)
{
    struct decimal decimal = { .text = text,
                               .negative =
                                   text.len > 0 && text.data[0] == '-' };
    struct digit_walk walk = walk_begin(text);
    int64_t dropped = 0;
    int count = 0;
    int digit;

    while ((digit = walk_next(&walk)) >= 0) {
        if (count < SCO_DECIMAL_DIGITS) {
            decimal.digits = decimal.digits * 10 + (uint64_t)digit;
            count++;
        } else {
            dropped++;
            decimal.is_cut = decimal.is_cut || digit > 0;
        }
    }
    decimal.exp10 = walk.exp10 + dropped + read_exponent(walk.at, walk.end);
    return decimal;
}

/* All digits that can matter, as an integer, and the exponent of its last;
 * a 1 stands behind them for any that are left out and not 0. */
static int64_t
gather(const struct decimal *decimal, struct big *out)
{
    struct digit_walk walk = walk_begin(decimal->text);
    int64_t dropped = 0;
    bool rest = false;
    int count = 0;
    int digit;

    *out = (struct big){ .count = 0 };
    while ((digit = walk_next(&walk)) >= 0) {
        if (count < BIG_DIGITS_MAX) {
            big_multiply_add(out, 10, (uint32_t)digit);
            count++;
        } else {
            dropped++;
            rest = rest || digit > 0;
        }
    }
    if (rest) {
        big_multiply_add(out, 10, 1);
        dropped--;
    }
    return walk.exp10 + dropped + read_exponent(walk.at, walk.end) +
           decimal->text_exp10;
}

/* Compares a number with the point halfway between the double of these bits
 * and the next one. */
static int
compare_halfway(const struct big *digits, int64_t exp10, uint64_t bits)
{
    uint64_t fraction = bits & (hidden_bit - 1);
    int64_t exponent = (int64_t)(bits >> FRACTION_BITS);
    uint64_t mantissa =
        2 * (exponent > 0 ? fraction + hidden_bit : fraction) + 1;
    int64_t exp2 =
        (exponent > 0 ? exponent : 1) - EXPONENT_BIAS - FRACTION_BITS - 1;
    struct big left = *digits;
    struct big right = { 2,
                         { (uint32_t)mantissa, (uint32_t)(mantissa >> 32) } };

    if (right.words[1] == 0) {
        right.count = 1;
    }
    /* left * 10^exp10 against right * 2^exp2, both made whole. */
    if (exp10 >= 0) {
        big_multiply_power(&left, 5, exp10);
    } else {
        big_multiply_power(&right, 5, -exp10);
    }
    if (exp10 >= exp2) {
        big_multiply_power(&left, 2, exp10 - exp2);
    } else {
        big_multiply_power(&right, 2, exp2 - exp10);
    }
    return big_compare(&left, &right);
}

/* Walks from bits that are nearly right to those that are. */
static uint64_t
settle(const struct decimal *decimal, uint64_t bits)
{
    struct big digits;
    int64_t exp10 = gather(decimal, &digits);

    if (bits == infinite_bits) {
        bits--;
    }
    for (;;) {
        int above = compare_halfway(&digits, exp10, bits);
        int below;

        if (above > 0 || (above == 0 && (bits & 1) != 0)) {
            bits++;
            if (bits < infinite_bits) {
                continue;
            }
            return bits;
        }
        below = bits == 0 ? 1 : compare_halfway(&digits, exp10, bits - 1);
        if (below > 0 || (below == 0 && (bits & 1) == 0)) {
            return bits;
        }
        bits--;
    }
}

static uint64_t
round_decimal(const struct decimal *decimal)
{
    uint64_t bits, next;
    bool sure = round_bits(decimal->digits, decimal->exp10, &bits);

    if (sure && decimal->is_cut) {
        sure = round_bits(decimal->digits + 1, decimal->exp10, &next) &&
               next == bits;
    }
    return sure ? bits : settle(decimal, bits);
}

double
sco_decimal_round(uint64_t digits, int64_t exp10)
{
    char text[48];
    uint64_t bits;

    if (sco_decimal_quick(digits, (int)exp10) && exp10 == (int)exp10) {
        return sco_decimal_guess(digits, (int)exp10);
    }
    if (!round_bits(digits, exp10, &bits)) {
        struct decimal decimal = { .text_exp10 = exp10 };
        size_t at = sizeof(text);

        /* Settled from a text: this is as rare as that. */
        for (uint64_t left = digits; left > 0; left /= 10) {
            text[--at] = (char)('0' + left % 10);
        }
        decimal.text = (struct sco_slice){ text + at, sizeof(text) - at };
        bits = settle(&decimal, bits);
    }
    return double_of_bits(bits);
}

double
sco_decimal_text(struct sco_slice text)
{
    struct decimal decimal = take_apart(text);
    double number = double_of_bits(round_decimal(&decimal));

    return decimal.negative ? -number : number;
}
