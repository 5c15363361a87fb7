#include "metrics/page.h"

#include "base/clock.h"

/* ---- pieces ------------------------------------------------------------ */

static void
add(struct sco_text *page, const char *text)
{
    sco_text_add(page, sco_slice_of(text));
}

/* Appends a text of one line: a line feed, a backslash, and where it stands
 * between quotes a quote too, are escaped. */
static void
add_escaped(struct sco_text *page, const char *text, char quote)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            add(page, "\\n");
        } else if (*text == '\\' || *text == quote) {
            sco_text_add_char(page, '\\');
            sco_text_add_char(page, *text);
        } else {
            sco_text_add_char(page, *text);
        }
    }
}

/* Appends nanoseconds as seconds, with no more decimals than there are. */
static void
add_seconds(struct sco_text *page, uint64_t ns)
{
    enum { DECIMALS = 9 };
    uint64_t rest = ns % SCO_NS_PER_S;
    char decimals[DECIMALS];
    size_t count = DECIMALS;

    sco_text_add_number(page, ns / SCO_NS_PER_S);
    if (rest == 0) {
        return;
    }
    for (size_t i = DECIMALS; i > 0; i--) {
        decimals[i - 1] = (char)('0' + rest % 10);
        rest /= 10;
    }
    while (decimals[count - 1] == '0') {
        count--;
    }
    sco_text_add_char(page, '.');
    sco_text_add(page, (struct sco_slice){ decimals, count });
}

static void
add_label(struct sco_text *page, const char *before, const char *name,
          const char *value)
{
    add(page, before);
    add(page, name);
    add(page, "=\"");
    add_escaped(page, value, '"');
    sco_text_add_char(page, '"');
}

/* Begins a sample: its name, and its labels without the brace that ends
 * them. Returns what stands in front of one more. */
static const char *
begin_sample(struct sco_text *page, enum sco_metric metric, const char *suffix,
             const struct sco_label *labels, size_t label_count)
{
    add(page, sco_metric_about(metric)->name);
    add(page, suffix);
    for (size_t i = 0; i < label_count; i++) {
        add_label(page, i == 0 ? "{" : ",", labels[i].name, labels[i].value);
    }
    return label_count == 0 ? "{" : ",";
}

static void
end_labels(struct sco_text *page, size_t label_count)
{
    add(page, label_count > 0 ? "} " : " ");
}

/* ---- metrics ----------------------------------------------------------- */

void
sco_page_begin(struct sco_text *page, enum sco_metric metric)
{
    const struct sco_metric_about *about = sco_metric_about(metric);

    add(page, "# HELP ");
    add(page, about->name);
    sco_text_add_char(page, ' ');
    add_escaped(page, about->sentence, '\0');
    add(page, "\n# TYPE ");
    add(page, about->name);
    sco_text_add_char(page, ' ');
    add(page, sco_metric_type_text(about->type));
    sco_text_add_char(page, '\n');
}

void
sco_page_add(struct sco_text *page, enum sco_metric metric,
             const struct sco_label *labels, size_t label_count,
             uint64_t value)
{
    (void)begin_sample(page, metric, "", labels, label_count);
    end_labels(page, label_count);
    sco_text_add_number(page, value);
    sco_text_add_char(page, '\n');
}

void
sco_page_add_ns(struct sco_text *page, enum sco_metric metric,
                const struct sco_label *labels, size_t label_count,
                uint64_t ns)
{
    (void)begin_sample(page, metric, "", labels, label_count);
    end_labels(page, label_count);
    add_seconds(page, ns);
    sco_text_add_char(page, '\n');
}

/* Begins the line of the bucket up to a bound. */
static void
begin_bucket(struct sco_text *page, const struct sco_buckets *buckets,
             size_t at)
{
    add(page, "le=\"");
    if (at == buckets->count) {
        add(page, "+Inf");
    } else if (buckets->are_of_times) {
        add_seconds(page, buckets->bounds[at]);
    } else {
        sco_text_add_number(page, buckets->bounds[at]);
    }
    add(page, "\"} ");
}

void
sco_page_add_histogram(struct sco_text *page, enum sco_metric metric,
                       const struct sco_label *labels, size_t label_count,
                       const struct sco_histogram *histogram)
{
    const struct sco_buckets *buckets = histogram->buckets;
    uint64_t so_far = 0;

    for (size_t i = 0; i <= buckets->count; i++) {
        so_far += histogram->counts[i];
        add(page, begin_sample(page, metric, "_bucket", labels, label_count));
        begin_bucket(page, buckets, i);
        sco_text_add_number(page, so_far);
        sco_text_add_char(page, '\n');
    }
    (void)begin_sample(page, metric, "_sum", labels, label_count);
    end_labels(page, label_count);
    if (buckets->are_of_times) {
        add_seconds(page, histogram->sum);
    } else {
        sco_text_add_number(page, histogram->sum);
    }
    sco_text_add_char(page, '\n');
    (void)begin_sample(page, metric, "_count", labels, label_count);
    end_labels(page, label_count);
    sco_text_add_number(page, so_far);
    sco_text_add_char(page, '\n');
}

void
sco_page_put(struct sco_text *page, enum sco_metric metric, uint64_t value)
{
    sco_page_begin(page, metric);
    sco_page_add(page, metric, NULL, 0, value);
}
