/* signature.h - what a model takes and gives
 *
 * Made once for a script, from the JSON that the Python side makes of its
 * declarations, and constant afterwards.
 *
 *     {"name": "iris", "version": "1", "max_batch_size": 64, "batch": true,
 *      "inputs":  [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
 *      "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3],
 *                   "labels": ["setosa", "versicolor", "virginica"]}]}
 *
 * A script may declare no outputs; then it may give any.
 *
 * Thread: any, once it is made.
 */
#ifndef SCO_V2_SIGNATURE_H
#define SCO_V2_SIGNATURE_H

#include "base/slice.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCO_V2_TENSORS_MAX = 64,  /* inputs of a model, and outputs */
    SCO_V2_NAME_MAX = 256,    /* bytes of a name or version */
    SCO_V2_BATCH_MAX = 65536, /* rows of a batch */
};

struct sco_v2_tensor {
    struct sco_slice name; /* in UTF-8 */
    enum sco_dtype dtype;
    struct sco_shape_declared shape; /* of a batched model: -1 in front */
    struct sco_slice *labels;        /* of the classes of an output */
    size_t label_count;
};

struct sco_v2_signature {
    struct sco_slice name, version;
    struct sco_v2_tensor *inputs, *outputs;
    size_t input_count, output_count;
    uint64_t max_batch_size; /* 0: the first dimension is one like others */
    bool is_batch;           /* rows of many requests may be one call */
    void *memory;            /* what the slices above point into */
};

/* Reads a declaration. A key that is not known is refused: it would be a
 * wish that nobody heard.
 *
 * Ownership: *out is ended with sco_v2_signature_finish(); the JSON may go.
 * Errors:    SCO_INVALID with a sentence for the script's author,
 *            SCO_TOO_LARGE, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_v2_signature_read(struct sco_slice json,
                                      struct sco_v2_signature *out,
                                      struct sco_error *err);

/* Frees what a signature has. A zeroed one is allowed. */
void sco_v2_signature_finish(struct sco_v2_signature *signature);

/* The place of a name among tensors, or `count`. */
size_t sco_v2_tensor_find(const struct sco_v2_tensor *tensors, size_t count,
                          struct sco_slice name);

/* Whether a path's model is this one, and its version, if it gives one.
 *
 * Errors: SCO_NOT_FOUND, with the name that there is. */
SCO_NODISCARD
enum sco_status sco_v2_signature_is(const struct sco_v2_signature *signature,
                                    struct sco_slice model,
                                    struct sco_slice version,
                                    struct sco_error *err);

#endif
