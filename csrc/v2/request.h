/* request.h - an infer request of the Open Inference Protocol
 *
 * The body is JSON, or JSON with binary data behind it; the field
 * Inference-Header-Content-Length says how much of it is JSON. A request is
 * checked as a whole against the model's signature, and its inputs are then
 * in the signature's order. Their elements are decoded one input at a time,
 * by sco_v2_input_decode().
 *
 * Made once, read many times: a worker needs memory for none of the requests
 * that follow on the first.
 *
 * Thread: that of its owner.
 */
#ifndef SCO_V2_REQUEST_H
#define SCO_V2_REQUEST_H

#include "base/slice.h"
#include "base/status.h"
#include "base/text.h"
#include "v2/input.h"
#include "v2/signature.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_v2_array;

/* Limits, unless told otherwise. Data are as many bytes as they have elements,
 * or more, so that a body bounds them too: a million elements take a million
 * bytes at the least. */
enum {
    SCO_V2_BODY_BYTES = 32 * 1024 * 1024,
    SCO_V2_ELEMENTS = 64 * 1024 * 1024,
};

struct sco_v2_limits {
    uint64_t body_bytes;
    uint64_t elements; /* of one input */
    uint64_t rows;     /* of a batched model; 0: any number */
};

/* An output that the client asked for. */
struct sco_v2_wish {
    struct sco_slice name;
    bool is_binary;
    uint64_t classes; /* of the classification extension; 0: the tensor */
};

struct sco_v2_request {
    const struct sco_v2_signature *signature;
    struct sco_v2_limits limits;
    struct sco_slice id;        /* JSON, a string; empty: none */
    struct sco_text parameters; /* JSON, an object, without what is the
                                 * protocol's own; empty: none */
    bool wants_binary;          /* what is not wished for by name */
    struct sco_v2_input *inputs;
    uint64_t rows; /* of a batched model, else 1 */
    struct sco_v2_wish *wishes;
    size_t wish_count; /* 0: every output */
    char *names;       /* of wishes that no declaration names */
    size_t names_used;
};

/* Makes a request of a model, whose signature must outlive it.
 *
 * Errors: SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_v2_request_init(struct sco_v2_request *request,
                                    const struct sco_v2_signature *signature,
                                    const struct sco_v2_limits *limits,
                                    struct sco_error *err);

/* Frees what a request has. A zeroed one is allowed. */
void sco_v2_request_finish(struct sco_v2_request *request);

/* Reads a body. `json_length_field` is Inference-Header-Content-Length as it
 * came, empty when there is none. A failure leaves the request fit for the
 * next body and nothing else.
 *
 * Ownership: inputs and id point into the body until the next one is read.
 * Errors:    SCO_INVALID, SCO_TOO_LARGE, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_v2_request_read(struct sco_v2_request *request,
                                    struct sco_slice body,
                                    struct sco_slice json_length_field,
                                    struct sco_error *err);

/* Forgets what was read, for a body in another form than the protocol's: its
 * reader fills in `inputs` itself, but for `count`, and has
 * sco_v2_request_check() look at them. */
void sco_v2_request_begin(struct sco_v2_request *request);

/* Checks inputs that sco_v2_request_read() has not read.
 *
 * Errors: SCO_INVALID, SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status sco_v2_request_check(struct sco_v2_request *request,
                                     struct sco_error *err);

/* Takes a tensor that came in another form (.npy, raw) for the one input of
 * a model; nothing else is in such a request.
 *
 * Ownership: the input points to the array's data.
 * Errors:    SCO_INVALID: a model of several inputs, or another tensor than
 *            it takes; SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status sco_v2_request_take(struct sco_v2_request *request,
                                    const struct sco_v2_array *array,
                                    struct sco_error *err);

#endif
