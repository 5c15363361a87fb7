#include "queue/queue.h"

enum { RETRY_AFTER_MAX_S = 60 };

enum sco_status
sco_queue_admits(const struct sco_queue_limits *limits, size_t waiting,
                 uint64_t waiting_bytes, uint64_t body_bytes)
{
    if (waiting == 0) {
        return SCO_OK;
    }
    if (waiting >= limits->max_requests) {
        return SCO_BUSY;
    }
    if (waiting_bytes > limits->max_bytes ||
        body_bytes > limits->max_bytes - waiting_bytes) {
        return SCO_BUSY;
    }
    return SCO_OK;
}

unsigned
sco_queue_retry_after_s(size_t waiting, size_t workers, uint64_t run_ns)
{
    double at_once = workers == 0 ? 1.0 : (double)workers;
    double seconds = (double)waiting / 2.0 * ((double)run_ns / 1e9) / at_once;

    if (seconds < 1.0) {
        return 1;
    }
    if (seconds > (double)RETRY_AFTER_MAX_S) {
        return RETRY_AFTER_MAX_S;
    }
    return (unsigned)(seconds + 0.5);
}

/* Whole rounds of all workers go by before one of them is free. */
uint64_t
sco_queue_late_ns(const struct sco_queue_outlook *outlook)
{
    size_t workers = outlook->workers;
    uint64_t rounds = workers == 0 ? 0 : outlook->ahead / workers;
    uint64_t allowed;

    if (rounds == 0 || outlook->run_ns == 0) {
        return 0;
    }
    /* Rounds that fit before the deadline, its own run() included. */
    allowed = outlook->left_ns / outlook->run_ns;
    if (rounds < allowed) {
        return 0;
    }
    if (rounds + 1 > UINT64_MAX / outlook->run_ns) {
        return UINT64_MAX;
    }
    return (rounds + 1) * outlook->run_ns - outlook->left_ns;
}

unsigned
sco_queue_back_in_s(uint64_t late_ns)
{
    uint64_t seconds = late_ns / SCO_NS_PER_S;

    if (seconds >= (uint64_t)RETRY_AFTER_MAX_S) {
        return RETRY_AFTER_MAX_S;
    }
    return (unsigned)seconds + 1;
}

void
sco_queue_init(struct sco_queue *queue, const struct sco_queue_limits *limits)
{
    *queue = (struct sco_queue){ .limits = *limits };
}

/* Until when a request is taken to be waited for. */
static uint64_t
urgent_ns(uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t patient_ns = now_ns + SCO_QUEUE_PATIENCE_NS;

    return deadline_ns != 0 && deadline_ns < patient_ns ? deadline_ns
                                                        : patient_ns;
}

static void
add(struct sco_queue *queue, struct sco_request *req, uint64_t at_ns)
{
    sco_ranks_add(&queue->waiting, &req->place, at_ns);
    queue->count++;
    queue->bytes += req->body_bytes;
}

enum sco_status
sco_queue_push(struct sco_queue *queue, struct sco_request *req,
               uint64_t now_ns)
{
    enum sco_status status = sco_queue_admits(&queue->limits, queue->count,
                                              queue->bytes, req->body_bytes);

    if (status == SCO_OK) {
        add(queue, req, urgent_ns(req->deadline_ns, now_ns));
    }
    return status;
}

void
sco_queue_return(struct sco_queue *queue, struct sco_request *req)
{
    add(queue, req, req->place.at_ns);
}

void
sco_queue_remove(struct sco_queue *queue, struct sco_request *req)
{
    sco_ranks_remove(&req->place);
    queue->count--;
    queue->bytes -= req->body_bytes;
}

struct sco_request *
sco_queue_first(const struct sco_queue *queue)
{
    struct sco_rank *first = sco_ranks_first(&queue->waiting);

    return first == NULL ? NULL
                         : SCO_LIST_ENTRY(first, struct sco_request, place);
}

struct sco_request *
sco_queue_take(struct sco_queue *queue)
{
    struct sco_request *req = sco_queue_first(queue);

    if (req != NULL) {
        sco_queue_remove(queue, req);
    }
    return req;
}

size_t
sco_queue_ahead(const struct sco_queue *queue, uint64_t deadline_ns,
                uint64_t now_ns)
{
    return sco_ranks_before(&queue->waiting, urgent_ns(deadline_ns, now_ns));
}
