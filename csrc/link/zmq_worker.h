/* zmq_worker.h - the worker's end of the line to a host elsewhere
 *
 * The process that runs the script has one more thread, which speaks with the
 * host and, towards the script's own thread, plays a small host: it has an
 * arena and a lane of its own, in this process. So the script's thread works
 * over a struct sco_child as in any worker, and timeouts, cancelled requests
 * and slow clients reach it by the same marks.
 *
 * It connects again whenever the host is gone, and registers again when the
 * script has nothing left in hand.
 *
 * Thread: the script's (main), where a function says nothing else.
 */
#ifndef SCO_LINK_ZMQ_WORKER_H
#define SCO_LINK_ZMQ_WORKER_H

#include "base/status.h"
#include "link/zmq.h"

#include <stdint.h>

struct sco_child;
struct sco_zmq_worker;

/* What it is made from; all is copied. */
struct sco_zmq_worker_setup {
    const char *endpoint; /* the host's */
    const char *name;
    const char *gpu;    /* "" for none */
    const char *script; /* the file's name */
    uint64_t script_hash;
    unsigned credits;                  /* calls that the host may send ahead */
    struct sco_zmq_key secret, server; /* "" for no keys */
};

/* Why the script's thread was told to stop. */
enum sco_zmq_worker_end {
    SCO_WORKER_ENDED,   /* it was asked to end, and is through */
    SCO_WORKER_RENEW,   /* the host wants it to start anew */
    SCO_WORKER_REFUSED, /* the host will never let it in */
};

/* Starts the thread, and connects.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_UNSUPPORTED without the library, SCO_INVALID for an endpoint
 *            or keys that will not do, SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_zmq_worker_create(const struct sco_zmq_worker_setup *setup,
                                      struct sco_zmq_worker **out,
                                      struct sco_error *err);

/* The script's end. It registers when sco_child_ready() was called. Borrowed.
 */
struct sco_child *sco_zmq_worker_child(struct sco_zmq_worker *worker);

/* Has it take nothing more, answer what it has, and stop the lane. Safe in a
 * signal handler, and on any thread. */
void sco_zmq_worker_stop(struct sco_zmq_worker *worker);

/* Ends it, whatever is in hand, and says how it ended. NULL is allowed.
 * Blocks: two seconds at most, for what is still to be sent. */
enum sco_zmq_worker_end sco_zmq_worker_destroy(struct sco_zmq_worker *worker);

#endif
