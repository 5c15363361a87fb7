/* autoscale.h - how many workers a deployment should have: pure decisions
 *
 * The deployment looks at itself a few times a second while there is work and
 * asks sco_autoscale_step(). More workers come fast, as soon as requests have
 * been waiting for a while though everybody who was to come is there; they go
 * slowly, one at a time, when those that stay would still be idle half of the
 * time. That gap between the two keeps the number from swinging.
 *
 * Thread: that of the owner of the struct.
 */
#ifndef SCO_DEPLOY_AUTOSCALE_H
#define SCO_DEPLOY_AUTOSCALE_H

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>

/* How often to look while there is work, and while there is none but workers
 * are still too many. */
#define SCO_AUTOSCALE_TICK_NS (100 * SCO_NS_PER_MS)
#define SCO_AUTOSCALE_REST_NS SCO_NS_PER_S

/* What is remembered from one look to the next. */
struct sco_autoscale {
    size_t least, most;     /* workers; equal: it never changes anything */
    double busy;            /* share of the workers at work, smoothed */
    uint64_t looked_ns;     /* 0: never */
    uint64_t changed_ns;    /* the number; 0: never */
    uint64_t slow_since_ns; /* requests wait for long; 0: they do not */
    uint64_t idle_since_ns; /* one worker less would do; 0: it would not */
};

/* What is seen. */
struct sco_autoscale_view {
    uint64_t now_ns;
    size_t wanted; /* workers */
    size_t ready;
    size_t at_work;
    uint64_t wait_ns; /* what a request waits before it begins */
    uint64_t run_ns;  /* what it runs then */
};

/* How long a request waits, about: `waiting` of them stand before `ready`
 * workers that take `run_ns` each; and the first of them at least since
 * anyone was last given one, `still_ns` ago. */
uint64_t sco_autoscale_wait_ns(size_t waiting, size_t ready, uint64_t run_ns,
                               uint64_t still_ns);

/* Looks once; returns how many workers there should be, within the limits. */
size_t sco_autoscale_step(struct sco_autoscale *scale,
                          const struct sco_autoscale_view *view);

#endif
