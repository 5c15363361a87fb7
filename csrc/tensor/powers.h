/* powers.h - powers of ten in 128 bits, for reading and printing floats
 *
 * Constant. Thread: any.
 */
#ifndef SCO_TENSOR_POWERS_H
#define SCO_TENSOR_POWERS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SCO_POWER_MIN = -342,     /* 2^64 * 10^-343 is no double but 0 */
    SCO_POWER_MAX = 324,      /* what takes the least double to 1 */
    SCO_POWER_EXACT_MAX = 55, /* the last whose 128 bits are all of it */
};

/* The first 128 bits of 10^k, the highest of them set, rounded down: the
 * number is (high * 2^64 + low) * 2^(sco_power_log2(k) - 127). */
struct sco_power {
    uint64_t high, low;
};

/* 10^k for k from SCO_POWER_MIN on, at [k - SCO_POWER_MIN]. */
extern const struct sco_power sco_powers[SCO_POWER_MAX - SCO_POWER_MIN + 1];

/* Whether those bits are less than the power itself. */
static inline bool
sco_power_is_cut(int k)
{
    return k < 0 || k > SCO_POWER_EXACT_MAX;
}

/* Of 10^k, rounded up. */
static inline struct sco_power
sco_power_above(int k)
{
    struct sco_power power = sco_powers[k - SCO_POWER_MIN];

    power.low += sco_power_is_cut(k);
    power.high += sco_power_is_cut(k) && power.low == 0;
    return power;
}

/* The 128 bits of a product. */
static inline struct sco_power
sco_power_multiply(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = a;

    product *= b;
    return (struct sco_power){ (uint64_t)(product >> 64), (uint64_t)product };
}

/* The exponent of the largest power of two that is not above 10^k, for
 * every k of the table. */
static inline int
sco_power_log2(int k)
{
    /* Above zero, where a shift is a division. */
    return ((k * 217706 + (1 << 28)) >> 16) - (1 << 12);
}

#endif
