/* raw.h - a tensor as the bytes of its elements, with fields that say what
 * they are
 *
 *     Content-Type: application/octet-stream
 *     Tensor-Datatype: FP32
 *     Tensor-Shape: 32, 4
 *
 * Either field may be left out where a model's declaration says the same.
 * Replies have both. Thread: any.
 */
#ifndef SCO_V2_RAW_H
#define SCO_V2_RAW_H

#include "base/status.h"
#include "v2/array.h"

struct sco_text;
struct sco_v2_tensor;

/* Reads a body. An empty slice stands for a field that is not there: then
 * datatype or shape is the declared one, whose one dimension of any length
 * follows from the count of bytes.
 *
 * Ownership: the data of *out are the body's.
 * Errors:    SCO_INVALID, SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status
sco_v2_raw_read(struct sco_slice datatype_field, struct sco_slice shape_field,
                struct sco_slice body, const struct sco_v2_tensor *declared,
                struct sco_v2_array *out, struct sco_error *err);

/* Appends a shape as the field has it: "32, 4". */
void sco_v2_raw_shape(const struct sco_shape *shape, struct sco_text *out);

#endif
