/* shortest.h - the fewest digits that name a float
 *
 * The method is Schubfach (Raffaello Giulietti, "The Schubfach way to render
 * doubles", 2020): one power of ten tells the number and both ends of the
 * interval that rounds to it in tens of the right size; at most four
 * candidates are left to compare. Thread: any.
 */
#ifndef SCO_TENSOR_SHORTEST_H
#define SCO_TENSOR_SHORTEST_H

#include <stdint.h>

/* digits * 10^exp10. There may be zeros at the end of the digits. */
struct sco_shortest {
    uint64_t digits;
    int exp10;
};

/* A finite float that is not 0 is significand * 2^exp2. */
struct sco_binary {
    uint64_t significand;
    int exp2;
    /* The float below is only half as far away as the one above: this is a
     * power of two, and not the least. */
    int is_uneven;
};

/* Of a double's: up to 53 bits. */
struct sco_shortest sco_shortest_wide(struct sco_binary binary);

/* Of a float's and those of 16 bits: up to 24. */
struct sco_shortest sco_shortest_narrow(struct sco_binary binary);

#endif
