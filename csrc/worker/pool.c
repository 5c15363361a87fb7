#include "worker/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "worker/respawn.h"
#include "worker/worker_int.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static void fill(struct sco_pool *pool);

/* How many of its own workers the pool lacks. */
static size_t
lacking(const struct sco_pool *pool)
{
    size_t own = pool->count - pool->guests;
    size_t allowed = pool->wanted + replace_is_beside(pool);

    return allowed > own ? allowed - own : 0;
}

static void
respawn_later(struct sco_pool *pool)
{
    uint64_t delay_ns = sco_respawn_delay_ns(pool->failures);
    struct sco_loop *loop = pool->kind.setup->loop;

    if (delay_ns == 0) {
        fill(pool);
        return;
    }
    if (pool->respawn.place == 0 && lacking(pool) > 0) {
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

    if (pid == 0) {
        return; /* it was not forked; why, was said */
    }
    if (end->with_parent) {
        sco_log(SCO_EVENT_WORKER_EXITED,
                "Worker (pid:%d) ended with the process it was forked from",
                pid);
    } else if (end->signal == SIGKILL && !worker->killed) {
        sco_log(SCO_EVENT_WORKER_EXITED,
                "Worker (pid:%d) was sent SIGKILL! Perhaps out of memory?",
                pid);
    } else if (end->signal == SIGKILL) {
        sco_log(SCO_EVENT_WORKER_EXITED, "Worker (pid:%d) was sent SIGKILL!",
                pid);
    } else if (end->signal != 0) {
        sco_log(SCO_EVENT_WORKER_EXITED, "Worker (pid:%d) was sent %s!", pid,
                sco_signal_name(end->signal));
    } else if (end->exit_code != 0 || !worker->is_guest) {
        sco_log(SCO_EVENT_WORKER_EXITED, "Worker (pid:%d) exited with code %d",
                pid, end->exit_code);
    }
}

static void
pool_ready(void *arg, struct sco_worker *worker, struct sco_slice documents)
{
    struct sco_pool *pool = arg;

    pool->ever_ready = true;
    worker->begun_ns = sco_loop_now_ns(pool->kind.setup->loop);
    pool->boss.on_ready(pool->boss.arg, worker, documents);
    replace_ready(pool, worker);
}

static void
pool_through(void *arg, struct sco_worker *worker, uint64_t run_ns)
{
    struct sco_pool *pool = arg;

    pool->boss.on_through(pool->boss.arg, worker, run_ns);
    replace_look(pool, worker);
}

static void
pool_ran(void *arg, struct sco_worker *worker, const struct sco_ran *ran)
{
    struct sco_pool *pool = arg;

    pool->boss.on_ran(pool->boss.arg, worker, ran);
}

static void
pool_unfit(void *arg, struct sco_worker *worker)
{
    struct sco_pool *pool = arg;

    pool->boss.on_unfit(pool->boss.arg, worker);
}

static void
pool_return(void *arg, struct sco_worker *worker, struct sco_request *req)
{
    struct sco_pool *pool = arg;

    pool->boss.on_return(pool->boss.arg, worker, req);
}

static void
judge_end(struct sco_pool *pool, const struct sco_worker *worker,
          const struct sco_worker_end *end)
{
    uint64_t lived_ns =
        sco_loop_now_ns(pool->kind.setup->loop) - worker->begun_ns;

    if (end->with_parent) {
        return; /* the zygote paces the next ones */
    }
    if (worker->was_ready &&
        sco_respawn_was_useful(lived_ns, worker->served)) {
        pool->failures = 0;
    } else {
        pool->failures++;
    }
}

static void
count_lost(struct sco_pool *pool, const struct sco_worker *worker)
{
    char why[64];

    pool->lost++;
    if (pool->stopping && !worker->was_ready) {
        return; /* the end did not wait for its init() */
    }
    sco_log(SCO_EVENT_WORKER_LOST,
            "worker %u is stuck in run() and is left behind; %zu of %zu "
            "max_lost_workers",
            worker->number, pool->lost, pool->lost_max);
    if (pool->lost > pool->lost_max && !pool->stopping) {
        snprintf(why, sizeof(why), "it has %zu stuck workers", pool->lost);
        pool->boss.on_worn(pool->boss.arg, why);
    }
}

/* Counts the end of a worker that was not asked to leave. */
static void
count_end(struct sco_pool *pool, const struct sco_worker *worker,
          const struct sco_worker_end *end)
{
    enum sco_lost how = sco_lost_of(end, worker->is_guest, worker->killed);

    if (!pool->stopping && how != SCO_LOST_COUNT) {
        pool->counts.lost[how]++;
    }
}

/* What follows the end of a worker that has been destroyed. */
static void
make_up(struct sco_pool *pool)
{
    if (!pool->stopping) {
        respawn_later(pool);
        replace_next(pool);
    } else if (pool->count == 0) {
        pool->boss.on_empty(pool->boss.arg);
    }
}

/* Tells how a worker ended. */
static void
tell_gone(struct sco_pool *pool, const struct sco_worker *worker,
          const struct sco_worker_end *end, bool boot_failed)
{
    bool asked = worker->asked_to_leave;

    if ((asked || boot_failed) && worker->pid != 0) {
        sco_log(SCO_EVENT_WORKER_EXITING, "Worker exiting (pid: %d)",
                (int)worker->pid);
    }
    if (end->lost) {
        count_lost(pool, worker);
    } else if (!asked) {
        log_end(worker, end);
    }
}

static void
pool_gone(void *arg, struct sco_worker *worker,
          const struct sco_worker_end *end)
{
    struct sco_pool *pool = arg;
    bool is_regular = !worker->asked_to_leave && !worker->is_guest &&
                      worker != pool->newcomer;
    /* One of a kind that the script just moved away from does not count. */
    bool boot_failed = is_regular && !pool->ever_ready && end->signal == 0 &&
                       end->exit_code == SCO_WORKER_BOOT_FAILED &&
                       worker->ops == pool->kind.ops;

    pool->count--;
    pool->guests -= worker->is_guest;
    tell_gone(pool, worker, end, boot_failed);
    if (!worker->asked_to_leave) {
        count_end(pool, worker, end);
    }
    if (is_regular) {
        judge_end(pool, worker, end);
    }
    replace_gone(pool, worker, end);
    sco_worker_destroy(worker);
    if (boot_failed && !pool->stopping) {
        pool->boss.on_boot_failed(pool->boss.arg);
    } else {
        make_up(pool);
    }
}

static enum sco_status
start_worker(struct sco_pool *pool, const struct sco_pool_kind *kind,
             struct sco_worker **out, struct sco_error *err)
{
    struct sco_worker_boss boss = {
        .arg = pool,
        .tally = &pool->tally,
        .on_ready = pool_ready,
        .on_through = pool_through,
        .on_ran = pool_ran,
        .on_unfit = pool_unfit,
        .on_return = pool_return,
        .on_gone = pool_gone,
    };
    enum sco_status status =
        sco_worker_create(kind->ops, kind->setup, &boss, out, err);
    uint64_t random = 0;

    if (status != SCO_OK) {
        return status;
    }
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0) {
        random = pool->started; /* at least not the same for all */
    }
    (*out)->number = ++pool->started;
    (*out)->generation = pool->generation;
    (*out)->life = sco_recycle_begin(&pool->limits, random);
    sco_list_push(&pool->workers, &(*out)->link);
    pool->count++;
    return SCO_OK;
}

