/* Design notes
 *
 * While outputs are added, a piece in `strings` has no place yet, only its
 * length: the text may move as it grows. Such pieces follow each other there
 * in the order of the pieces, and get their places at the end.
 */
#include "v2/reply.h"

#include "tensor/print.h"
#include "v2/classes.h"
#include "v2/request.h"
#include "v2/v2_int.h"

#include <inttypes.h>

enum { LENGTH_BYTES = 4 };

/* A response that is being made. */
struct making {
    struct sco_v2_reply *reply;
    const struct sco_v2_request *request;
    size_t count; /* of outputs so far */
    bool has_binary;
};

static void
add(struct making *making, const char *text)
{
    sco_text_add(&making->reply->json, sco_slice_of(text));
}

static void
add_piece(struct making *making, struct sco_slice piece)
{
    making->reply->pieces[making->reply->piece_count++] = piece;
    making->has_binary = true;
}

/* What every output begins with. */
static void
add_head(struct making *making, struct sco_slice name, enum sco_dtype dtype,
         const struct sco_shape *shape)
{
    struct sco_text *json = &making->reply->json;

    add(making, making->count++ > 0 ? ",{\"name\":" : "{\"name\":");
    sco_text_add_json(json, name);
    add(making, ",\"datatype\":\"");
    add(making, sco_dtype_info(dtype)->name);
    add(making, "\",\"shape\":");
    sco_shape_text(shape, json);
}

static void
add_binary_size(struct making *making, size_t bytes)
{
    add(making, ",\"parameters\":{\"binary_data_size\":");
    sco_text_add_number(&making->reply->json, bytes);
    add(making, "}}");
}

/* ---- BYTES ------------------------------------------------------------ */

/* One element of BYTES, in the output's form. */
static void
add_string(struct making *making, struct sco_slice string, size_t index,
           bool is_binary)
{
    struct sco_text *strings = &making->reply->strings;

    if (!is_binary) {
        add(making, index > 0 ? "," : "");
        sco_text_add_json(&making->reply->json, string);
        return;
    }
    for (unsigned i = 0; i < LENGTH_BYTES; i++) {
        sco_text_add_char(strings, (char)(string.len >> 8 * i & 0xff));
    }
    sco_text_add(strings, string);
}

/* What stands before the elements, and behind them. */
static size_t
begin_strings(struct making *making, bool is_binary)
{
    if (!is_binary) {
        add(making, ",\"data\":[");
    }
    return making->reply->strings.len;
}

static void
end_strings(struct making *making, size_t begin, bool is_binary)
{
    size_t bytes = making->reply->strings.len - begin;

    if (!is_binary) {
        add(making, "]}");
        return;
    }
    add_binary_size(making, bytes);
    add_piece(making, (struct sco_slice){ NULL, bytes });
}

static enum sco_status
add_strings(struct making *making, const struct sco_v2_output *output,
            bool is_binary, struct sco_error *err)
{
    size_t begin, count = 0;
    enum sco_status status;

    status = sco_shape_count(&output->array.shape, &count, err);
    if (status != SCO_OK) {
        return status;
    }
    add_head(making, output->name, SCO_BYTES, &output->array.shape);
    begin = begin_strings(making, is_binary);
    for (size_t i = 0; i < count; i++) {
        struct sco_slice string = output->array.strings[i];

        if (is_binary ? string.len > UINT32_MAX : !sco_is_utf8(string)) {
            return sco_fail(err, SCO_INVALID,
                            is_binary
                                ? "output \"%.*s\": element %zu has more "
                                  "bytes than binary data can say"
                                : "output \"%.*s\": element %zu is not "
                                  "UTF-8; ask for it with binary_data",
                            SCO_V2_SHOWN(output->name), i);
        }
        add_string(making, string, i, is_binary);
    }
    end_strings(making, begin, is_binary);
    return SCO_OK;
}

static enum sco_status
add_classes(struct making *making, const struct sco_v2_output *output,
            const struct sco_v2_wish *wish, const struct sco_v2_tensor *tensor,
            struct sco_error *err)
{
    struct sco_v2_classes classes = { .ends = NULL };
    bool has_rows = making->request->signature->max_batch_size > 0;
    struct sco_error why = { .status = SCO_OK };
    enum sco_status status;
    size_t begin, from = 0;

    status = sco_v2_classes_find(
        &output->array, has_rows && output->array.shape.rank > 0,
        wish->classes, tensor != NULL ? tensor->labels : NULL,
        tensor != NULL ? tensor->label_count : 0, &classes, &why);
    if (status != SCO_OK) {
        return sco_fail(err, status, "output \"%.*s\": %s",
                        SCO_V2_SHOWN(output->name), why.text);
    }
    add_head(making, output->name, SCO_BYTES, &classes.shape);
    begin = begin_strings(making, wish->is_binary);
    for (size_t i = 0; i < classes.count; i++) {
        struct sco_slice text = { classes.bytes.data + from,
                                  classes.ends[i] - from };

        add_string(making, text, i, wish->is_binary);
        from = classes.ends[i];
    }
    end_strings(making, begin, wish->is_binary);
    sco_v2_classes_finish(&classes);
    return SCO_OK;
}

