#include "v2/raw.h"

#include "base/text.h"
#include "v2/signature.h"
#include "v2/v2_int.h"

#include <inttypes.h>

/* Takes a length off the begin of a field, and blanks around it. */
static bool
take_length(struct sco_slice *field, uint64_t *out)
{
    size_t at = 0, begin;
    uint64_t length = 0;

    while (at < field->len && field->data[at] == ' ') {
        at++;
    }
    begin = at;
    while (at < field->len && field->data[at] >= '0' &&
           field->data[at] <= '9') {
        if (__builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(field->data[at] - '0'),
                                   &length)) {
            return false;
        }
        at++;
    }
    if (at == begin) {
        return false;
    }
    while (at < field->len && field->data[at] == ' ') {
        at++;
    }
    field->data += at;
    field->len -= at;
    *out = length;
    return true;
}

/* Reads "32, 4". */
static bool
read_shape(struct sco_slice field, struct sco_shape *out)
{
    struct sco_shape shape = { .rank = 0 };

    for (;;) {
        if (shape.rank == SCO_RANK_MAX ||
            !take_length(&field, &shape.dims[shape.rank])) {
            return false;
        }
        shape.rank++;
        if (field.len == 0) {
            *out = shape;
            return true;
        }
        if (field.data[0] != ',') {
            return false;
        }
        field.data++;
        field.len--;
    }
}

/* The declared shape with its one free length made to fit the bytes. */
static bool
infer_shape(const struct sco_shape_declared *declared, enum sco_dtype dtype,
            size_t bytes, struct sco_shape *out)
{
    struct sco_shape shape = { .rank = declared->rank };
    unsigned free_at = SCO_RANK_MAX;
    size_t rest = 0;

    for (unsigned i = 0; i < declared->rank; i++) {
        shape.dims[i] = (uint64_t)declared->dims[i];
        if (declared->dims[i] == SCO_DIM_ANY) {
            if (free_at != SCO_RANK_MAX) {
                return false;
            }
            free_at = i;
            shape.dims[i] = 1;
        }
    }
    if (free_at != SCO_RANK_MAX) {
        if (sco_shape_bytes(&shape, dtype, &rest, /* err */ NULL) != SCO_OK ||
            rest == 0 || bytes % rest != 0) {
            return false;
        }
        shape.dims[free_at] = bytes / rest;
    }
    *out = shape;
    return true;
}

enum sco_status
sco_v2_raw_read(struct sco_slice datatype_field, struct sco_slice shape_field,
                struct sco_slice body, const struct sco_v2_tensor *declared,
                struct sco_v2_array *out, struct sco_error *err)
{
    struct sco_v2_array array = { .dtype = declared->dtype, .data = body };
    enum sco_status status;

    if (datatype_field.len > 0 &&
        !sco_dtype_find(datatype_field, &array.dtype)) {
        return sco_fail(err, SCO_INVALID,
                        "Tensor-Datatype: there is no %.*s; FP32 is one",
                        SCO_V2_SHOWN(datatype_field));
    }
    if (array.dtype == SCO_BYTES) {
        return sco_fail(err, SCO_INVALID,
                        "BYTES have no raw form: send JSON, or /v2's binary "
                        "data");
    }
    if (shape_field.len > 0) {
        if (!read_shape(shape_field, &array.shape)) {
            return sco_fail(err, SCO_INVALID,
                            "Tensor-Shape: it is lengths with commas between "
                            "them, at most %d of them: 32, 4",
                            SCO_RANK_MAX);
        }
    } else if (!infer_shape(&declared->shape, array.dtype, body.len,
                            &array.shape)) {
        return sco_fail(err, SCO_INVALID,
                        "the shape does not follow from %zu bytes of %s: "
                        "send the field Tensor-Shape",
                        body.len, sco_dtype_info(array.dtype)->name);
    }
    status = sco_v2_array_check(&array, "the body", err);
    if (status == SCO_OK) {
        *out = array;
    }
    return status;
}

void
sco_v2_raw_shape(const struct sco_shape *shape, struct sco_text *out)
{
    for (unsigned i = 0; i < shape->rank; i++) {
        sco_text_addf(out, "%s%" PRIu64, i > 0 ? ", " : "", shape->dims[i]);
    }
}
