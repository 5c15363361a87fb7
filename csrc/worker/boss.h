/* boss.h - to whom a worker reports, and what
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_WORKER_BOSS_H
#define SCO_WORKER_BOSS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_ran;
struct sco_request;
struct sco_worker;

/* How a worker came to its end. */
struct sco_worker_end {
    int exit_code; /* when signal is 0 */
    int signal;
    bool lost; /* inside the host, and stuck: its thread is left behind */
    const char *reason; /* a remote one was lost, and how; else NULL */
    bool with_parent;   /* of that it was forked from; nobody knows its code */
};

/* What several workers have together. */
struct sco_worker_tally {
    size_t ready; /* READY, and not killed */
    size_t held;  /* requests */
};

/* To whom a worker reports: the pool. tally, on_ran and on_unfit are
 * optional. */
struct sco_worker_boss {
    void *arg;
    struct sco_worker_tally *tally; /* kept up by its workers; or NULL */

    /* init() is done. `documents` is a field block that holds in the call. */
    void (*on_ready)(void *arg, struct sco_worker *worker,
                     struct sco_slice documents);

    /* A request is through; `run_ns` is what run() took. */
    void (*on_through)(void *arg, struct sco_worker *worker, uint64_t run_ns);

    /* run() was called for a batch: told once for each call, before any of
     * the answers that it gave. */
    void (*on_ran)(void *arg, struct sco_worker *worker,
                   const struct sco_ran *ran);

    /* The worker answered with SCO_REPLY_UNFIT: the script needs a module
     * that does not load in this kind of worker. Or its script could not even
     * be loaded for that reason; then on_gone() follows. */
    void (*on_unfit)(void *arg, struct sco_worker *worker);

    /* A request comes back unstarted. Ownership: the boss has the work. */
    void (*on_return)(void *arg, struct sco_worker *worker,
                      struct sco_request *req);

    /* The worker has ended. It holds nothing any more; the boss destroys it
     * with sco_worker_destroy(), perhaps before it returns. */
    void (*on_gone)(void *arg, struct sco_worker *worker,
                    const struct sco_worker_end *end);
};

#endif
