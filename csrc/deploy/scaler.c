#include "deploy/scaler.h"

#include "base/log.h"

void
sco_scaler_limits(size_t start, size_t min, size_t max,
                  struct sco_autoscale *out)
{
    out->least = min != 0 ? min : start;
    out->most = max != 0 ? max : start;
    if (out->least > out->most && min != 0) {
        out->most = out->least;
    } else if (out->least > out->most) {
        out->least = out->most;
    }
}

static bool
is_on(const struct sco_scaler *scaler)
{
    return scaler->scale.least != scaler->scale.most;
}

/* How many workers have something to do. */
static size_t
at_work(const struct sco_pool *pool)
{
    const struct sco_worker *worker = NULL;
    size_t count = 0;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        count += worker->state == SCO_WORKER_READY && worker->held_count > 0;
    }
    return count;
}

static void
on_tick(void *arg, uint64_t now_ns)
{
    struct sco_scaler *scaler = arg;
    struct sco_pool *pool = scaler->pool;
    struct sco_autoscale_view view = {
        .now_ns = now_ns,
        .wanted = pool->wanted,
        .ready = sco_pool_ready_count(pool),
        .at_work = at_work(pool),
    };
    bool is_busy = scaler->look(scaler->arg, &view);
    size_t wanted = sco_autoscale_step(&scaler->scale, &view);

    if (pool->stopping) {
        return;
    }
    if (wanted != view.wanted) {
        sco_log(SCO_EVENT_AUTOSCALED,
                "%zu workers instead of %zu: requests wait %.0f ms, workers "
                "are at work %.0f %% of the time",
                wanted, view.wanted, (double)view.wait_ns / 1e6,
                scaler->scale.busy * 100);
        sco_pool_resize(pool, wanted);
    }
    /* With nothing to do, and nobody to send away, it looks no more. */
    if (is_busy || wanted > scaler->scale.least) {
        sco_loop_timer_set(scaler->loop, &scaler->tick,
                           now_ns + (is_busy ? SCO_AUTOSCALE_TICK_NS
                                             : SCO_AUTOSCALE_REST_NS));
    }
}

void
sco_scaler_init(struct sco_scaler *scaler)
{
    scaler->tick.on_time = on_tick;
    scaler->tick.arg = scaler;
}

void
sco_scaler_finish(struct sco_scaler *scaler)
{
    sco_loop_timer_clear(scaler->loop, &scaler->tick);
}

void
sco_scaler_start(struct sco_scaler *scaler, size_t start)
{
    if (start < scaler->scale.least) {
        start = scaler->scale.least;
    } else if (start > scaler->scale.most) {
        start = scaler->scale.most;
    }
    sco_pool_resize(scaler->pool, start);
}

void
sco_scaler_wake(struct sco_scaler *scaler)
{
    uint64_t soon_ns = sco_loop_now_ns(scaler->loop) + SCO_AUTOSCALE_TICK_NS;

    if (is_on(scaler) &&
        (scaler->tick.place == 0 || scaler->tick.at_ns > soon_ns)) {
        sco_loop_timer_set(scaler->loop, &scaler->tick, soon_ns);
    }
}

void
sco_scaler_add(struct sco_scaler *scaler, int more)
{
    const struct sco_autoscale *scale = &scaler->scale;
    size_t wanted = scaler->pool->wanted;

    if (more > 0 && (!is_on(scaler) || wanted < scale->most)) {
        sco_pool_resize(scaler->pool, wanted + 1);
    } else if (more < 0 && wanted > (is_on(scaler) ? scale->least : 1)) {
        sco_pool_resize(scaler->pool, wanted - 1);
    }
}
