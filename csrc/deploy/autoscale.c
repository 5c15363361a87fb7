#include "deploy/autoscale.h"

/* How long a request may wait before more workers are worth their memory:
 * twice what it runs. Under 5 ms nobody sees the wait, and a burst that is
 * over in that time needs no worker; over 50 ms a caller sees it, however
 * long the script takes by itself. */
#define PATIENCE_LEAST_NS (5 * SCO_NS_PER_MS)
#define PATIENCE_MOST_NS  (50 * SCO_NS_PER_MS)

/* Only a wait that stays is a lack of workers: a burst is gone by then. */
#define SLOW_FOR_NS (300 * SCO_NS_PER_MS)

/* After a change its effect is to be seen before the next one. */
#define UP_PAUSE_NS SCO_NS_PER_S

/* A wait like this will not be cured by one more: the number doubles. */
#define MUCH_TOO_LONG_NS (500 * SCO_NS_PER_MS)

/* A worker's start costs an init(), so that one which is idle stays for a
 * while: load that comes back within half a minute finds it. */
#define IDLE_FOR_NS (30 * SCO_NS_PER_S)

/* One worker goes when the rest would be at work for less than this share of
 * their time. At half, with requests that come at random, the wait is about
 * as long as the run: well under the patience, so it does not come back. */
#define BUSY_AFTERWARDS 0.5

/* Over what time the share is smoothed. */
#define SMOOTH_NS (1500 * SCO_NS_PER_MS)

uint64_t
sco_autoscale_wait_ns(size_t waiting, size_t ready, uint64_t run_ns,
                      uint64_t still_ns)
{
    double wait_ns;

    if (waiting == 0) {
        return 0;
    }
    wait_ns =
        (double)waiting * (double)run_ns / (double)(ready > 0 ? ready : 1);
    return wait_ns > (double)still_ns ? (uint64_t)wait_ns : still_ns;
}

static uint64_t
patience_ns(uint64_t run_ns)
{
    if (run_ns > PATIENCE_MOST_NS / 2) {
        return PATIENCE_MOST_NS;
    }
    return 2 * run_ns < PATIENCE_LEAST_NS ? PATIENCE_LEAST_NS : 2 * run_ns;
}

static size_t
clamp(const struct sco_autoscale *scale, size_t wanted)
{
    if (wanted < scale->least) {
        return scale->least;
    }
    return wanted > scale->most ? scale->most : wanted;
}

static void
smooth(struct sco_autoscale *scale, const struct sco_autoscale_view *view)
{
    double share = 0;
    double passed_ns = (double)(view->now_ns - scale->looked_ns);
    double weight = passed_ns / (passed_ns + (double)SMOOTH_NS);

    if (view->ready > 0) {
        share = (double)view->at_work / (double)view->ready;
    }
    scale->busy = scale->looked_ns == 0
                      ? share
                      : scale->busy + (share - scale->busy) * weight;
    scale->looked_ns = view->now_ns;
}

/* Keeps since when something holds. */
static void
note(uint64_t *since_ns, int holds, uint64_t now_ns)
{
    if (!holds) {
        *since_ns = 0;
    } else if (*since_ns == 0) {
        *since_ns = now_ns;
    }
}

static int
has_passed(uint64_t since_ns, uint64_t time_ns, uint64_t now_ns)
{
    return since_ns == 0 || now_ns - since_ns >= time_ns;
}

/* Whether one worker less would do. */
static int
is_too_many(const struct sco_autoscale *scale,
            const struct sco_autoscale_view *view)
{
    double rest = (double)view->wanted - 1;

    return view->wanted > scale->least && rest > 0 &&
           scale->busy * (double)view->wanted / rest < BUSY_AFTERWARDS;
}

static size_t
more(const struct sco_autoscale_view *view)
{
    return view->wait_ns > MUCH_TOO_LONG_NS ? 2 * view->wanted
                                            : view->wanted + 1;
}

size_t
sco_autoscale_step(struct sco_autoscale *scale,
                   const struct sco_autoscale_view *view)
{
    uint64_t now_ns = view->now_ns;
    size_t wanted = view->wanted;
    int is_slow = view->wait_ns > patience_ns(view->run_ns);

    smooth(scale, view);
    note(&scale->slow_since_ns, is_slow, now_ns);
    note(&scale->idle_since_ns, !is_slow && is_too_many(scale, view), now_ns);
    if (is_slow && view->ready >= view->wanted &&
        has_passed(scale->slow_since_ns, SLOW_FOR_NS, now_ns) &&
        has_passed(scale->changed_ns, UP_PAUSE_NS, now_ns)) {
        wanted = more(view);
    } else if (scale->idle_since_ns != 0 &&
               has_passed(scale->idle_since_ns, IDLE_FOR_NS, now_ns)) {
        wanted = view->wanted - 1;
    }
    wanted = clamp(scale, wanted);
    if (wanted != view->wanted) {
        scale->changed_ns = now_ns;
        scale->slow_since_ns = scale->idle_since_ns = 0;
    }
    return wanted;
}
