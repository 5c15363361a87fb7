/* array.h - one tensor whose elements somebody else owns
 *
 * Elements lie one behind the other, the last dimension fastest, in the
 * machine's byte order, which is little-endian here as it is on the wire.
 * Thread: any.
 */
#ifndef SCO_V2_ARRAY_H
#define SCO_V2_ARRAY_H

#include "base/slice.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

struct sco_v2_array {
    enum sco_dtype dtype;
    struct sco_shape shape;
    struct sco_slice data;           /* of numbers; it may not be aligned */
    const struct sco_slice *strings; /* of BYTES: one for each element */
};

/* Checks that numbers take as many bytes as datatype and shape say, and that
 * those of BOOL are 0 or 1. `what` begins the message: "input x".
 *
 * Errors: SCO_INVALID, SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status sco_v2_array_check(const struct sco_v2_array *array,
                                   const char *what, struct sco_error *err);

/* Rows of an array: the part of a batch that is one request's. The caller has
 * checked that the array is sound and has so many rows.
 *
 * Ownership: what *out points to is the array's. */
void sco_v2_array_rows(const struct sco_v2_array *array, uint64_t first,
                       uint64_t count, struct sco_v2_array *out);

/* Checks that every byte is 0 or 1, as BOOL has it.
 *
 * Errors: SCO_INVALID, which names the first that is not. */
SCO_NODISCARD
enum sco_status sco_v2_bools_check(struct sco_slice bytes, const char *what,
                                   struct sco_error *err);

#endif
