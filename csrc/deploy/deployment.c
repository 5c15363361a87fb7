#include "deploy/deployment.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "deploy/due.h"
#include "deploy/line.h"
#include "deploy/scaler.h"
#include "link/head.h"
#include "worker/gpus.h"
#include "worker/remote.h"
#include "worker/spawn.h"
#include "worker/zygote.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* Above this mean time of run(), a wake-up more or less does not count. */
#define SHORT_RUN_NS (SCO_NS_PER_MS / 2)

/* The largest body that is given to a worker ahead of its turn. */
#define AHEAD_BYTES (64 * 1024)

/* How often unused large slots are looked for. */
#define TRIM_NS (10 * SCO_NS_PER_S)

struct sco_deployment {
    struct sco_worker_setup worker_setup;
    struct sco_deployment_setup setup;
    struct sco_arena *arena;
    struct sco_queue queue;
    struct sco_due due;
    struct sco_pool pool;
    struct sco_remote *remote;
    struct sco_zygote *zygote; /* NULL: no preloading */
    struct sco_watch doorbell;
    struct sco_timer trim;
    struct sco_text documents; /* a field block */
    struct sco_model model;
    struct sco_batches batches;
    char *python;
    char *boot;
    struct sco_scaler scaler;
    uint64_t given_ns; /* when a worker was last given a request */
    uint64_t run_ns;   /* mean of the last run()s */
    bool is_batching;  /* workers score many requests at once */
    bool moved;        /* to the fallback, or it was tried */
    bool renews;       /* its end is for a script to be loaded anew */
    bool stopping;
    bool stopped; /* the pool was told */
};

size_t
sco_feed_depth(uint64_t run_ns)
{
    return run_ns < SHORT_RUN_NS ? SCO_FEED_DEPTH : 1;
}

/* ---- what the pool reports ------------------------------------------ */

static void
on_ready(void *arg, struct sco_worker *worker, struct sco_slice documents)
{
    struct sco_deployment *deployment = arg;

    (void)worker;
    sco_text_clear(&deployment->documents);
    sco_text_add(&deployment->documents, documents);
    sco_model_declare(&deployment->model,
                      sco_deployment_document(deployment, SCO_SLICE("v2")));
    deployment->is_batching =
        sco_deployment_document(deployment, SCO_SLICE("batch")).len > 0;
    if (deployment->setup.on_ready != NULL) {
        deployment->setup.on_ready(deployment->setup.arg);
    }
}

static void
on_through(void *arg, struct sco_worker *worker, uint64_t run_ns)
{
    struct sco_deployment *deployment = arg;

    (void)worker;
    deployment->run_ns += run_ns / 8;
    deployment->run_ns -= deployment->run_ns / 8;
}

static void
on_ran(void *arg, struct sco_worker *worker, const struct sco_ran *ran)
{
    struct sco_deployment *deployment = arg;

    (void)worker;
    sco_batches_count(&deployment->batches, ran);
    sco_model_count_run(&deployment->model, ran);
}

static void
on_return(void *arg, struct sco_worker *worker, struct sco_request *req)
{
    struct sco_deployment *deployment = arg;

    if (req->kind == SCO_LANE_LINE) {
        sco_line_write(req, worker->pid);
    } else if (deployment->stopped) {
        sco_request_fail(req, SCO_CLOSED, NULL, 0);
    } else if (!sco_request_is_answered(req)) {
        sco_queue_return(&deployment->queue, req);
        return;
    }
    sco_request_unref(req);
}

static void
on_unfit(void *arg, struct sco_worker *worker)
{
    struct sco_deployment *deployment = arg;

    if (deployment->moved || deployment->setup.fallback == NULL) {
        return;
    }
    deployment->moved = true;
    sco_log(SCO_EVENT_WORKER_UNFIT,
            "the script needs a module that does not load in workers of kind "
            "%s: moving to workers of kind %s",
            worker->ops->name, deployment->setup.fallback->name);
    sco_pool_change_kind(&deployment->pool, deployment->setup.fallback,
                         &deployment->worker_setup);
}

