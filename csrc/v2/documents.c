#include "v2/documents.h"

#include "base/text.h"
#include "v2/signature.h"

#include <inttypes.h>

static void
add(struct sco_text *out, const char *text)
{
    sco_text_add(out, sco_slice_of(text));
}

/* "key":"value", and what stands before. */
static void
add_member(struct sco_text *out, const char *before, const char *key,
           struct sco_slice value)
{
    sco_text_addf(out, "%s\"%s\":", before, key);
    sco_text_add_json(out, value);
}

/* ---- the server ------------------------------------------------------- */

void
sco_v2_server_document(struct sco_slice version, struct sco_text *out)
{
    add_member(out, "{", "name", SCO_SLICE("scorehost"));
    add_member(out, ",", "version", version);
    add(out, ",\"extensions\":[\"binary_tensor_data\",\"classification\","
             "\"model_configuration\",\"statistics\"]}");
}

void
sco_v2_live_document(struct sco_text *out)
{
    add(out, "{\"live\":true}");
}

void
sco_v2_ready_document(bool is_ready, struct sco_text *out)
{
    sco_text_addf(out, "{\"ready\":%s}", is_ready ? "true" : "false");
}

void
sco_v2_error_document(struct sco_slice message, struct sco_text *out)
{
    add_member(out, "{", "error", message);
    add(out, "}");
}

/* ---- the model -------------------------------------------------------- */

void
sco_v2_model_ready_document(const struct sco_v2_signature *signature,
                            bool is_ready, struct sco_text *out)
{
    add_member(out, "{", "name", signature->name);
    sco_text_addf(out, ",\"ready\":%s}", is_ready ? "true" : "false");
}

static void
add_tensors(struct sco_text *out, const char *key,
            const struct sco_v2_tensor *tensors, size_t count)
{
    sco_text_addf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        add_member(out, i > 0 ? ",{" : "{", "name", tensors[i].name);
        add_member(out, ",", "datatype",
                   sco_slice_of(sco_dtype_info(tensors[i].dtype)->name));
        add(out, ",\"shape\":");
        sco_shape_declared_text(&tensors[i].shape, out);
        add(out, "}");
    }
    add(out, "]");
}

void
sco_v2_model_document(const struct sco_v2_signature *signature,
                      struct sco_text *out)
{
    add_member(out, "{", "name", signature->name);
    add(out, ",\"versions\":[");
    sco_text_add_json(out, signature->version);
    add(out, "]");
    add_member(out, ",", "platform", SCO_SLICE("scorehost"));
    add_tensors(out, "inputs", signature->inputs, signature->input_count);
    add_tensors(out, "outputs", signature->outputs, signature->output_count);
    add(out, "}");
}

/* A tensor of the configuration. Its dims have one length at least: a tensor
 * with none has [1], and the shape [] that it really is. */
static void
add_config_tensor(struct sco_text *out, const struct sco_v2_tensor *tensor,
                  bool has_rows)
{
    const char *name = tensor->dtype == SCO_BYTES
                           ? "STRING"
                           : sco_dtype_info(tensor->dtype)->name;
    struct sco_shape_declared dims = { .rank = 0 };

    for (unsigned i = has_rows ? 1 : 0; i < tensor->shape.rank; i++) {
        dims.dims[dims.rank++] = tensor->shape.dims[i];
    }
    add_member(out, "{", "name", tensor->name);
    sco_text_addf(out, ",\"data_type\":\"TYPE_%s\",\"dims\":", name);
    if (dims.rank > 0) {
        sco_shape_declared_text(&dims, out);
        add(out, "}");
    } else {
        add(out, "[1],\"reshape\":{\"shape\":[]}}");
    }
}

static void
add_config_tensors(struct sco_text *out, const char *key,
                   const struct sco_v2_tensor *tensors, size_t count,
                   bool has_rows)
{
    sco_text_addf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        add(out, i > 0 ? "," : "");
        add_config_tensor(out, &tensors[i], has_rows);
    }
    add(out, "]");
}

void
sco_v2_config_document(const struct sco_v2_signature *signature,
                       struct sco_text *out)
{
    bool has_rows = signature->max_batch_size > 0;

    add_member(out, "{", "name", signature->name);
    add_member(out, ",", "platform", SCO_SLICE("scorehost"));
    add_member(out, ",", "backend", SCO_SLICE("scorehost"));
    add(out, ",\"version_policy\":{\"specific\":{\"versions\":[");
    sco_text_add_json(out, signature->version);
    sco_text_addf(out, "]}},\"max_batch_size\":%" PRIu64,
                  signature->max_batch_size);
    add_config_tensors(out, "input", signature->inputs, signature->input_count,
                       has_rows);
    add_config_tensors(out, "output", signature->outputs,
                       signature->output_count, has_rows);
    add(out, signature->is_batch ? ",\"dynamic_batching\":{}}" : "}");
}

/* ---- statistics ------------------------------------------------------- */

static void
add_duration(struct sco_text *out, const char *before, const char *key,
             struct sco_v2_duration duration)
{
    sco_text_addf(out, "%s\"%s\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}",
                  before, key, duration.count, duration.ns);
}

/* Why batches went: a member that is ours. */
static void
add_reasons(struct sco_text *out, const struct sco_v2_stats *stats)
{
    for (size_t i = 0; i < stats->reason_count; i++) {
        sco_text_addf(out, "%s\"%s\":%" PRIu64,
                      i == 0 ? ",\"batch_reasons\":{" : ",",
                      stats->reasons[i].name, stats->reasons[i].count);
    }
    add(out, stats->reason_count > 0 ? "}" : "");
}

void
sco_v2_stats_document(const struct sco_v2_signature *signature,
                      const struct sco_v2_stats *stats, struct sco_text *out)
{
    const struct sco_v2_duration none = { 0, 0 }; /* there is no cache */

    add(out, "{\"model_stats\":[");
    add_member(out, "{", "name", signature->name);
    add_member(out, ",", "version", signature->version);
    sco_text_addf(out,
                  ",\"last_inference\":%" PRIu64
                  ",\"inference_count\":%" PRIu64
                  ",\"execution_count\":%" PRIu64 ",\"inference_stats\":{",
                  stats->last_inference_ms, stats->inference_count,
                  stats->execution_count);
    add_duration(out, "", "success", stats->success);
    add_duration(out, ",", "fail", stats->fail);
    add_duration(out, ",", "queue", stats->queue);
    add_duration(out, ",", "compute_input", stats->compute_input);
    add_duration(out, ",", "compute_infer", stats->compute_infer);
    add_duration(out, ",", "compute_output", stats->compute_output);
    add_duration(out, ",", "cache_hit", none);
    add_duration(out, ",", "cache_miss", none);
    add(out, "},\"batch_stats\":[");
    for (size_t i = 0; i < stats->batch_count; i++) {
        const struct sco_v2_batch_stats *batch = &stats->batches[i];

        sco_text_addf(out, "%s{\"batch_size\":%" PRIu64, i > 0 ? "," : "",
                      batch->rows);
        add_duration(out, ",", "compute_input", batch->compute_input);
        add_duration(out, ",", "compute_infer", batch->compute_infer);
        add_duration(out, ",", "compute_output", batch->compute_output);
        add(out, "}");
    }
    add(out, "]");
    add_reasons(out, stats);
    add(out, "}]}");
}
