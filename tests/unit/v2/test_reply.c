/* test_reply.c - infer responses: JSON, binary, classes */
#include "v2/one_model.h"
#include "v2/reply.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BODY(more)                                                      \
    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"INT8\",\"shape\":[2]," \
    "\"data\":[1,2]}]" more "}"
#define HEAD "{\"model_name\":\"m\",\"model_version\":\"3\","

static const char *const declaration =
    "{\"name\":\"m\",\"version\":\"3\",\"max_batch_size\":8,\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"INT8\",\"shape\":[-1]}],\"outputs\":["
    "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[-1,3],"
    "\"labels\":[\"a\",\"b\"]},"
    "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}";

static float scores[6] = { 0.25F, 3, 0.5F, -1, -1, 10000000000.0F };
static const struct sco_slice words[2] = { SCO_SLICE_INIT("\xc3\xa9"),
                                           SCO_SLICE_INIT("\"") };

/* What the script gave: y and s, in the other order. */
static void
make_outputs(struct sco_v2_output out[2])
{
    out[0] = (struct sco_v2_output){
        SCO_SLICE("s"),
        { .dtype = SCO_BYTES,
          .shape = { .rank = 1, .dims = { 2 } },
          .strings = words },
    };
    out[1] = (struct sco_v2_output){
        SCO_SLICE("y"),
        { .dtype = SCO_FP32,
          .shape = { .rank = 2, .dims = { 2, 3 } },
          .data = { (const char *)scores, sizeof(scores) } },
    };
}

/* clang-format off */
static const struct {
    const char *body;
    const char *json;
    struct sco_slice binary;
} replies[] = {
    { BODY(",\"id\":\"7\",\"parameters\":{\"p\":1}"),
      HEAD "\"id\":\"7\",\"parameters\":{\"p\":1},\"outputs\":["
      "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[2,3],"
      "\"data\":[0.25,3.0,0.5,-1.0,-1.0,10000000000.0]},"
      "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[2],"
      "\"data\":[\"\\u00e9\",\"\\\"\"]}]}", SCO_SLICE_INIT("") },
    { BODY(",\"outputs\":[{\"name\":\"s\"}]"),
      HEAD "\"outputs\":[{\"name\":\"s\",\"datatype\":\"BYTES\","
      "\"shape\":[2],\"data\":[\"\\u00e9\",\"\\\"\"]}]}",
      SCO_SLICE_INIT("") },
    { BODY(",\"outputs\":[{\"name\":\"s\",\"parameters\":{\"binary_data\":"
           "true}},{\"name\":\"y\",\"parameters\":{\"classification\":2}}]"),
      HEAD "\"outputs\":[{\"name\":\"s\",\"datatype\":\"BYTES\","
      "\"shape\":[2],\"parameters\":{\"binary_data_size\":11}},"
      "{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[2,2],"
      "\"data\":[\"3.0:1:b\",\"0.5:2\",\"10000000000.0:2\",\"-1.0:0:a\"]}]}",
      SCO_SLICE_INIT("\2\0\0\0\xc3\xa9\1\0\0\0\"") },
    { BODY(",\"parameters\":{\"binary_data_output\":true},\"outputs\":["
           "{\"name\":\"y\",\"parameters\":{\"classification\":1}}]"),
      HEAD "\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\","
      "\"shape\":[2,1],\"parameters\":{\"binary_data_size\":30}}]}",
      SCO_SLICE_INIT("\7\0\0\0" "3.0:1:b" "\17\0\0\0" "10000000000.0:2") },
};
/* clang-format on */

static void
test_replies(void **state)
{
    struct sco_v2_reply reply = { .piece_count = 0 };
    struct sco_v2_output outputs[2];
    struct one_model model;

    (void)state;
    make_outputs(outputs);
    one_model_make(&model, declaration);
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct sco_error err = { .status = SCO_OK };
        size_t binary = replies[i].binary.len;

        assert_int_equal(one_model_read(&model, replies[i].body, &err),
                         SCO_OK);
        assert_int_equal(
            sco_v2_reply_make(&reply, &model.request, outputs, 2, &err),
            SCO_OK);
        assert_string_equal(reply.json.data, replies[i].json);
        assert_int_equal(reply.json_bytes, binary > 0 ? reply.json.len : 0);
        assert_int_equal(reply.body_bytes, reply.json.len + binary);
        assert_int_equal(reply.piece_count, binary > 0 ? 2 : 1);
        if (binary > 0) {
            assert_true(sco_slice_equal(reply.pieces[1], replies[i].binary));
        }
        assert_true(sco_slice_equal(sco_v2_reply_type(&reply),
                                    binary > 0
                                        ? SCO_SLICE("application/octet-stream")
                                        : SCO_SLICE("application/json")));
    }
    sco_v2_reply_finish(&reply);
    one_model_end(&model);
}

