#include "v2/signature.h"

#include "base/text.h"
#include "tensor/json.h"
#include "v2/v2_int.h"

#include <inttypes.h>
#include <stdlib.h>

enum { DEPTH_MAX = 8, LABELS_MAX = 1024 * 1024 };

/* A declaration that is being read. */
struct reading {
    struct sco_json json;
    struct sco_v2_signature made;
    char *strings; /* as long as the JSON, which decodes to no more */
    size_t used;
};

/* What a key of an object does. */
struct known_key {
    struct sco_slice key;
    void (*read)(struct reading *reading, struct sco_v2_tensor *tensor);
};

/* Fails at the value that was just read. */
#define REFUSE(reading, ...)                                           \
    sco_json_refuse(&(reading)->json, SCO_INVALID, (reading)->json.at, \
                    __VA_ARGS__)

/* Reads an object by its keys; one that is not known is refused. */
static void
read_object(struct reading *reading, const struct known_key *known,
            size_t count, struct sco_v2_tensor *tensor)
{
    struct sco_slice key;

    sco_json_enter_object(&reading->json);
    while (sco_json_next_key(&reading->json, &key)) {
        size_t i = 0;

        while (i < count && !sco_slice_equal(key, known[i].key)) {
            i++;
        }
        if (i == count) {
            REFUSE(reading, "the key \"%.*s\" is not known",
                   SCO_V2_SHOWN(key));
            return;
        }
        known[i].read(reading, tensor);
    }
}

/* Takes a string into the signature's memory. */
static struct sco_slice
read_string(struct reading *reading)
{
    struct sco_slice text = sco_json_string(&reading->json);
    struct sco_slice kept = { reading->strings + reading->used, text.len };

    if (!sco_json_is_ok(&reading->json)) {
        return (struct sco_slice){ NULL, 0 };
    }
    if (!sco_is_utf8(text)) {
        REFUSE(reading, "a lone surrogate is no character");
    }
    if (text.len > 0) {
        memcpy(reading->strings + reading->used, text.data, text.len);
    }
    reading->used += text.len;
    return kept;
}

/* Takes a name: of a model, a version, an input, an output. */
static struct sco_slice
read_name(struct reading *reading)
{
    struct sco_slice name = read_string(reading);

    if (sco_json_is_ok(&reading->json) &&
        (name.len == 0 || name.len > SCO_V2_NAME_MAX)) {
        REFUSE(reading, "a name has 1 to %d bytes", SCO_V2_NAME_MAX);
    }
    return name;
}

/* ---- a tensor --------------------------------------------------------- */

static void
read_tensor_name(struct reading *reading, struct sco_v2_tensor *tensor)
{
    tensor->name = read_name(reading);
}

static void
read_datatype(struct reading *reading, struct sco_v2_tensor *tensor)
{
    struct sco_slice name = sco_json_string(&reading->json);

    if (sco_json_is_ok(&reading->json) &&
        !sco_dtype_find(name, &tensor->dtype)) {
        REFUSE(reading,
               "there is no datatype \"%.*s\": they are BOOL, UINT8 to "
               "UINT64, INT8 to INT64, FP16, BF16, FP32, FP64 and BYTES",
               SCO_V2_SHOWN(name));
    }
}

static void
read_shape(struct reading *reading, struct sco_v2_tensor *tensor)
{
    struct sco_shape_declared shape = { .rank = 0 };

    sco_json_enter_array(&reading->json);
    while (sco_json_next_item(&reading->json)) {
        int64_t length = sco_json_int(&reading->json);

        if (shape.rank == SCO_RANK_MAX) {
            REFUSE(reading, "a shape has at most %d dimensions", SCO_RANK_MAX);
            return;
        }
        if (length < SCO_DIM_ANY) {
            REFUSE(reading, "a dimension is a length, or -1 for any");
            return;
        }
        shape.dims[shape.rank++] = length;
    }
    tensor->shape = shape;
}

