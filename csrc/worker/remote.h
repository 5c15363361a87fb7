/* remote.h - workers that come over ZeroMQ: kind `remote`
 *
 * They are not started but adopted: one that comes is handed to the boss,
 * which makes a worker for it with sco_worker_create(&sco_remote_worker, ...)
 * or lets it be sent away. From then on it is a worker like any other; its
 * far end is played by a thread of link/zmq_host.h.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_WORKER_REMOTE_H
#define SCO_WORKER_REMOTE_H

#include "base/status.h"

struct sco_loop;
struct sco_remote;

/* Makes the place that remote workers come to.
 *
 * `came` is called for each that comes: while it runs, one worker of kind
 * remote may be created for it.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_INVALID for an endpoint or keys that will not do,
 *            SCO_UNSUPPORTED without ZeroMQ, SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_remote_create(struct sco_loop *loop, const char *endpoint,
                                  const char *keys, void (*came)(void *arg),
                                  void *arg, struct sco_remote **out,
                                  struct sco_error *err);

/* Says that the host is ending: workers that are let go come back to the next
 * one. NULL is allowed. */
void sco_remote_ending(struct sco_remote *remote);

/* Frees it; none of its workers is left. NULL is allowed.
 * Blocks: two seconds at most. */
void sco_remote_destroy(struct sco_remote *remote);

#endif
