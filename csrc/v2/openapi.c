#include "base/text.h"
#include "v2/documents.h"
#include "v2/path.h"
#include "v2/signature.h"

#include <inttypes.h>

/* What every model's document has at its end: the forms of the protocol that
 * name no tensor. */
static const struct sco_slice common_schemas = SCO_SLICE_INIT(
    "\"Error\":{\"type\":\"object\",\"required\":[\"error\"],"
    "\"properties\":{\"error\":{\"type\":\"string\"}}},"
    "\"Parameters\":{\"type\":\"object\",\"additionalProperties\":true}}");

static const struct sco_slice error_response = SCO_SLICE_INIT(
    "\"default\":{\"description\":\"A refusal or a failure\",\"content\":"
    "{\"application/json\":{\"schema\":{\"$ref\":"
    "\"#/components/schemas/Error\"}}}}}");

static const struct sco_slice infer_operation = SCO_SLICE_INIT(
    "{\"post\":{\"summary\":\"Call the model\",\"operationId\":\"infer\","
    "\"parameters\":[{\"name\":\"Inference-Header-Content-Length\","
    "\"in\":\"header\",\"required\":false,\"description\":"
    "\"Bytes of the JSON when binary data follow it\","
    "\"schema\":{\"type\":\"integer\",\"minimum\":0}}],"
    "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":"
    "{\"schema\":{\"$ref\":\"#/components/schemas/InferRequest\"}},"
    "\"application/octet-stream\":{\"schema\":{\"type\":\"string\","
    "\"format\":\"binary\"}}}},"
    "\"responses\":{\"200\":{\"description\":\"What the model gives\","
    "\"headers\":{\"Inference-Header-Content-Length\":{\"description\":"
    "\"Bytes of the JSON when binary data follow it\","
    "\"schema\":{\"type\":\"integer\"}}},"
    "\"content\":{\"application/json\":{\"schema\":{\"$ref\":"
    "\"#/components/schemas/InferResponse\"}},"
    "\"application/octet-stream\":{\"schema\":{\"type\":\"string\","
    "\"format\":\"binary\"}}}},");

/* The paths that are read, and the model's part of them. */
static const struct {
    const char *before, *behind, *name, *summary;
    bool is_of_model;
} reads[] = {
    { "/v2", "", "serverMetadata", "The server and its extensions", false },
    { "/v2/health/live", "", "serverLive", "Whether the server runs", false },
    { "/v2/health/ready", "", "serverReady", "Whether it can serve", false },
    { "/v2/models/", "", "modelMetadata", "Inputs and outputs", true },
    { "/v2/models/", "/ready", "modelReady", "Whether the model can serve",
      true },
    { "/v2/models/", "/config", "modelConfig", "The model's configuration",
      true },
    { "/v2/models/", "/stats", "modelStats", "What the model has done", true },
};

static void
add(struct sco_text *out, const char *text)
{
    sco_text_add(out, sco_slice_of(text));
}

static void
add_paths(struct sco_text *out, struct sco_slice model)
{
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        sco_text_addf(out, "\"%s", reads[i].before);
        if (reads[i].is_of_model) {
            sco_v2_path_add_segment(out, model);
        }
        sco_text_addf(out,
                      "%s\":{\"get\":{\"summary\":\"%s\",\"operationId\":"
                      "\"%s\",\"responses\":{\"200\":{\"description\":"
                      "\"As asked for\",\"content\":{\"application/json\":"
                      "{\"schema\":{\"type\":\"object\"}}}},",
                      reads[i].behind, reads[i].summary, reads[i].name);
        sco_text_add(out, error_response);
        add(out, "}},");
    }
    add(out, "\"/v2/models/");
    sco_v2_path_add_segment(out, model);
    add(out, "/infer\":");
    sco_text_add(out, infer_operation);
    sco_text_add(out, error_response);
    add(out, "}}");
}

/* What a datatype's elements are in JSON. */
static const char *
json_type(enum sco_dtype dtype)
{
    if (dtype == SCO_BOOL) {
        return "boolean";
    }
    if (dtype == SCO_BYTES) {
        return "string";
    }
    return dtype == SCO_FP16 || dtype == SCO_BF16 || dtype == SCO_FP32 ||
                   dtype == SCO_FP64
               ? "number"
               : "integer";
}