/* Numbers in binary form are not copied. */
static void
test_pieces(void **state)
{
    struct sco_v2_reply reply = { .piece_count = 0 };
    struct sco_error err = { .status = SCO_OK };
    struct sco_v2_output outputs[2];
    struct one_model model;

    (void)state;
    make_outputs(outputs);
    one_model_make(&model, declaration);
    assert_int_equal(
        one_model_read(&model,
                       BODY(",\"parameters\":{\"binary_data_output\":true}"),
                       &err),
        SCO_OK);
    assert_int_equal(
        sco_v2_reply_make(&reply, &model.request, outputs, 2, &err), SCO_OK);
    assert_int_equal(reply.piece_count, 3);
    assert_ptr_equal(reply.pieces[1].data, scores);
    assert_int_equal(reply.pieces[1].len, sizeof(scores));
    assert_int_equal(reply.pieces[2].len, 11);
    assert_int_equal(reply.body_bytes, reply.json.len + 24 + 11);
    sco_v2_reply_finish(&reply);
    one_model_end(&model);
}

/* What the script did wrong is not the client's fault. */
static void
test_scripts_faults(void **state)
{
    struct sco_v2_reply reply = { .piece_count = 0 };
    struct sco_v2_output outputs[2], good[2];
    struct sco_error err = { .status = SCO_OK };
    struct one_model model;

    (void)state;
    make_outputs(good);
    one_model_make(&model, declaration);
    assert_int_equal(one_model_read(&model, BODY(""), &err), SCO_OK);
    for (int i = 0; i < 6; i++) {
        static const char *const says[] = {
            "gave no output \"y\"", "declared FP32, and the script gave INT32",
            "has the shape [1,6]",  "has 1 rows for a request of 2",
            "24 bytes of data",     "gave 65 outputs",
        };
        size_t count = i == 5 ? 65 : i == 0 ? 1 : 2;

        memcpy(outputs, good, sizeof(outputs));
        outputs[1].array.dtype = i == 1 ? SCO_INT32 : SCO_FP32;
        outputs[1].array.shape.dims[0] = i == 2 || i == 3 ? 1 : 2;
        outputs[1].array.shape.dims[1] = i == 2 ? 6 : 3;
        outputs[1].array.data.len = i == 4 ? 23 : i == 3 ? 12 : 24;
        assert_int_equal(
            sco_v2_reply_make(&reply, &model.request, outputs, count, &err),
            SCO_SCRIPT);
        print_message("%s\n", err.text);
        assert_non_null(strstr(err.text, says[i]));
    }
    sco_v2_reply_finish(&reply);
    one_model_end(&model);
}

/* Where nothing was declared, anything may come, and be asked for. */
static void
test_undeclared(void **state)
{
    static const struct sco_slice raw[1] = { SCO_SLICE_INIT("\xff") };
    static const uint16_t halves[2] = { 0x3f80, 0x4000 };
    struct sco_v2_output outputs[2] = {
        { SCO_SLICE_INIT("h"),
          { .dtype = SCO_BF16,
            .shape = { .rank = 1, .dims = { 2 } },
            .data = { (const char *)halves, sizeof(halves) } } },
        { SCO_SLICE_INIT("b"),
          { .dtype = SCO_BYTES, .shape = { .rank = 0 }, .strings = raw } },
    };
    struct sco_v2_reply reply = { .piece_count = 0 };
    struct sco_error err = { .status = SCO_OK };
    struct one_model model;

    (void)state;
    one_model_make(&model, "{\"name\":\"m\",\"version\":\"3\",\"inputs\":["
                           "{\"name\":\"x\",\"datatype\":\"INT8\",\"shape\":"
                           "[-1]}]}");
#define MAKE(body)                                                   \
    (assert_int_equal(one_model_read(&model, (body), &err), SCO_OK), \
     sco_v2_reply_make(&reply, &model.request, outputs, 2, &err))
    assert_int_equal(MAKE(BODY("")), SCO_INVALID);
    assert_non_null(strstr(err.text, "BF16"));
    assert_int_equal(MAKE(BODY(",\"outputs\":[{\"name\":\"b\"}]")),
                     SCO_INVALID);
    assert_non_null(strstr(err.text, "not UTF-8"));
    assert_int_equal(MAKE(BODY(",\"outputs\":[{\"name\":\"z\"}]")),
                     SCO_INVALID);
    assert_int_equal(MAKE(BODY(",\"outputs\":[{\"name\":\"b\","
                               "\"parameters\":{\"classification\":1}}]")),
                     SCO_INVALID);
    assert_int_equal(MAKE(BODY(",\"outputs\":[{\"name\":\"h\","
                               "\"parameters\":{\"classification\":9}}]")),
                     SCO_OK);
    assert_non_null(strstr(reply.json.data, "[\"2.0:1\",\"1.0:0\"]"));
    assert_int_equal(
        MAKE(BODY(",\"parameters\":{\"binary_data_output\":true}")), SCO_OK);
    assert_int_equal(reply.piece_count, 3);
#undef MAKE
    sco_v2_reply_finish(&reply);
    one_model_end(&model);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_scripts_faults),
        cmocka_unit_test(test_undeclared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
