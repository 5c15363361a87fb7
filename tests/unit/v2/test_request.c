/* test_request.c - infer requests: what is read, and what is refused */
#include "v2/array.h"
#include "v2/one_model.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Takes what the refusals below speak of. */
static const char *const two_inputs =
    "{\"name\":\"m\",\"max_batch_size\":8,\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,2]},"
    "{\"name\":\"k\",\"datatype\":\"INT8\",\"shape\":[-1]}],\"outputs\":["
    "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[-1]},"
    "{\"name\":\"h\",\"datatype\":\"BF16\",\"shape\":[-1]},"
    "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}";

#define X                                                    \
    "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2]," \
    "\"data\":[1,2]}"
#define K                                                  \
    "{\"name\":\"k\",\"datatype\":\"INT8\",\"shape\":[1]," \
    "\"data\":[3]}"
#define Y         ",\"outputs\":[{\"name\":\"y\"}]"
#define INPUTS(x) "{\"inputs\":[" x "," K "]" Y "}"
#define WISH(parameters)                                      \
    "{\"inputs\":[" X "," K "],\"outputs\":[{\"name\":\"y\"," \
    "\"parameters\":" parameters "}]}"
#define OUTPUTS(outputs) "{\"inputs\":[" X "," K "],\"outputs\":[" outputs "]}"
#define X_IS(datatype, shape, data)                                         \
    INPUTS("{\"name\":\"x\",\"datatype\":\"" datatype "\",\"shape\":" shape \
           ",\"data\":" data "}")

