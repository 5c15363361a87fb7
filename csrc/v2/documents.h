/* documents.h - what the protocol tells about the server and its model
 *
 * Each function appends one JSON document. Whether memory was had is seen at
 * the text's end, as always. Thread: any.
 */
#ifndef SCO_V2_DOCUMENTS_H
#define SCO_V2_DOCUMENTS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_text;
struct sco_v2_signature;

/* How often, and how long in all. */
struct sco_v2_duration {
    uint64_t count, ns;
};

/* What calls of run() with so many rows took. */
struct sco_v2_batch_stats {
    uint64_t rows;
    struct sco_v2_duration compute_input, compute_infer, compute_output;
};

/* How many batches went for a reason. */
struct sco_v2_batch_reason {
    const char *name;
    uint64_t count;
};

/* What a model has done since the host's start. */
struct sco_v2_stats {
    uint64_t last_inference_ms; /* since the epoch; 0: never */
    uint64_t inference_count;   /* rows that were answered well */
    uint64_t execution_count;   /* calls of run() that went well */
    struct sco_v2_duration success, fail, queue;
    struct sco_v2_duration compute_input, compute_infer, compute_output;
    const struct sco_v2_batch_stats *batches;
    size_t batch_count;
    const struct sco_v2_batch_reason *reasons; /* of those that take batches */
    size_t reason_count;
};

/* GET /v2: the server, its version, and the extensions that it speaks. */
void sco_v2_server_document(struct sco_slice version, struct sco_text *out);

/* GET /v2/health/live: {"live":true}. */
void sco_v2_live_document(struct sco_text *out);

/* GET /v2/health/ready: {"ready":...}, with 200 or 503. */
void sco_v2_ready_document(bool is_ready, struct sco_text *out);

/* GET .../ready of a model: the same with its name. */
void sco_v2_model_ready_document(const struct sco_v2_signature *signature,
                                 bool is_ready, struct sco_text *out);

/* GET of a model: name, versions, platform, inputs and outputs. */
void sco_v2_model_document(const struct sco_v2_signature *signature,
                           struct sco_text *out);

/* GET .../config: the configuration as Triton has it, where dims are without
 * the rows of a batch, and at least one. */
void sco_v2_config_document(const struct sco_v2_signature *signature,
                            struct sco_text *out);

/* GET .../stats, and of all models, since there is one. Beside what the
 * protocol has there is "batch_reasons", unless there are none. */
void sco_v2_stats_document(const struct sco_v2_signature *signature,
                           const struct sco_v2_stats *stats,
                           struct sco_text *out);

/* GET .../openapi.json: an OpenAPI 3 document of the model's paths, with the
 * tensors as they are declared. */
void sco_v2_openapi_document(const struct sco_v2_signature *signature,
                             struct sco_text *out);

/* What every refusal is: {"error":"..."}. */
void sco_v2_error_document(struct sco_slice message, struct sco_text *out);

#endif
