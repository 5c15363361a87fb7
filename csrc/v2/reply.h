/* reply.h - an infer response of the Open Inference Protocol
 *
 * JSON, and the binary data that go behind it, as pieces: those of numbers
 * are the caller's own memory, so that a large tensor is copied once, to
 * where it is sent from. Thread: that of its owner.
 */
#ifndef SCO_V2_REPLY_H
#define SCO_V2_REPLY_H

#include "base/slice.h"
#include "base/status.h"
#include "base/text.h"
#include "v2/array.h"
#include "v2/signature.h"

#include <stddef.h>

struct sco_v2_request;

/* What the script gave for one request. */
struct sco_v2_output {
    struct sco_slice name;
    struct sco_v2_array array;
};

enum { SCO_V2_PIECES_MAX = 1 + SCO_V2_TENSORS_MAX };

struct sco_v2_reply {
    /* The body: JSON, then binary data. */
    struct sco_slice pieces[SCO_V2_PIECES_MAX];
    size_t piece_count;
    size_t body_bytes; /* of all pieces */
    size_t json_bytes; /* for Inference-Header-Content-Length; 0: it is all
                        * JSON, and the field is left out */
    struct sco_text json;
    struct sco_text strings; /* BYTES in their binary form */
};

/* The media type of a body: JSON, or bytes when binary data are in it. */
struct sco_slice sco_v2_reply_type(const struct sco_v2_reply *reply);

/* Makes the response to a request: the outputs that it asks for in its
 * order, or all in the order of the declaration. `reply` is zeroed, or was
 * made before; its memory is used again.
 *
 * Ownership: pieces point into the reply and into the outputs' data.
 * Errors:    SCO_SCRIPT when the outputs are not what was declared, or not
 *            as many rows as the request has; SCO_INVALID when the client
 *            asks for what this output cannot be; SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_v2_reply_make(struct sco_v2_reply *reply,
                                  const struct sco_v2_request *request,
                                  const struct sco_v2_output *outputs,
                                  size_t output_count, struct sco_error *err);

/* Frees what a reply has. A zeroed one is allowed. */
void sco_v2_reply_finish(struct sco_v2_reply *reply);

#endif
