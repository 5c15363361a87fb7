/* half.h - floats of 16 bits
 *
 * FP16 is IEEE's binary16 (5 bits of exponent, 10 of fraction), BF16 the
 * upper half of a float. A double is rounded to them once, half to even, and
 * not by way of a float. Thread: any.
 */
#ifndef SCO_TENSOR_HALF_H
#define SCO_TENSOR_HALF_H

#include <stdint.h>

/* The FP16 nearest to a number: NumPy's cast of a float64. */
uint16_t sco_half_of_double(double number);

/* The BF16 nearest to a number. */
uint16_t sco_bfloat_of_double(double number);

#endif
