/* deployment.h - one script, its workers and what waits for them
 *
 * Requests go in with sco_deployment_submit() and are answered through their
 * on_answer. The deployment feeds its workers from its queue: one request at
 * a time to each where run() takes long, and up to SCO_FEED_DEPTH ahead where
 * it is short, which saves a sleep and a wake-up for each. What a worker has
 * not started can be taken back, and is, when another one has nothing to do.
 *
 * A script that turns out not to fit its kind of worker is moved to another
 * one; what waits is kept for the new workers, and only the request that
 * showed it is refused.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_DEPLOY_DEPLOYMENT_H
#define SCO_DEPLOY_DEPLOYMENT_H

#include "base/slice.h"
#include "base/status.h"
#include "deploy/batches.h"
#include "deploy/model.h"
#include "link/slots.h"
#include "queue/queue.h"
#include "worker/pool.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SCO_FEED_DEPTH = 16 };

struct sco_deployment;

/* ... and to a worker that makes batches of what it has. */
enum { SCO_BATCH_DEPTH = 240 };

/* How many requests a worker may be given ahead when run() takes `run_ns` on
 * average: pure. Thread: any. */
size_t sco_feed_depth(uint64_t run_ns);

/* What a deployment is made from. */
struct sco_deployment_setup {
    struct sco_loop *loop;
    const struct sco_worker_ops *kind;
    const struct sco_worker_ops *fallback; /* for a script unfit for `kind` */
    struct sco_queue_limits limits;
    struct sco_recycle_limits recycle;
    struct sco_slice boot; /* copied */
    const char *python;    /* copied */
    const struct sco_runner *runner;
    struct sco_seat *seat;
    size_t workers;     /* at the start; 0: only those that come */
    size_t workers_min; /* autoscaling stays within these; 0: `workers` */
    size_t workers_max;
    size_t lost_max;          /* stuck workers that are left behind */
    bool preload;             /* workers of kind process are forked */
    uint64_t limit_ns;        /* of one run(); 0: none */
    uint64_t stream_limit_ns; /* of silence in a stream; 0: none */
    char *const *gpus;        /* each for a worker process of its own */
    size_t gpu_count;
    const char *remote_listen; /* where those come to; NULL or "": nowhere */
    const char *remote_keys;   /* the folder of their keys; NULL or "": none */
    uint32_t timeout_ms;
    bool raise_cancelled; /* interrupt a run() that nobody waits for */

    void *arg; /* of those below */

    /* A worker is ready, and was given nothing yet: what it is given may end
     * the process. May be NULL. */
    void (*on_ready)(void *arg);
    void (*on_boot_failed)(void *arg);

    /* Something is to be new, and only a new host is: a script that threads
     * have loaded, workers that are stuck inside the host, its memory. May
     * be NULL: a line in the log says it then. */
    void (*on_worn)(void *arg, const char *why);
    void (*on_empty)(void *arg);
};

/* Makes a deployment without workers.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_deployment_create(const struct sco_deployment_setup *setup,
                                      struct sco_deployment **out,
                                      struct sco_error *err);

/* Starts the workers. */
void sco_deployment_start(struct sco_deployment *deployment);

/* Has the script read again, by new workers beside the old ones. */
void sco_deployment_reload(struct sco_deployment *deployment);

/* Has remote workers that go with this deployment load the script anew before
 * they come to the next one; else they come as they are. */
void sco_deployment_renew_guests(struct sco_deployment *deployment);

/* Adds workers, or takes some away; one stays, and where there is autoscaling
 * its limits hold. */
void sco_deployment_add_workers(struct sco_deployment *deployment, int more);

/* The pool, for its health and size. */
struct sco_pool *sco_deployment_pool(struct sco_deployment *deployment);

/* The arena in which requests are laid. */
struct sco_arena *sco_deployment_arena(struct sco_deployment *deployment);

/* Hands a request in. With a deadline it is answered by then, at the latest
 * with SCO_DEADLINE (and the pid of the worker that has begun it).
 *
 * Ownership: takes the work and the caller's reference with it, on SCO_OK.
 * Errors:    SCO_BUSY at a limit of the queue, SCO_CLOSED when it is ended. */
SCO_NODISCARD
enum sco_status sco_deployment_submit(struct sco_deployment *deployment,
                                      struct sco_request *req);

/* The client left: work that has not begun is dropped, a running script sees
 * its request cancelled. on_answer is not called any more. */
void sco_deployment_cancel(struct sco_deployment *deployment,
                           struct sco_request *req);

/* The client sends no more, and may still read. Work that waits for others to
 * be done is dropped; on_answer is then not called any more. False: it runs,
 * or is as good as begun, since its worker is through with all before it: the
 * script sees it cancelled, and what it answers is still heard. */
bool sco_deployment_half_closed(struct sco_deployment *deployment,
                                struct sco_request *req);

/* By how many nanoseconds a request with this deadline (0: none) would be too
 * late if it came now, as far as can be told; 0: in time. */
uint64_t sco_deployment_late_ns(const struct sco_deployment *deployment,
                                uint64_t deadline_ns);

/* Has a worker log a line through Python's logging: that of `pid` if it is
 * there, else any. False when none can. */
bool sco_deployment_line(struct sco_deployment *deployment, pid_t pid,
                         struct sco_slice logger, struct sco_slice message);

/* A document that the workers offered ("2", "mode"), or an empty slice. It
 * holds until the next worker is ready. */
struct sco_slice sco_deployment_document(const struct sco_deployment *dep,
                                         struct sco_slice name);

/* What the workers' script is as a model; it is one if it has a signature. */
struct sco_model *sco_deployment_model(struct sco_deployment *deployment);

/* What is known of the calls of run() that batches went with. */
const struct sco_batches *
sco_deployment_batches(const struct sco_deployment *deployment);

/* What waits for a worker, as the limits count it: requests in the queue and
 * those given ahead, bytes in the queue alone. */
struct sco_waiting {
    size_t count;
    uint64_t bytes;
};

/* How much waits now. */
struct sco_waiting
sco_deployment_waiting(const struct sco_deployment *deployment);

/* The pid of some worker, for lines about what no worker did; 0: none. */
pid_t sco_deployment_pid(const struct sco_deployment *deployment);

/* In how many seconds a refused client should come back. */
unsigned sco_deployment_retry_after_s(const struct sco_deployment *dep);

/* One round of hearing and feeding; for a hook of the loop. True when there
 * was something to hear, so that another round is due. */
bool sco_deployment_turn(struct sco_deployment *deployment);

/* Ends it: what waits is still served; on_empty() comes at the end. */
void sco_deployment_stop(struct sco_deployment *deployment);

/* Ends it at once: what waits is answered with SCO_CLOSED, and so is what
 * workers had not started; they are killed, and on_empty() comes when the
 * last one is gone. */
void sco_deployment_kill(struct sco_deployment *deployment);

/* How many requests wait or run. */
size_t sco_deployment_busy(const struct sco_deployment *deployment);

/* Frees it; it must have no workers. What still waits is answered with
 * SCO_CLOSED. While a lost worker's thread may come back, the arena that it
 * writes to stays. NULL is allowed. */
void sco_deployment_destroy(struct sco_deployment *deployment);

#endif