static void
on_worn(void *arg, const char *why)
{
    struct sco_deployment *deployment = arg;

    if (deployment->setup.on_worn != NULL) {
        deployment->setup.on_worn(deployment->setup.arg, why);
        return;
    }
    sco_log(SCO_EVENT_WORN, "the host should be restarted: %s", why);
}

static void
on_boot_failed(void *arg)
{
    struct sco_deployment *deployment = arg;

    deployment->setup.on_boot_failed(deployment->setup.arg);
}

static void
on_empty(void *arg)
{
    struct sco_deployment *deployment = arg;

    deployment->setup.on_empty(deployment->setup.arg);
}

static void
on_reloaded(void *arg, bool loaded)
{
    struct sco_deployment *deployment = arg;

    if (loaded && !deployment->stopping) {
        sco_pool_reload(&deployment->pool);
    }
}

/* ---- feeding -------------------------------------------------------- */

/* How far ahead the next request may be given. What is given ahead no longer
 * counts as waiting bytes, so that is for small bodies. */
static size_t
depth_for_next(const struct sco_deployment *deployment)
{
    const struct sco_request *next = sco_queue_first(&deployment->queue);

    if (deployment->is_batching) {
        return SCO_BATCH_DEPTH;
    }
    return next->body_bytes > AHEAD_BYTES ? 1
                                          : sco_feed_depth(deployment->run_ns);
}

static void
feed(struct sco_deployment *deployment)
{
    while (deployment->queue.count > 0) {
        struct sco_worker *worker =
            sco_pool_least_busy(&deployment->pool, depth_for_next(deployment));
        struct sco_request *req;

        if (worker == NULL) {
            return;
        }
        req = sco_queue_take(&deployment->queue);
        if (!sco_worker_give(worker, req)) {
            sco_queue_return(&deployment->queue, req);
            return;
        }
        deployment->given_ns = sco_loop_now_ns(deployment->setup.loop);
    }
}

/* Moves what a worker was given ahead to one that has nothing to do. */
static void
share(struct sco_deployment *deployment)
{
    struct sco_worker *idle;
    struct sco_worker *busy;
    struct sco_request *req;

    if (deployment->pool.count < 2 || deployment->queue.count > 0) {
        return;
    }
    idle = sco_pool_least_busy(&deployment->pool, 1);
    busy = sco_pool_most_busy(&deployment->pool);
    if (idle == NULL || busy == NULL) {
        return;
    }
    req = sco_worker_spare(busy);
    if (req != NULL && sco_worker_take_back(busy, req) &&
        !sco_worker_give(idle, req)) {
        sco_queue_return(&deployment->queue, req);
    }
}

static void
refuse_waiting(struct sco_deployment *deployment)
{
    struct sco_request *req;

    while ((req = sco_queue_take(&deployment->queue)) != NULL) {
        sco_request_fail(req, SCO_CLOSED, NULL, 0);
        sco_request_unref(req);
    }
}

static void
on_doorbell(void *arg, uint32_t events)
{
    /* The turn that follows hears what is there. */
    (void)arg;
    (void)events;
}

static void
on_trim(void *arg, uint64_t now_ns)
{
    struct sco_deployment *deployment = arg;

    if (sco_slots_trim(sco_arena_slots(deployment->arena))) {
        sco_loop_timer_set(deployment->setup.loop, &deployment->trim,
                           now_ns + TRIM_NS);
    }
}

static void
finish_stop(struct sco_deployment *deployment)
{
    if (deployment->stopping && !deployment->stopped &&
        deployment->queue.count == 0) {
        deployment->stopped = true;
        if (!deployment->renews) {
            sco_remote_ending(deployment->remote);
        }
        sco_pool_stop(&deployment->pool);
    }
}

