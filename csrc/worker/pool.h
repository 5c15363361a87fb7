/* pool.h - the workers of one deployment: as many as wanted, always
 *
 * A pool starts workers, replaces the lost ones after a pause that grows
 * while they keep dying, restarts them one by one when asked, and ends them.
 * It does not know what work waits; deploy/ does.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_WORKER_POOL_H
#define SCO_WORKER_POOL_H

#include "worker/worker.h"

#include <stdbool.h>
#include <stddef.h>

/* To whom a pool reports. Every member is required. */
struct sco_pool_boss {
    void *arg;
    void (*on_ready)(void *arg, struct sco_worker *worker,
                     struct sco_slice documents);
    void (*on_through)(void *arg, struct sco_worker *worker, uint64_t run_ns);
    void (*on_return)(void *arg, struct sco_worker *worker,
                      struct sco_request *req);

    /* The script cannot be loaded: the first worker ended with code 3 before
     * any was ready. */
    void (*on_boot_failed)(void *arg);

    /* The last worker of a stopped pool has gone. */
    void (*on_empty)(void *arg);
};

struct sco_pool {
    const struct sco_worker_ops *ops;
    const struct sco_worker_setup *setup;
    struct sco_pool_boss boss;
    struct sco_list workers; /* of sco_worker.link */
    size_t count;            /* length of `workers` */
    size_t wanted;
    struct sco_timer respawn;
    unsigned failures; /* bad ends in a row */
    unsigned restarts; /* workers of before the last sco_pool_restart() */
    bool ever_ready;
    bool stopping;
};

/* What a probe is told. */
enum sco_pool_health {
    SCO_POOL_STARTING, /* no worker has been ready yet */
    SCO_POOL_SERVING,
    SCO_POOL_FAILING, /* none is there, and the last ones died at once */
};

/* Makes a pool without workers. `setup` is borrowed, `boss` copied. */
void sco_pool_init(struct sco_pool *pool, const struct sco_worker_ops *ops,
                   const struct sco_worker_setup *setup,
                   const struct sco_pool_boss *boss);

/* Starts `wanted` workers, or ends some that are too many. */
void sco_pool_resize(struct sco_pool *pool, size_t wanted);

/* Replaces every worker that is there now, one after the other. */
void sco_pool_restart(struct sco_pool *pool);

/* How a probe should see the pool. */
enum sco_pool_health sco_pool_health(const struct sco_pool *pool);

/* How many workers are ready. */
size_t sco_pool_ready_count(const struct sco_pool *pool);

/* The ready worker that holds least, and less than `depth`; or NULL. */
struct sco_worker *sco_pool_least_busy(const struct sco_pool *pool,
                                       size_t depth);

/* The worker that holds most beside what it runs; or NULL when none holds
 * more than one request. */
struct sco_worker *sco_pool_most_busy(const struct sco_pool *pool);

/* Hears all workers' replies. True when there was one. */
bool sco_pool_poll(struct sco_pool *pool);

/* Wakes the workers that were given something. */
void sco_pool_flush(struct sco_pool *pool);

/* Ends the pool: workers finish what they hold, and on_empty() comes. */
void sco_pool_stop(struct sco_pool *pool);

/* Ends all workers at once. */
void sco_pool_kill(struct sco_pool *pool);

#endif
