/* Design notes
 *
 * With b = significand * 2^exp2, all points are counted in quarters of
 * 2^exp2, so that the ends of the interval are whole: 4c - 2 (or 4c - 1) and
 * 4c + 2. Multiplied with 10^-k, k being such that the interval is at least
 * 1 and less than 10 wide, they have an integer part and a rest of which only
 * matters whether there is one: it is kept as the lowest bit ("round to
 * odd"). An end belongs to the interval when the significand is even.
 */
#include "tensor/shortest.h"

#include "tensor/powers.h"

#include <stdbool.h>

/* The interval of one float and the float itself, in quarters of 10^exp10. */
struct interval {
    uint64_t low, number, high;
    bool is_open; /* the ends round to another float */
    int exp10;
};

/* floor(log10(2^exp2)), or of 3/4 of it. */
static inline int
log10_of_power2(int exp2, int is_uneven)
{
    return (exp2 * 1262611 - (is_uneven ? 524031 : 0)) >> 22;
}

/* The upper part of power * number, rounded to odd. */
static inline uint64_t
scale_wide(struct sco_power power, uint64_t number)
{
    struct sco_power low = sco_power_multiply(power.low, number);
    struct sco_power high = sco_power_multiply(power.high, number);

    high.low += low.high;
    high.high += high.low < low.high;
    return high.high | (high.low > 1);
}

static inline uint64_t
scale_narrow(uint64_t power, uint64_t number)
{
    struct sco_power product = sco_power_multiply(power, number);

    return product.high | ((product.low >> 32) > 1);
}

/* The shortest in an interval, the nearest of those that are as short. */
static inline struct sco_shortest
choose(struct interval of)
{
    uint64_t low = of.low + of.is_open;
    uint64_t high = of.high - of.is_open;
    uint64_t whole = of.number / 4;
    bool below, above;

    if (whole >= 10) {
        uint64_t tens = whole / 10;

        below = low <= 40 * tens;
        above = 40 * tens + 40 <= high;
        if (below != above) {
            return (struct sco_shortest){ tens + above, of.exp10 + 1 };
        }
    }
    below = low <= 4 * whole;
    above = 4 * whole + 4 <= high;
    if (below == above) {
        uint64_t middle = 4 * whole + 2;

        above =
            of.number > middle || (of.number == middle && (whole & 1) != 0);
    }
    return (struct sco_shortest){ whole + above, of.exp10 };
}

struct sco_shortest
sco_shortest_wide(struct sco_binary binary)
{
    int exp10 = log10_of_power2(binary.exp2, binary.is_uneven);
    int shift = binary.exp2 + sco_power_log2(-exp10) + 1;
    struct sco_power power = sco_power_above(-exp10);
    uint64_t number = binary.significand * 4;
    struct interval interval = {
        .low =
            scale_wide(power, (number - (binary.is_uneven ? 1 : 2)) << shift),
        .number = scale_wide(power, number << shift),
        .high = scale_wide(power, (number + 2) << shift),
        .is_open = (binary.significand & 1) != 0,
        .exp10 = exp10,
    };

    return choose(interval);
}

struct sco_shortest
sco_shortest_narrow(struct sco_binary binary)
{
    int exp10 = log10_of_power2(binary.exp2, binary.is_uneven);
    int shift = binary.exp2 + sco_power_log2(-exp10) + 1;
    struct sco_power whole_power = sco_powers[-exp10 - SCO_POWER_MIN];
    uint64_t power = whole_power.high + (whole_power.low != 0);
    uint64_t number = binary.significand * 4;
    struct interval interval = {
        .low = scale_narrow(power, (number - (binary.is_uneven ? 1 : 2))
                                       << shift),
        .number = scale_narrow(power, number << shift),
        .high = scale_narrow(power, (number + 2) << shift),
        .is_open = (binary.significand & 1) != 0,
        .exp10 = exp10,
    };

    return choose(interval);
}
