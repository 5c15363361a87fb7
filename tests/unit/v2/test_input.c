/* test_input.c - the elements of inputs, as tritonclient sends them too */
#include "v2/one_model.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { DECLARATION_ROOM = 256, ELEMENTS_ROOM = 512 };

/* A request that tritonclient made, and the elements that it is about. */
struct recorded {
    const char *why, *datatype;
    size_t json_bytes, body_bytes;
    const char *body;
    size_t element_bytes;
    const char *elements;
};

#define X(why, datatype, json, bytes, body, count, elements) \
    { why, datatype, json, bytes, body, count, elements },
static const struct recorded triton[] = {
#include "triton_bodies.def"
};
#undef X

/* A model that takes one tensor. */
static void
make_model(struct one_model *model, const char *datatype, const char *shape)
{
    char text[DECLARATION_ROOM];

    (void)snprintf(text, sizeof(text),
                   "{\"name\":\"m\",\"inputs\":[{\"name\":\"x\",\"datatype\":"
                   "\"%s\",\"shape\":%s}]}",
                   datatype, shape);
    one_model_make(model, text);
}

/* Elements of BYTES, as they go over the wire. */
static size_t
decode_strings(const struct sco_v2_input *input, char *out)
{
    size_t ends[8] = { 0 };
    char bytes[ELEMENTS_ROOM];
    struct sco_v2_strings strings = { .ends = ends,
                                      .count_room = COUNT(ends),
                                      .bytes = bytes,
                                      .bytes_room = sizeof(bytes) };
    struct sco_error err = { .status = SCO_OK };
    size_t at = 0, len = 0;

    assert_int_equal(sco_v2_input_strings(input, &strings, &err), SCO_OK);
    assert_true(strings.used <= sco_v2_input_bytes(input));
    for (size_t i = 0; i < strings.count; i++) {
        uint32_t length = (uint32_t)(ends[i] - at);

        memcpy(out + len, &length, sizeof(length));
        memcpy(out + len + sizeof(length), bytes + at, length);
        len += sizeof(length) + length;
        at = ends[i];
    }
    return len;
}

static void
test_tritonclient(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(triton); i++) {
        const struct recorded *sent = &triton[i];
        struct sco_slice body = { sent->body, sent->body_bytes };
        struct sco_error err = { .status = SCO_OK };
        _Alignas(8) char out[ELEMENTS_ROOM];
        struct one_model model;
        char field[24] = "";
        size_t len;

        print_message("%s\n", sent->why);
        if (sent->json_bytes > 0) {
            (void)snprintf(field, sizeof(field), "%zu", sent->json_bytes);
        }
        make_model(&model, sent->datatype, "[-1,3]");
        assert_int_equal(sco_v2_request_read(&model.request, body,
                                             sco_slice_of(field), &err),
                         SCO_OK);
        assert_string_equal(model.request.parameters.data,
                            "{\"tenant\":\"a\"}");
        assert_int_equal(model.request.wants_binary, sent->json_bytes > 0);
        if (strcmp(sent->datatype, "BYTES") == 0) {
            len = decode_strings(&model.request.inputs[0], out);
        } else {
            len = sco_v2_input_bytes(&model.request.inputs[0]);
            assert_int_equal(
                sco_v2_input_decode(&model.request.inputs[0], out, &err),
                SCO_OK);
        }
        assert_int_equal(len, sent->element_bytes);
        assert_memory_equal(out, sent->elements, len);
        one_model_end(&model);
    }
}