/* clang-format off */
static const struct {
    const char *body;
    enum sco_status status;
    const char *says;
} refusals[] = {
    { "", SCO_INVALID, "line 1, column 1" },
    { "[]", SCO_INVALID, "expected an object" },
    { "nonsense", SCO_INVALID, "expected an object, found 'n'" },
    { "null", SCO_INVALID, "expected an object, found null" },
    { "{}", SCO_INVALID, "an object with inputs" },
    { "{\"inputs\":{}}", SCO_INVALID, "expected an array" },
    { "{\"inputs\":[]}", SCO_INVALID, "input \"x\" is missing" },
    { "{\"inputs\":[" X "]" Y "}", SCO_INVALID, "input \"k\" is missing" },
    { "{\"inputs\":[1]}", SCO_INVALID, "expected an object" },
    { "{\"inputs\":[{}]}", SCO_INVALID, "an input has no name" },
    { "{\"inputs\":[],\"inputs\":[]}", SCO_INVALID, "come twice" },
    { "{\"inputs\":[" X "," K "]" Y "} x", SCO_INVALID, "end of the text" },
    { "{\"inputs\":[" X "," X "]}", SCO_INVALID, "input \"x\" comes twice" },
    { INPUTS("{\"name\":\"z\"}"), SCO_INVALID, "has no input \"z\"" },
    { INPUTS("{\"name\":\"x\",\"shape\":[1,2],\"data\":[1,2]}"),
      SCO_INVALID, "input \"x\" has no datatype" },
    { INPUTS("{\"name\":\"x\",\"datatype\":\"FP32\",\"data\":[1,2]}"),
      SCO_INVALID, "input \"x\" has no shape" },
    { INPUTS("{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2]}"),
      SCO_INVALID, "input \"x\" has no data" },
    { X_IS("FP64", "[1,2]", "[1,2]"), SCO_INVALID,
      "is FP64, and the model takes FP32" },
    { X_IS("fp32", "[1,2]", "[1,2]"), SCO_INVALID, "no known datatype" },
    { X_IS("FP32", "[2]", "[1,2]"), SCO_INVALID,
      "its shape is [2], and the model takes [-1,2]" },
    { X_IS("FP32", "[1,3]", "[1,2,3]"), SCO_INVALID, "[1,3]" },
    { X_IS("FP32", "[1,2]", "[1]"), SCO_INVALID, "its data are fewer" },
    { X_IS("FP32", "[1,2]", "{}"), SCO_INVALID, "data is an array" },
    { X_IS("FP32", "[1,2]", "[1,2"), SCO_INVALID, "line 1" },
    { X_IS("FP32", "[1,2]", "[\"1,2"), SCO_INVALID, "line 1" },
    { X_IS("FP32", "[1,2]", "null"), SCO_INVALID, "has no data" },
    { X_IS("FP32", "[-1,2]", "[1,2]"), SCO_INVALID, "negative dimension -1" },
    { X_IS("FP32", "[1.5,2]", "[1,2]"), SCO_INVALID, "integer" },
    { X_IS("FP32", "[99999999999999999999,2]", "[1,2]"), SCO_INVALID,
      "line 1" },
    { X_IS("FP32", "[9223372036854775807,2]", "[1,2]"), SCO_TOO_LARGE,
      "elements" },
    { X_IS("FP32", "[4294967296,4294967296,4294967296]", "[1,2]"),
      SCO_TOO_LARGE, "elements" },
    { X_IS("FP32", "[0,2]", "[]"), SCO_INVALID, "no rows" },
    { X_IS("FP32", "[2,2]", "[1,2,3,4]"), SCO_INVALID,
      "input \"x\" has 2 rows, and input \"k\" has 1" },
    { X_IS("FP32", "[501,2]", "[1]"), SCO_TOO_LARGE, "the limit is 1000" },
    { INPUTS("{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2],"
             "\"parameters\":{\"binary_data_size\":8}}"),
      SCO_INVALID, "no field Inference-Header-Content-Length" },
    { INPUTS("{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2],"
             "\"parameters\":{\"shared_memory_region\":\"r\"}}"),
      SCO_INVALID, "shared memory" },
    { "{\"inputs\":[{\"data\":[[1,2]", SCO_INVALID, "an array does not end" },
    { "{\"inputs\":[{\"data\":[\"]\\\"]", SCO_INVALID,
      "an array does not end" },
    { "{\"id\":7,\"inputs\":[" X "," K "]}", SCO_INVALID, "an id is a" },
    { "{\"id\":\"\xed\xa0\x80\",\"inputs\":[" X "," K "]" Y "}", SCO_INVALID,
      "not UTF-8" },
    { "{\"parameters\":[],\"inputs\":[" X "," K "]}", SCO_INVALID,
      "expected an object" },
    { "{\"parameters\":{\"binary_data_output\":1},\"inputs\":[" X "," K "]}",
      SCO_INVALID, "expected a boolean" },
    { OUTPUTS("{\"name\":\"z\"}"), SCO_INVALID, "has no output \"z\"" },
    { OUTPUTS("{\"name\":\"y\"},{\"name\":\"y\"}"), SCO_INVALID, "twice" },
    { OUTPUTS("{}"), SCO_INVALID, "no name" },
    { OUTPUTS("{\"name\":\"h\"}"), SCO_INVALID, "BF16" },
    { "{\"inputs\":[" X "," K "]}", SCO_INVALID, "output \"h\" is BF16" },
    { OUTPUTS("{\"name\":\"s\",\"parameters\":{\"classification\":1}}"),
      SCO_INVALID, "no classification" },
    { WISH("{\"classification\":-1}"), SCO_INVALID, "line 1" },
    { WISH("{\"classification\":1001}"), SCO_TOO_LARGE, "1000" },
    { WISH("{\"shared_memory_region\":\"r\"}"), SCO_INVALID, "shared" },
    { WISH("{\"binary_data\":\"yes\"}"), SCO_INVALID, "a boolean" },
};