/* ---- numbers ---------------------------------------------------------- */

static enum sco_status
add_numbers(struct making *making, const struct sco_v2_output *output,
            bool is_binary, struct sco_error *err)
{
    const struct sco_v2_array *array = &output->array;

    if (!is_binary && array->dtype == SCO_BF16) {
        return sco_fail(err, SCO_INVALID,
                        "output \"%.*s\" is BF16, which has no form in JSON: "
                        "ask for it with binary_data",
                        SCO_V2_SHOWN(output->name));
    }
    add_head(making, output->name, array->dtype, &array->shape);
    if (is_binary) {
        add_binary_size(making, array->data.len);
        add_piece(making, array->data);
        return SCO_OK;
    }
    add(making, ",\"data\":");
    sco_print_flat(&making->reply->json, array->dtype,
                   array->data.len / sco_dtype_info(array->dtype)->bytes,
                   array->data.data, SCO_PRINT_COMPACT);
    add(making, "}");
    return SCO_OK;
}

/* ---- outputs ---------------------------------------------------------- */

/* Checks what the script gave against what it declared. */
static enum sco_status
check_declared(const struct sco_v2_output *output,
               const struct sco_v2_tensor *declared, struct sco_error *err)
{
    const struct sco_shape *shape = &output->array.shape;

    if (output->array.dtype != declared->dtype) {
        return sco_fail(err, SCO_SCRIPT,
                        "output \"%.*s\" was declared %s, and the script gave "
                        "%s",
                        SCO_V2_SHOWN(output->name),
                        sco_dtype_info(declared->dtype)->name,
                        sco_dtype_info(output->array.dtype)->name);
    }
    if (!sco_shape_fits(shape, &declared->shape)) {
        struct sco_text text = { 0 };
        enum sco_status status;

        sco_shape_text(shape, &text);
        sco_text_add(&text, SCO_SLICE(", and was declared "));
        sco_shape_declared_text(&declared->shape, &text);
        status = sco_fail(err, SCO_SCRIPT, "output \"%.*s\" has the shape %s",
                          SCO_V2_SHOWN(output->name),
                          text.data != NULL ? text.data : "");
        sco_text_finish(&text);
        return status;
    }
    return SCO_OK;
}

/* Checks what holds for every output, declared or not. */
static enum sco_status
check_given(const struct sco_v2_request *request,
            const struct sco_v2_output *output, struct sco_error *err)
{
    const struct sco_shape *shape = &output->array.shape;
    struct sco_error why = { .status = SCO_OK };

    if (request->signature->max_batch_size > 0 &&
        (shape->rank == 0 || shape->dims[0] != request->rows)) {
        return sco_fail(err, SCO_SCRIPT,
                        "output \"%.*s\" has %" PRIu64 " rows for a request "
                        "of %" PRIu64,
                        SCO_V2_SHOWN(output->name),
                        shape->rank == 0 ? 0 : shape->dims[0], request->rows);
    }
    if (output->array.dtype != SCO_BYTES &&
        sco_v2_array_check(&output->array, "an output", &why) != SCO_OK) {
        return sco_fail(err, SCO_SCRIPT, "%s", why.text);
    }
    return SCO_OK;
}

static enum sco_status
add_output(struct making *making, const struct sco_v2_output *output,
           const struct sco_v2_wish *wish, struct sco_error *err)
{
    const struct sco_v2_signature *signature = making->request->signature;
    const struct sco_v2_tensor *declared = NULL;
    size_t at = sco_v2_tensor_find(signature->outputs, signature->output_count,
                                   output->name);
    enum sco_status status = SCO_OK;

    if (at < signature->output_count) {
        declared = &signature->outputs[at];
        status = check_declared(output, declared, err);
    } else if (signature->output_count > 0) {
        return sco_fail(err, SCO_SCRIPT,
                        "the script gave \"%.*s\", which it did not declare",
                        SCO_V2_SHOWN(output->name));
    }
    if (status == SCO_OK) {
        status = check_given(making->request, output, err);
    }
    if (status != SCO_OK) {
        return status;
    }
    if (wish->classes > 0) {
        return add_classes(making, output, wish, declared, err);
    }
    return output->array.dtype == SCO_BYTES
               ? add_strings(making, output, wish->is_binary, err)
               : add_numbers(making, output, wish->is_binary, err);
}

