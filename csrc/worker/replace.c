/* Design notes
 *
 * At most one replacement is under way, in two steps: `newcomer` is set while
 * the new worker starts, `leaver` while an old one finishes what it holds.
 * Each step ends by a call from outside (ready, gone), which starts the next
 * one, until no worker is due any more.
 *
 * Who is due stands nowhere; it is asked of each worker (replace_is_due): one
 * that is worn, one of an older generation while a reload is on, one of the
 * former kind while a change is on. So workers may die, be added and be taken
 * away in between, and nothing has to be put right.
 *
 * A newcomer that fails ends everything: the script on disk is broken, or the
 * machine has no room. Those that were due are not, from then on.
 */
#include "worker/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/runner.h"
#include "worker/worker_int.h"

#include <stdio.h>

/* How long worn workers stay after a newcomer, or a host, that failed. The
 * next one is likely to fail as well, and its start takes CPU from those that
 * serve. */
#define AFTER_FAILURE_NS (30 * SCO_NS_PER_S)

bool
replace_is_due(const struct sco_pool *pool, const struct sco_worker *worker)
{
    if (worker->asked_to_leave || worker->killed || worker->is_guest ||
        worker == pool->newcomer) {
        return false;
    }
    return worker->worn != SCO_RECYCLE_NOT ||
           (pool->reloading && worker->generation != pool->generation) ||
           (pool->former.ops != NULL && worker->ops != pool->kind.ops);
}

/* The oldest worker that is due, or NULL. */
static struct sco_worker *
next_due(const struct sco_pool *pool)
{
    struct sco_worker *worker = sco_pool_next(pool, NULL);

    while (worker != NULL && !replace_is_due(pool, worker)) {
        worker = sco_pool_next(pool, worker);
    }
    return worker;
}

bool
replace_is_beside(const struct sco_pool *pool)
{
    return pool->leaver != NULL ||
           (pool->newcomer != NULL && next_due(pool) != NULL);
}

/* ---- one after the other -------------------------------------------- */

/* Lets workers be worn for a while. */
static void
bear_with_them(struct sco_pool *pool)
{
    struct sco_loop *loop = pool->kind.setup->loop;

    pool->recycle_from_ns = sco_loop_now_ns(loop) + AFTER_FAILURE_NS;
    if (pool->limits.age_ns != 0) {
        sco_loop_timer_set(loop, &pool->age, pool->recycle_from_ns);
    }
}

static void
give_up(struct sco_pool *pool, const char *how)
{
    struct sco_worker *worker = NULL;

    if (pool->former.ops != NULL) {
        sco_log(SCO_EVENT_REPLACE_FAILED,
                "the new worker %s; the script stays in workers of kind %s",
                how, pool->former.ops->name);
        pool->kind = pool->former;
    } else if (pool->reloading) {
        sco_log(SCO_EVENT_REPLACE_FAILED,
                "the new worker %s; the script is not reloaded, and the "
                "workers that are there keep serving the old one",
                how);
    } else {
        sco_log(SCO_EVENT_REPLACE_FAILED,
                "the new worker %s; the one that it was to replace stays",
                how);
    }
    pool->reloading = false;
    pool->former.ops = NULL;
    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        worker->worn = SCO_RECYCLE_NOT;
    }
    bear_with_them(pool);
}

static void
finish(struct sco_pool *pool)
{
    if (pool->reloading) {
        pool->reloading = false;
        sco_log(SCO_EVENT_RELOAD, "all workers have loaded the script anew");
    }
}

void
replace_next(struct sco_pool *pool)
{
    if (pool->stopping || pool->newcomer != NULL || pool->leaver != NULL) {
        return;
    }
    if (next_due(pool) == NULL) {
        finish(pool);
        return;
    }
    pool->newcomer = pool_add(pool);
    if (pool->newcomer == NULL) {
        give_up(pool, "cannot be started");
    }
}