static const struct {
    const char *field, *body, *says;
} bad_binary[] = {
    { "x", "{}", "a number of bytes" }, { "-1", "{}", "a number of bytes" },
    { "3", "{}", "the body has 2 bytes" },
    { "99999999999999999999999", "{}", "the body has 2 bytes" },
    { "0", "{}", "line 1, column 1" },
    { "2", "{}12", "an object with inputs" },
    { "J", INPUTS(X) "12", "2 bytes of binary data are left over" },
#define BINARY(shape, size, more)                                          \
    INPUTS("{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":" shape        \
           ",\"parameters\":{\"binary_data_size\":" size "}" more "}")
    { "J", BINARY("[1,2]", "8", "") "1234567", "and 7 bytes are left" },
    { "J", BINARY("[1,2]", "7", "") "1234567", "takes 8 bytes of FP32" },
    { "J", BINARY("[1,2]", "8", "") "123456789", "left over" },
    { "J", BINARY("[2,2]", "8", "") "12345678", "takes 16 bytes" },
    { "J", BINARY("[1,2]", "-8", "") "12345678", "line 1" },
    { "J", BINARY("[1,2]", "18446744073709551615", "") "12345678",
      "are left in the body" },
    { "J", BINARY("[1,2]", "8", ",\"data\":[1,2]") "12345678", "both data" },
};
/* clang-format on */

static void
test_refusals(void **state)
{
    struct one_model model;

    (void)state;
    one_model_make(&model, two_inputs);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct sco_error err = { .status = SCO_OK };

        print_message("%s\n", refusals[i].body);
        assert_int_equal(one_model_read(&model, refusals[i].body, &err),
                         refusals[i].status);
        print_message("    %s\n", err.text);
        assert_non_null(strstr(err.text, refusals[i].says));
    }
    one_model_end(&model);
}

/* The number of bytes of JSON, which ends at the last brace. */
static struct sco_slice
json_length(const char *body, char room[24])
{
    (void)snprintf(room, 24, "%d", (int)(strrchr(body, '}') - body) + 1);
    return sco_slice_of(room);
}

static void
test_bad_binary(void **state)
{
    struct one_model model;
    char room[24];

    (void)state;
    one_model_make(&model, two_inputs);
    for (size_t i = 0; i < COUNT(bad_binary); i++) {
        const char *body = bad_binary[i].body;
        struct sco_slice field = bad_binary[i].field[0] == 'J'
                                     ? json_length(body, room)
                                     : sco_slice_of(bad_binary[i].field);
        struct sco_error err = { .status = SCO_OK };

        print_message("%s\n", body);
        assert_int_equal(sco_v2_request_read(&model.request,
                                             sco_slice_of(body), field, &err),
                         SCO_INVALID);
        print_message("    %s\n", err.text);
        assert_non_null(strstr(err.text, bad_binary[i].says));
    }
    one_model_end(&model);
}

static void
test_whole_request(void **state)
{
    struct one_model model;
    struct sco_error err = { .status = SCO_OK };
    float x[2] = { 0 };
    int8_t k = 0;

    (void)state;
    one_model_make(&model, two_inputs);
    for (int again = 0; again < 2; again++) {
        const struct sco_v2_request *request = &model.request;

        assert_int_equal(
            one_model_read(
                &model,
                "{\"id\":\"a\\n\",\"unknown\":[{}],\"outputs\":[{\"name\":"
                "\"s\"},{\"name\":\"y\",\"parameters\":{\"binary_data\":"
                "false,\"classification\":2,\"more\":null}}],\"inputs\":[" K
                ",{\"data\":[[1.5 , 2 ]],\"shape\":[1,2],\"datatype\":"
                "\"FP32\",\"name\":\"\\u0078\",\"parameters\":null}],"
                "\"parameters\":{\"a\":[1],\"binary_data_output\":true,"
                "\"b\":\"]\"}}",
                &err),
            SCO_OK);
        assert_true(sco_slice_equal(request->id, SCO_SLICE("\"a\\n\"")));
        assert_string_equal(request->parameters.data,
                            "{\"a\":[1],\"b\":\"]\"}");
        assert_true(request->wants_binary);
        assert_int_equal(request->rows, 1);
        assert_int_equal(request->wish_count, 2);
        assert_true(request->wishes[0].is_binary);
        assert_false(request->wishes[1].is_binary);
        assert_int_equal(request->wishes[1].classes, 2);
        assert_int_equal(sco_v2_input_decode(&request->inputs[0], x, &err),
                         SCO_OK);
        assert_true(x[0] == 1.5F && x[1] == 2.0F);
        assert_int_equal(sco_v2_input_decode(&request->inputs[1], &k, &err),
                         SCO_OK);
        assert_int_equal(k, 3);
    }
    one_model_end(&model);
}

