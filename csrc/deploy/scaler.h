/* scaler.h - keeps a pool as large as its load asks for
 *
 * The arms and legs of autoscale.h: a timer that runs only while there is
 * work, or workers to send away, and resizes the pool. A deployment whose
 * limits are equal has one too; it never sets its timer.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_DEPLOY_SCALER_H
#define SCO_DEPLOY_SCALER_H

#include "deploy/autoscale.h"
#include "worker/pool.h"

#include <stdbool.h>

/* Embedded in its owner. */
struct sco_scaler {
    struct sco_autoscale scale;
    struct sco_timer tick;
    struct sco_loop *loop;
    struct sco_pool *pool;

    /* Fills in what only the owner knows: wait_ns, run_ns. True: there is
     * work. */
    bool (*look)(void *arg, struct sco_autoscale_view *view);
    void *arg;
};

/* How many workers: 0 is unset, and then `start`, or the other limit where
 * that leaves nothing between the two. Pure; `least` and `most` are set. */
void sco_scaler_limits(size_t start, size_t min, size_t max,
                       struct sco_autoscale *out);

/* Prepares a scaler that has its scale, pool, loop, look and arg. */
void sco_scaler_init(struct sco_scaler *scaler);

/* Ends it. */
void sco_scaler_finish(struct sco_scaler *scaler);

/* Starts the first workers: `start`, within the limits. */
void sco_scaler_start(struct sco_scaler *scaler, size_t start);

/* Has the load looked at soon: a request came in. */
void sco_scaler_wake(struct sco_scaler *scaler);

/* Adds workers, or takes one away; one stays, and where there is autoscaling
 * its limits hold. */
void sco_scaler_add(struct sco_scaler *scaler, int more);

#endif
