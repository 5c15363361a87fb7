/* test_documents.c - what the protocol tells about server and model */
#include "base/text.h"
#include "support/test.h"
#include "tensor/json.h"
#include "v2/documents.h"
#include "v2/signature.h"

static const char *const declaration =
    "{\"name\":\"a b\",\"max_batch_size\":4,\"batch\":true,\"inputs\":["
    "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,4]},"
    "{\"name\":\"t\",\"datatype\":\"BYTES\",\"shape\":[-1]}],\"outputs\":["
    "{\"name\":\"y\",\"datatype\":\"BF16\",\"shape\":[-1,-1]}]}";

/* A document, compared as a whole, and emptied for the next. */
static void
expect(struct sco_text *text, const char *document)
{
    assert_string_equal(text->data, document);
    sco_text_clear(text);
}

static void
make(struct sco_v2_signature *signature, const char *json)
{
    struct sco_error err = { .status = SCO_OK };

    assert_int_equal(
        sco_v2_signature_read(sco_slice_of(json), signature, &err), SCO_OK);
}

static void
test_server(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    sco_v2_server_document(SCO_SLICE("1.2"), &text);
    expect(&text, "{\"name\":\"scorehost\",\"version\":\"1.2\","
                  "\"extensions\":[\"binary_tensor_data\","
                  "\"classification\",\"model_configuration\","
                  "\"statistics\"]}");
    sco_v2_live_document(&text);
    expect(&text, "{\"live\":true}");
    sco_v2_ready_document(true, &text);
    expect(&text, "{\"ready\":true}");
    sco_v2_ready_document(false, &text);
    expect(&text, "{\"ready\":false}");
    sco_v2_error_document(SCO_SLICE("no \"x\"\n\xff"), &text);
    expect(&text, "{\"error\":\"no \\\"x\\\"\\n\\ufffd\"}");
    sco_text_finish(&text);
}

static void
test_model(void **state)
{
    struct sco_v2_signature signature = { .input_count = 0 };
    struct sco_text text = { 0 };

    (void)state;
    make(&signature, declaration);
    sco_v2_model_ready_document(&signature, false, &text);
    expect(&text, "{\"name\":\"a b\",\"ready\":false}");
    sco_v2_model_document(&signature, &text);
    expect(&text,
           "{\"name\":\"a b\",\"versions\":[\"1\"],\"platform\":"
           "\"scorehost\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\","
           "\"shape\":[-1,4]},{\"name\":\"t\",\"datatype\":\"BYTES\","
           "\"shape\":[-1]}],\"outputs\":[{\"name\":\"y\",\"datatype\":"
           "\"BF16\",\"shape\":[-1,-1]}]}");
    sco_v2_config_document(&signature, &text);
    expect(&text,
           "{\"name\":\"a b\",\"platform\":\"scorehost\",\"backend\":"
           "\"scorehost\",\"version_policy\":{\"specific\":{\"versions\":"
           "[\"1\"]}},\"max_batch_size\":4,\"input\":[{\"name\":\"x\","
           "\"data_type\":\"TYPE_FP32\",\"dims\":[4]},{\"name\":\"t\","
           "\"data_type\":\"TYPE_STRING\",\"dims\":[1],\"reshape\":"
           "{\"shape\":[]}}],\"output\":[{\"name\":\"y\",\"data_type\":"
           "\"TYPE_BF16\",\"dims\":[-1]}],\"dynamic_batching\":{}}");
    sco_v2_signature_finish(&signature);
    make(&signature, "{\"name\":\"m\",\"inputs\":[{\"name\":\"x\","
                     "\"datatype\":\"INT8\",\"shape\":[2,-1]}]}");
    sco_v2_config_document(&signature, &text);
    assert_non_null(strstr(text.data, "\"max_batch_size\":0,\"input\":["
                                      "{\"name\":\"x\",\"data_type\":"
                                      "\"TYPE_INT8\",\"dims\":[2,-1]}],"
                                      "\"output\":[]}"));
    sco_text_finish(&text);
    sco_v2_signature_finish(&signature);
}

static void
test_stats(void **state)
{
    const struct sco_v2_batch_stats batches[2] = {
        { .rows = 1, .compute_infer = { 2, 20 } },
        { .rows = 8, .compute_input = { 1, 5 } },
    };
    const struct sco_v2_stats stats = {
        .last_inference_ms = 1700000000000,
        .inference_count = 10,
        .execution_count = 3,
        .success = { 3, 400 },
        .fail = { 1, 9 },
        .queue = { 4, 7 },
        .compute_infer = { 3, 300 },
        .batches = batches,
        .batch_count = 2,
    };
    struct sco_v2_signature signature = { .input_count = 0 };
    struct sco_text text = { 0 };

    (void)state;
    make(&signature, declaration);
    sco_v2_stats_document(&signature, &stats, &text);
#define NONE "{\"count\":0,\"ns\":0}"
    expect(&text,
           "{\"model_stats\":[{\"name\":\"a b\",\"version\":\"1\","
           "\"last_inference\":1700000000000,\"inference_count\":10,"
           "\"execution_count\":3,\"inference_stats\":{\"success\":"
           "{\"count\":3,\"ns\":400},\"fail\":{\"count\":1,\"ns\":9},"
           "\"queue\":{\"count\":4,\"ns\":7},\"compute_input\":" NONE
           ",\"compute_infer\":{\"count\":3,\"ns\":300},"
           "\"compute_output\":" NONE ",\"cache_hit\":" NONE
           ",\"cache_miss\":" NONE "},\"batch_stats\":[{\"batch_size\":1,"
           "\"compute_input\":" NONE ",\"compute_infer\":{\"count\":2,"
           "\"ns\":20},\"compute_output\":" NONE "},{\"batch_size\":8,"
           "\"compute_input\":{\"count\":1,\"ns\":5},\"compute_infer\":" NONE
           ",\"compute_output\":" NONE "}]}]}");
    sco_text_finish(&text);
    sco_v2_signature_finish(&signature);
}

/* It is JSON, and says of the model what others need to call it. */
static void
test_openapi(void **state)
{
    static const char *const parts[] = {
        "\"openapi\":\"3.0.3\"",
        "\"/v2/models/a%20b/infer\":{\"post\":",
        "\"/v2/models/a%20b\":{\"get\":",
        "\"/v2/health/ready\":{\"get\":",
        "\"enum\":[\"FP32\"]",
        "Declared as [-1,4], where",
        "\"minItems\":2,\"maxItems\":2",
    };
    struct sco_v2_signature signature = { .input_count = 0 };
    struct sco_text text = { 0 };
    struct sco_json json;

    (void)state;
    make(&signature, declaration);
    sco_v2_openapi_document(&signature, &text);
    sco_json_begin(&json, sco_text_slice(&text), 64);
    (void)sco_json_skip(&json);
    sco_json_end(&json);
    assert_true(sco_json_is_ok(&json));
    sco_json_finish(&json);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        print_message("%s\n", parts[i]);
        assert_non_null(strstr(text.data, parts[i]));
    }
    sco_text_finish(&text);
    sco_v2_signature_finish(&signature);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_openapi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
