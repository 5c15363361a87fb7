#include "metrics/histogram.h"

#include "base/clock.h"
#include "base/status.h"

#define US UINT64_C(1000)

static const uint64_t times[] = {
    500 * US,
    1 * SCO_NS_PER_MS,
    2500 * US,
    5 * SCO_NS_PER_MS,
    10 * SCO_NS_PER_MS,
    25 * SCO_NS_PER_MS,
    50 * SCO_NS_PER_MS,
    100 * SCO_NS_PER_MS,
    250 * SCO_NS_PER_MS,
    500 * SCO_NS_PER_MS,
    1 * SCO_NS_PER_S,
    2500 * SCO_NS_PER_MS,
    5 * SCO_NS_PER_S,
    10 * SCO_NS_PER_S,
    30 * SCO_NS_PER_S,
    60 * SCO_NS_PER_S,
};

static const uint64_t rows[] = {
    1,   2,    4,    8,    16,   32,    64,    128,   256,
    512, 1024, 2048, 4096, 8192, 16384, 32768, 65536,
};

_Static_assert(sizeof(times) / sizeof(times[0]) <= SCO_BUCKETS_MOST,
               "all times have a bucket");
_Static_assert(sizeof(rows) / sizeof(rows[0]) <= SCO_BUCKETS_MOST,
               "all numbers of rows have a bucket");

const struct sco_buckets sco_buckets_times = {
    .bounds = times,
    .count = sizeof(times) / sizeof(times[0]),
    .are_of_times = true,
};

const struct sco_buckets sco_buckets_rows = {
    .bounds = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
};

void
sco_histogram_init(struct sco_histogram *histogram,
                   const struct sco_buckets *buckets)
{
    SCO_CHECK(buckets->count <= SCO_BUCKETS_MOST, "too many buckets");
    *histogram = (struct sco_histogram){ .buckets = buckets };
}

void
sco_histogram_observe(struct sco_histogram *histogram, uint64_t value)
{
    const struct sco_buckets *buckets = histogram->buckets;
    size_t at = 0;

    while (at < buckets->count && value > buckets->bounds[at]) {
        at++;
    }
    histogram->counts[at]++;
    histogram->sum += value;
}
