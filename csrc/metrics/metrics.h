/* metrics.h - the names of all metrics
 *
 * What is counted lies with who counts it, in plain numbers: all that happens
 * is the loop's, so none of them is locked or atomic. Here is what each is
 * called; page.h writes them for who asks.
 *
 * Thread: any; all of it is constant.
 */
#ifndef SCO_METRICS_METRICS_H
#define SCO_METRICS_METRICS_H

/* clang-format off */
#define X(name, type, text, labels, sentence) SCO_METRIC_##name,
enum sco_metric {
#include "metrics/metrics.def"
    SCO_METRIC_COUNT
};
#undef X
/* clang-format on */

enum sco_metric_type {
    SCO_METRIC_COUNTER,
    SCO_METRIC_GAUGE,
    SCO_METRIC_HISTOGRAM,
};

/* The line of a metric. */
struct sco_metric_about {
    const char *name;
    enum sco_metric_type type;
    const char *labels; /* their names, with a blank between two */
    const char *sentence;
};

/* The line of a metric in metrics.def. */
const struct sco_metric_about *sco_metric_about(enum sco_metric metric);

/* What Prometheus calls a type: "counter". */
const char *sco_metric_type_text(enum sco_metric_type type);

#endif