bool
sco_deployment_turn(struct sco_deployment *deployment)
{
    enum sco_pool_health health;
    bool heard;

    sco_arena_awake(deployment->arena);
    heard = sco_pool_poll(&deployment->pool);
    feed(deployment);
    share(deployment);
    health = sco_pool_health(&deployment->pool);
    if (health == SCO_POOL_FAILING || health == SCO_POOL_EMPTY) {
        /* With no worker to be had, waiting would be for nothing. */
        refuse_waiting(deployment);
    }
    sco_pool_flush(&deployment->pool);
    finish_stop(deployment);
    sco_arena_sleep(deployment->arena);
    return sco_pool_poll(&deployment->pool) || heard;
}

/* How many requests wait, in the queue or given ahead: all but one for each
 * worker that is ready. */
static size_t
waiting_count(const struct sco_deployment *deployment)
{
    size_t busy = sco_deployment_busy(deployment);
    size_t at_work = sco_pool_ready_count(&deployment->pool);

    return busy > at_work ? busy - at_work : 0;
}

/* ---- how many workers ----------------------------------------------- */

static bool
look(void *arg, struct sco_autoscale_view *view)
{
    const struct sco_deployment *deployment = arg;
    uint64_t still_ns =
        deployment->queue.count == 0 ? 0 : view->now_ns - deployment->given_ns;

    view->run_ns = deployment->run_ns;
    view->wait_ns = sco_autoscale_wait_ns(waiting_count(deployment),
                                          view->ready, view->run_ns, still_ns);
    return sco_deployment_busy(deployment) > 0;
}

void
sco_deployment_add_workers(struct sco_deployment *deployment, int more)
{
    sco_scaler_add(&deployment->scaler, more);
}

void
sco_deployment_reload(struct sco_deployment *deployment)
{
    struct sco_error err = { .text = "" };

    deployment->moved = false;
    if (deployment->zygote == NULL ||
        deployment->pool.kind.ops != &sco_process_worker) {
        sco_pool_reload(&deployment->pool);
    } else if (sco_zygote_reload(deployment->zygote, &err) != SCO_OK) {
        sco_log(SCO_EVENT_PRELOAD_KEPT, "%s", err.text);
    }
}

void
sco_deployment_renew_guests(struct sco_deployment *deployment)
{
    deployment->renews = true;
}

/* ---- requests ------------------------------------------------------- */

enum sco_status
sco_deployment_submit(struct sco_deployment *deployment,
                      struct sco_request *req)
{
    uint64_t now_ns = sco_loop_now_ns(deployment->setup.loop);
    enum sco_status status;

    if (deployment->stopped) {
        return SCO_CLOSED;
    }
    if (waiting_count(deployment) >= deployment->queue.limits.max_requests) {
        return SCO_BUSY;
    }
    if (deployment->queue.count == 0) {
        /* Until now nobody waited. */
        deployment->given_ns = sco_loop_now_ns(deployment->setup.loop);
    }
    sco_scaler_wake(&deployment->scaler);
    if (req->slot.bytes > SCO_SLOT_SMALLEST && deployment->trim.place == 0) {
        sco_loop_timer_set(deployment->setup.loop, &deployment->trim,
                           now_ns + TRIM_NS);
    }
    status = sco_queue_push(&deployment->queue, req, now_ns);
    if (status == SCO_OK) {
        sco_due_add(&deployment->due, req);
    }
    return status;
}

uint64_t
sco_deployment_late_ns(const struct sco_deployment *deployment,
                       uint64_t deadline_ns)
{
    struct sco_queue_outlook outlook = { .run_ns = deployment->run_ns };
    uint64_t now_ns;
    size_t held;

    if (deadline_ns == 0) {
        return 0;
    }
    now_ns = sco_clock_now_ns(); /* a turn may last longer than a deadline */
    held = sco_deployment_busy(deployment) - deployment->queue.count;
    outlook.workers = sco_pool_ready_count(&deployment->pool);
    outlook.left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    outlook.ahead =
        held + sco_queue_ahead(&deployment->queue, deadline_ns, now_ns);
    return sco_queue_late_ns(&outlook);
}

