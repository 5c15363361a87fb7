/* input.h - one input of a request: what it says it is, and its elements
 *
 * The elements are read in two steps: first all is looked at that can be
 * refused without them, then they are decoded where the caller wants them,
 * which may be rows in the middle of a batch. Thread: any.
 */
#ifndef SCO_V2_INPUT_H
#define SCO_V2_INPUT_H

#include "base/slice.h"
#include "base/status.h"
#include "tensor/shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_v2_tensor;

struct sco_v2_input {
    const struct sco_v2_tensor *declared;
    bool is_given;
    bool is_binary;        /* or JSON */
    struct sco_slice data; /* a JSON array, or binary data */
    size_t count;          /* of elements */
    struct sco_shape shape;
};

/* Elements of BYTES, one behind the other: the first takes the bytes up to
 * ends[0], the next those up to ends[1], and so on. Made by the caller, with
 * room for what is to be added. */
struct sco_v2_strings {
    size_t *ends;
    size_t count, count_room;
    char *bytes;
    size_t used, bytes_room;
};

/* Checks what an input says against its declaration and a limit on elements,
 * and that its data may be that many.
 *
 * Errors: SCO_INVALID, SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status sco_v2_input_check(struct sco_v2_input *input,
                                   uint64_t elements_max,
                                   struct sco_error *err);

/* How many bytes the elements take at most once they are decoded: exactly so
 * many, or for BYTES no more than that. */
size_t sco_v2_input_bytes(const struct sco_v2_input *input);

/* Decodes numbers to `out`, which has room for sco_v2_input_bytes().
 *
 * Errors: SCO_INVALID: other values than the datatype has, or not as many as
 *         the shape says. Then `out` holds anything; the caller gives the
 *         rows to another request. */
SCO_NODISCARD
enum sco_status sco_v2_input_decode(const struct sco_v2_input *input,
                                    void *out, struct sco_error *err);

/* Decodes elements of BYTES behind those that *out has already. On failure
 * *out is as it was.
 *
 * Errors: SCO_INVALID; SCO_TOO_LARGE when the room is not enough. */
SCO_NODISCARD
enum sco_status sco_v2_input_strings(const struct sco_v2_input *input,
                                     struct sco_v2_strings *out,
                                     struct sco_error *err);

#endif
