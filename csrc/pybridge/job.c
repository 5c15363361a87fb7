#include "pybridge/job.h"

#include "link/head.h"
#include "tensor/json.h"
#include "tensor/numbers.h"
#include "v2/npy.h"
#include "v2/raw.h"

#include <stdlib.h>
#include <string.h>

/* The fields of a request that say what its body is. */
struct body_fields {
    struct sco_slice type, json_length, datatype, shape, coding;
};

enum sco_status
sco_job_init(struct sco_job *job, const struct sco_v2_signature *signature,
             struct sco_error *err)
{
    const struct sco_v2_limits limits = { .body_bytes = UINT64_MAX,
                                          .elements = SCO_V2_ELEMENTS };
    enum sco_status status;

    *job = (struct sco_job){ .is_infer = false };
    status = sco_v2_request_init(&job->request, signature, &limits, err);
    if (status != SCO_OK) {
        return status;
    }
    job->decoded = calloc(signature->input_count, sizeof(*job->decoded));
    if (job->decoded == NULL) {
        sco_v2_request_finish(&job->request);
        return sco_fail(err, SCO_NOMEM, "no memory for a request");
    }
    return SCO_OK;
}

void
sco_job_finish(struct sco_job *job)
{
    if (job->decoded != NULL) {
        sco_job_clear(job);
        free(job->decoded);
        sco_v2_request_finish(&job->request);
        job->decoded = NULL;
    }
}

void
sco_job_clear(struct sco_job *job)
{
    for (size_t i = 0; i < job->request.signature->input_count; i++) {
        sco_memory_unref(job->decoded[i]);
        job->decoded[i] = NULL;
    }
    sco_memory_unref(job->unpacked);
    job->unpacked = NULL;
    sco_v2_request_begin(&job->request);
}

/* ---- what the body is ------------------------------------------------- */

static void
read_fields(struct sco_slice block, struct body_fields *out)
{
    const struct {
        struct sco_slice name;
        struct sco_slice *into;
    } wanted[] = {
        { SCO_SLICE("content-type"), &out->type },
        { SCO_SLICE("inference-header-content-length"), &out->json_length },
        { SCO_SLICE("tensor-datatype"), &out->datatype },
        { SCO_SLICE("tensor-shape"), &out->shape },
        { SCO_SLICE("content-encoding"), &out->coding },
    };
    struct sco_reader in = sco_reader_of(block);
    struct sco_slice name, value;
    struct sco_call_head head;
    size_t count = 0;

    if (sco_head_read(&in, &head) != SCO_OK ||
        sco_fields_read_count(&in, &count) != SCO_OK) {
        return;
    }
    while (count-- > 0 && sco_fields_read(&in, &name, &value) == SCO_OK) {
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            if (sco_slice_equal_nocase(name, wanted[i].name)) {
                *wanted[i].into = wanted[i].into->data == NULL
                                      ? value
                                      : SCO_SLICE("(several)");
            }
        }
    }
}

/* A media type, whatever parameters it has. */
static bool
is_type(struct sco_slice field, struct sco_slice type)
{
    return field.len >= type.len &&
           sco_slice_equal_nocase((struct sco_slice){ field.data, type.len },
                                  type) &&
           (field.len == type.len || strchr("; \t", field.data[type.len]));
}

/* ---- arguments in JSON ------------------------------------------------ */

/* Numbers that are pulled to memory of the shelf. */
struct pull {
    struct sco_numbers_out out; /* first: it is its pull */
    struct sco_memory_shelf *shelf;
    struct sco_memory *memory;
};

static bool
grow_pull(struct sco_numbers_out *out)
{
    struct pull *pull = (struct pull *)(void *)out;
    struct sco_memory *larger;

    if (pull->memory->room > SIZE_MAX / 4) {
        return false;
    }
    larger = sco_memory_grow(pull->shelf, pull->memory, out->used_bytes,
                             pull->memory->room * 2);
    if (larger == NULL) {
        return false;
    }
    pull->memory = larger;
    out->data = larger->data;
    out->room_bytes = larger->room;
    return true;
}

static void
read_numbers(struct sco_job *job, struct sco_memory_shelf *shelf, size_t i,
             struct sco_json *json)
{
    struct sco_v2_input *input = &job->request.inputs[i];
    enum sco_dtype dtype = job->request.signature->inputs[i].dtype;
    struct pull pull = { .shelf = shelf };
    enum sco_status status;

