#include "v2/array.h"

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors travel as they lie in memory");

enum sco_status
sco_v2_bools_check(struct sco_slice bytes, const char *what,
                   struct sco_error *err)
{
    unsigned char all = 0;

    /* Without a branch in it, this is done by vectors of bytes. */
    for (size_t i = 0; i < bytes.len; i++) {
        all |= (unsigned char)bytes.data[i];
    }
    for (size_t i = 0; all > 1 && i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];

        if (byte > 1) {
            return sco_fail(err, SCO_INVALID,
                            "%s: a BOOL is a byte of 0 or 1, and element %zu "
                            "is %d",
                            what, i, byte);
        }
    }
    return SCO_OK;
}

enum sco_status
sco_v2_array_check(const struct sco_v2_array *array, const char *what,
                   struct sco_error *err)
{
    struct sco_error why = { .status = SCO_OK };
    size_t bytes = 0;

    if (array->dtype == SCO_BYTES) {
        return sco_fail(err, SCO_INVALID,
                        "%s: BYTES have no fixed size, and so no such form",
                        what);
    }
    if (sco_shape_bytes(&array->shape, array->dtype, &bytes, &why) != SCO_OK) {
        return sco_fail(err, why.status, "%s: %s", what, why.text);
    }
    if (bytes != array->data.len) {
        return sco_fail(err, SCO_INVALID,
                        "%s: its datatype and shape take %zu bytes of data, "
                        "and there are %zu",
                        what, bytes, array->data.len);
    }
    if (array->dtype == SCO_BOOL) {
        return sco_v2_bools_check(array->data, what, err);
    }
    return SCO_OK;
}

void
sco_v2_array_rows(const struct sco_v2_array *array, uint64_t first,
                  uint64_t count, struct sco_v2_array *out)
{
    struct sco_v2_array rows = *array;
    struct sco_error err;
    size_t elements = 0;

    SCO_CHECK(array->shape.rank > 0 && first <= array->shape.dims[0] &&
                  count <= array->shape.dims[0] - first,
              "rows that the array does not have");
    rows.shape.dims[0] = 1;
    SCO_CHECK(sco_shape_count(&rows.shape, &elements, &err) == SCO_OK,
              "a row larger than memory");
    rows.shape.dims[0] = count;
    if (array->dtype == SCO_BYTES) {
        rows.strings += first * elements;
    } else {
        size_t each = elements * sco_dtype_info(array->dtype)->bytes;

        rows.data.data += first * each;
        rows.data.len = (size_t)count * each;
    }
    *out = rows;
}
