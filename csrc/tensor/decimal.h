/* decimal.h - a number in decimal digits to the nearest double
 *
 * Correctly rounded, half to even, too large to infinity: what Python's
 * float() makes of the same text. There is a way for every length of text:
 *
 *   sco_decimal_guess()  one operation; off by less than two in the last place
 *   sco_decimal_quick()  one operation on exact numbers, where they are exact
 *   sco_decimal_round()  any 64-bit digits and exponent; never wrong
 *   sco_decimal_text()   any sound text, of any length
 *
 * Thread: any.
 */
#ifndef SCO_TENSOR_DECIMAL_H
#define SCO_TENSOR_DECIMAL_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SCO_DECIMAL_EXACT_POWER = 22, /* the last power of ten in a double */
    SCO_DECIMAL_DIGITS = 19,      /* that always fit into 64 bits */
};

/* The powers of ten that a double holds exactly. */
extern const double sco_decimal_tens[SCO_DECIMAL_EXACT_POWER + 1];

/* digits * 10^exp10 with two roundings at most, for digits below 2^63 and
 * an exponent of at most SCO_DECIMAL_EXACT_POWER either way. */
static inline double
sco_decimal_guess(uint64_t digits, int exp10)
{
    double number = (double)(int64_t)digits;

    return exp10 < 0 ? number / sco_decimal_tens[-exp10]
                     : number * sco_decimal_tens[exp10];
}

/* Whether sco_decimal_guess() has one rounding only, and so is right. */
static inline bool
sco_decimal_quick(uint64_t digits, int exp10)
{
    return digits <= UINT64_C(1) << 53 && exp10 >= -SCO_DECIMAL_EXACT_POWER &&
           exp10 <= SCO_DECIMAL_EXACT_POWER;
}

/* The double nearest to digits * 10^exp10. */
double sco_decimal_round(uint64_t digits, int64_t exp10);

/* The double nearest to a number as JSON writes it, which must be sound:
 * -?digits[.digits][e[+-]digits]. */
double sco_decimal_text(struct sco_slice text);

#endif