static void
test_limits(void **state)
{
    struct one_model model;
    struct sco_error err = { .status = SCO_OK };
    static char body[5000];

    (void)state;
    one_model_make(&model, two_inputs);
    memset(body, ' ', sizeof(body) - 1);
    assert_int_equal(one_model_read(&model, body, &err), SCO_TOO_LARGE);
    assert_non_null(strstr(err.text, "the limit is 4096"));
    memset(body, '[', 200);
    (void)memcpy(body, "{\"parameters\":{\"p\":", 19);
    body[200] = '\0';
    assert_int_equal(one_model_read(&model, body, &err), SCO_TOO_LARGE);
    assert_non_null(strstr(err.text, "deeper than 64"));
    model.request.limits.rows = 1;
    assert_int_equal(
        one_model_read(&model,
                       "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\","
                       "\"shape\":[2,2],\"data\":[1,2,3,4]},{\"name\":\"k\","
                       "\"datatype\":\"INT8\",\"shape\":[2],\"data\":[3,4]}]" Y
                       "}",
                       &err),
        SCO_TOO_LARGE);
    assert_non_null(strstr(err.text, "2 rows; the limit is 1"));
    one_model_end(&model);
}

static void
test_no_declared_outputs(void **state)
{
    struct one_model model;
    struct sco_error err = { .status = SCO_OK };

    (void)state;
    one_model_make(&model, "{\"name\":\"m\",\"inputs\":[{\"name\":\"k\","
                           "\"datatype\":\"INT8\",\"shape\":[1]}]}");
    assert_int_equal(one_model_read(&model,
                                    "{\"inputs\":[" K "],\"outputs\":["
                                    "{\"name\":\"any\"},{\"name\":\"b\"}]}",
                                    &err),
                     SCO_OK);
    assert_true(
        sco_slice_equal(model.request.wishes[0].name, SCO_SLICE("any")));
    assert_true(sco_slice_equal(model.request.wishes[1].name, SCO_SLICE("b")));
    assert_int_equal(one_model_read(&model,
                                    "{\"inputs\":[" K "],\"outputs\":["
                                    "{\"name\":\"\"}]}",
                                    &err),
                     SCO_INVALID);
    one_model_end(&model);
}

static void
test_taken(void **state)
{
    static const float numbers[4] = { 1, 2, 3, 4 };
    struct sco_v2_array array = {
        .dtype = SCO_FP32,
        .shape = { .rank = 2, .dims = { 2, 2 } },
        .data = { (const char *)numbers, sizeof(numbers) },
    };
    struct one_model model;
    struct sco_error err = { .status = SCO_OK };
    float out[4] = { 0 };

    (void)state;
    one_model_make(&model, two_inputs);
    assert_int_equal(sco_v2_request_take(&model.request, &array, &err),
                     SCO_INVALID);
    one_model_end(&model);
    one_model_make(&model, "{\"name\":\"m\",\"inputs\":[{\"name\":\"x\","
                           "\"datatype\":\"FP32\",\"shape\":[-1,2]}]}");
    assert_int_equal(sco_v2_request_take(&model.request, &array, &err),
                     SCO_OK);
    assert_int_equal(sco_v2_input_decode(&model.request.inputs[0], out, &err),
                     SCO_OK);
    assert_memory_equal(out, numbers, sizeof(out));
    array.dtype = SCO_INT32;
    assert_int_equal(sco_v2_request_take(&model.request, &array, &err),
                     SCO_INVALID);
    array.dtype = SCO_FP32;
    array.shape.rank = 1;
    assert_int_equal(sco_v2_request_take(&model.request, &array, &err),
                     SCO_INVALID);
    one_model_end(&model);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_binary),
        cmocka_unit_test(test_whole_request),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_declared_outputs),
        cmocka_unit_test(test_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