/* How long a worker has been ready. */
static uint64_t
age_ns(const struct sco_pool *pool, const struct sco_worker *worker)
{
    return sco_loop_now_ns(pool->kind.setup->loop) - worker->begun_ns;
}

static void
take_leave(struct sco_pool *pool, struct sco_worker *worker)
{
    char why[64];

    if (worker->worn != SCO_RECYCLE_NOT) {
        sco_recycle_tell(worker->worn, &worker->life, worker->served,
                         age_ns(pool, worker), why, sizeof(why));
        sco_log(SCO_EVENT_WORKER_RECYCLED,
                "worker %u (pid:%d) %s: a new one takes its place",
                worker->number, (int)worker->pid, why);
    }
    pool->counts.replaced[sco_replaced_of(worker->worn)]++;
    pool->leaver = worker;
    sco_worker_leave(worker);
}

/* The first worker of the new kind is ready. The others need not wait for
 * their turn: they get no work any more. */
static void
finish_change(struct sco_pool *pool)
{
    struct sco_worker *worker = NULL;

    sco_log(SCO_EVENT_MOVED, "the script has moved to workers of kind %s",
            pool->kind.ops->name);
    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        if (replace_is_due(pool, worker)) {
            pool->counts.replaced[SCO_REPLACED_KIND]++;
            sco_worker_leave(worker);
        }
    }
    pool->former.ops = NULL;
}

/* Has a guest of an older generation leave; it comes again with the script as
 * it is then. The next one goes when a guest has come. */
static void
renew_guest(struct sco_pool *pool)
{
    struct sco_worker *worker = NULL;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        if (worker->is_guest && worker->generation != pool->generation &&
            worker->state == SCO_WORKER_READY) {
            sco_worker_leave(worker);
            return;
        }
    }
}

void
replace_ready(struct sco_pool *pool, const struct sco_worker *worker)
{
    struct sco_worker *old;

    if (worker->is_guest) {
        renew_guest(pool);
    }
    if (worker == pool->newcomer) {
        pool->newcomer = NULL;
        if (pool->former.ops != NULL) {
            finish_change(pool);
        } else if ((old = next_due(pool)) != NULL) {
            take_leave(pool, old);
        } else {
            pool_trim(pool);
        }
        replace_next(pool);
    }
    if (pool->limits.age_ns != 0 && pool->age.place == 0) {
        sco_loop_timer_set(pool->kind.setup->loop, &pool->age,
                           worker->begun_ns + pool->limits.age_ns);
    }
}

void
replace_gone(struct sco_pool *pool, const struct sco_worker *worker,
             const struct sco_worker_end *end)
{
    char how[64];

    if (worker == pool->leaver) {
        pool->leaver = NULL;
    }
    if (worker == pool->newcomer) {
        pool->newcomer = NULL;
        if (!pool->stopping) {
            sco_worker_tell_end(end, how, sizeof(how));
            give_up(pool, how);
        }
    }
}

/* ---- why ------------------------------------------------------------ */

/* What was begun before starts over: its newcomer may have loaded what was
 * there before. */
static void
drop_newcomer(struct sco_pool *pool)
{
    struct sco_worker *worker = pool->newcomer;

    if (worker != NULL) {
        pool->newcomer = NULL;
        sco_worker_leave(worker);
    }
}

void
sco_pool_reload(struct sco_pool *pool)
{
    if (!pool->kind.ops->is_replaceable) {
        pool->boss.on_worn(pool->boss.arg,
                           "workers of kind thread cannot load the script "
                           "again beside itself");
        return;
    }
    sco_log(SCO_EVENT_RELOAD, "workers load the script anew");
    drop_newcomer(pool);
    pool->generation++;
    pool->reloading = true;
    renew_guest(pool);
    replace_next(pool);
}

void
sco_pool_change_kind(struct sco_pool *pool, const struct sco_worker_ops *ops,
                     const struct sco_worker_setup *setup)
{
    struct sco_worker *worker = NULL;

    if (pool->kind.ops == ops || pool->stopping) {
        return;
    }
    drop_newcomer(pool);
    pool->former = pool->kind;
    pool->kind = (struct sco_pool_kind){ .ops = ops, .setup = setup };
    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        if (replace_is_due(pool, worker)) {
            sco_worker_return(worker);
        }
    }
    replace_next(pool);
}

