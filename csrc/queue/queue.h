/* queue.h - the waiting room of one deployment
 *
 * The pipeline pushes requests in, the pool takes them out, the most urgent
 * first. A queue knows nothing of HTTP and nothing of Python. What a worker
 * was given ahead of time (16 requests at the most) no longer counts here.
 *
 * How urgent a request is tells the moment until which its caller waits. Who
 * gives none is taken to wait for SCO_QUEUE_PATIENCE_NS from now, and so is
 * who gives a later one: a request is overtaken only by those that come
 * within that time after it, so none starves, however many with a short
 * deadline follow. Without deadlines that is the order of coming.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_QUEUE_QUEUE_H
#define SCO_QUEUE_QUEUE_H

#include "base/clock.h"
#include "base/ranks.h"
#include "base/status.h"
#include "request/request.h"

#include <stddef.h>
#include <stdint.h>

/* How long a caller is taken to wait who says nothing else. */
#define SCO_QUEUE_PATIENCE_NS (60 * SCO_NS_PER_S)

struct sco_queue_limits {
    size_t max_requests; /* waiting at once; at least 1 */
    uint64_t max_bytes;  /* sum of the waiting bodies */
};

struct sco_queue {
    struct sco_queue_limits limits;
    struct sco_ranks waiting; /* of sco_request.place, most urgent first */
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

/* What is known when it is asked whether a request can be in time. */
struct sco_queue_outlook {
    size_t ahead;     /* requests that are served before it, or at work now */
    size_t workers;   /* that serve them */
    uint64_t run_ns;  /* what run() takes on average; 0: nobody knows */
    uint64_t left_ns; /* until its deadline */
};

/* By how much a request would be too late, as far as can be told: pure. 0 is
 * in time. Who has no estimate yet is let in, and so is one that a worker is
 * free for, however slow run() was lately: if everybody were refused, the
 * mean would never learn that it is fast again. Thread: any. */
uint64_t sco_queue_late_ns(const struct sco_queue_outlook *outlook);

/* How many seconds a client should stay away whose request would be so much
 * too late: pure. 1..60. Thread: any. */
unsigned sco_queue_back_in_s(uint64_t late_ns);

/* Makes an empty queue. */
void sco_queue_init(struct sco_queue *queue,
                    const struct sco_queue_limits *limits);

/* Hands the work over to the queue. `now_ns` is the present time.
 *
 * Ownership: on SCO_OK the queue has the work, and the caller's reference
 *            with it; on any error the caller still has both.
 * Errors:    SCO_BUSY at a limit. */
SCO_NODISCARD
enum sco_status sco_queue_push(struct sco_queue *queue,
                               struct sco_request *req, uint64_t now_ns);

/* Puts a request that had been taken back where it was, before all that came
 * later or wait longer; limits do not count. Ownership: takes the work. */
void sco_queue_return(struct sco_queue *queue, struct sco_request *req);

/* The most urgent request, which stays where it is, or NULL. */
struct sco_request *sco_queue_first(const struct sco_queue *queue);

/* Takes the most urgent request, or NULL. Ownership: the caller has the
 * work. */
struct sco_request *sco_queue_take(struct sco_queue *queue);

/* Takes out a request that waits here. Ownership: the caller has the work. */
void sco_queue_remove(struct sco_queue *queue, struct sco_request *req);

/* How many of those that wait would be taken before one that came now with
 * this deadline (0: none). */
size_t sco_queue_ahead(const struct sco_queue *queue, uint64_t deadline_ns,
                       uint64_t now_ns);

#endif
