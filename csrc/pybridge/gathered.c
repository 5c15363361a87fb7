#include "pybridge/gathered.h"

#include <stdlib.h>
#include <string.h>

static void *
copy_of(struct sco_slice bytes)
{
    char *copy = malloc(bytes.len + 1);

    if (copy != NULL && bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return copy;
}

/* Elements in a row of an output. */
static size_t
row_count(const struct sco_shape *shape)
{
    size_t count = 1;

    for (unsigned i = 1; i < shape->rank; i++) {
        count *= shape->dims[i];
    }
    return count;
}

static bool
go_together(const struct sco_v2_output *a, const struct sco_v2_output *b)
{
    struct sco_shape shape = b->array.shape;

    shape.dims[0] = a->array.shape.dims[0];
    return a->name.data != NULL && a->array.dtype == b->array.dtype &&
           sco_shape_equal(&a->array.shape, &shape) &&
           sco_slice_equal(a->name, b->name);
}

/* Room for all rows of an output. */
static enum sco_status
open_output(struct sco_v2_output *out, const struct sco_v2_output *piece,
            uint64_t all, struct sco_error *err)
{
    size_t count = all * row_count(&piece->array.shape);
    size_t bytes = sco_dtype_info(piece->array.dtype)->bytes * count;

    *out = *piece;
    out->array.shape.dims[0] = all;
    out->array.strings = NULL;
    out->array.data = (struct sco_slice){ NULL, bytes };
    out->name.data = copy_of(piece->name);
    if (piece->array.dtype == SCO_BYTES) {
        out->array.strings = calloc(count + 1, sizeof(struct sco_slice));
    } else {
        out->array.data.data = calloc(bytes + 1, 1);
    }
    return out->name.data == NULL ||
                   (out->array.strings == NULL && out->array.data.data == NULL)
               ? sco_fail(err, SCO_NOMEM, "no memory for outputs")
               : SCO_OK;
}

static enum sco_status
add_strings(struct sco_v2_output *out, const struct sco_v2_output *piece,
            size_t from, size_t count, struct sco_error *err)
{
    struct sco_slice *strings =
        (struct sco_slice *)(uintptr_t)out->array.strings;

    for (size_t i = 0; i < count; i++) {
        struct sco_slice string = piece->array.strings[i];

        strings[from + i] = (struct sco_slice){ copy_of(string), string.len };
        if (strings[from + i].data == NULL) {
            return sco_fail(err, SCO_NOMEM, "no memory for outputs");
        }
    }
    return SCO_OK;
}

enum sco_status
sco_gathered_add(struct sco_gathered *gathered, uint64_t all, uint64_t from,
                 uint64_t rows, const struct sco_v2_output *outputs,
                 size_t count, struct sco_error *err)
{
    enum sco_status status = SCO_OK;

    if (gathered->outputs == NULL) {
        gathered->outputs = calloc(count + 1, sizeof(*gathered->outputs));
        if (gathered->outputs == NULL) {
            return sco_fail(err, SCO_NOMEM, "no memory for outputs");
        }
        for (size_t i = 0; i < count && status == SCO_OK; i++) {
            status = open_output(&gathered->outputs[i], &outputs[i], all, err);
            gathered->count = i + 1;
        }
    }
    for (size_t i = 0; i < count && status == SCO_OK; i++) {
        struct sco_v2_output *out = &gathered->outputs[i];
        size_t each = row_count(&outputs[i].array.shape);
        size_t size = sco_dtype_info(outputs[i].array.dtype)->bytes * each;

        if (count != gathered->count || !go_together(out, &outputs[i])) {
            return sco_fail(err, SCO_SCRIPT,
                            "run() gave outputs of other shapes for other "
                            "rows of one request");
        }
        if (out->array.strings != NULL) {
            status =
                add_strings(out, &outputs[i], from * each, rows * each, err);
        } else if (size > 0 && out->array.data.data != NULL) {
            memcpy((char *)(uintptr_t)out->array.data.data + from * size,
                   outputs[i].array.data.data, rows * size);
        }
    }
    return status;
}

const struct sco_v2_output *
sco_gathered_outputs(const struct sco_gathered *gathered)
{
    return gathered->outputs;
}

void
sco_gathered_finish(struct sco_gathered *gathered)
{
    for (size_t i = 0; i < gathered->count; i++) {
        struct sco_v2_array *array = &gathered->outputs[i].array;
        size_t count = array->shape.dims[0] * row_count(&array->shape);

        for (size_t k = 0; array->strings != NULL && k < count; k++) {
            free((void *)(uintptr_t)array->strings[k].data);
        }
        free((void *)(uintptr_t)array->strings);
        free((void *)(uintptr_t)array->data.data);
        free((void *)(uintptr_t)gathered->outputs[i].name.data);
    }
    free(gathered->outputs);
    *gathered = (struct sco_gathered){ .count = 0 };
}