static void
tell_worn(struct sco_pool *pool, const char *it)
{
    char why[96];

    if (!pool->worn_told) {
        pool->worn_told = true;
        snprintf(why, sizeof(why), "a worker inside it %s", it);
        pool->boss.on_worn(pool->boss.arg, why);
    }
}

void
sco_pool_stay(struct sco_pool *pool)
{
    pool->worn_told = false;
    if (!pool->stopping) {
        bear_with_them(pool);
    }
}

/* Whether a new worker would cure it. Memory is that of the whole host where
 * workers are inside it, and what a leaking interpreter leaves behind grows
 * with every new one. */
static bool
is_curable(const struct sco_worker *worker, enum sco_recycle_why why)
{
    const struct sco_runner *runner = worker->setup->runner;

    if (!worker->ops->is_inside) {
        return true;
    }
    return worker->ops->is_replaceable && why != SCO_RECYCLE_MEMORY &&
           (runner == NULL || !runner->leaks);
}

/* Looks whether a worker is worn out, and has it replaced if so. */
static void
judge(struct sco_pool *pool, struct sco_worker *worker)
{
    uint64_t age = age_ns(pool, worker);
    enum sco_recycle_why why =
        sco_recycle_judge(&pool->limits, &worker->life, worker->served, age);
    char it[64];

    if (why == SCO_RECYCLE_NOT) {
        return;
    }
    if (is_curable(worker, why)) {
        worker->worn = why;
        replace_next(pool);
        return;
    }
    sco_recycle_tell(why, &worker->life, worker->served, age, it, sizeof(it));
    tell_worn(pool, it);
}

/* Whether the question is worth asking. */
static bool
may_be_worn(const struct sco_pool *pool, const struct sco_worker *worker)
{
    return worker->worn == SCO_RECYCLE_NOT && !worker->is_guest &&
           worker->state == SCO_WORKER_READY &&
           sco_loop_now_ns(pool->kind.setup->loop) >= pool->recycle_from_ns;
}

void
replace_look(struct sco_pool *pool, struct sco_worker *worker)
{
    uint64_t now_ns = sco_loop_now_ns(pool->kind.setup->loop);

    if ((pool->limits.requests == 0 && pool->limits.rss_bytes == 0) ||
        !may_be_worn(pool, worker)) {
        return;
    }
    if (sco_recycle_samples(&pool->limits, &worker->life, now_ns)) {
        sco_recycle_note(&pool->limits, &worker->life,
                         sco_recycle_rss_bytes(worker->pid), now_ns);
    }
    judge(pool, worker);
}

/* The timer rings when the oldest worker is old enough, and is set for the
 * next one. */
static void
on_age(void *arg, uint64_t now_ns)
{
    struct sco_pool *pool = arg;
    struct sco_worker *worker = NULL;
    uint64_t next_ns = 0;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        uint64_t at_ns = worker->begun_ns + pool->limits.age_ns;

        if (at_ns <= now_ns && may_be_worn(pool, worker)) {
            judge(pool, worker);
        } else if (at_ns > now_ns && (next_ns == 0 || at_ns < next_ns)) {
            next_ns = at_ns;
        }
    }
    if (next_ns != 0) {
        sco_loop_timer_set(pool->kind.setup->loop, &pool->age, next_ns);
    }
}

void
sco_pool_set_limits(struct sco_pool *pool,
                    const struct sco_recycle_limits *limits)
{
    pool->limits = *limits;
}

void
replace_init(struct sco_pool *pool)
{
    pool->age.on_time = on_age;
    pool->age.arg = pool;
}

void
replace_stop(struct sco_pool *pool)
{
    sco_loop_timer_clear(pool->kind.setup->loop, &pool->age);
}
