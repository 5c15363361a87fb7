/* call.h - one scoring request as the side that runs the script sees it
 *
 * A call comes in, a reply goes out through a sink. Whoever runs the script
 * (pybridge) knows no rings and no threads of the host; whoever carries the
 * bytes (a worker process's link, or a worker thread) knows no Python.
 *
 * Thread: the one that runs the script.
 */
#ifndef SCO_LINK_CALL_H
#define SCO_LINK_CALL_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* What a reply is, beside its status; as in python/scorehost/reply.py. */
enum sco_reply_flag {
    SCO_REPLY_FAILED = 1,           /* x-ms-run-function-failed: True */
    SCO_REPLY_NO_FAILED_HEADER = 2, /* do not send that header at all */
    SCO_REPLY_EXEC_MS = 4,          /* send x-ms-run-fn-exec-ms */
    SCO_REPLY_OWN_TYPE = 8,         /* the headers hold a Content-Type */
    SCO_REPLY_STREAM = 16,          /* the body follows in pieces */
    SCO_REPLY_HTTP_RESPONSE = 32,   /* the script made a Response object */
    SCO_REPLY_UNFIT = 64,           /* this kind of worker cannot run it */
};

/* What a reply tells of the run() that it comes from, where run() takes
 * batches. One reply of all that it gave does; in the others it is 0. */
enum sco_batch_told {
    SCO_BATCH_TOLD_REASON = 0x00ff, /* why it went: 1 and the reason */
    SCO_BATCH_TOLD_FAILED = 0x0100, /* it raised, or lost rows */
};

/* How the script is called. */
enum sco_call_way {
    SCO_CALL_PLAIN,   /* POST: the body as it is */
    SCO_CALL_GENERAL, /* anything else: through Scoring.invoke() */
    SCO_CALL_INFER,   /* POST: an infer request of the v2 protocol */
    SCO_CALL_WAYS,
};

/* One request. All of it holds until the reply (or the stream's end) has been
 * given. */
struct sco_call {
    enum sco_call_way way;
    struct sco_slice head; /* a head block: link/head.h */
    struct sco_slice body;
    uint32_t timeout_ms;  /* the limit in force, for the log; 0: none */
    uint64_t deadline_ns; /* when the caller's time or the limit is over, on
                             the monotonic clock; 0: never */
    uint64_t given_ns;    /* when the worker could first have taken it */
};

/* The start of a reply. */
struct sco_reply_head {
    unsigned status;      /* 100..999 */
    uint32_t flags;       /* sco_reply_flag */
    uint64_t run_ns;      /* time inside the user's run() */
    int64_t stream_bytes; /* a stream's length, or -1 */
    bool has_reason;      /* the first header is ("", reason phrase) */
    uint64_t begun_ns;    /* when run() was called; 0: unknown */
    uint32_t rows;        /* of this request; 0: it has none */
    uint32_t batch_rows;  /* ... and of the run() that they were in */
    uint16_t batch_told;  /* bits of enum sco_batch_told */
};

/* What is to be raised in a script that works for nobody. */
enum sco_stop {
    SCO_STOP_NOT,
    SCO_STOP_TIMEOUT,   /* ScoringTimeout: over the host's own limit */
    SCO_STOP_CANCELLED, /* Cancelled: nobody waits, and raising is asked for */
};

struct sco_sink;

/* Where replies go. Each call gets exactly one reply(), or one start() with
 * chunks and one end(). `headers` is a field block of link/head.h. All bytes
 * are copied before a function returns. */
struct sco_sink_ops {
    /* The whole reply. It cannot fail: without room for it the sink gives an
     * error reply of its own. */
    void (*reply)(struct sco_sink *sink, const struct sco_reply_head *head,
                  struct sco_slice headers, struct sco_slice body);

    /* The same with a body that is in pieces. */
    void (*pieces)(struct sco_sink *sink, const struct sco_reply_head *head,
                   struct sco_slice headers, const struct sco_slice *pieces,
                   size_t count);

    /* The begin of a streamed reply.
     * Errors: SCO_CANCELLED when nobody listens any more; end() must still
     * follow. */
    enum sco_status (*start)(struct sco_sink *sink,
                             const struct sco_reply_head *head,
                             struct sco_slice headers);

    /* A piece of it.
     * Blocks: while the client is slow to take what was sent; the caller has
     *         let go of the GIL.
     * Errors: SCO_CANCELLED when the client is gone: stop, and call end(). */
    enum sco_status (*chunk)(struct sco_sink *sink, struct sco_slice bytes);

    /* The end of it; anything but SCO_OK closes the client's connection
     * without the final chunk. */
    void (*end)(struct sco_sink *sink, enum sco_status how);

    /* Whether the client has left, or has closed its sending side, or the
     * request's time is over. False when no request is in hand.
     * Thread: any. */
    bool (*cancelled)(struct sco_sink *sink);

    /* What is to be raised for the request in hand: what the interrupt asks
     * before it raises. Safe in a signal handler. Thread: any. */
    enum sco_stop (*stop)(struct sco_sink *sink);
};

struct sco_sink {
    const struct sco_sink_ops *ops;
};

#endif
