/* Design notes
 *
 * One pass over the JSON takes every input apart into where its pieces stand
 * (struct raw_input); keys may come in any order, and of two that are the
 * same the last one counts, as in Python. The data of an input are not even
 * looked at there, only how far they reach (sco_v2_skip_array): they are read
 * once, when they are decoded, and found bad then. Binary data are handed out
 * in the order of the inputs in the JSON, as the last step.
 */
#include "v2/request.h"

#include "tensor/json.h"
#include "v2/array.h"
#include "v2/skip.h"
#include "v2/v2_int.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    DEPTH_MAX = 64,
    NAMES_BYTES = SCO_V2_TENSORS_MAX * SCO_V2_NAME_MAX,
    PARAMETERS_KEPT_BYTES = 4096,
};

/* What an input's object says, before it is believed. */
struct raw_input {
    char name[SCO_V2_NAME_MAX];
    size_t name_len;
    bool has_name, has_datatype, has_shape, has_data, has_binary_size;
    bool is_dtype_known;
    enum sco_dtype dtype;
    struct sco_shape shape;
    struct sco_slice data;
    uint64_t binary_bytes;
};

/* A request that is being read. */
struct reading {
    struct sco_v2_request *request;
    struct sco_json json;
    struct sco_slice binary; /* what is left of it */
    bool has_binary;         /* the client said so */
    bool has_inputs;
};

#define REFUSE(reading, ...)                                           \
    sco_json_refuse(&(reading)->json, SCO_INVALID, (reading)->json.at, \
                    __VA_ARGS__)

/* Takes a null, which stands for a key that is not there. */
static bool
take_null(struct reading *reading)
{
    if (sco_json_peek(&reading->json) != SCO_JSON_NULL) {
        return false;
    }
    (void)sco_json_skip(&reading->json);
    return true;
}

/* Copies a name to where it lasts. */
static size_t
take_name(struct reading *reading, char room[SCO_V2_NAME_MAX])
{
    struct sco_slice name = sco_json_string(&reading->json);

    if (name.len > SCO_V2_NAME_MAX) {
        REFUSE(reading, "a name has at most %d bytes", SCO_V2_NAME_MAX);
        return 0;
    }
    if (name.len > 0) {
        memcpy(room, name.data, name.len);
    }
    return name.len;
}

/* ---- an input --------------------------------------------------------- */

static void
read_shape(struct reading *reading, struct raw_input *raw)
{
    raw->has_shape = true;
    raw->shape.rank = 0;
    sco_json_enter_array(&reading->json);
    while (sco_json_next_item(&reading->json)) {
        int64_t length = sco_json_int(&reading->json);

        if (length < 0) {
            REFUSE(reading, "a shape has the negative dimension %" PRId64,
                   length);
        } else if (raw->shape.rank == SCO_RANK_MAX) {
            REFUSE(reading, "a shape has at most %d dimensions", SCO_RANK_MAX);
        } else {
            raw->shape.dims[raw->shape.rank++] = (uint64_t)length;
        }
    }
}

/* The parameters of an input: one of them is the protocol's. */
static void
read_input_parameters(struct reading *reading, struct raw_input *raw)
{
    struct sco_slice key;

    if (take_null(reading)) {
        return;
    }
    sco_json_enter_object(&reading->json);
    while (sco_json_next_key(&reading->json, &key)) {
        if (sco_slice_equal(key, SCO_SLICE("binary_data_size"))) {
            raw->binary_bytes = sco_json_uint(&reading->json);
            raw->has_binary_size = true;
        } else if (key.len >= 13 &&
                   memcmp(key.data, "shared_memory", 13) == 0) {
            REFUSE(reading, "shared memory is not supported: send the data "
                            "in the body");
        } else {
            (void)sco_json_skip(&reading->json);
        }
    }
}

static void
read_input_key(struct reading *reading, struct sco_slice key,
               struct raw_input *raw)
{
    struct sco_json *json = &reading->json;

