#include "host/counts.h"

#include "base/clock.h"
#include "base/status.h"

#include <stdlib.h>
#include <time.h>

/* Now, on the clock that people have. */
static uint64_t
today_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SCO_NS_PER_S + (uint64_t)now.tv_nsec;
}

struct sco_counts *
sco_counts_create(void)
{
    struct sco_counts *counts = sco_alloc(1, sizeof(*counts));

    for (int i = 0; i < VISIT_ROUTES; i++) {
        sco_histogram_init(&counts->took[i], &sco_buckets_times);
    }
    for (int i = 0; i < SCO_STAGES; i++) {
        sco_histogram_init(&counts->stages[i], &sco_buckets_times);
    }
    counts->begun_ns = today_ns();
    return counts;
}

void
sco_counts_destroy(struct sco_counts *counts)
{
    free(counts);
}

#define X(name, text) text,

const char *
sco_route_text(enum visit_route route)
{
    static const char *const texts[] = { VISIT_ROUTE_MAP(X) };

    return texts[route];
}

const char *
sco_refused_text(enum sco_refused why)
{
    static const char *const texts[] = { SCO_REFUSED_MAP(X) };

    return texts[why];
}

const char *
sco_failed_text(enum sco_failed why)
{
    static const char *const texts[] = { SCO_FAILED_MAP(X) };

    return texts[why];
}

#undef X

void
sco_counts_stages(struct sco_counts *counts,
                  const struct sco_stage_times *times)
{
    for (int i = 0; i < SCO_STAGES; i++) {
        if (times->was_reached[i]) {
            sco_histogram_observe(&counts->stages[i], times->ns[i]);
        }
    }
}
