#include "tensor/half.h"

#include <string.h>

enum {
    DOUBLE_FRACTION_BITS = 52,
    DOUBLE_BIAS = 1023,
};

struct format {
    int fraction_bits;
    int exponent_bits;
};

/* Cuts `count` bits off, half to even; all of them, when they are that many,
 * are less than half of what would stay. */
static uint64_t
shift_right(uint64_t bits, int count)
{
    uint64_t kept, half;

    if (count > DOUBLE_FRACTION_BITS + 1) {
        return 0;
    }
    kept = bits >> count;
    half = UINT64_C(1) << (count - 1);
    bits &= (half << 1) - 1;
    return kept + (bits > half || (bits == half && (kept & 1) != 0));
}

static uint16_t
round_to(double number, struct format format)
{
    int bias = (1 << (format.exponent_bits - 1)) - 1;
    unsigned infinite = ((1U << format.exponent_bits) - 1)
                        << format.fraction_bits;
    uint64_t hidden = UINT64_C(1) << DOUBLE_FRACTION_BITS;
    int cut = DOUBLE_FRACTION_BITS - format.fraction_bits;
    uint64_t bits, fraction, rounded;
    unsigned sign;
    int exponent;

    memcpy(&bits, &number, sizeof(bits));
    sign = (unsigned)(bits >> 63) << 15;
    exponent = (int)(bits >> DOUBLE_FRACTION_BITS & 0x7ff) - DOUBLE_BIAS;
    fraction = bits & (hidden - 1);
    if (exponent > DOUBLE_BIAS) {
        return (
            uint16_t)(sign | infinite |
                      (fraction == 0 ? 0U : 1U << (format.fraction_bits - 1)));
    }
    if (exponent > bias) {
        return (uint16_t)(sign | infinite);
    }
    if (exponent > -bias) {
        /* A carry out of the fraction is one more in the exponent, up to
         * infinity. */
        rounded = (uint64_t)(exponent + bias - 1) << format.fraction_bits;
        rounded += shift_right(fraction | hidden, cut);
        return (uint16_t)(sign | rounded);
    }
    cut += 1 - bias - exponent;
    return (uint16_t)(sign | shift_right(fraction | hidden, cut));
}

uint16_t
sco_half_of_double(double number)
{
    return round_to(number, (struct format){ 10, 5 });
}

uint16_t
sco_bfloat_of_double(double number)
{
    return round_to(number, (struct format){ 7, 8 });
}