struct sco_worker *
pool_add(struct sco_pool *pool)
{
    struct sco_worker *worker;
    struct sco_error err;

    if (start_worker(pool, &pool->kind, &worker, &err) != SCO_OK) {
        sco_log(SCO_EVENT_INTERNAL, "%s", err.text);
        return NULL;
    }
    return worker;
}

enum sco_status
sco_pool_admit(struct sco_pool *pool, const struct sco_worker_ops *ops,
               const struct sco_worker_setup *setup, struct sco_worker **out,
               struct sco_error *err)
{
    const struct sco_pool_kind kind = { .ops = ops, .setup = setup };
    enum sco_status status;

    if (pool->stopping) {
        return sco_fail(err, SCO_CLOSED, "the pool takes no more workers");
    }
    status = start_worker(pool, &kind, out, err);
    if (status == SCO_OK) {
        (*out)->is_guest = true;
        pool->guests++;
    }
    return status;
}

/* Starts what is missing; stops at the first that cannot be started. */
static void
fill(struct sco_pool *pool)
{
    while (!pool->stopping && lacking(pool) > 0) {
        if (pool_add(pool) == NULL) {
            pool->failures += 2;
            respawn_later(pool);
            return;
        }
    }
}

void
sco_pool_init(struct sco_pool *pool, const struct sco_worker_ops *ops,
              const struct sco_worker_setup *setup,
              const struct sco_pool_boss *boss)
{
    *pool = (struct sco_pool){ .kind = { .ops = ops, .setup = setup },
                               .boss = *boss };
    pool->respawn.on_time = on_respawn;
    pool->respawn.arg = pool;
    replace_init(pool);
    sco_list_init(&pool->workers);
}

