/* thread.c - the worker that is a thread of the host
 *
 * Design notes
 *
 * It speaks over a lane like any other, whose far end is in this process, so
 * giving, taking back, time limits and replies are those of the process kind.
 * With one worker of kind thread the thread is the main thread (seat.h).
 *
 * A thread cannot be killed. One that holds nothing is told to end, and does.
 * One that is in the script's hands is LOST: its worker is gone at once, and
 * what the thread still uses is left behind with it, in a `struct stay`: its
 * end of the lane, and a reference to every request that it has started, for
 * it may yet write into their slots. It finds nothing more to do when it
 * comes back; its last post frees all that. A late reply stays in a lane that
 * nobody reads.
 *
 *     HERE -> OVER     the thread has ended, and its worker with it
 *     HERE -> DOOMED   kill(): a post will look once more
 *     DOOMED -> OVER   the thread ended before that post: all is well
 *     DOOMED -> LOST   it did not; OVER is up to the thread
 *
 * As long as a thread is left behind, neither arena nor loop may go, so the
 * host ends by _exit() then (sco_thread_left_behind()).
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

enum stay_state { HERE, DOOMED, LOST };

/* What the thread uses, for as long as it does. */
struct stay {
    /* Fixed by start(). */
    struct sco_loop *loop;
    const struct sco_runner *runner;
    struct sco_seat *seat; /* the thread's, or NULL: it has one of its own */
    struct sco_child *child;

    /* The thread's, until its last post. */
    struct sco_post ended;
    enum sco_status status; /* of its coming in */

    /* The loop's. */
    enum stay_state state;
    struct thread_worker *worker; /* NULL once it is lost */
    struct sco_post doomed;
    bool has_ended;
    pthread_t thread;
    bool started;          /* `thread` is to be joined */
    pthread_t intr;        /* the last interrupter */
    bool intr_begun;       /* ... is to be joined */
    bool told;             /* to end, when it had nothing in hand */
    struct sco_lane *lane; /* of a lost one: a reference, as of these */
    struct sco_request **started_ones;
    size_t started_count;

    atomic_bool intr_done;   /* joining `intr` does not wait */
    _Atomic(void *) entered; /* runner's handle while the thread may score */
};

struct thread_worker {
    struct sco_worker base;
    struct stay *stay; /* NULL once it is lost */
};

static atomic_size_t left_behind;

size_t
sco_thread_left_behind(void)
{
    return atomic_load(&left_behind);
}

/* ---- the thread ----------------------------------------------------- */

static void
serve_child(struct stay *stay, void *entered)
{
    const struct sco_runner *runner = stay->runner;
    struct sco_child_line line;
    struct sco_call call;

    if (runner->serve != NULL &&
        runner->serve(runner->arg, entered, stay->child)) {
        return;
    }
    for (;;) {
        switch (sco_child_try_next(stay->child, &call, &line)) {
        case SCO_CHILD_CALL:
            runner->score(runner->arg, entered, &call,
                          sco_child_sink(stay->child));
            break;
        case SCO_CHILD_LINE:
            runner->line(runner->arg, entered, &line);
            break;
        case SCO_CHILD_STOP:
            return;
        case SCO_CHILD_SIGNAL:
        case SCO_CHILD_NONE:
            if (sco_child_wait(stay->child) == SCO_CHILD_SIGNAL) {
                runner->signals(runner->arg, entered);
            }
            break;
        }
    }
}

static void
thread_body(void *arg)
{
    struct stay *stay = arg;
    const struct sco_runner *runner = stay->runner;
    const struct sco_document *documents = NULL;
    size_t count = 0;
    void *entered = NULL;

    stay->status = runner->enter(runner->arg, &entered, NULL);
    if (stay->status == SCO_OK) {
        atomic_store(&stay->entered, entered);
        runner->documents(runner->arg, entered, &documents, &count);
        if (sco_child_ready(stay->child, documents, count, NULL) == SCO_OK) {
            serve_child(stay, entered);
        }
        atomic_store(&stay->entered, NULL);
        runner->leave(runner->arg, entered);
    }
    sco_loop_post(stay->loop, &stay->ended);
}

/* ---- its end -------------------------------------------------------- */

static void
join_intr(struct stay *stay)
{
    if (stay->intr_begun) {
        pthread_join(stay->intr, NULL);
        stay->intr_begun = false;
    }
}

/* Ends a stay whose thread has ended, or never began. */
static void
free_stay(struct stay *stay)
{
    for (size_t i = 0; i < stay->started_count; i++) {
        sco_request_unref(stay->started_ones[i]);
    }
    free(stay->started_ones);
    sco_child_destroy(stay->child);
    sco_lane_unref(stay->lane);
    free(stay);
}

static void
report_end(struct stay *stay)
{
    struct sco_worker *worker = &stay->worker->base;
    struct sco_worker_end end = { .exit_code = 0 };

    if (stay->status == SCO_SCRIPT || stay->status == SCO_UNSUPPORTED) {
        end.exit_code = SCO_WORKER_BOOT_FAILED;
    } else if (stay->status != SCO_OK) {
        end.exit_code = 1;
    }
    if (stay->status == SCO_UNSUPPORTED && worker->boss.on_unfit != NULL) {
        worker->boss.on_unfit(worker->boss.arg, worker);
    }
    sco_worker_gone(worker, &end);
}

/* A thread that was left behind has come back. */
static void
come_back(struct stay *stay)
{
    if (stay->seat != NULL) {
        sco_seat_regain(stay->seat);
    }
    free_stay(stay);
    atomic_fetch_sub(&left_behind, 1);
}

