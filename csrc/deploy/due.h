/* due.h - callers are answered when the time that they gave is over
 *
 * Wherever their request is: what waits in the queue is taken out, what a
 * worker was given ahead is taken back, and what runs is answered for. So no
 * worker begins what nobody waits for.
 *
 * A run() that works for nobody is told so and, where raising is asked for,
 * interrupted; but its worker is not killed. The time is the caller's to
 * choose: if it could end workers, whoever sends `x-request-timeout-ms: 1`
 * could end them all, each with a model that takes minutes to load. Workers
 * are killed for the host's own limit alone (worker/worker.c).
 *
 * A reply that has begun is in time: its stream may go on.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_DEPLOY_DUE_H
#define SCO_DEPLOY_DUE_H

#include "base/loop.h"
#include "base/ranks.h"
#include "queue/queue.h"

/* The requests with a deadline, and one timer for the first of them. */
struct sco_due {
    struct sco_loop *loop;
    struct sco_queue *queue;
    struct sco_ranks waited_for; /* of sco_request.due */
    struct sco_timer timer;
};

/* Makes one without requests. Both are borrowed, and it must not move. */
void sco_due_init(struct sco_due *due, struct sco_loop *loop,
                  struct sco_queue *queue);

/* Watches a request until it is answered or forgotten; one without a deadline
 * is allowed. */
void sco_due_add(struct sco_due *due, struct sco_request *req);

/* Clears the timer. */
void sco_due_finish(struct sco_due *due);

#endif