    if (sco_slice_equal(key, SCO_SLICE("name"))) {
        raw->name_len = take_name(reading, raw->name);
        raw->has_name = true;
    } else if (sco_slice_equal(key, SCO_SLICE("datatype"))) {
        raw->is_dtype_known =
            sco_dtype_find(sco_json_string(json), &raw->dtype);
        raw->has_datatype = true;
    } else if (sco_slice_equal(key, SCO_SLICE("shape"))) {
        read_shape(reading, raw);
    } else if (sco_slice_equal(key, SCO_SLICE("parameters"))) {
        read_input_parameters(reading, raw);
    } else if (!sco_slice_equal(key, SCO_SLICE("data"))) {
        (void)sco_json_skip(json);
    } else if (!take_null(reading)) {
        raw->has_data = sco_json_peek(json) == SCO_JSON_ARRAY;
        if (raw->has_data) {
            raw->data = sco_v2_skip_array(json);
        } else {
            REFUSE(reading, "data is an array, flat or nested");
        }
    }
}

/* Takes an input's part of the binary data. */
static void
take_binary(struct reading *reading, const struct raw_input *raw,
            struct sco_v2_input *input)
{
    struct sco_slice name = { raw->name, raw->name_len };

    if (!reading->has_binary) {
        REFUSE(reading,
               "input \"%.*s\" has a binary_data_size, and the request no "
               "field Inference-Header-Content-Length",
               SCO_V2_SHOWN(name));
    } else if (raw->has_data) {
        REFUSE(reading, "input \"%.*s\" has both data and binary_data_size",
               SCO_V2_SHOWN(name));
    } else if (raw->binary_bytes > reading->binary.len) {
        REFUSE(reading,
               "input \"%.*s\" has a binary_data_size of %" PRIu64
               ", and %zu bytes are left in the body",
               SCO_V2_SHOWN(name), raw->binary_bytes, reading->binary.len);
    } else {
        input->data = (struct sco_slice){ reading->binary.data,
                                          (size_t)raw->binary_bytes };
        reading->binary.data += raw->binary_bytes;
        reading->binary.len -= (size_t)raw->binary_bytes;
    }
}

/* The input that is meant, or NULL when it is none. */
static struct sco_v2_input *
find_input(struct reading *reading, const struct raw_input *raw)
{
    const struct sco_v2_signature *signature = reading->request->signature;
    struct sco_slice name = { raw->name, raw->name_len };
    size_t at =
        sco_v2_tensor_find(signature->inputs, signature->input_count, name);

    if (!raw->has_name) {
        REFUSE(reading, "an input has no name");
        return NULL;
    }
    if (at == signature->input_count) {
        REFUSE(reading, "model \"%.*s\" has no input \"%.*s\"",
               SCO_V2_SHOWN(signature->name), SCO_V2_SHOWN(name));
        return NULL;
    }
    if (reading->request->inputs[at].is_given) {
        REFUSE(reading, "input \"%.*s\" comes twice", SCO_V2_SHOWN(name));
        return NULL;
    }
    return &reading->request->inputs[at];
}

/* Believes what an input's object said, as far as the JSON alone tells. */
static void
accept_input(struct reading *reading, const struct raw_input *raw)
{
    struct sco_v2_input *input = find_input(reading, raw);
    struct sco_slice name = { raw->name, raw->name_len };

    if (input == NULL) {
        return;
    }
    if (!raw->has_shape || !raw->has_datatype) {
        REFUSE(reading, "input \"%.*s\" has no %s", SCO_V2_SHOWN(name),
               raw->has_shape ? "datatype" : "shape");
    } else if (!raw->is_dtype_known || raw->dtype != input->declared->dtype) {
        REFUSE(reading, "input \"%.*s\" is %s, and the model takes %s",
               SCO_V2_SHOWN(name),
               raw->is_dtype_known ? sco_dtype_info(raw->dtype)->name
                                   : "of no known datatype",
               sco_dtype_info(input->declared->dtype)->name);
    } else if (!raw->has_data && !raw->has_binary_size) {
        REFUSE(reading, "input \"%.*s\" has no data", SCO_V2_SHOWN(name));
    }
    input->is_given = true;
    input->is_binary = raw->has_binary_size;
    input->shape = raw->shape;
    input->data = raw->data;
    if (raw->has_binary_size) {
        take_binary(reading, raw, input);
    }
}

static void
forget_inputs(struct reading *reading)
{
    struct sco_v2_request *request = reading->request;

    for (size_t i = 0; i < request->signature->input_count; i++) {
        request->inputs[i] = (struct sco_v2_input){
            .declared = &request->signature->inputs[i],
        };
    }
}

