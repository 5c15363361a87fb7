/* reply.h - from what the Python side answered to what the sink takes
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_REPLY_H
#define SCO_PYBRIDGE_REPLY_H

#include "pybridge/py.h"

#include "link/call.h"

struct sco_scoring;

/* What was measured around run(). */
struct sco_run_time {
    uint64_t begun_ns; /* 0: it was not called */
    uint64_t run_ns;   /* for replies that do not say it themselves */
};

/* Gives a reply without headers of its own.
 *
 * Ownership: `body` is borrowed, and must stay while another thread runs
 *            Python: the GIL is let go around a large copy. */
void sco_reply_plain(struct sco_sink *sink, const struct sco_reply_head *head,
                     struct sco_slice body);

/* Gives a reply with a field block and a body in pieces, as above. */
void sco_reply_pieces(struct sco_sink *sink, const struct sco_reply_head *head,
                      struct sco_slice headers, const struct sco_slice *pieces,
                      size_t count);

/* Gives the reply for a defect: 500, and a message that tells nothing. */
void sco_reply_internal(struct sco_sink *sink);

/* Gives the reply that a method of Scoring made: a tuple of status (an int,
 * or an int and a reason phrase), headers, body, flags, and nanoseconds
 * inside run(). A stream is read to its end.
 *
 * Blocks: for a stream, as long as that takes.
 * Errors: -1 with an exception when the tuple is not such a reply; then the
 *         sink has not been given anything. */
int sco_reply_give(const struct sco_scoring *scoring, struct sco_sink *sink,
                   PyObject *reply, const struct sco_run_time *time);

#endif
