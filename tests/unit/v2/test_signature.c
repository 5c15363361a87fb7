/* test_signature.c - what a script may declare */
#include "support/test.h"
#include "v2/signature.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define T(name)                                     \
    "{\"name\":\"" name "\",\"datatype\":\"FP32\"," \
    "\"shape\":[-1]}"
#define WITH(more)    "{\"name\":\"m\",\"inputs\":[" T("x") "]" more "}"
#define INPUT(tensor) "{\"name\":\"m\",\"inputs\":[" tensor "]}"

/* clang-format off */
static const struct {
    const char *json, *says;
} bad[] = {
    { "", "an object" }, { "[]", "an object" }, { "{}", "no name" },
    { "{\"name\":\"m\"}", "no inputs" },
    { "{\"name\":\"m\",\"inputs\":[]}", "no inputs" },
    { "{\"name\":\"\",\"inputs\":[" T("x") "]}", "1 to 256 bytes" },
    { "{\"name\":\"\\ud800\",\"inputs\":[" T("x") "]}", "surrogate" },
    { WITH(",\"colour\":1"), "the key \"colour\" is not known" },
    { WITH(",\"version\":1"), "a string" },
    { WITH(",\"max_batch_size\":-1"), "range" },
    { WITH(",\"max_batch_size\":65537"), "at most 65536" },
    { WITH(",\"batch\":1"), "a boolean" },
    { WITH(",\"batch\":true"), "needs a max_batch_size" },
    { WITH(",\"outputs\":[1]"), "an object" },
    { WITH("} x"), "end of the text" },
    { INPUT(T("x") "," T("x")), "two tensors are called \"x\"" },
    { INPUT("{\"name\":\"x\"}"), "needs name, datatype and shape" },
    { INPUT("{\"datatype\":\"FP32\",\"shape\":[]}"), "needs name" },
    { INPUT("{\"name\":\"x\",\"datatype\":\"FP8\"}"), "\"FP8\"" },
    { INPUT("{\"name\":\"x\",\"shape\":[-2]}"), "-1 for any" },
    { INPUT("{\"name\":\"x\",\"shape\":[1.5]}"), "integer" },
    { INPUT("{\"name\":\"x\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
            "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"), "at most 32 dim" },
    { INPUT("{\"name\":\"x\",\"labels\":[1]}"), "a string" },
    { "{\"name\":\"m\",\"max_batch_size\":2,\"inputs\":[{\"name\":\"x\","
      "\"datatype\":\"FP32\",\"shape\":[3]}]}", "must begin with -1" },
    { "{\"name\":\"m\",\"max_batch_size\":2,\"inputs\":[" T("x") "],"
      "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[]}]}",
      "must begin with -1" },
};
/* clang-format on */

static void
test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct sco_v2_signature made = { .input_count = 77 };
        struct sco_error err = { .status = SCO_OK };

        print_message("%s\n", bad[i].json);
        assert_int_equal(
            sco_v2_signature_read(sco_slice_of(bad[i].json), &made, &err),
            SCO_INVALID);
        print_message("    %s\n", err.text);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_int_equal(made.input_count, 77);
    }
}

/* clang-format off */
static void
test_whole(void **state)
{
    static const char json[] =
        "{\"name\":\"\\u00e9t\\u00e9\",\"version\":\"2\","
        "\"max_batch_size\":16,\"batch\":true,"
        "\"inputs\":[" T("old") "],"
        "\"inputs\":[" T("a") "," T("b") "],"
        "\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\","
        "\"shape\":[-1,3],\"labels\":[\"no\"],"
        "\"labels\":[\"p\",\"q\"]}]}";
    struct sco_v2_signature made = { .input_count = 0 };
    struct sco_error err = { .status = SCO_OK };

    (void)state;
    assert_int_equal(sco_v2_signature_read(sco_slice_of(json), &made, &err),
                     SCO_OK);
    assert_true(sco_slice_equal(made.name, SCO_SLICE("\xc3\xa9t\xc3\xa9")));
    assert_true(sco_slice_equal(made.version, SCO_SLICE("2")));
    assert_int_equal(made.max_batch_size, 16);
    assert_true(made.is_batch);
    assert_int_equal(made.input_count, 2);
    assert_int_equal(sco_v2_tensor_find(made.inputs, 2, SCO_SLICE("b")), 1);
    assert_int_equal(sco_v2_tensor_find(made.inputs, 2, SCO_SLICE("old")), 2);
    assert_int_equal(made.output_count, 1);
    assert_int_equal(made.outputs[0].dtype, SCO_BYTES);
    assert_int_equal(made.outputs[0].shape.rank, 2);
    assert_int_equal(made.outputs[0].shape.dims[1], 3);
    assert_int_equal(made.outputs[0].label_count, 2);
    assert_true(sco_slice_equal(made.outputs[0].labels[1], SCO_SLICE("q")));
    sco_v2_signature_finish(&made);
    sco_v2_signature_finish(&made);
}
/* clang-format on */

static void
test_whose(void **state)
{
    struct sco_v2_signature made = { .input_count = 0 };
    struct sco_error err = { .status = SCO_OK };
    const struct sco_slice none = SCO_SLICE("");

    (void)state;
    assert_int_equal(
        sco_v2_signature_read(sco_slice_of(WITH("")), &made, &err), SCO_OK);
    assert_int_equal(sco_v2_signature_is(&made, SCO_SLICE("m"), none, &err),
                     SCO_OK);
    assert_int_equal(
        sco_v2_signature_is(&made, SCO_SLICE("m"), SCO_SLICE("1"), &err),
        SCO_OK);
    assert_int_equal(sco_v2_signature_is(&made, SCO_SLICE("M"), none, &err),
                     SCO_NOT_FOUND);
    assert_string_equal(err.text, "there is no model \"M\"; there is \"m\"");
    assert_int_equal(
        sco_v2_signature_is(&made, SCO_SLICE("m"), SCO_SLICE("2"), &err),
        SCO_NOT_FOUND);
    assert_string_equal(err.text,
                        "model \"m\" has no version \"2\"; it has \"1\"");
    sco_v2_signature_finish(&made);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_whose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