/* The output of a name; NULL: there is none. */
static const struct sco_v2_output *
find_output(const struct sco_v2_output *outputs, size_t count,
            struct sco_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (sco_slice_equal(outputs[i].name, name)) {
            return &outputs[i];
        }
    }
    return NULL;
}

/* An output by name, as somebody wants it. */
static enum sco_status
add_wish(struct making *making, const struct sco_v2_output *outputs,
         size_t count, const struct sco_v2_wish *wish, struct sco_error *err)
{
    const struct sco_v2_output *output =
        find_output(outputs, count, wish->name);

    if (output != NULL) {
        return add_output(making, output, wish, err);
    }
    /* Where outputs are declared, the request was held to them. */
    return sco_fail(err,
                    making->request->signature->output_count > 0 ? SCO_SCRIPT
                                                                 : SCO_INVALID,
                    "the model gave no output \"%.*s\"",
                    SCO_V2_SHOWN(wish->name));
}

static enum sco_status
add_outputs(struct making *making, const struct sco_v2_output *outputs,
            size_t count, struct sco_error *err)
{
    const struct sco_v2_request *request = making->request;
    const struct sco_v2_signature *signature = request->signature;
    struct sco_v2_wish all = { .is_binary = request->wants_binary };
    enum sco_status status = SCO_OK;

    for (size_t i = 0; i < request->wish_count && status == SCO_OK; i++) {
        status = add_wish(making, outputs, count, &request->wishes[i], err);
    }
    if (request->wish_count > 0) {
        return status;
    }
    for (size_t i = 0; i < signature->output_count && status == SCO_OK; i++) {
        all.name = signature->outputs[i].name;
        status = add_wish(making, outputs, count, &all, err);
    }
    for (size_t i = 0;
         signature->output_count == 0 && i < count && status == SCO_OK; i++) {
        status = add_output(making, &outputs[i], &all, err);
    }
    return status;
}

/* ---- the whole -------------------------------------------------------- */

/* Gives the pieces in `strings` their places, and counts. */
static void
place_pieces(struct making *making)
{
    struct sco_v2_reply *reply = making->reply;
    const char *at = reply->strings.data;

    reply->pieces[0] = sco_text_slice(&reply->json);
    reply->json_bytes = making->has_binary ? reply->json.len : 0;
    reply->body_bytes = 0;
    for (size_t i = 0; i < reply->piece_count; i++) {
        struct sco_slice *piece = &reply->pieces[i];

        if (piece->data == NULL && piece->len > 0) {
            piece->data = at;
            at += piece->len;
        }
        reply->body_bytes += piece->len;
    }
}

/* What stands before the outputs. */
static void
add_begin(struct making *making)
{
    const struct sco_v2_request *request = making->request;
    struct sco_text *json = &making->reply->json;

    add(making, "{\"model_name\":");
    sco_text_add_json(json, request->signature->name);
    add(making, ",\"model_version\":");
    sco_text_add_json(json, request->signature->version);
    if (request->id.len > 0) {
        add(making, ",\"id\":");
        sco_text_add(json, request->id);
    }
    if (request->parameters.len > 0) {
        add(making, ",\"parameters\":");
        sco_text_add(json, sco_text_slice(&request->parameters));
    }
    add(making, ",\"outputs\":[");
}

enum sco_status
sco_v2_reply_make(struct sco_v2_reply *reply,
                  const struct sco_v2_request *request,
                  const struct sco_v2_output *outputs, size_t output_count,
                  struct sco_error *err)
{
    struct making making = { .reply = reply, .request = request };
    enum sco_status status;

    if (output_count > SCO_V2_TENSORS_MAX) {
        return sco_fail(err, SCO_SCRIPT,
                        "the script gave %zu outputs; at most %d are sent",
                        output_count, SCO_V2_TENSORS_MAX);
    }
    sco_text_clear(&reply->json);
    sco_text_clear(&reply->strings);
    reply->piece_count = 1;
    add_begin(&making);
    status = add_outputs(&making, outputs, output_count, err);
    if (status != SCO_OK) {
        return status;
    }
    add(&making, "]}");
    if (reply->json.failed || reply->strings.failed) {
        return sco_fail(err, SCO_NOMEM, "no memory for a response");
    }
    place_pieces(&making);
    return SCO_OK;
}

struct sco_slice
sco_v2_reply_type(const struct sco_v2_reply *reply)
{
    return reply->json_bytes > 0 ? SCO_SLICE("application/octet-stream")
                                 : SCO_SLICE("application/json");
}

void
sco_v2_reply_finish(struct sco_v2_reply *reply)
{
    sco_text_finish(&reply->json);
    sco_text_finish(&reply->strings);
    *reply = (struct sco_v2_reply){ .piece_count = 0 };
}