static void
read_inputs(struct reading *reading)
{
    struct sco_slice key;

    if (reading->has_inputs) {
        REFUSE(reading, "inputs come twice");
    }
    reading->has_inputs = true;
    sco_json_enter_array(&reading->json);
    while (sco_json_next_item(&reading->json)) {
        struct raw_input raw;

        /* The name's room need not be cleared. */
        memset(&raw.name_len, 0,
               sizeof(raw) - offsetof(struct raw_input, name_len));
        sco_json_enter_object(&reading->json);
        while (sco_json_next_key(&reading->json, &key)) {
            read_input_key(reading, key, &raw);
        }
        if (sco_json_is_ok(&reading->json)) {
            accept_input(reading, &raw);
        }
    }
}

/* ---- outputs ---------------------------------------------------------- */

/* A name of an output: the declared one, or a copy of the client's. */
static struct sco_slice
keep_output_name(struct reading *reading, struct sco_slice name)
{
    struct sco_v2_request *request = reading->request;
    const struct sco_v2_signature *signature = request->signature;
    size_t at =
        sco_v2_tensor_find(signature->outputs, signature->output_count, name);
    char *room = request->names + request->names_used;

    if (at < signature->output_count) {
        return signature->outputs[at].name;
    }
    if (signature->output_count > 0) {
        REFUSE(reading, "model \"%.*s\" has no output \"%.*s\"",
               SCO_V2_SHOWN(signature->name), SCO_V2_SHOWN(name));
    } else if (name.len == 0 || name.len > NAMES_BYTES - request->names_used) {
        REFUSE(reading, "an output has no name, or too long a one");
    } else {
        memcpy(room, name.data, name.len);
        request->names_used += name.len;
        name.data = room;
    }
    return name;
}

static void
read_output_parameters(struct reading *reading, struct sco_v2_wish *wish)
{
    struct sco_slice key;

    if (take_null(reading)) {
        return;
    }
    sco_json_enter_object(&reading->json);
    while (sco_json_next_key(&reading->json, &key)) {
        if (sco_slice_equal(key, SCO_SLICE("binary_data"))) {
            wish->is_binary = sco_json_bool(&reading->json);
        } else if (sco_slice_equal(key, SCO_SLICE("classification"))) {
            wish->classes = sco_json_uint(&reading->json);
        } else if (key.len >= 13 &&
                   memcmp(key.data, "shared_memory", 13) == 0) {
            REFUSE(reading, "shared memory is not supported: leave it out, "
                            "and the data come in the body");
        } else {
            (void)sco_json_skip(&reading->json);
        }
    }
}

/* Reads one output into the next place; `is_binary` is set already as the
 * whole request wants it. */
static void
read_output(struct reading *reading)
{
    struct sco_v2_request *request = reading->request;
    struct sco_v2_wish *wish = &request->wishes[request->wish_count];
    struct sco_slice key;

    sco_json_enter_object(&reading->json);
    while (sco_json_next_key(&reading->json, &key)) {
        if (sco_slice_equal(key, SCO_SLICE("name"))) {
            struct sco_slice name = sco_json_string(&reading->json);

            if (sco_json_is_ok(&reading->json)) {
                wish->name = keep_output_name(reading, name);
            }
        } else if (sco_slice_equal(key, SCO_SLICE("parameters"))) {
            read_output_parameters(reading, wish);
        } else {
            (void)sco_json_skip(&reading->json);
        }
    }
    if (wish->name.len == 0) {
        REFUSE(reading, "an output has no name");
    }
    for (size_t i = 0; i < request->wish_count; i++) {
        if (sco_slice_equal(request->wishes[i].name, wish->name)) {
            REFUSE(reading, "output \"%.*s\" is asked for twice",
                   SCO_V2_SHOWN(wish->name));
        }
    }
}

/* Reads `outputs`, of which the whole is known, and binary_data_output too:
 * that is what an output is that does not say so itself. */
static void
read_outputs(struct reading *reading)
{
    struct sco_v2_request *request = reading->request;

    sco_json_enter_array(&reading->json);
    while (sco_json_next_item(&reading->json)) {
        if (request->wish_count == SCO_V2_TENSORS_MAX) {
            REFUSE(reading, "at most %d outputs can be asked for",
                   SCO_V2_TENSORS_MAX);
            return;
        }
        request->wishes[request->wish_count] =
            (struct sco_v2_wish){ .is_binary = request->wants_binary };
        read_output(reading);
        request->wish_count++;
    }
}

