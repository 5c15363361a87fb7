/* shape.h - how long a tensor is in each of its dimensions
 *
 * A shape is what a tensor has; a declared shape is what a model takes, where
 * -1 stands for any length. Rank 0 is one element. Thread: any.
 */
#ifndef SCO_TENSOR_SHAPE_H
#define SCO_TENSOR_SHAPE_H

#include "base/status.h"
#include "tensor/dtype.h"

#include <stdbool.h>
#include <stdint.h>

struct sco_text;

enum { SCO_RANK_MAX = 32 }; /* what every NumPy can hold */

struct sco_shape {
    unsigned rank;
    uint64_t dims[SCO_RANK_MAX];
};

struct sco_shape_declared {
    unsigned rank;
    int64_t dims[SCO_RANK_MAX]; /* SCO_DIM_ANY or a length */
};

enum { SCO_DIM_ANY = -1 };

/* How many elements there are.
 *
 * Errors: SCO_TOO_LARGE when the lengths other than 0 have a product that is
 *         no size_t; NumPy refuses such a shape too, elements or none. */
SCO_NODISCARD
enum sco_status sco_shape_count(const struct sco_shape *shape, size_t *out,
                                struct sco_error *err);

/* How many bytes they take. BYTES have no size and must not be asked for.
 *
 * Errors: SCO_TOO_LARGE as above. */
SCO_NODISCARD
enum sco_status sco_shape_bytes(const struct sco_shape *shape,
                                enum sco_dtype dtype, size_t *out,
                                struct sco_error *err);

/* Whether both are the same. */
bool sco_shape_equal(const struct sco_shape *a, const struct sco_shape *b);

/* Whether a shape is one of those that were declared. */
bool sco_shape_fits(const struct sco_shape *shape,
                    const struct sco_shape_declared *declared);

/* Appends it as v2 writes it: "[2,3]". */
void sco_shape_text(const struct sco_shape *shape, struct sco_text *text);

/* Appends it in the same form: "[-1,3]". */
void sco_shape_declared_text(const struct sco_shape_declared *declared,
                             struct sco_text *text);

#endif