/* clang-format off */
static const struct {
    const char *datatype, *shape, *data;
    const char *says; /* NULL: it is sound */
} data[] = {
    { "FP32", "[2,2]", "[1,2,3,4]", NULL },
    { "FP32", "[2,2]", "[[1,2],[3,4]]", NULL },
    { "FP32", "[2,2]", "[[1,2],[3]]  ", "" },
    { "FP32", "[2,2]", "[[1,2,3],[4]]", "" },
    { "FP32", "[2,2]", "[[1],[2],[3],[4]]", "" },
    { "FP32", "[2,2]", "[1,2,3,4,5]", "" },
    { "FP32", "[2,2]", "[1,2,3     ]", "" },
    { "FP32", "[2,2]", "[1,2,3,null]", "" },
    { "FP32", "[2,2]", "[1,2,3,\"4\"]", "" },
    { "FP32", "[2,2]", "[1,2,3,{}]", "" },
    { "FP32", "[2,2]", "[1,2,3,4}]", "" },
    { "FP32", "[]", "[7]", NULL },
    { "FP32", "[0]", "[]", NULL },
    { "FP32", "[2,0]", "[[],[]]", NULL },
    { "FP32", "[0,2]", "[]", NULL },
    { "FP32", "[2,0,3]", "[[],[]]", NULL },
    { "FP32", "[1,0,0,0]", "[[]]", NULL },
    { "FP32", "[1,0,0,0]", "[[[]]]", "" },
    { "FP32", "[2,0,3]", "[[[]],[[]]]", "" },
    { "FP32", "[2,0,3]", "[[]]", "" },
    { "BOOL", "[2]", "[true,false]", NULL },
    { "BOOL", "[2]", "[true,2]    ", "" },
    { "UINT8", "[2]", "[0,255]", NULL },
    { "UINT8", "[2]", "[0,256]", "256" },
    { "UINT8", "[2]", "[0,-1]", "-1" },
    { "INT8", "[2]", "[0,1.5]", "" },
    { "INT64", "[1]", "[9223372036854775808]", "" },
    { "FP16", "[2]", "[0.5,NaN]", NULL },
    { "BYTES", "[2,2]", "[\"\",\"\",\"\",\"\"]", NULL },
    { "BYTES", "[2,2]", "[[\"a\",\"b\"], [\"c\", \"]\"]]", NULL },
    { "BYTES", "[2,2]", "[[\"a\",\"b\"], [\"c\"], []]", "1 elements" },
    { "BYTES", "[2,2]", "[[\"a\",\"b\",\"c\"], [\"c\"]]", "3 elements" },
    { "BYTES", "[2,2]", "[[\"a\",\"b\"], \"c\", \"d\"]", "an array" },
    { "BYTES", "[2,2]", "[\"a\",\"b\",\"c\",\"d\",\"e\"]", "5 elements" },
    { "BYTES", "[2,2]", "[\"a\",\"b\",\"c\",        4]", "a string" },
    { "BYTES", "[3]", "[1,2,3]", "a string" },
    { "BYTES", "[1]", "[\"\\ud800\"]", "surrogate" },
    { "BYTES", "[1]", "[\"\\u0000\"]", NULL },
    { "BYTES", "[]", "[\"a\"]", NULL },
    { "BYTES", "[2,0]", "[[],[]]", NULL },
};
/* clang-format on */

/* Decodes the one input of a request, whatever it is of. */
static enum sco_status
decode_any(const struct sco_v2_input *input, struct sco_error *err)
{
    _Alignas(8) char out[ELEMENTS_ROOM];
    size_t ends[8];
    struct sco_v2_strings strings = { .ends = ends,
                                      .count_room = COUNT(ends),
                                      .bytes = out,
                                      .bytes_room = sizeof(out) };
    enum sco_status status;

    if (input->declared->dtype != SCO_BYTES) {
        return sco_v2_input_decode(input, out, err);
    }
    status = sco_v2_input_strings(input, &strings, err);
    assert_int_equal(strings.count, status == SCO_OK ? input->count : 0);
    return status;
}