/* Checks what a client wants of an output against what the model gives. */
static enum sco_status
check_wish(const struct sco_v2_request *request,
           const struct sco_v2_tensor *output, const struct sco_v2_wish *wish,
           struct sco_error *err)
{
    if (wish->classes > request->limits.elements) {
        return sco_fail(err, SCO_TOO_LARGE,
                        "output \"%.*s\": a classification of more than "
                        "%" PRIu64,
                        SCO_V2_SHOWN(output->name), request->limits.elements);
    }
    if (wish->classes > 0 &&
        (output->dtype == SCO_BYTES || output->dtype == SCO_BOOL)) {
        return sco_fail(err, SCO_INVALID,
                        "output \"%.*s\" is %s: there is no classification "
                        "of it",
                        SCO_V2_SHOWN(output->name),
                        sco_dtype_info(output->dtype)->name);
    }
    if (output->dtype == SCO_BF16 && !wish->is_binary && wish->classes == 0) {
        return sco_fail(err, SCO_INVALID,
                        "output \"%.*s\" is BF16, which has no form in JSON: "
                        "ask for it with binary_data",
                        SCO_V2_SHOWN(output->name));
    }
    return SCO_OK;
}

/* The same for all that will be given. */
static enum sco_status
check_wishes(const struct sco_v2_request *request, struct sco_error *err)
{
    const struct sco_v2_signature *signature = request->signature;
    enum sco_status status = SCO_OK;

    for (size_t i = 0; i < signature->output_count && status == SCO_OK; i++) {
        const struct sco_v2_tensor *output = &signature->outputs[i];
        struct sco_v2_wish all = { .is_binary = request->wants_binary };

        if (request->wish_count == 0) {
            status = check_wish(request, output, &all, err);
        }
        for (size_t k = 0; k < request->wish_count && status == SCO_OK; k++) {
            if (sco_slice_equal(request->wishes[k].name, output->name)) {
                status = check_wish(request, output, &request->wishes[k], err);
            }
        }
    }
    return status;
}

/* ---- the request ------------------------------------------------------ */

/* Keeps the parameters that are not the protocol's own. */
static void
read_parameters(struct reading *reading)
{
    struct sco_text *kept = &reading->request->parameters;
    struct sco_slice key;

    sco_text_clear(kept);
    reading->request->wants_binary = false;
    if (take_null(reading)) {
        return;
    }
    sco_json_enter_object(&reading->json);
    while (sco_json_next_key(&reading->json, &key)) {
        struct sco_slice value;

        if (sco_slice_equal(key, SCO_SLICE("binary_data_output"))) {
            reading->request->wants_binary = sco_json_bool(&reading->json);
            continue;
        }
        sco_text_add_char(kept, kept->len == 0 ? '{' : ',');
        sco_text_add_json(kept, key);
        value = sco_json_skip(&reading->json);
        if (!sco_is_utf8(value)) {
            REFUSE(reading, "a parameter is not UTF-8");
        }
        sco_text_add_char(kept, ':');
        sco_text_add(kept, value);
    }
    if (kept->len > 0) {
        sco_text_add_char(kept, '}');
    }
}

static void
read_id(struct reading *reading)
{
    struct sco_v2_request *request = reading->request;

    request->id = (struct sco_slice){ NULL, 0 };
    if (take_null(reading)) {
        return;
    }
    if (sco_json_peek(&reading->json) != SCO_JSON_STRING) {
        REFUSE(reading, "an id is a string");
        return;
    }
    request->id = sco_json_skip(&reading->json);
    if (!sco_is_utf8(request->id)) {
        REFUSE(reading, "the id is not UTF-8");
    }
}

/* Reads the whole JSON. Outputs wait to the end, since parameters, which may
 * stand behind them, say what they are by default. */