/* One tensor, as it stands in a request or a response. */
static void
add_tensor(struct sco_text *out, const struct sco_v2_tensor *tensor)
{
    add(out, "{\"type\":\"object\",\"required\":[\"name\",\"shape\","
             "\"datatype\"],\"properties\":{\"name\":{\"type\":\"string\","
             "\"enum\":[");
    sco_text_add_json(out, tensor->name);
    sco_text_addf(out,
                  "]},\"datatype\":{\"type\":\"string\",\"enum\":[\"%s\"]},"
                  "\"shape\":{\"type\":\"array\",\"description\":\"Declared "
                  "as ",
                  sco_dtype_info(tensor->dtype)->name);
    sco_shape_declared_text(&tensor->shape, out);
    sco_text_addf(out,
                  ", where -1 is any length\",\"items\":{\"type\":"
                  "\"integer\",\"minimum\":0},\"minItems\":%u,"
                  "\"maxItems\":%u},\"parameters\":{\"$ref\":"
                  "\"#/components/schemas/Parameters\"},\"data\":{\"type\":"
                  "\"array\",\"description\":\"Flat or nested, the last "
                  "dimension fastest: %ss\",\"items\":{}}}}",
                  tensor->shape.rank, tensor->shape.rank,
                  json_type(tensor->dtype));
}

/* The list of tensors: each is one of those declared. */
static void
add_tensors(struct sco_text *out, const struct sco_v2_tensor *tensors,
            size_t count, bool all_needed)
{
    add(out, "{\"type\":\"array\",");
    if (all_needed) {
        sco_text_addf(out, "\"minItems\":%zu,\"maxItems\":%zu,", count, count);
    }
    add(out, "\"items\":");
    if (count == 0) {
        add(out, "{\"type\":\"object\"}}");
        return;
    }
    add(out, "{\"oneOf\":[");
    for (size_t i = 0; i < count; i++) {
        add(out, i > 0 ? "," : "");
        add_tensor(out, &tensors[i]);
    }
    add(out, "]}}");
}

static void
add_schemas(struct sco_text *out, const struct sco_v2_signature *signature)
{
    add(out, "\"InferRequest\":{\"type\":\"object\",\"required\":"
             "[\"inputs\"],\"properties\":{\"id\":{\"type\":\"string\"},"
             "\"parameters\":{\"$ref\":\"#/components/schemas/Parameters\"},"
             "\"inputs\":");
    add_tensors(out, signature->inputs, signature->input_count, true);
    add(out, ",\"outputs\":{\"type\":\"array\",\"items\":{\"type\":"
             "\"object\",\"required\":[\"name\"],\"properties\":{\"name\":"
             "{\"type\":\"string\"},\"parameters\":{\"$ref\":"
             "\"#/components/schemas/Parameters\"}}}}}},"
             "\"InferResponse\":{\"type\":\"object\",\"required\":"
             "[\"model_name\",\"outputs\"],\"properties\":{\"model_name\":"
             "{\"type\":\"string\"},\"model_version\":{\"type\":\"string\"},"
             "\"id\":{\"type\":\"string\"},\"parameters\":{\"$ref\":"
             "\"#/components/schemas/Parameters\"},\"outputs\":");
    add_tensors(out, signature->outputs, signature->output_count, false);
    add(out, "}},");
    sco_text_add(out, common_schemas);
}

void
sco_v2_openapi_document(const struct sco_v2_signature *signature,
                        struct sco_text *out)
{
    add(out, "{\"openapi\":\"3.0.3\",\"info\":{\"title\":");
    sco_text_add_json(out, signature->name);
    add(out, ",\"version\":");
    sco_text_add_json(out, signature->version);
    add(out, ",\"description\":\"A scoring script, by the Open Inference "
             "Protocol (v2)\"},\"paths\":{");
    add_paths(out, signature->name);
    add(out, "},\"components\":{\"schemas\":{");
    add_schemas(out, signature);
    add(out, "}}");
}