/* Whether a request waits for others to be done. */
static bool
waits(const struct sco_deployment *deployment, const struct sco_request *req)
{
    if (sco_request_is_queued(req)) {
        return sco_queue_first(&deployment->queue) != req ||
               sco_pool_least_busy(&deployment->pool, 1) == NULL;
    }
    return req->worker != NULL && req->worker->held.next != &req->link;
}

/* Drops the work if no worker has begun it. False: one has. */
static bool
drop(struct sco_deployment *deployment, struct sco_request *req)
{
    if (sco_request_is_queued(req)) {
        sco_queue_remove(&deployment->queue, req);
    } else if (req->worker == NULL ||
               !sco_worker_take_back(req->worker, req)) {
        return false;
    }
    sco_request_forget(req);
    sco_request_unref(req);
    return true;
}

void
sco_deployment_cancel(struct sco_deployment *deployment,
                      struct sco_request *req)
{
    sco_request_forget(req);
    if (!drop(deployment, req) && req->worker != NULL) {
        sco_worker_cancel(req->worker, req, SCO_CANCEL_GONE);
    }
}

bool
sco_deployment_half_closed(struct sco_deployment *deployment,
                           struct sco_request *req)
{
    if (waits(deployment, req) && drop(deployment, req)) {
        return true;
    }
    req->half_closed = true;
    if (req->worker != NULL) {
        sco_worker_cancel(req->worker, req, SCO_CANCEL_SENDING);
    }
    return false;
}

pid_t
sco_deployment_pid(const struct sco_deployment *deployment)
{
    const struct sco_worker *worker = NULL;

    while ((worker = sco_pool_next(&deployment->pool, worker)) != NULL) {
        if (worker->state == SCO_WORKER_READY) {
            return worker->pid;
        }
    }
    return 0;
}

bool
sco_deployment_line(struct sco_deployment *deployment, pid_t pid,
                    struct sco_slice logger, struct sco_slice message)
{
    struct sco_worker *worker = sco_pool_find(&deployment->pool, pid);
    struct sco_request *req =
        worker != NULL ? sco_line_create(deployment->arena, logger, message)
                       : NULL;

    if (req == NULL) {
        return false;
    }
    if (!sco_worker_give(worker, req)) {
        sco_request_unref(req);
        return false;
    }
    return true;
}

struct sco_slice
sco_deployment_document(const struct sco_deployment *dep,
                        struct sco_slice name)
{
    struct sco_reader in = sco_reader_of(sco_text_slice(&dep->documents));
    struct sco_slice key, body;
    size_t count = 0;

    if (sco_fields_read_count(&in, &count) != SCO_OK) {
        return (struct sco_slice){ NULL, 0 };
    }
    for (size_t i = 0; i < count; i++) {
        if (sco_fields_read(&in, &key, &body) != SCO_OK) {
            break;
        }
        if (sco_slice_equal(key, name)) {
            return body;
        }
    }
    return (struct sco_slice){ NULL, 0 };
}

struct sco_model *
sco_deployment_model(struct sco_deployment *deployment)
{
    return &deployment->model;
}

const struct sco_batches *
sco_deployment_batches(const struct sco_deployment *deployment)
{
    return &deployment->batches;
}

struct sco_waiting
sco_deployment_waiting(const struct sco_deployment *deployment)
{
    return (struct sco_waiting){ waiting_count(deployment),
                                 deployment->queue.bytes };
}

unsigned
sco_deployment_retry_after_s(const struct sco_deployment *dep)
{
    return sco_queue_retry_after_s(
        dep->queue.count, sco_pool_ready_count(&dep->pool), dep->run_ns);
}

size_t
sco_deployment_busy(const struct sco_deployment *deployment)
{
    return deployment->queue.count + sco_pool_held_count(&deployment->pool);
}

/* ---- beginning and end ---------------------------------------------- */

