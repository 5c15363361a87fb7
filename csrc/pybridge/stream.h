/* stream.h - a reply whose body comes out of an iterator
 *
 * Thread: one that is attached to the interpreter; it lets go of the GIL
 * while the client is slow.
 */
#ifndef SCO_PYBRIDGE_STREAM_H
#define SCO_PYBRIDGE_STREAM_H

#include "pybridge/py.h"

#include "link/call.h"

struct sco_scoring;

/* Sends the items of `body` (bytes, str as UTF-8, buffers; empty ones are
 * skipped), and closes it. When the client has gone the iterator is closed
 * early; when it raises, the reply is cut off and Scoring.stream_failed() is
 * told, if there is one (outputs.Stream logs by itself).
 *
 * Blocks: as long as the iterator and the client take.
 * Errors: -1 with an exception when `body` cannot be iterated at all; then
 *         the sink has not been given anything. */
int sco_stream_give(const struct sco_scoring *scoring, struct sco_sink *sink,
                    const struct sco_reply_head *head,
                    struct sco_slice headers, PyObject *body);

#endif
