/* queue.h - the waiting room of one deployment
 *
 * The pipeline pushes requests in, the pool takes them out, oldest first. A
 * queue knows nothing of HTTP and nothing of Python. What a worker was given
 * ahead of time (16 requests at the most) no longer counts here.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_QUEUE_QUEUE_H
#define SCO_QUEUE_QUEUE_H

#include "base/list.h"
#include "base/status.h"
#include "request/request.h"

#include <stddef.h>
#include <stdint.h>

struct sco_queue_limits {
    size_t max_requests; /* waiting at once; at least 1 */
    uint64_t max_bytes;  /* sum of the waiting bodies */
};

struct sco_queue {
    struct sco_queue_limits limits;
    struct sco_list waiting; /* of sco_request.link, oldest first */
    size_t count;
    uint64_t bytes;
};

/* What the door says: pure. A request that nobody waits before is admitted
 * whatever its size, since the body limit has been asked already.
 *
 * Errors: SCO_BUSY. Thread: any. */
enum sco_status sco_queue_admits(const struct sco_queue_limits *limits,
                                 size_t waiting, uint64_t waiting_bytes,
                                 uint64_t body_bytes);

/* How many seconds a refused client should stay away: pure. Half the queue's
 * length at the present pace, 1..60. Thread: any. */
unsigned sco_queue_retry_after_s(size_t waiting, size_t workers,
                                 uint64_t run_ns);

/* Makes an empty queue. */
void sco_queue_init(struct sco_queue *queue,
                    const struct sco_queue_limits *limits);

/* Hands the work over to the queue.
 *
 * Ownership: on SCO_OK the queue has the work, and the caller's reference
 *            with it; on any error the caller still has both.
 * Errors:    SCO_BUSY at a limit. */
SCO_NODISCARD
enum sco_status sco_queue_push(struct sco_queue *queue,
                               struct sco_request *req);

/* Puts a request that had been taken back to the front; limits do not count.
 * Ownership: takes the work. */
void sco_queue_return(struct sco_queue *queue, struct sco_request *req);

/* Takes the oldest request, or NULL. Ownership: the caller has the work. */
struct sco_request *sco_queue_take(struct sco_queue *queue);

/* Takes out a request that waits here. Ownership: the caller has the work. */
void sco_queue_remove(struct sco_queue *queue, struct sco_request *req);

#endif