static enum sco_status
copy_texts(struct sco_deployment *deployment,
           const struct sco_deployment_setup *setup)
{
    deployment->boot = sco_alloc(setup->boot.len + 1, 1);
    if (setup->boot.len > 0) {
        memcpy(deployment->boot, setup->boot.data, setup->boot.len);
    }
    deployment->python = strdup(setup->python != NULL ? setup->python : "");
    return deployment->python == NULL ? SCO_NOMEM : SCO_OK;
}

static void
make_scaler(struct sco_deployment *deployment)
{
    const struct sco_deployment_setup *setup = &deployment->setup;

    deployment->scaler = (struct sco_scaler){ .loop = setup->loop,
                                              .pool = &deployment->pool,
                                              .look = look,
                                              .arg = deployment };
    sco_scaler_limits(setup->workers, setup->workers_min, setup->workers_max,
                      &deployment->scaler.scale);
    sco_scaler_init(&deployment->scaler);
}

/* The GPUs, and the workers beside them that have none. */
static void
place_gpus(struct sco_deployment *deployment)
{
    const struct sco_deployment_setup *setup = &deployment->setup;
    size_t without = setup->workers > setup->gpu_count
                         ? setup->workers - setup->gpu_count
                         : 0;

    if (setup->gpu_count > 0) {
        deployment->worker_setup.gpus =
            sco_gpus_create(setup->gpus, setup->gpu_count, without);
    }
}

/* A remote worker has come. */
static void
on_came(void *arg)
{
    struct sco_deployment *deployment = arg;
    struct sco_error err = { .text = "" };
    struct sco_worker *worker;

    if (sco_pool_admit(&deployment->pool, &sco_remote_worker,
                       &deployment->worker_setup, &worker, &err) != SCO_OK) {
        sco_log(SCO_EVENT_REMOTE_REFUSED, "%s", err.text);
    }
}

static enum sco_status
open_remote(struct sco_deployment *deployment, struct sco_error *err)
{
    const char *listen = deployment->setup.remote_listen;
    const char *keys = deployment->setup.remote_keys;
    enum sco_status status;

    if (listen == NULL || listen[0] == '\0') {
        return SCO_OK;
    }
    status = sco_remote_create(deployment->setup.loop, listen,
                               keys != NULL ? keys : "", on_came, deployment,
                               &deployment->remote, err);
    deployment->worker_setup.remote = deployment->remote;
    deployment->pool.is_open = status == SCO_OK;
    return status;
}

static enum sco_status
make_zygote(struct sco_deployment *deployment, struct sco_error *err)
{
    struct sco_zygote_boss boss = { .arg = deployment,
                                    .on_reloaded = on_reloaded };
    enum sco_status status = SCO_OK;

    if (deployment->setup.preload) {
        status = sco_zygote_create(&deployment->worker_setup, &boss,
                                   &deployment->zygote, err);
        deployment->worker_setup.zygote = deployment->zygote;
    }
    return status;
}

enum sco_status
sco_deployment_create(const struct sco_deployment_setup *setup,
                      struct sco_deployment **out, struct sco_error *err)
{
    struct sco_deployment *deployment = sco_alloc(1, sizeof(*deployment));
    struct sco_pool_boss boss = {
        .arg = deployment,
        .on_ready = on_ready,
        .on_through = on_through,
        .on_ran = on_ran,
        .on_unfit = on_unfit,
        .on_return = on_return,
        .on_boot_failed = on_boot_failed,
        .on_worn = on_worn,
        .on_empty = on_empty,
    };
    enum sco_status status = copy_texts(deployment, setup);

