#include "worker/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/respawn.h"

#include <signal.h>
#include <string.h>

/* The exit code with which a worker says that its script cannot be loaded. */
enum { BOOT_FAILED = 3 };

static void fill(struct sco_pool *pool);

static void
respawn_later(struct sco_pool *pool)
{
    uint64_t delay_ns = sco_respawn_delay_ns(pool->failures);
    struct sco_loop *loop = pool->setup->loop;

    if (delay_ns == 0) {
        fill(pool);
        return;
    }
    if (pool->respawn.place == 0) {
        sco_log(SCO_EVENT_WORKER_BACKOFF,
                "workers end again and again; the next one starts in %.1f s",
                (double)delay_ns / 1e9);
        sco_loop_timer_set(loop, &pool->respawn,
                           sco_loop_now_ns(loop) + delay_ns);
    }
}

static void
on_respawn(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    fill(arg);
}

/* Tells what gunicorn tells, so that those who watch for it find it. */
static void
log_end(const struct sco_worker *worker, const struct sco_worker_end *end)
{
    int pid = (int)worker->pid;

    if (end->signal == SIGKILL && !worker->killed) {
        sco_log(SCO_EVENT_WORKER_EXITED,
                "Worker (pid:%d) was sent SIGKILL! Perhaps out of memory?",
                pid);
    } else if (end->signal == SIGKILL) {
        sco_log(SCO_EVENT_WORKER_EXITED, "Worker (pid:%d) was sent SIGKILL!",
                pid);
    } else if (end->signal != 0) {
        sco_log(SCO_EVENT_WORKER_EXITED, "Worker (pid:%d) was sent %s!", pid,
                sco_worker_signal_name(end->signal));
    } else if (end->exit_code != 0) {
        sco_log(SCO_EVENT_WORKER_EXITED, "Worker (pid:%d) exited with code %d",
                pid, end->exit_code);
    }
}

static void
continue_restart(struct sco_pool *pool)
{
    struct sco_list *first = sco_list_first(&pool->workers);
    struct sco_worker *worker;

    if (pool->restarts == 0 || first == NULL) {
        return;
    }
    worker = SCO_LIST_ENTRY(first, struct sco_worker, link);
    if (worker->state != SCO_WORKER_LEAVING) {
        sco_worker_leave(worker);
    }
}

static void
pool_ready(void *arg, struct sco_worker *worker, struct sco_slice documents)
{
    struct sco_pool *pool = arg;

    pool->ever_ready = true;
    worker->begun_ns = sco_loop_now_ns(pool->setup->loop);
    pool->boss.on_ready(pool->boss.arg, worker, documents);
    continue_restart(pool);
}

static void
pool_through(void *arg, struct sco_worker *worker, uint64_t run_ns)
{
    struct sco_pool *pool = arg;

    pool->boss.on_through(pool->boss.arg, worker, run_ns);
}

static void
pool_return(void *arg, struct sco_worker *worker, struct sco_request *req)
{
    struct sco_pool *pool = arg;

    pool->boss.on_return(pool->boss.arg, worker, req);
}

static void
judge_end(struct sco_pool *pool, const struct sco_worker *worker)
{
    uint64_t lived_ns = sco_loop_now_ns(pool->setup->loop) - worker->begun_ns;

    if (worker->was_ready &&
        sco_respawn_was_useful(lived_ns, worker->served)) {
        pool->failures = 0;
    } else {
        pool->failures++;
    }
}

static void
pool_gone(void *arg, struct sco_worker *worker,
          const struct sco_worker_end *end)
{
    struct sco_pool *pool = arg;
    bool asked = worker->asked_to_leave;
    bool boot_failed =
        !pool->ever_ready && end->signal == 0 && end->exit_code == BOOT_FAILED;

    if (asked || boot_failed) {
        sco_log(SCO_EVENT_WORKER_EXITING, "Worker exiting (pid: %d)",
                (int)worker->pid);
    }
    if (!asked) {
        log_end(worker, end);
        judge_end(pool, worker);
    }
    if (pool->restarts > 0) {
        pool->restarts--;
    }
    pool->count--;
    sco_worker_destroy(worker);
    if (pool->stopping) {
        if (pool->count == 0) {
            pool->boss.on_empty(pool->boss.arg);
        }
    } else if (boot_failed) {
        pool->boss.on_boot_failed(pool->boss.arg);
    } else {
        respawn_later(pool);
    }
}

static void
add_worker(struct sco_pool *pool)
{
    struct sco_worker_boss boss = {
        .arg = pool,
        .on_ready = pool_ready,
        .on_through = pool_through,
        .on_return = pool_return,
        .on_gone = pool_gone,
    };
    struct sco_worker *worker;
    struct sco_error err;

    if (sco_worker_create(pool->ops, pool->setup, &boss, &worker, &err) !=
        SCO_OK) {
        sco_log(SCO_EVENT_INTERNAL, "%s", err.text);
        pool->failures += 2;
        respawn_later(pool);
        return;
    }
    sco_list_push(&pool->workers, &worker->link);
    pool->count++;
}

