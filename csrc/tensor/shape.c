#include "tensor/shape.h"

#include "base/text.h"

#include <inttypes.h>

/* Multiplies what is not 0 of them all, so that the order of lengths and a
 * zero among them do not matter. */
static enum sco_status
shape_product(const struct sco_shape *shape, size_t each, size_t *out,
              struct sco_error *err)
{
    size_t product = each;
    bool is_empty = false;

    SCO_CHECK(shape->rank <= SCO_RANK_MAX, "a rank out of bounds");
    for (unsigned i = 0; i < shape->rank; i++) {
        if (shape->dims[i] == 0) {
            is_empty = true;
        } else if (__builtin_mul_overflow(product, shape->dims[i], &product)) {
            return sco_fail(err, SCO_TOO_LARGE,
                            "a shape of rank %u has more elements than "
                            "memory has bytes",
                            shape->rank);
        }
    }
    *out = is_empty ? 0 : product;
    return SCO_OK;
}

enum sco_status
sco_shape_count(const struct sco_shape *shape, size_t *out,
                struct sco_error *err)
{
    return shape_product(shape, 1, out, err);
}

enum sco_status
sco_shape_bytes(const struct sco_shape *shape, enum sco_dtype dtype,
                size_t *out, struct sco_error *err)
{
    size_t each = sco_dtype_info(dtype)->bytes;

    SCO_CHECK(each > 0, "BYTES have no size of their own");
    return shape_product(shape, each, out, err);
}

bool
sco_shape_equal(const struct sco_shape *a, const struct sco_shape *b)
{
    return a->rank == b->rank &&
           memcmp(a->dims, b->dims, a->rank * sizeof(a->dims[0])) == 0;
}

bool
sco_shape_fits(const struct sco_shape *shape,
               const struct sco_shape_declared *declared)
{
    if (shape->rank != declared->rank) {
        return false;
    }
    for (unsigned i = 0; i < shape->rank; i++) {
        if (declared->dims[i] != SCO_DIM_ANY &&
            (uint64_t)declared->dims[i] != shape->dims[i]) {
            return false;
        }
    }
    return true;
}

void
sco_shape_text(const struct sco_shape *shape, struct sco_text *text)
{
    sco_text_add_char(text, '[');
    for (unsigned i = 0; i < shape->rank; i++) {
        if (i > 0) {
            sco_text_add_char(text, ',');
        }
        sco_text_add_number(text, shape->dims[i]);
    }
    sco_text_add_char(text, ']');
}

void
sco_shape_declared_text(const struct sco_shape_declared *declared,
                        struct sco_text *text)
{
    sco_text_add_char(text, '[');
    for (unsigned i = 0; i < declared->rank; i++) {
        sco_text_addf(text, "%s%" PRId64, i > 0 ? "," : "", declared->dims[i]);
    }
    sco_text_add_char(text, ']');
}