static void
read_labels(struct reading *reading, struct sco_v2_tensor *tensor)
{
    size_t room = 0;

    tensor->label_count = 0;
    sco_json_enter_array(&reading->json);
    while (sco_json_next_item(&reading->json)) {
        if (tensor->label_count == room) {
            struct sco_slice *grown = NULL;

            room = room == 0 ? 16 : room * 2;
            grown = room <= LABELS_MAX
                        ? realloc(tensor->labels, room * sizeof(*grown))
                        : NULL;
            if (grown == NULL) {
                sco_json_refuse(&reading->json, SCO_NOMEM, reading->json.at,
                                "no memory for so many labels");
                return;
            }
            tensor->labels = grown;
        }
        tensor->labels[tensor->label_count++] = read_string(reading);
    }
}

static void
read_tensor(struct reading *reading, struct sco_v2_tensor *tensor)
{
    static const struct known_key known[] = {
        { SCO_SLICE_INIT("name"), read_tensor_name },
        { SCO_SLICE_INIT("datatype"), read_datatype },
        { SCO_SLICE_INIT("shape"), read_shape },
        { SCO_SLICE_INIT("labels"), read_labels },
    };

    tensor->dtype = SCO_DTYPES;
    tensor->shape.rank = SCO_RANK_MAX + 1;
    read_object(reading, known, sizeof(known) / sizeof(known[0]), tensor);
    if (sco_json_is_ok(&reading->json) &&
        (tensor->name.len == 0 || tensor->dtype == SCO_DTYPES ||
         tensor->shape.rank > SCO_RANK_MAX)) {
        REFUSE(reading, "a tensor needs name, datatype and shape");
    }
}

/* ---- a model ---------------------------------------------------------- */

static void
finish_tensors(struct sco_v2_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(tensors[i].labels);
    }
    free(tensors);
}

/* Reads inputs or outputs, in place of those that a key of the same name
 * gave before. */
static void
read_tensors(struct reading *reading, struct sco_v2_tensor **tensors,
             size_t *count)
{
    finish_tensors(*tensors, *count);
    *count = 0;
    *tensors = calloc(SCO_V2_TENSORS_MAX, sizeof(**tensors));
    if (*tensors == NULL) {
        sco_json_refuse(&reading->json, SCO_NOMEM, reading->json.at,
                        "no memory");
        return;
    }
    sco_json_enter_array(&reading->json);
    while (sco_json_next_item(&reading->json)) {
        if (*count == SCO_V2_TENSORS_MAX) {
            REFUSE(reading, "a model has at most %d of these",
                   SCO_V2_TENSORS_MAX);
            return;
        }
        (*count)++;
        read_tensor(reading, &(*tensors)[*count - 1]);
        if (sco_json_is_ok(&reading->json) &&
            sco_v2_tensor_find(*tensors, *count - 1,
                               (*tensors)[*count - 1].name) < *count - 1) {
            REFUSE(reading, "two tensors are called \"%.*s\"",
                   (int)(*tensors)[*count - 1].name.len,
                   (*tensors)[*count - 1].name.data);
        }
    }
}

static void
read_inputs(struct reading *reading, struct sco_v2_tensor *tensor)
{
    (void)tensor;
    read_tensors(reading, &reading->made.inputs, &reading->made.input_count);
}

static void
read_outputs(struct reading *reading, struct sco_v2_tensor *tensor)
{
    (void)tensor;
    read_tensors(reading, &reading->made.outputs, &reading->made.output_count);
}

static void
read_model_name(struct reading *reading, struct sco_v2_tensor *tensor)
{
    (void)tensor;
    reading->made.name = read_name(reading);
}

static void
read_version(struct reading *reading, struct sco_v2_tensor *tensor)
{
    (void)tensor;
    reading->made.version = read_name(reading);
}

static void
read_max_batch_size(struct reading *reading, struct sco_v2_tensor *tensor)
{
    (void)tensor;
    reading->made.max_batch_size = sco_json_uint(&reading->json);
    if (reading->made.max_batch_size > SCO_V2_BATCH_MAX) {
        REFUSE(reading, "max_batch_size is at most %d", SCO_V2_BATCH_MAX);
    }
}

static void
read_batch(struct reading *reading, struct sco_v2_tensor *tensor)
{
    (void)tensor;
    reading->made.is_batch = sco_json_bool(&reading->json);
}

/* ---- the whole -------------------------------------------------------- */