/* Starts what is missing; stops at the first that cannot be started. */
static void
fill(struct sco_pool *pool)
{
    size_t before = pool->count + 1;

    while (!pool->stopping && pool->count < pool->wanted &&
           pool->count != before) {
        before = pool->count;
        add_worker(pool);
    }
}

void
sco_pool_init(struct sco_pool *pool, const struct sco_worker_ops *ops,
              const struct sco_worker_setup *setup,
              const struct sco_pool_boss *boss)
{
    *pool = (struct sco_pool){ .ops = ops, .setup = setup, .boss = *boss };
    pool->respawn.on_time = on_respawn;
    pool->respawn.arg = pool;
    sco_list_init(&pool->workers);
}

void
sco_pool_resize(struct sco_pool *pool, size_t wanted)
{
    struct sco_list *link = pool->workers.prev;
    size_t surplus = pool->count > wanted ? pool->count - wanted : 0;

    pool->wanted = wanted;
    fill(pool);
    while (surplus > 0 && link != &pool->workers) {
        struct sco_worker *worker =
            SCO_LIST_ENTRY(link, struct sco_worker, link);

        link = link->prev;
        surplus--;
        sco_worker_leave(worker);
    }
}

void
sco_pool_restart(struct sco_pool *pool)
{
    pool->restarts = (unsigned)pool->count;
    continue_restart(pool);
}

enum sco_pool_health
sco_pool_health(const struct sco_pool *pool)
{
    if (!pool->ever_ready) {
        return SCO_POOL_STARTING;
    }
    if (pool->failures >= 2 && sco_pool_ready_count(pool) == 0) {
        return SCO_POOL_FAILING;
    }
    return SCO_POOL_SERVING;
}

/* The worker behind this link, or NULL at the end of the list. */
static struct sco_worker *
worker_at(const struct sco_pool *pool, struct sco_list *link)
{
    return link == &pool->workers
               ? NULL
               : SCO_LIST_ENTRY(link, struct sco_worker, link);
}

static struct sco_worker *
first_worker(const struct sco_pool *pool)
{
    return worker_at(pool, pool->workers.next);
}

static struct sco_worker *
next_worker(const struct sco_pool *pool, const struct sco_worker *worker)
{
    return worker_at(pool, worker->link.next);
}

size_t
sco_pool_ready_count(const struct sco_pool *pool)
{
    struct sco_worker *worker = first_worker(pool);
    size_t count = 0;

    for (; worker != NULL; worker = next_worker(pool, worker)) {
        count += worker->state == SCO_WORKER_READY && !worker->killed;
    }
    return count;
}

struct sco_worker *
sco_pool_least_busy(const struct sco_pool *pool, size_t depth)
{
    struct sco_worker *best = NULL;
    struct sco_worker *worker = first_worker(pool);

    for (; worker != NULL; worker = next_worker(pool, worker)) {
        if (sco_worker_is_able(worker) && worker->held_count < depth &&
            (best == NULL || worker->held_count < best->held_count)) {
            best = worker;
        }
    }
    return best;
}

struct sco_worker *
sco_pool_most_busy(const struct sco_pool *pool)
{
    struct sco_worker *most = NULL;
    struct sco_worker *worker = first_worker(pool);

    for (; worker != NULL; worker = next_worker(pool, worker)) {
        if (worker->held_count > 1 &&
            (most == NULL || worker->held_count > most->held_count)) {
            most = worker;
        }
    }
    return most;
}

bool
sco_pool_poll(struct sco_pool *pool)
{
    struct sco_worker *worker = first_worker(pool);
    bool heard = false;

    for (; worker != NULL; worker = next_worker(pool, worker)) {
        heard = sco_worker_poll(worker) || heard;
    }
    return heard;
}

void
sco_pool_flush(struct sco_pool *pool)
{
    struct sco_worker *worker = first_worker(pool);

    for (; worker != NULL; worker = next_worker(pool, worker)) {
        sco_worker_flush(worker);
    }
}

void
sco_pool_stop(struct sco_pool *pool)
{
    struct sco_worker *worker = first_worker(pool);

    pool->stopping = true;
    sco_loop_timer_clear(pool->setup->loop, &pool->respawn);
    if (pool->count == 0) {
        pool->boss.on_empty(pool->boss.arg);
        return;
    }
    for (; worker != NULL; worker = next_worker(pool, worker)) {
        sco_worker_leave(worker);
    }
}

void
sco_pool_kill(struct sco_pool *pool)
{
    struct sco_worker *worker = first_worker(pool);

    for (; worker != NULL; worker = next_worker(pool, worker)) {
        sco_worker_kill(worker);
    }
}
