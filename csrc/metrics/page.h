/* page.h - metrics as Prometheus reads them, in its text format 0.0.4
 *
 * A page is a text to which metrics are added one after the other: first
 * sco_page_begin(), then a sample for each combination of labels. Whether
 * memory was had is seen at the text's end, as always.
 *
 * Thread: any.
 */
#ifndef SCO_METRICS_PAGE_H
#define SCO_METRICS_PAGE_H

#include "base/text.h"
#include "metrics/histogram.h"
#include "metrics/metrics.h"

#include <stddef.h>
#include <stdint.h>

/* Its Content-Type. */
#define SCO_PAGE_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A label; both are borrowed. The value may be any UTF-8. */
struct sco_label {
    const char *name;
    const char *value;
};

/* Says what a metric is: its HELP and its TYPE. */
void sco_page_begin(struct sco_text *page, enum sco_metric metric);

/* Adds a sample. */
void sco_page_add(struct sco_text *page, enum sco_metric metric,
                  const struct sco_label *labels, size_t label_count,
                  uint64_t value);

/* Adds a time as seconds. */
void sco_page_add_ns(struct sco_text *page, enum sco_metric metric,
                     const struct sco_label *labels, size_t label_count,
                     uint64_t ns);

/* Adds the buckets, the sum and the count of a histogram. */
void sco_page_add_histogram(struct sco_text *page, enum sco_metric metric,
                            const struct sco_label *labels, size_t label_count,
                            const struct sco_histogram *histogram);

/* Adds a metric as a whole that has one sample, without labels. */
void sco_page_put(struct sco_text *page, enum sco_metric metric,
                  uint64_t value);

#endif
