/* thread.c - the worker that is a thread of the host
 *
 * Design notes
 *
 * It speaks over a lane like any other, whose far end is in this process, so
 * giving, taking back, time limits and replies are those of the process kind.
 * The script was loaded on the main thread before; every thread calls the
 * same run(). With one worker the thread is the main thread (seat.h).
 *
 * It cannot be killed. A run() that overstays is answered for, interrupted,
 * and keeps its thread until it returns.
 */
#include "worker/runner.h"
#include "worker/seat.h"
#include "worker/worker.h"

#include "base/log.h"
#include "base/thread.h"
#include "link/child.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct thread_worker {
    struct sco_worker base;
    struct sco_post ended;
    struct sco_child *child;
    pthread_t thread;
    bool started;            /* `thread` is to be joined */
    pthread_t intr;          /* the last interrupter */
    bool intr_begun;         /* ... is to be joined */
    atomic_bool intr_done;   /* ... at once */
    _Atomic(void *) entered; /* runner's handle while the thread may score */
};

static void
serve_child(struct thread_worker *thread, void *entered)
{
    const struct sco_runner *runner = thread->base.setup->runner;
    struct sco_child_line line;
    struct sco_call call;

    for (;;) {
        switch (sco_child_try_next(thread->child, &call, &line)) {
        case SCO_CHILD_CALL:
            runner->score(runner->arg, entered, &call,
                          sco_child_sink(thread->child));
            break;
        case SCO_CHILD_LINE:
            runner->line(runner->arg, entered, &line);
            break;
        case SCO_CHILD_STOP:
            return;
        case SCO_CHILD_SIGNAL:
        case SCO_CHILD_NONE:
            if (sco_child_wait(thread->child) == SCO_CHILD_SIGNAL) {
                runner->signals(runner->arg, entered);
            }
            break;
        }
    }
}

static void
thread_body(void *arg)
{
    struct thread_worker *thread = arg;
    const struct sco_runner *runner = thread->base.setup->runner;
    const struct sco_document *documents = NULL;
    size_t count = 0;
    void *entered = NULL;

    if (runner->enter(runner->arg, &entered, NULL) == SCO_OK) {
        atomic_store(&thread->entered, entered);
        runner->documents(runner->arg, entered, &documents, &count);
        if (sco_child_ready(thread->child, documents, count, NULL) == SCO_OK) {
            serve_child(thread, entered);
        }
        atomic_store(&thread->entered, NULL);
        runner->leave(runner->arg, entered);
    }
    sco_loop_post(thread->base.setup->loop, &thread->ended);
}

static void
on_ended(void *arg)
{
    struct thread_worker *thread = arg;

    sco_worker_gone(&thread->base, &(struct sco_worker_end){ 0 });
}

static enum sco_status
thread_start(struct sco_worker *worker, struct sco_error *err)
{
    struct thread_worker *thread = (struct thread_worker *)worker;
    enum sco_status status = sco_child_join(worker->lane, &thread->child, err);

    if (status != SCO_OK) {
        return status;
    }
    worker->pid = getpid();
    thread->ended.run = on_ended;
    thread->ended.arg = thread;
    if (worker->setup->seat != NULL) {
        sco_seat_give(worker->setup->seat, thread_body, thread);
        return SCO_OK;
    }
    status = sco_thread_start("work", SCO_ROLE_WORK, thread_body, thread,
                              &thread->thread, err);
    thread->started = status == SCO_OK;
    return status;
}

static void
intr_body(void *arg)
{
    struct thread_worker *thread = arg;
    const struct sco_runner *runner = thread->base.setup->runner;
    void *entered = atomic_load(&thread->entered);

    if (entered != NULL) {
        runner->interrupt(runner->arg, entered);
    }
    atomic_store(&thread->intr_done, true);
}

static void
join_intr(struct thread_worker *thread)
{
    if (thread->intr_begun) {
        pthread_join(thread->intr, NULL);
        thread->intr_begun = false;
    }
}

/* Getting at a thread's exception may mean waiting for the GIL, so a thread
 * of its own does it. */
static void
thread_interrupt(struct sco_worker *worker)
{
    struct thread_worker *thread = (struct thread_worker *)worker;

    if (atomic_exchange(&thread->intr_done, false)) {
        join_intr(thread);
    }
    if (!thread->intr_begun) {
        thread->intr_begun =
            sco_thread_start("intr", SCO_ROLE_NONE, intr_body, thread,
                             &thread->intr, NULL) == SCO_OK;
    }
}

static void
thread_dump(struct sco_worker *worker)
{
    struct thread_worker *thread = (struct thread_worker *)worker;
    const struct sco_runner *runner = worker->setup->runner;
    void *entered = atomic_load(&thread->entered);

    if (entered != NULL) {
        runner->dump(runner->arg, entered);
    }
}

static void
thread_kill(struct sco_worker *worker)
{
    /* A thread cannot be killed: it is told to end, and does so when run()
     * returns. */
    sco_lane_stop(worker->lane);
}

static void
thread_finish(struct sco_worker *worker)
{
    struct thread_worker *thread = (struct thread_worker *)worker;

    join_intr(thread);
    if (thread->started) {
        pthread_join(thread->thread, NULL);
    }
    sco_child_destroy(thread->child);
}

const struct sco_worker_ops sco_interpreter_worker = {
    .name = "interpreter",
    .bytes = sizeof(struct thread_worker),
    .is_inside = true,
    .is_replaceable = true,
    .start = thread_start,
    .dump = thread_dump,
    .interrupt = thread_interrupt,
    .kill = thread_kill,
    .finish = thread_finish,
};

const struct sco_worker_ops sco_thread_worker = {
    .name = "thread",
    .bytes = sizeof(struct thread_worker),
    .is_inside = true,
    .start = thread_start,
    .dump = thread_dump,
    .interrupt = thread_interrupt,
    .kill = thread_kill,
    .finish = thread_finish,
};