/* Tensors of a batched model have its rows in front. */
static enum sco_status
check_rows(const struct sco_v2_tensor *tensors, size_t count,
           struct sco_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (tensors[i].shape.rank == 0 ||
            tensors[i].shape.dims[0] != SCO_DIM_ANY) {
            return sco_fail(err, SCO_INVALID,
                            "the shape of \"%.*s\" must begin with -1, which "
                            "stands for the rows of a batch",
                            (int)tensors[i].name.len, tensors[i].name.data);
        }
    }
    return SCO_OK;
}

/* Checks what takes more than one key to see. */
static enum sco_status
check_whole(const struct sco_v2_signature *made, struct sco_error *err)
{
    enum sco_status status = SCO_OK;

    if (made->name.len == 0) {
        return sco_fail(err, SCO_INVALID, "the model has no name");
    }
    if (made->input_count == 0) {
        return sco_fail(err, SCO_INVALID, "the model has no inputs");
    }
    if (made->is_batch && made->max_batch_size == 0) {
        return sco_fail(err, SCO_INVALID,
                        "a model that takes batches needs a max_batch_size "
                        "of 1 or more");
    }
    if (made->max_batch_size > 0) {
        status = check_rows(made->inputs, made->input_count, err);
        if (status == SCO_OK) {
            status = check_rows(made->outputs, made->output_count, err);
        }
    }
    return status;
}

enum sco_status
sco_v2_signature_read(struct sco_slice json, struct sco_v2_signature *out,
                      struct sco_error *err)
{
    static const struct known_key known[] = {
        { SCO_SLICE_INIT("name"), read_model_name },
        { SCO_SLICE_INIT("version"), read_version },
        { SCO_SLICE_INIT("max_batch_size"), read_max_batch_size },
        { SCO_SLICE_INIT("batch"), read_batch },
        { SCO_SLICE_INIT("inputs"), read_inputs },
        { SCO_SLICE_INIT("outputs"), read_outputs },
    };
    struct reading reading = { .made = { .version = SCO_SLICE_INIT("1") } };
    enum sco_status status;

    reading.strings = malloc(json.len > 0 ? json.len : 1);
    if (reading.strings == NULL) {
        return sco_fail(err, SCO_NOMEM, "no memory for a signature");
    }
    reading.made.memory = reading.strings;
    sco_json_begin(&reading.json, json, DEPTH_MAX);
    read_object(&reading, known, sizeof(known) / sizeof(known[0]), NULL);
    sco_json_end(&reading.json);
    status = sco_json_status(&reading.json, err);
    if (status == SCO_OK) {
        status = check_whole(&reading.made, err);
    }
    sco_json_finish(&reading.json);
    if (status == SCO_OK) {
        *out = reading.made;
    } else {
        sco_v2_signature_finish(&reading.made);
    }
    return status;
}

void
sco_v2_signature_finish(struct sco_v2_signature *signature)
{
    finish_tensors(signature->inputs, signature->input_count);
    finish_tensors(signature->outputs, signature->output_count);
    free(signature->memory);
    *signature = (struct sco_v2_signature){ .memory = NULL };
}

size_t
sco_v2_tensor_find(const struct sco_v2_tensor *tensors, size_t count,
                   struct sco_slice name)
{
    size_t i = 0;

    while (i < count && !sco_slice_equal(tensors[i].name, name)) {
        i++;
    }
    return i;
}

enum sco_status
sco_v2_signature_is(const struct sco_v2_signature *signature,
                    struct sco_slice model, struct sco_slice version,
                    struct sco_error *err)
{
    if (!sco_slice_equal(model, signature->name)) {
        return sco_fail(err, SCO_NOT_FOUND,
                        "there is no model \"%.*s\"; there is \"%.*s\"",
                        SCO_V2_SHOWN(model), SCO_V2_SHOWN(signature->name));
    }
    if (version.len > 0 && !sco_slice_equal(version, signature->version)) {
        return sco_fail(err, SCO_NOT_FOUND,
                        "model \"%.*s\" has no version \"%.*s\"; it has "
                        "\"%.*s\"",
                        SCO_V2_SHOWN(model), SCO_V2_SHOWN(version),
                        SCO_V2_SHOWN(signature->version));
    }
    return SCO_OK;
}
