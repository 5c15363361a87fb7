/* histogram.h - how values are spread, in buckets that are fixed
 *
 * A bucket has the values up to its bound, the bound included, and above the
 * one before; what is over the last bound is counted as well. To observe is
 * to look at bounds from the smallest one on: what is usual should be small.
 *
 * Thread: that of its owner.
 */
#ifndef SCO_METRICS_HISTOGRAM_H
#define SCO_METRICS_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCO_BUCKETS_MOST = 20 };

/* Bounds, ascending. */
struct sco_buckets {
    const uint64_t *bounds;
    size_t count;      /* at most SCO_BUCKETS_MOST */
    bool are_of_times; /* nanoseconds, and seconds to whoever reads them */
};

/* From half a millisecond to a minute. */
extern const struct sco_buckets sco_buckets_times;

/* Numbers of rows: 1 and its doubles, to the largest batch that may be. */
extern const struct sco_buckets sco_buckets_rows;

/* Embedded in its owner; made by sco_histogram_init(), and never ended. */
struct sco_histogram {
    const struct sco_buckets *buckets;
    uint64_t counts[SCO_BUCKETS_MOST + 1]; /* of each, then of what is over */
    uint64_t sum;
};

/* Makes an empty one. `buckets` are borrowed. */
void sco_histogram_init(struct sco_histogram *histogram,
                        const struct sco_buckets *buckets);

/* Counts a value. */
void sco_histogram_observe(struct sco_histogram *histogram, uint64_t value);

#endif