    pull.memory = sco_memory_take(shelf, json->text.len - json->at);
    if (pull.memory == NULL) {
        sco_json_refuse(json, SCO_NOMEM, json->at, "no memory for a tensor");
        return;
    }
    pull.out = (struct sco_numbers_out){ .data = pull.memory->data,
                                         .room_bytes = pull.memory->room,
                                         .grow = grow_pull };
    status = sco_numbers_pull(json, dtype, job->request.limits.elements,
                              &pull.out, &input->shape);
    sco_memory_unref(job->decoded[i]);
    job->decoded[i] = pull.memory;
    if (status != SCO_OK) {
        return;
    }
    input->is_given = true;
    input->is_binary = true;
    input->data = (struct sco_slice){ pull.memory->data, pull.out.used_bytes };
}

/* The shape of lists of strings, by the first of each; decoding finds those
 * that are of another length. */
static void
shape_of_strings(struct sco_json *json, struct sco_shape *shape)
{
    unsigned depth = shape->rank;
    uint64_t count = 0;

    if (sco_json_peek(json) != SCO_JSON_ARRAY || depth == SCO_RANK_MAX) {
        (void)sco_json_skip(json);
        return;
    }
    shape->rank++;
    sco_json_enter_array(json);
    while (sco_json_next_item(json)) {
        if (count++ == 0) {
            shape_of_strings(json, shape);
        } else {
            (void)sco_json_skip(json);
        }
    }
    shape->dims[depth] = count;
}

static void
read_strings(struct sco_job *job, size_t i, struct sco_json *json)
{
    struct sco_v2_input *input = &job->request.inputs[i];
    struct sco_json again;

    input->data = sco_json_skip(json);
    if (!sco_json_is_ok(json)) {
        return;
    }
    input->is_given = true;
    input->is_binary = false;
    input->shape.rank = 0;
    sco_json_begin(&again, input->data, SCO_JSON_DEPTH_MAX);
    shape_of_strings(&again, &input->shape);
    sco_json_finish(&again);
}

static void
read_argument(struct sco_job *job, struct sco_memory_shelf *shelf,
              struct sco_json *json, struct sco_slice key)
{
    const struct sco_v2_signature *signature = job->request.signature;
    size_t i =
        sco_v2_tensor_find(signature->inputs, signature->input_count, key);

    if (i == signature->input_count) {
        sco_json_refuse(json, SCO_INVALID, json->at,
                        "run() has no argument \"%.*s\"",
                        (int)(key.len < 64 ? key.len : 64), key.data);
    } else if (signature->inputs[i].dtype == SCO_BYTES) {
        read_strings(job, i, json);
    } else {
        read_numbers(job, shelf, i, json);
    }
}

static enum sco_status
read_arguments(struct sco_job *job, struct sco_memory_shelf *shelf,
               struct sco_error *err)
{
    enum sco_status status;
    struct sco_json json;
    struct sco_slice key;

    sco_v2_request_begin(&job->request);
    sco_json_begin(&json, job->call.body, SCO_JSON_DEPTH_MAX);
    sco_json_enter_object(&json);
    while (sco_json_next_key(&json, &key)) {
        read_argument(job, shelf, &json, key);
    }
    sco_json_end(&json);
    status = sco_json_status(&json, err);
    sco_json_finish(&json);
    return status == SCO_OK ? sco_v2_request_check(&job->request, err)
                            : status;
}

/* ---- the other forms -------------------------------------------------- */

static enum sco_status
read_array(struct sco_job *job, const struct body_fields *fields, bool is_npy,
           struct sco_error *err)
{
    struct sco_slice body = job->call.body;
    struct sco_v2_array array;
    enum sco_status status =
        is_npy
            ? sco_v2_npy_read(body, &array, err)
            : sco_v2_raw_read(fields->datatype, fields->shape, body,
                              &job->request.signature->inputs[0], &array, err);

    return status == SCO_OK ? sco_v2_request_take(&job->request, &array, err)
                            : status;
}

/* Whether the body is still packed. In what, the host has looked at, too. */
static bool
is_packed(struct sco_job *job, struct sco_slice field)
{
    job->coding = SCO_V2_AS_IT_IS;
    (void)sco_v2_coding_find(field, &job->coding);
    return job->is_infer && job->unpacked == NULL &&
           job->coding != SCO_V2_AS_IT_IS;
}

static enum sco_status
read_body(struct sco_job *job, struct sco_memory_shelf *shelf,
          struct sco_error *err)
{
    struct body_fields fields = { .type = { NULL, 0 } };
    bool is_raw, is_npy;

    read_fields(job->call.head, &fields);
    if (is_packed(job, fields.coding)) {
        return sco_fail(err, SCO_UNSUPPORTED, "the body is packed");
    }
    is_npy = is_type(fields.type, SCO_SLICE("application/x-npy"));
    is_raw = is_type(fields.type, SCO_SLICE("application/octet-stream")) &&
             fields.json_length.len == 0;
    if (is_npy || is_raw) {
        return read_array(job, &fields, is_npy, err);
    }
    return job->is_infer ? sco_v2_request_read(&job->request, job->call.body,
                                               fields.json_length, err)
                         : read_arguments(job, shelf, err);
}