/* The thread's last post: it is about to return, if it has not yet. */
static void
on_ended(void *arg)
{
    struct stay *stay = arg;

    stay->has_ended = true;
    join_intr(stay);
    if (stay->started) {
        pthread_join(stay->thread, NULL);
    }
    switch (stay->state) {
    case HERE:
        report_end(stay);
        break;
    case DOOMED:
        break; /* on_doomed() is still to come */
    case LOST:
        come_back(stay);
        break;
    }
}

/* Takes back what the thread has not started, and keeps the rest from being
 * freed under it. */
static void
keep_started(struct stay *stay, struct sco_worker *worker)
{
    struct sco_list *link = worker->held.prev;
    size_t count = worker->held_count;

    /* Without memory they are kept for ever. */
    stay->started_ones = calloc(count + 1, sizeof(*stay->started_ones));
    while (link != &worker->held) {
        struct sco_request *req =
            SCO_LIST_ENTRY(link, struct sco_request, link);

        link = link->prev;
        if (sco_worker_take_back(worker, req)) {
            worker->boss.on_return(worker->boss.arg, worker, req);
            continue;
        }
        /* A stream ends, and scorehost.cancelled() is true. */
        sco_arena_cancel(req->arena, req->slot, SCO_CANCEL_GONE);
        (void)sco_request_ref(req);
        if (stay->started_ones != NULL) {
            stay->started_ones[stay->started_count++] = req;
        }
    }
}

/* Leaves the thread behind. */
static void
lose(struct stay *stay)
{
    struct sco_worker *worker = &stay->worker->base;

    keep_started(stay, worker);
    stay->lane = sco_lane_ref(worker->lane);
    sco_lane_ring(stay->lane);
    if (stay->seat != NULL) {
        sco_seat_lose(stay->seat);
    }
    stay->state = LOST;
    stay->worker->stay = NULL;
    stay->worker = NULL;
    atomic_fetch_add(&left_behind, 1);
    sco_worker_gone(worker, &(struct sco_worker_end){ .lost = true });
}

static void
on_doomed(void *arg)
{
    struct stay *stay = arg;

    if (stay->has_ended) {
        report_end(stay);
    } else {
        lose(stay);
    }
}

/* ---- the ops -------------------------------------------------------- */

static struct stay *
stay_of(const struct sco_worker *worker)
{
    return ((const struct thread_worker *)worker)->stay;
}

static struct stay *
make_stay(struct thread_worker *thread, struct sco_error *err)
{
    const struct sco_worker_setup *setup = thread->base.setup;
    struct stay *stay = calloc(1, sizeof(*stay));

    if (stay == NULL) {
        (void)sco_fail(err, SCO_NOMEM, "a worker thread");
        return NULL;
    }
    stay->loop = setup->loop;
    stay->runner = setup->runner;
    stay->worker = thread;
    stay->ended = (struct sco_post){ .run = on_ended, .arg = stay };
    stay->doomed = (struct sco_post){ .run = on_doomed, .arg = stay };
    thread->stay = stay;
    return stay;
}

static enum sco_status
thread_start(struct sco_worker *worker, struct sco_error *err)
{
    struct sco_seat *seat = worker->setup->seat;
    struct stay *stay = make_stay((struct thread_worker *)worker, err);
    enum sco_status status = SCO_NOMEM;

    if (stay == NULL) {
        return status;
    }
    status = sco_child_join(worker->lane, &stay->child, err);
    if (status != SCO_OK) {
        return status;
    }
    worker->pid = getpid();
    if (seat != NULL && !sco_seat_is_lost(seat)) {
        stay->seat = seat;
        sco_seat_give(seat, thread_body, stay);
        return SCO_OK;
    }
    status = sco_thread_start("work", SCO_ROLE_WORK, thread_body, stay,
                              &stay->thread, err);
    stay->started = status == SCO_OK;
    return status;
}

static void
intr_body(void *arg)
{
    struct stay *stay = arg;
    void *entered = atomic_load(&stay->entered);

    if (entered != NULL) {
        stay->runner->interrupt(stay->runner->arg, entered);
    }
    atomic_store(&stay->intr_done, true);
}

/* Getting at a thread's exception may mean waiting for the GIL, so a thread
 * of its own does it. */
static void
thread_interrupt(struct sco_worker *worker)
{
    struct stay *stay = stay_of(worker);

    if (atomic_exchange(&stay->intr_done, false)) {
        join_intr(stay);
    }
    if (!stay->intr_begun) {
        stay->intr_begun = sco_thread_start("intr", SCO_ROLE_NONE, intr_body,
                                            stay, &stay->intr, NULL) == SCO_OK;
    }
}

static void
thread_dump(struct sco_worker *worker)
{
    const struct stay *stay = stay_of(worker);
    void *entered = atomic_load(&stay->entered);

    if (entered != NULL) {
        stay->runner->dump(stay->runner->arg, entered);
    }
}

/* Whoever has nothing in hand comes back when it is told to. Another kill
 * does not believe that any more. */
static void
thread_kill(struct sco_worker *worker)
{
    struct stay *stay = stay_of(worker);

    if (stay == NULL || stay->state != HERE) {
        return;
    }
    sco_lane_stop(worker->lane);
    if (worker->state == SCO_WORKER_READY && worker->held_count == 0 &&
        !stay->told) {
        stay->told = true;
        return;
    }
    stay->state = DOOMED;
    sco_loop_post(stay->loop, &stay->doomed);
}

static void
thread_finish(struct sco_worker *worker)
{
    struct stay *stay = stay_of(worker);

    if (stay != NULL) {
        free_stay(stay);
    }
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
