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

void
sco_queue_init(struct sco_queue *queue, const struct sco_queue_limits *limits)
{
    *queue = (struct sco_queue){ .limits = *limits };
    sco_list_init(&queue->waiting);
}

enum sco_status
sco_queue_push(struct sco_queue *queue, struct sco_request *req)
{
    enum sco_status status = sco_queue_admits(&queue->limits, queue->count,
                                              queue->bytes, req->body_bytes);

    if (status != SCO_OK) {
        return status;
    }
    sco_list_push(&queue->waiting, &req->link);
    queue->count++;
    queue->bytes += req->body_bytes;
    return SCO_OK;
}

void
sco_queue_return(struct sco_queue *queue, struct sco_request *req)
{
    sco_list_push_front(&queue->waiting, &req->link);
    queue->count++;
    queue->bytes += req->body_bytes;
}

void
sco_queue_remove(struct sco_queue *queue, struct sco_request *req)
{
    sco_list_remove(&req->link);
    queue->count--;
    queue->bytes -= req->body_bytes;
}

struct sco_request *
sco_queue_take(struct sco_queue *queue)
{
    struct sco_list *first = sco_list_first(&queue->waiting);
    struct sco_request *req;

    if (first == NULL) {
        return NULL;
    }
    req = SCO_LIST_ENTRY(first, struct sco_request, link);
    sco_queue_remove(queue, req);
    return req;
}