static void
read_body(struct reading *reading)
{
    struct sco_json *json = &reading->json;
    struct sco_slice key;
    size_t outputs_at = 0, end;

    sco_json_enter_object(json);
    while (sco_json_next_key(json, &key)) {
        if (sco_slice_equal(key, SCO_SLICE("inputs"))) {
            read_inputs(reading);
        } else if (sco_slice_equal(key, SCO_SLICE("id"))) {
            read_id(reading);
        } else if (sco_slice_equal(key, SCO_SLICE("parameters"))) {
            read_parameters(reading);
        } else if (sco_slice_equal(key, SCO_SLICE("outputs"))) {
            bool is_null = sco_json_peek(json) == SCO_JSON_NULL;

            outputs_at = is_null ? 0 : json->at;
            (void)sco_json_skip(json);
        } else {
            (void)sco_json_skip(json);
        }
    }
    sco_json_end(json);
    end = json->at;
    if (outputs_at > 0 && sco_json_is_ok(json)) {
        json->at = outputs_at;
        json->depth = 1;
        read_outputs(reading);
        json->at = end;
    }
}

/* All inputs of a batched model have as many rows. */
static enum sco_status
check_rows(struct sco_v2_request *request, struct sco_error *err)
{
    const struct sco_v2_input *first = &request->inputs[0];
    uint64_t rows = first->shape.dims[0];

    if (rows == 0) {
        return sco_fail(err, SCO_INVALID,
                        "input \"%.*s\" has no rows; a batch has one or more",
                        SCO_V2_SHOWN(first->declared->name));
    }
    for (size_t i = 1; i < request->signature->input_count; i++) {
        const struct sco_v2_input *input = &request->inputs[i];

        if (input->shape.dims[0] != rows) {
            return sco_fail(err, SCO_INVALID,
                            "input \"%.*s\" has %" PRIu64
                            " rows, and input \"%.*s\" has %" PRIu64,
                            SCO_V2_SHOWN(first->declared->name), rows,
                            SCO_V2_SHOWN(input->declared->name),
                            input->shape.dims[0]);
        }
    }
    if (request->limits.rows > 0 && rows > request->limits.rows) {
        return sco_fail(err, SCO_TOO_LARGE,
                        "a request of %" PRIu64 " rows; the limit is %" PRIu64,
                        rows, request->limits.rows);
    }
    request->rows = rows;
    return SCO_OK;
}

/* Checks what takes the whole request to see. */
static enum sco_status
check_inputs(struct sco_v2_request *request, struct sco_error *err)
{
    const struct sco_v2_signature *signature = request->signature;
    enum sco_status status = SCO_OK;

    for (size_t i = 0; i < signature->input_count && status == SCO_OK; i++) {
        if (!request->inputs[i].is_given) {
            return sco_fail(err, SCO_INVALID,
                            "input \"%.*s\" is missing: the model takes %zu",
                            SCO_V2_SHOWN(signature->inputs[i].name),
                            signature->input_count);
        }
        status = sco_v2_input_check(&request->inputs[i],
                                    request->limits.elements, err);
    }
    request->rows = 1;
    if (status == SCO_OK && signature->max_batch_size > 0) {
        status = check_rows(request, err);
    }
    return status;
}

/* How much of a body is JSON. */
static enum sco_status
find_json(struct sco_slice body, struct sco_slice field,
          struct sco_slice *json_out, struct sco_slice *binary_out,
          struct sco_error *err)
{
    size_t length = 0;

    if (field.len == 0) {
        *json_out = body;
        *binary_out = (struct sco_slice){ NULL, 0 };
        return SCO_OK;
    }
    for (size_t i = 0; i < field.len; i++) {
        char digit = field.data[i];

        if (digit < '0' || digit > '9') {
            return sco_fail(err, SCO_INVALID,
                            "Inference-Header-Content-Length is a number of "
                            "bytes, and not \"%.*s\"",
                            SCO_V2_SHOWN(field));
        }
        if (length <= body.len) {
            length = length * 10 + (size_t)(digit - '0');
        }
    }
    if (length > body.len) {
        return sco_fail(err, SCO_INVALID,
                        "Inference-Header-Content-Length is %.*s, and the "
                        "body has %zu bytes",
                        SCO_V2_SHOWN(field), body.len);
    }
    *json_out = (struct sco_slice){ body.data, length };
    *binary_out = (struct sco_slice){ body.data + length, body.len - length };
    return SCO_OK;
}