/* How gladly a worker is let go when there are too many: one that is still
 * starting first, then one that is to be replaced anyway; 0: not at all. */
static int
spare_rank(const struct sco_pool *pool, const struct sco_worker *worker)
{
    if (worker->asked_to_leave || worker->is_guest ||
        worker == pool->newcomer) {
        return 0;
    }
    if (worker->state == SCO_WORKER_STARTING) {
        return 3;
    }
    return replace_is_due(pool, worker) ? 2 : 1;
}

/* The worker that goes first, the newest of those that are equal. */
static struct sco_worker *
spare_worker(const struct sco_pool *pool)
{
    struct sco_worker *worker = NULL;
    struct sco_worker *spare = NULL;
    int best = 1;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        int rank = spare_rank(pool, worker);

        if (rank >= best) {
            best = rank;
            spare = worker;
        }
    }
    return spare;
}

/* How many of the pool's own workers stay. */
static size_t
staying(const struct sco_pool *pool)
{
    struct sco_worker *worker = NULL;
    size_t count = 0;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        count += !worker->asked_to_leave && !worker->is_guest;
    }
    return count;
}

void
pool_trim(struct sco_pool *pool)
{
    struct sco_worker *spare;

    while (staying(pool) > pool->wanted + (pool->newcomer != NULL) &&
           (spare = spare_worker(pool)) != NULL) {
        sco_worker_leave(spare);
    }
}

void
sco_pool_resize(struct sco_pool *pool, size_t wanted)
{
    pool->wanted = wanted;
    fill(pool);
    pool_trim(pool);
}

enum sco_pool_health
sco_pool_health(const struct sco_pool *pool)
{
    if (pool->is_open && pool->wanted == 0 && pool->count == 0) {
        return SCO_POOL_EMPTY;
    }
    /* Also where none was ever ready: waiting would be for nothing. */
    if (pool->failures >= 2 && sco_pool_ready_count(pool) == 0) {
        return SCO_POOL_FAILING;
    }
    return pool->ever_ready ? SCO_POOL_SERVING : SCO_POOL_STARTING;
}

struct sco_worker *
sco_pool_next(const struct sco_pool *pool, const struct sco_worker *worker)
{
    struct sco_list *link =
        worker == NULL ? pool->workers.next : worker->link.next;

    return link == &pool->workers
               ? NULL
               : SCO_LIST_ENTRY(link, struct sco_worker, link);
}

struct sco_worker *
sco_pool_find(const struct sco_pool *pool, pid_t pid)
{
    struct sco_worker *worker = NULL;
    struct sco_worker *any = NULL;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        if (sco_worker_is_able(worker) && worker->pid == pid) {
            return worker;
        }
        if (sco_worker_is_able(worker)) {
            any = worker;
        }
    }
    return any;
}

/* Whether the queue may be given to a worker. Once a change of kind is on,
 * what waits is for the new kind. */
static bool
is_fed(const struct sco_pool *pool, const struct sco_worker *worker)
{
    return sco_worker_is_able(worker) &&
           (pool->former.ops == NULL || !replace_is_due(pool, worker));
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

struct sco_worker *
sco_pool_least_busy(const struct sco_pool *pool, size_t depth)
{
    struct sco_worker *best = NULL;
    struct sco_worker *worker = NULL;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        if (worker->held_count < larger(depth, worker->credits) &&
            is_fed(pool, worker) &&
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
    struct sco_worker *worker = NULL;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
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
    struct sco_worker *worker = sco_pool_next(pool, NULL);
    bool heard = false;

    while (worker != NULL) {
        heard = sco_worker_poll(worker) || heard;
        worker = sco_pool_next(pool, worker);
    }
    return heard;
}

void
sco_pool_flush(struct sco_pool *pool)
{
    struct sco_worker *worker = NULL;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        sco_worker_flush(worker);
    }
}

void
sco_pool_stop(struct sco_pool *pool)
{
    struct sco_worker *worker = NULL;

    pool->stopping = true;
    sco_loop_timer_clear(pool->kind.setup->loop, &pool->respawn);
    replace_stop(pool);
    if (pool->count == 0) {
        pool->boss.on_empty(pool->boss.arg);
        return;
    }
    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        sco_worker_leave(worker);
        if (worker->state == SCO_WORKER_STARTING && !worker->killed) {
            sco_worker_kill(worker);
        }
    }
}

void
sco_pool_kill(struct sco_pool *pool)
{
    struct sco_worker *worker = NULL;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        sco_worker_kill(worker);
    }
}
