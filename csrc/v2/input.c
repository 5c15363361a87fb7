#include "v2/input.h"

#include "base/reader.h"
#include "base/text.h"
#include "tensor/json.h"
#include "tensor/numbers.h"
#include "v2/array.h"
#include "v2/signature.h"
#include "v2/v2_int.h"

#include <inttypes.h>
#include <stdio.h>

enum { WHAT_ROOM = 80, LENGTH_BYTES = 4 /* before each of BYTES */ };

/* Fails with the input's name in front. */
static enum sco_status fail(const struct sco_v2_input *input,
                            struct sco_error *err, enum sco_status status,
                            const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static enum sco_status
fail(const struct sco_v2_input *input, struct sco_error *err,
     enum sco_status status, const char *format, ...)
{
    char why[sizeof(err->text)];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    return sco_fail(err, status, "input \"%.*s\": %s",
                    SCO_V2_SHOWN(input->declared->name), why);
}

/* ---- what it says it is ----------------------------------------------- */

/* Refuses a shape that was not declared, with both. */
static enum sco_status
refuse_shape(const struct sco_v2_input *input, struct sco_error *err)
{
    struct sco_text text = { 0 };
    enum sco_status status;

    sco_text_add(&text, SCO_SLICE("its shape is "));
    sco_shape_text(&input->shape, &text);
    sco_text_add(&text, SCO_SLICE(", and the model takes "));
    sco_shape_declared_text(&input->declared->shape, &text);
    status =
        fail(input, err, SCO_INVALID, "%.*s%s",
             (int)(text.len < 160 ? text.len : 160),
             text.data != NULL ? text.data : "", text.len < 160 ? "" : "...");
    sco_text_finish(&text);
    return status;
}

/* Checks that data so short, or long, can be these elements. It keeps a
 * small body from asking for much memory. */
static enum sco_status
check_data(const struct sco_v2_input *input, struct sco_error *err)
{
    size_t each = sco_dtype_info(input->declared->dtype)->bytes;
    size_t least = input->count * 2; /* "1," and, where it is alone, "\"\"" */

    if (!input->is_binary) {
        if (input->data.len < least) {
            return fail(input, err, SCO_INVALID,
                        "its shape takes %zu elements, and its data are "
                        "fewer",
                        input->count);
        }
    } else if (each == 0) {
        if (input->data.len < input->count * LENGTH_BYTES ||
            (input->count == 0 && input->data.len > 0)) {
            return fail(input, err, SCO_INVALID,
                        "its shape takes %zu elements of BYTES, each with 4 "
                        "bytes of length in front, and there are %zu bytes "
                        "of data",
                        input->count, input->data.len);
        }
    } else if (input->count * each != input->data.len) {
        return fail(input, err, SCO_INVALID,
                    "its shape takes %zu bytes of %s, and there are %zu bytes "
                    "of data",
                    input->count * each,
                    sco_dtype_info(input->declared->dtype)->name,
                    input->data.len);
    }
    return SCO_OK;
}

enum sco_status
sco_v2_input_check(struct sco_v2_input *input, uint64_t elements_max,
                   struct sco_error *err)
{
    struct sco_error why = { .status = SCO_OK };
    size_t count = 0;

    if (sco_shape_count(&input->shape, &count, &why) != SCO_OK) {
        return fail(input, err, why.status, "%s", why.text);
    }
    if (!sco_shape_fits(&input->shape, &input->declared->shape)) {
        return refuse_shape(input, err);
    }
    if (count > elements_max) {
        return fail(input, err, SCO_TOO_LARGE,
                    "its shape takes %zu elements, and the limit is %" PRIu64,
                    count, elements_max);
    }
    input->count = count;
    if (!input->is_binary && input->declared->dtype == SCO_BF16) {
        return fail(input, err, SCO_INVALID,
                    "BF16 has no form in JSON: send it as binary data");
    }
    return check_data(input, err);
}

size_t
sco_v2_input_bytes(const struct sco_v2_input *input)
{
    size_t each = sco_dtype_info(input->declared->dtype)->bytes;

    return each > 0 ? input->count * each : input->data.len;
}

/* ---- BYTES ------------------------------------------------------------ */

/* Adds one element, if there is room. */
static bool
add_string(struct sco_v2_strings *out, struct sco_slice string)
{
    if (out->count == out->count_room ||
        string.len > out->bytes_room - out->used) {
        return false;
    }
    if (string.len > 0) {
        memcpy(out->bytes + out->used, string.data, string.len);
    }
    out->used += string.len;
    out->ends[out->count++] = out->used;
    return true;
}

static enum sco_status
decode_binary_strings(const struct sco_v2_input *input,
                      struct sco_v2_strings *out, struct sco_error *err)
{
    struct sco_reader reader = sco_reader_of(input->data);

    for (size_t i = 0; i < input->count; i++) {
        uint32_t len = sco_read_u32le(&reader);
        struct sco_slice string = sco_read_slice(&reader, len);

        if (reader.failed) {
            return fail(input, err, SCO_INVALID,
                        "its data end in element %zu of %zu", i, input->count);
        }
        if (!add_string(out, string)) {
            return fail(input, err, SCO_TOO_LARGE, "no room for its data");
        }
    }
    if (reader.left > 0) {
        return fail(input, err, SCO_INVALID,
                    "%zu bytes of data are left over behind its %zu elements",
                    reader.left, input->count);
    }
    return SCO_OK;
}

/* Adds what JSON has as a string. */
static void
add_element(struct sco_json *json, struct sco_slice string,
            struct sco_v2_strings *out)
{
    if (!sco_is_utf8(string)) {
        sco_json_refuse(json, SCO_INVALID, json->at,
                        "a lone surrogate has no form in UTF-8");
    } else if (!add_string(out, string)) {
        sco_json_refuse(json, SCO_TOO_LARGE, json->at, "no room for its data");
    }
}

/* The elements of one array: `levels` of arrays lie in it. */
static void
decode_level(const struct sco_v2_input *input, struct sco_json *json,
             unsigned level, bool is_flat, struct sco_v2_strings *out)
{
    uint64_t wanted = is_flat ? input->count : input->shape.dims[level];
    bool is_last = is_flat || level + 1 == input->shape.rank;
    uint64_t found = 0;
    size_t begin;

    (void)sco_json_peek(json);
    begin = json->at;
    sco_json_enter_array(json);
    while (sco_json_next_item(json)) {
        struct sco_slice string;

        found++;
        if (!is_last) {
            decode_level(input, json, level + 1, false, out);
            continue;
        }
        string = sco_json_string(json);
        if (!sco_json_is_ok(json)) {
            return;
        }
        if (found <= wanted) {
            add_element(json, string, out);
        }
    }
    if (found != wanted) {
        sco_json_refuse(json, SCO_INVALID, begin,
                        "an array of %" PRIu64 " elements, where the shape "
                        "says %" PRIu64,
                        found, wanted);
    }
}

/* Whether the elements of an array are no arrays themselves. */
static bool
is_flat(struct sco_slice array)
{
    size_t at = 1;

    while (at < array.len && (unsigned char)array.data[at] <= ' ') {
        at++;
    }
    return at >= array.len || array.data[at] != '[';
}

/* A single value, which stands in no array. */
static void
decode_alone(struct sco_json *json, struct sco_v2_strings *out)
{
    struct sco_slice string = sco_json_string(json);

    if (sco_json_is_ok(json)) {
        add_element(json, string, out);
    }
}

static enum sco_status
decode_json_strings(const struct sco_v2_input *input,
                    struct sco_v2_strings *out, struct sco_error *err)
{
    struct sco_json json;

    sco_json_begin(&json, input->data, SCO_RANK_MAX);
    if (input->shape.rank == 0 && sco_json_peek(&json) == SCO_JSON_STRING) {
        decode_alone(&json, out);
    } else {
        decode_level(input, &json, 0,
                     input->shape.rank == 0 || is_flat(input->data), out);
    }
    sco_json_end(&json);
    sco_json_finish(&json);
    if (!sco_json_is_ok(&json)) {
        return fail(input, err, json.err.status, "data: %s", json.err.text);
    }
    return SCO_OK;
}

enum sco_status
sco_v2_input_strings(const struct sco_v2_input *input,
                     struct sco_v2_strings *out, struct sco_error *err)
{
    struct sco_v2_strings strings = *out;
    enum sco_status status;

    SCO_CHECK(input->declared->dtype == SCO_BYTES, "numbers as strings");
    status = input->is_binary ? decode_binary_strings(input, &strings, err)
                              : decode_json_strings(input, &strings, err);
    if (status == SCO_OK) {
        *out = strings;
    }
    return status;
}

/* ---- numbers ---------------------------------------------------------- */

static enum sco_status
decode_json(const struct sco_v2_input *input, void *out, struct sco_error *err)
{
    struct sco_numbers_out room = { .data = out,
                                    .room_bytes = sco_v2_input_bytes(input) };
    struct sco_error why = { .status = SCO_OK };
    struct sco_numbers numbers;
    enum sco_status status;
    size_t used = 0;

    sco_numbers_begin(&numbers, input->declared->dtype, input->count, &room);
    status =
        sco_numbers_feed(&numbers, input->data, SCO_NUMBERS_LAST, &used, &why);
    if (status == SCO_OK) {
        status = sco_numbers_fit(&numbers, &input->shape, &why);
    }
    sco_numbers_finish(&numbers);
    if (status == SCO_OK) {
        return SCO_OK;
    }
    /* More elements than the shape says are wrong, not too many. */
    return fail(input, err, status == SCO_TOO_LARGE ? SCO_INVALID : status,
                "data: %s", why.text);
}

enum sco_status
sco_v2_input_decode(const struct sco_v2_input *input, void *out,
                    struct sco_error *err)
{
    struct sco_error why = { .status = SCO_OK };
    char what[WHAT_ROOM];

    SCO_CHECK(input->declared->dtype != SCO_BYTES, "strings as numbers");
    if (!input->is_binary) {
        return decode_json(input, out, err);
    }
    if (input->declared->dtype == SCO_BOOL) {
        (void)snprintf(what, sizeof(what), "input \"%.*s\"",
                       SCO_V2_SHOWN(input->declared->name));
        if (sco_v2_bools_check(input->data, what, &why) != SCO_OK) {
            return sco_fail(err, why.status, "%s", why.text);
        }
    }
    if (input->data.len > 0) {
        memcpy(out, input->data.data, input->data.len);
    }
    return SCO_OK;
}
