/* worker_int.h - between pool.c, which keeps the number of workers, and
 * replace.c, which keeps them new
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_WORKER_WORKER_INT_H
#define SCO_WORKER_WORKER_INT_H

#include "worker/pool.h"

/* Starts one more worker of the next kind and generation; NULL when it cannot
 * be started, which has been logged. */
struct sco_worker *pool_add(struct sco_pool *pool);

/* Lets go of workers that are more than wanted. */
void pool_trim(struct sco_pool *pool);

/* Prepares the part of a new pool that replaces. */
void replace_init(struct sco_pool *pool);

/* Ends it, for a pool that stops. */
void replace_stop(struct sco_pool *pool);

/* Goes on with what is to be replaced, if anything is. */
void replace_next(struct sco_pool *pool);

/* A worker is ready: if it is the newcomer, an old one leaves for it. */
void replace_ready(struct sco_pool *pool, const struct sco_worker *worker);

/* A worker has ended. If it was the newcomer, what it was to replace stays. */
void replace_gone(struct sco_pool *pool, const struct sco_worker *worker,
                  const struct sco_worker_end *end);

/* Whether there is one worker more than wanted, for one that is to go. */
bool replace_is_beside(const struct sco_pool *pool);

/* Whether a worker is one that newer ones are to take the place of. */
bool replace_is_due(const struct sco_pool *pool,
                    const struct sco_worker *worker);

/* Looks whether a worker is worn out: it was through with a request. */
void replace_look(struct sco_pool *pool, struct sco_worker *worker);

#endif
