#include "deploy/due.h"

#include "worker/worker.h"

static struct sco_request *
first_of(const struct sco_due *due)
{
    struct sco_rank *first = sco_ranks_first(&due->waited_for);

    return first == NULL ? NULL
                         : SCO_LIST_ENTRY(first, struct sco_request, due);
}

/* The work ends here: no worker has begun it. */
static void
fail_waiting(struct sco_request *req)
{
    sco_request_fail(req, SCO_DEADLINE, NULL, /* pid */ 0);
    sco_request_unref(req);
}

static void
expire(struct sco_due *due, struct sco_request *req)
{
    struct sco_worker *worker = req->worker;

    if (sco_request_is_queued(req)) {
        sco_queue_remove(due->queue, req);
        fail_waiting(req);
    } else if (worker == NULL) {
        sco_request_forget(req); /* nobody has the work */
    } else if (sco_worker_take_back(worker, req)) {
        fail_waiting(req);
    } else {
        sco_request_fail(req, SCO_DEADLINE, NULL, worker->pid);
        sco_worker_cancel(worker, req, SCO_CANCEL_DEADLINE);
    }
}

static void
on_time(void *arg, uint64_t now_ns)
{
    struct sco_due *due = arg;
    struct sco_request *req;

    while ((req = first_of(due)) != NULL && req->deadline_ns <= now_ns) {
        expire(due, req);
    }
    if (req != NULL) {
        sco_loop_timer_set(due->loop, &due->timer, req->deadline_ns);
    }
}

void
sco_due_init(struct sco_due *due, struct sco_loop *loop,
             struct sco_queue *queue)
{
    *due = (struct sco_due){ .loop = loop, .queue = queue };
    due->timer = (struct sco_timer){ .on_time = on_time, .arg = due };
}

/* The timer may ring for one that was answered in time: it then looks for the
 * next. To clear it for each answer would cost more. */
void
sco_due_add(struct sco_due *due, struct sco_request *req)
{
    if (req->deadline_ns == 0) {
        return;
    }
    sco_ranks_add(&due->waited_for, &req->due, req->deadline_ns);
    if (due->timer.place == 0 || req->deadline_ns < due->timer.at_ns) {
        sco_loop_timer_set(due->loop, &due->timer, req->deadline_ns);
    }
}

void
sco_due_finish(struct sco_due *due)
{
    sco_loop_timer_clear(due->loop, &due->timer);
}