/* ---- decoding --------------------------------------------------------- */

/* Decodes elements of BYTES to memory of their own. */
static enum sco_status
decode_strings(struct sco_job *job, struct sco_memory_shelf *shelf, size_t i,
               struct sco_error *err)
{
    struct sco_v2_input *input = &job->request.inputs[i];
    size_t ends_bytes = input->count * sizeof(size_t);
    size_t bytes = sco_v2_input_bytes(input);
    struct sco_v2_strings strings = { .count_room = input->count,
                                      .bytes_room = bytes };
    enum sco_status status;

    job->decoded[i] = sco_memory_take(shelf, ends_bytes + bytes);
    if (job->decoded[i] == NULL) {
        return sco_fail(err, SCO_NOMEM, "no memory for a tensor");
    }
    strings.ends = (size_t *)(void *)job->decoded[i]->data;
    strings.bytes = job->decoded[i]->data + ends_bytes;
    status = sco_v2_input_strings(input, &strings, err);
    return status;
}

/* Decodes all numbers of an input to memory of their own. */
static enum sco_status
decode_numbers(struct sco_job *job, struct sco_memory_shelf *shelf, size_t i,
               struct sco_error *err)
{
    struct sco_v2_input *input = &job->request.inputs[i];
    size_t bytes = sco_v2_input_bytes(input);
    struct sco_memory *memory = sco_memory_take(shelf, bytes);
    enum sco_status status;

    if (memory == NULL) {
        return sco_fail(err, SCO_NOMEM, "no memory for a tensor");
    }
    status = sco_v2_input_decode(input, memory->data, err);
    if (status != SCO_OK) {
        sco_memory_unref(memory);
        return status;
    }
    job->decoded[i] = memory;
    input->is_binary = true;
    input->data = (struct sco_slice){ memory->data, bytes };
    return SCO_OK;
}

static enum sco_status
read_call(struct sco_job *job, struct sco_memory_shelf *shelf,
          struct sco_error *err)
{
    const struct sco_v2_signature *signature = job->request.signature;
    enum sco_status status = read_body(job, shelf, err);

    for (size_t i = 0; i < signature->input_count && status == SCO_OK; i++) {
        if (signature->inputs[i].dtype == SCO_BYTES) {
            status = decode_strings(job, shelf, i, err);
        }
    }
    return status;
}

enum sco_status
sco_job_read(struct sco_job *job, struct sco_memory_shelf *shelf,
             const struct sco_call *call, struct sco_error *err)
{
    job->call = *call;
    job->is_infer = call->way == SCO_CALL_INFER;
    return read_call(job, shelf, err);
}

enum sco_status
sco_job_read_unpacked(struct sco_job *job, struct sco_memory_shelf *shelf,
                      struct sco_memory *body, size_t len,
                      struct sco_error *err)
{
    job->unpacked = body;
    job->call.body = (struct sco_slice){ body->data, len };
    return read_call(job, shelf, err);
}

enum sco_status
sco_job_decode(struct sco_job *job, struct sco_memory_shelf *shelf, size_t i,
               uint64_t from, uint64_t rows, char *out, struct sco_error *err)
{
    struct sco_v2_input *input = &job->request.inputs[i];
    enum sco_status status = SCO_OK;
    size_t row_bytes;

    if (job->decoded[i] == NULL && rows == job->request.rows) {
        return sco_v2_input_decode(input, out, err);
    }
    if (job->decoded[i] == NULL) {
        status = decode_numbers(job, shelf, i, err);
    }
    if (status == SCO_OK && input->data.len > 0) {
        row_bytes = input->data.len / job->request.rows;
        memcpy(out, input->data.data + from * row_bytes, rows * row_bytes);
    }
    return status;
}

uint64_t
sco_job_group(const struct sco_job *job, uint64_t *dims, size_t *count_out)
{
    uint64_t key = UINT64_C(14695981039346656037);
    size_t count = 0;

    for (size_t i = 0; i < job->request.signature->input_count; i++) {
        const struct sco_shape *shape = &job->request.inputs[i].shape;

        dims[count++] = shape->rank;
        for (unsigned k = 1; k < shape->rank; k++) {
            dims[count++] = shape->dims[k];
        }
    }
    for (size_t i = 0; i < count; i++) {
        key = (key ^ dims[i]) * UINT64_C(1099511628211);
    }
    *count_out = count;
    return key;
}