    deployment->setup = *setup;
    deployment->doorbell.fd = -1;
    sco_queue_init(&deployment->queue, &setup->limits);
    sco_batches_init(&deployment->batches);
    sco_due_init(&deployment->due, setup->loop, &deployment->queue);
    sco_pool_init(&deployment->pool, setup->kind, &deployment->worker_setup,
                  &boss);
    deployment->pool.lost_max = setup->lost_max;
    sco_pool_set_limits(&deployment->pool, &setup->recycle);
    deployment->worker_setup.loop = setup->loop;
    make_scaler(deployment);
    deployment->trim.on_time = on_trim;
    deployment->trim.arg = deployment;
    if (status == SCO_OK) {
        status = sco_arena_create(&deployment->arena, err);
    }
    if (status != SCO_OK) {
        goto fail;
    }
    deployment->worker_setup = (struct sco_worker_setup){
        .loop = setup->loop,
        .arena = deployment->arena,
        .boot = { deployment->boot, setup->boot.len },
        .python = deployment->python,
        .threads_each = 1,
        .runner = setup->runner,
        .seat = setup->seat,
        .limit_ns = setup->limit_ns,
        .stream_limit_ns = setup->stream_limit_ns,
        .timeout_ms = setup->timeout_ms,
        .raise_cancelled = setup->raise_cancelled,
    };
    deployment->doorbell.fd = sco_arena_doorbell(deployment->arena);
    deployment->doorbell.on_ready = on_doorbell;
    status = sco_loop_add(setup->loop, &deployment->doorbell,
                          EPOLLIN | EPOLLET, err);
    if (status != SCO_OK) {
        deployment->doorbell.fd = -1;
        goto fail;
    }
    place_gpus(deployment);
    status = open_remote(deployment, err);
    if (status == SCO_OK) {
        status = make_zygote(deployment, err);
    }
    if (status != SCO_OK) {
        goto fail;
    }
    *out = deployment;
    return SCO_OK;

fail:
    sco_deployment_destroy(deployment);
    return status;
}

/* Says how many threads libraries in a worker will start, where the user has
 * not: many a slow model is one with a thread for each CPU in each worker. */
static void
tell_threads(const struct sco_deployment *deployment)
{
    const char *example = sco_spawn_sets_threads();

    if (deployment->setup.kind == &sco_process_worker && example != NULL) {
        sco_log(SCO_EVENT_THREADS,
                "%u threads in each worker for OpenMP, BLAS and the like (%s "
                "and others that are not set)",
                deployment->worker_setup.threads_each, example);
    }
}

void
sco_deployment_start(struct sco_deployment *deployment)
{
    unsigned most = (unsigned)deployment->scaler.scale.most;
    unsigned cpus = sco_spawn_cpus();

    deployment->worker_setup.threads_each =
        most > 0 && cpus > most ? cpus / most : 1;
    if (most > 0) {
        tell_threads(deployment);
    }
    sco_scaler_start(&deployment->scaler, deployment->setup.workers);
}

struct sco_pool *
sco_deployment_pool(struct sco_deployment *deployment)
{
    return &deployment->pool;
}

struct sco_arena *
sco_deployment_arena(struct sco_deployment *deployment)
{
    return deployment->arena;
}

void
sco_deployment_stop(struct sco_deployment *deployment)
{
    deployment->stopping = true;
    finish_stop(deployment);
}

void
sco_deployment_kill(struct sco_deployment *deployment)
{
    refuse_waiting(deployment);
    sco_pool_kill(&deployment->pool);
    sco_deployment_stop(deployment);
}

void
sco_deployment_destroy(struct sco_deployment *deployment)
{
    if (deployment == NULL) {
        return;
    }
    refuse_waiting(deployment);
    sco_remote_destroy(deployment->remote);
    sco_gpus_destroy(deployment->worker_setup.gpus);
    sco_zygote_destroy(deployment->zygote);
    if (deployment->doorbell.fd >= 0) {
        sco_loop_remove(deployment->setup.loop, &deployment->doorbell);
    }
    sco_loop_timer_clear(deployment->setup.loop, &deployment->trim);
    sco_due_finish(&deployment->due);
    sco_scaler_finish(&deployment->scaler);
    if (sco_thread_left_behind() == 0) {
        sco_arena_destroy(deployment->arena);
    }
    sco_text_finish(&deployment->documents);
    sco_model_finish(&deployment->model);
    free(deployment->python);
    free(deployment->boot);
    free(deployment);
}
