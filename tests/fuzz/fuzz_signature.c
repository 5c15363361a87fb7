/* fuzz_signature.c - a declaration is refused, or makes sound documents */
#include "base/text.h"
#include "tensor/json.h"
#include "v2/documents.h"
#include "v2/signature.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A document is JSON; it is emptied for the next. */
static void
expect_json(struct sco_text *document)
{
    struct sco_json json;

    if (!document->failed) {
        sco_json_begin(&json, sco_text_slice(document), 64);
        (void)sco_json_skip(&json);
        sco_json_end(&json);
        sco_json_finish(&json);
        SCO_CHECK(sco_json_is_ok(&json), "a document that is no JSON");
    }
    sco_text_clear(document);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sco_v2_stats stats = { .inference_count = 1 };
    struct sco_slice json = { (const char *)data, size };
    struct sco_v2_signature signature = { .input_count = 0 };
    struct sco_text document = { 0 };

    if (sco_v2_signature_read(json, &signature, /* err */ NULL) != SCO_OK) {
        SCO_CHECK(signature.input_count == 0, "an output of a failure");
        return 0;
    }
    SCO_CHECK(signature.name.len > 0 && signature.input_count > 0,
              "half a signature");
    sco_v2_model_document(&signature, &document);
    expect_json(&document);
    sco_v2_config_document(&signature, &document);
    expect_json(&document);
    sco_v2_stats_document(&signature, &stats, &document);
    expect_json(&document);
    sco_v2_openapi_document(&signature, &document);
    expect_json(&document);
    sco_text_finish(&document);
    sco_v2_signature_finish(&signature);
    return 0;
}