/* What the JSON was, and what it left over. */
static enum sco_status
check_reading(const struct reading *reading, struct sco_error *err)
{
    enum sco_status status = sco_json_status(&reading->json, err);

    if (status != SCO_OK) {
        return status;
    }
    if (reading->request->parameters.failed) {
        return sco_fail(err, SCO_NOMEM, "no memory for parameters");
    }
    if (!reading->has_inputs) {
        return sco_fail(err, SCO_INVALID,
                        "an infer request is an object with inputs, a list");
    }
    if (reading->binary.len > 0) {
        return sco_fail(err, SCO_INVALID,
                        "%zu bytes of binary data are left over behind those "
                        "of the inputs",
                        reading->binary.len);
    }
    return SCO_OK;
}

static void
forget(struct reading *reading)
{
    struct sco_v2_request *request = reading->request;

    sco_text_clear_to(&request->parameters, PARAMETERS_KEPT_BYTES);
    request->id = (struct sco_slice){ NULL, 0 };
    request->wants_binary = false;
    request->wish_count = 0;
    request->names_used = 0;
    request->rows = 0;
    forget_inputs(reading);
}

enum sco_status
sco_v2_request_read(struct sco_v2_request *request, struct sco_slice body,
                    struct sco_slice json_length_field, struct sco_error *err)
{
    struct reading reading = { .request = request };
    struct sco_slice text = SCO_SLICE("");
    enum sco_status status;

    forget(&reading);
    if (body.len > request->limits.body_bytes) {
        return sco_fail(err, SCO_TOO_LARGE,
                        "a body of %zu bytes; the limit is %" PRIu64, body.len,
                        request->limits.body_bytes);
    }
    status = find_json(body, json_length_field, &text, &reading.binary, err);
    if (status != SCO_OK) {
        return status;
    }
    reading.has_binary = json_length_field.len > 0;
    sco_json_begin(&reading.json, text, DEPTH_MAX);
    read_body(&reading);
    status = check_reading(&reading, err);
    sco_json_finish(&reading.json);
    if (status == SCO_OK) {
        status = check_inputs(request, err);
    }
    if (status == SCO_OK) {
        status = check_wishes(request, err);
    }
    return status;
}

void
sco_v2_request_begin(struct sco_v2_request *request)
{
    struct reading reading = { .request = request };

    forget(&reading);
}

enum sco_status
sco_v2_request_check(struct sco_v2_request *request, struct sco_error *err)
{
    return check_inputs(request, err);
}

enum sco_status
sco_v2_request_take(struct sco_v2_request *request,
                    const struct sco_v2_array *array, struct sco_error *err)
{
    struct reading reading = { .request = request };
    struct sco_v2_input *input = &request->inputs[0];

    forget(&reading);
    if (request->signature->input_count != 1) {
        return sco_fail(err, SCO_INVALID,
                        "the model takes %zu inputs, and this is one: send "
                        "JSON, or /v2's binary data",
                        request->signature->input_count);
    }
    if (array->dtype != input->declared->dtype) {
        return sco_fail(err, SCO_INVALID,
                        "the tensor is %s, and the model takes %s",
                        sco_dtype_info(array->dtype)->name,
                        sco_dtype_info(input->declared->dtype)->name);
    }
    input->is_given = true;
    input->is_binary = true;
    input->shape = array->shape;
    input->data = array->data;
    return check_inputs(request, err);
}

/* ---- made and ended --------------------------------------------------- */

enum sco_status
sco_v2_request_init(struct sco_v2_request *request,
                    const struct sco_v2_signature *signature,
                    const struct sco_v2_limits *limits, struct sco_error *err)
{
    struct sco_v2_request made = { .signature = signature, .limits = *limits };
    struct reading reading = { .request = &made };

    made.inputs = calloc(signature->input_count, sizeof(*made.inputs));
    made.wishes = calloc(SCO_V2_TENSORS_MAX, sizeof(*made.wishes));
    made.names = malloc(signature->output_count > 0 ? 1 : NAMES_BYTES);
    if (made.inputs == NULL || made.wishes == NULL || made.names == NULL) {
        sco_v2_request_finish(&made);
        return sco_fail(err, SCO_NOMEM, "no memory for a request");
    }
    forget(&reading);
    *request = made;
    return SCO_OK;
}

void
sco_v2_request_finish(struct sco_v2_request *request)
{
    free(request->inputs);
    free(request->wishes);
    free(request->names);
    sco_text_finish(&request->parameters);
    *request = (struct sco_v2_request){ .signature = NULL };
}