static void
test_json_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(data); i++) {
        struct sco_error err = { .status = SCO_OK };
        char body[DECLARATION_ROOM];
        struct one_model model;

        (void)snprintf(body, sizeof(body),
                       "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"%s\","
                       "\"shape\":%s,\"data\":%s}]}",
                       data[i].datatype, data[i].shape, data[i].data);
        print_message("%s\n", body);
        make_model(&model, data[i].datatype, data[i].shape);
        assert_int_equal(one_model_read(&model, body, &err), SCO_OK);
        assert_int_equal(decode_any(&model.request.inputs[0], &err),
                         data[i].says == NULL ? SCO_OK : SCO_INVALID);
        if (data[i].says != NULL) {
            print_message("    %s\n", err.text);
            assert_non_null(strstr(err.text, "input \"x\": data: "));
            assert_non_null(strstr(err.text, data[i].says));
        }
        one_model_end(&model);
    }
}

/* On /score a single value stands in no array. */
static void
test_a_string_alone(void **state)
{
    static const struct {
        struct sco_slice text;
        enum sco_status status;
    } texts[] = {
        { SCO_SLICE_INIT("\"\""), SCO_OK },
        { SCO_SLICE_INIT(" \"a\\u00e9\""), SCO_OK },
        { SCO_SLICE_INIT("\"a\",\"b\""), SCO_INVALID },
        { SCO_SLICE_INIT("\"\\udfff\""), SCO_INVALID },
        { SCO_SLICE_INIT("17"), SCO_INVALID },
    };
    struct one_model model;

    (void)state;
    make_model(&model, "BYTES", "[]");
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct sco_v2_input input = {
            .declared = &model.signature.inputs[0],
            .is_given = true,
            .data = texts[i].text,
        };
        struct sco_error err = { .status = SCO_OK };

        assert_int_equal(sco_v2_input_check(&input, 10, &err), SCO_OK);
        assert_int_equal(decode_any(&input, &err), texts[i].status);
    }
    one_model_end(&model);
}

/* clang-format off */
static const struct {
    const char *datatype;
    struct sco_slice binary;
    const char *says;
} bad_binary[] = {
    { "BOOL", SCO_SLICE_INIT("\1\2"), "element 1 is 2" },
    { "BYTES", SCO_SLICE_INIT("\0\0\0\0"), "2 elements of BYTES" },
    { "BYTES", SCO_SLICE_INIT("\1\0\0\0\0\0\0\0"), "end in element 1" },
    { "BYTES", SCO_SLICE_INIT("\xff\xff\xff\xff\0\0\0\0"), "element 0" },
    { "BYTES", SCO_SLICE_INIT("\0\0\0\0\0\0\0\0x"), "1 bytes of data are" },
};
/* clang-format on */

static void
test_binary_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_binary); i++) {
        struct sco_error err = { .status = SCO_OK };
        char body[DECLARATION_ROOM], field[24];
        struct one_model model;
        int len = snprintf(body, sizeof(body),
                           "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"%s\","
                           "\"shape\":[2],\"parameters\":"
                           "{\"binary_data_size\":%zu}}]}",
                           bad_binary[i].datatype, bad_binary[i].binary.len);
        struct sco_slice whole = { body,
                                   (size_t)len + bad_binary[i].binary.len };
        enum sco_status status;

        (void)snprintf(field, sizeof(field), "%d", len);
        memcpy(body + len, bad_binary[i].binary.data,
               bad_binary[i].binary.len);
        make_model(&model, bad_binary[i].datatype, "[2]");
        status = sco_v2_request_read(&model.request, whole,
                                     sco_slice_of(field), &err);
        if (status == SCO_OK) {
            status = decode_any(&model.request.inputs[0], &err);
        }
        print_message("    %s\n", err.text);
        assert_int_equal(status, SCO_INVALID);
        assert_non_null(strstr(err.text, bad_binary[i].says));
        one_model_end(&model);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tritonclient),
        cmocka_unit_test(test_json_data),
        cmocka_unit_test(test_a_string_alone),
        cmocka_unit_test(test_binary_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
