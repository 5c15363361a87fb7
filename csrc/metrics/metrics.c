#include "metrics/metrics.h"

/* clang-format off */
#define X(name, type, text, labels, sentence) \
    { text, SCO_METRIC_##type, labels, sentence },
static const struct sco_metric_about table[SCO_METRIC_COUNT] = {
#include "metrics/metrics.def"
};
#undef X
/* clang-format on */

const struct sco_metric_about *
sco_metric_about(enum sco_metric metric)
{
    return &table[metric];
}

const char *
sco_metric_type_text(enum sco_metric_type type)
{
    switch (type) {
    case SCO_METRIC_COUNTER:
        return "counter";
    case SCO_METRIC_GAUGE:
        return "gauge";
    case SCO_METRIC_HISTOGRAM:
        return "histogram";
    }
    return "untyped";
}
