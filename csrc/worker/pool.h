/* pool.h - the workers of one deployment: as many as wanted, always
 *
 * A pool starts workers, replaces the lost ones after a pause that grows
 * while they keep dying, and ends them. It does not know what work waits;
 * deploy/ does.
 *
 * Whatever is not lost but is to be new is replaced in one way only: a new
 * worker is started beside the old ones; when it is ready, one old worker
 * leaves; then comes the next. So it goes when the script is read again
 * (sco_pool_reload), when a worker is worn out (sco_recycle_judge), and when
 * the script moves to another kind (sco_pool_change_kind). A new worker that
 * does not get ready ends the matter, and the old ones stay.
 *
 * A pool may hold workers of several kinds; `ops` is that of the next one.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_WORKER_POOL_H
#define SCO_WORKER_POOL_H

#include "worker/counts.h"
#include "worker/recycle.h"
#include "worker/worker.h"

#include <stdbool.h>
#include <stddef.h>

/* To whom a pool reports. Every member is required. */
struct sco_pool_boss {
    void *arg;
    void (*on_ready)(void *arg, struct sco_worker *worker,
                     struct sco_slice documents);
    void (*on_through)(void *arg, struct sco_worker *worker, uint64_t run_ns);
    void (*on_unfit)(void *arg, struct sco_worker *worker);
    void (*on_return)(void *arg, struct sco_worker *worker,
                      struct sco_request *req);
    void (*on_ran)(void *arg, struct sco_worker *worker,
                   const struct sco_ran *ran);

    /* The script cannot be loaded: the first worker ended with code 3 before
     * any was ready. */
    void (*on_boot_failed)(void *arg);

    /* What `why` tells is to be new, and only a new host is. */
    void (*on_worn)(void *arg, const char *why);

    /* The last worker of a stopped pool has gone. */
    void (*on_empty)(void *arg);
};

/* Of what a worker is made. */
struct sco_pool_kind {
    const struct sco_worker_ops *ops;
    const struct sco_worker_setup *setup;
};

struct sco_pool {
    struct sco_pool_kind kind; /* of the next worker */
    struct sco_pool_boss boss;
    struct sco_list workers; /* of sco_worker.link */
    struct sco_worker_tally tally;
    size_t count;  /* length of `workers` */
    size_t guests; /* of them: those that came by sco_pool_admit() */
    size_t wanted;
    size_t lost; /* left behind, since the pool was made */
    size_t lost_max;
    unsigned started; /* workers, since the pool was made */
    struct sco_worker_counts counts;
    struct sco_timer respawn;
    unsigned failures; /* bad ends in a row */
    bool ever_ready;
    bool stopping;
    bool is_open; /* guests may come, now and later */

    /* Replacing (replace.c). */
    unsigned generation;         /* of the next worker */
    bool reloading;              /* older generations are to go */
    struct sco_pool_kind former; /* what a change left; ops NULL: none is on */
    struct sco_worker *newcomer; /* it stands beside one that is to go */
    struct sco_worker *leaver;   /* whose place was taken */
    struct sco_recycle_limits limits;
    struct sco_timer age;
    uint64_t recycle_from_ns; /* after a newcomer, or a host, that failed */
    bool worn_told;           /* and no answer has come */
};

/* What a probe is told. */
enum sco_pool_health {
    SCO_POOL_STARTING, /* no worker has been ready yet */
    SCO_POOL_SERVING,
    SCO_POOL_FAILING, /* none is there, and the last ones died at once */
    SCO_POOL_EMPTY,   /* none is there, and only guests may come */
};

/* Makes a pool without workers. `setup` is borrowed, `boss` copied. */
void sco_pool_init(struct sco_pool *pool, const struct sco_worker_ops *ops,
                   const struct sco_worker_setup *setup,
                   const struct sco_pool_boss *boss);

/* Starts `wanted` workers, or ends some that are too many. */
void sco_pool_resize(struct sco_pool *pool, size_t wanted);

/* Takes in a worker that is none of the `wanted`: it is given work like the
 * others, and nobody takes its place when it goes. `setup` is borrowed.
 *
 * Errors: SCO_CLOSED when the pool stops; those of sco_worker_create(). */
SCO_NODISCARD
enum sco_status sco_pool_admit(struct sco_pool *pool,
                               const struct sco_worker_ops *ops,
                               const struct sco_worker_setup *setup,
                               struct sco_worker **out, struct sco_error *err);

/* Has the script read again: replaces every worker that is there now. While
 * an earlier reload is on, it starts over. A kind that cannot do it in this
 * host tells on_worn(). */
void sco_pool_reload(struct sco_pool *pool);

/* No new host could be had, though on_worn() told that one is needed. It is
 * told again, but not at once. */
void sco_pool_stay(struct sco_pool *pool);

/* Moves the script to workers of another kind. Those of the former one are
 * given no more work from now on; they leave when the first of the new kind
 * is ready. If that one fails, all is as before. `setup` is borrowed. */
void sco_pool_change_kind(struct sco_pool *pool,
                          const struct sco_worker_ops *ops,
                          const struct sco_worker_setup *setup);

/* Sets what the workers may reach before they are replaced. */
void sco_pool_set_limits(struct sco_pool *pool,
                         const struct sco_recycle_limits *limits);

/* How a probe should see the pool. */
enum sco_pool_health sco_pool_health(const struct sco_pool *pool);

/* How many workers are ready. */
static inline size_t
sco_pool_ready_count(const struct sco_pool *pool)
{
    return pool->tally.ready;
}

/* How many requests the workers hold. */
static inline size_t
sco_pool_held_count(const struct sco_pool *pool)
{
    return pool->tally.held;
}

/* The worker after this one, or the first one for NULL; NULL at the end. */
struct sco_worker *sco_pool_next(const struct sco_pool *pool,
                                 const struct sco_worker *worker);

/* The able worker with this pid, or any other one; NULL when none is able. */
struct sco_worker *sco_pool_find(const struct sco_pool *pool, pid_t pid);

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
