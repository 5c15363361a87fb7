/* test_page.c - the text, byte by byte */
#include "metrics/page.c"

#include "support/test.h"

#include <stdio.h>
#include <string.h>

#define WAITING "scorehost_requests_waiting"

static struct sco_text page;

static int
end(void **state)
{
    (void)state;
    sco_text_finish(&page);
    return 0;
}

/* Compares what was written, and begins anew. */
static void
assert_wrote(const char *text)
{
    assert_false(page.failed);
    assert_non_null(page.data);
    assert_string_equal(page.data, text);
    sco_text_clear(&page);
}

static void
test_a_metric_says_what_it_is(void **state)
{
    (void)state;
    sco_page_begin(&page, SCO_METRIC_WAITING);
    assert_wrote("# HELP " WAITING " Requests that wait for a worker, as "
                 "queue_max_requests counts them.\n"
                 "# TYPE " WAITING " gauge\n");
    sco_page_begin(&page, SCO_METRIC_BATCHES_FAILED);
    assert_wrote("# HELP scorehost_batches_failed_total Calls of a run() "
                 "that takes batches which raised, or lost rows.\n"
                 "# TYPE scorehost_batches_failed_total counter\n");
}

static void
test_samples(void **state)
{
    const struct sco_label labels[] = { { "route", "score" },
                                        { "code", "200" } };

    (void)state;
    sco_page_add(&page, SCO_METRIC_WAITING, NULL, 0, 0);
    assert_wrote(WAITING " 0\n");
    sco_page_add(&page, SCO_METRIC_WAITING, NULL, 0, UINT64_MAX);
    assert_wrote(WAITING " 18446744073709551615\n");
    sco_page_add(&page, SCO_METRIC_REQUESTS, labels, 1, 7);
    assert_wrote("scorehost_requests_total{route=\"score\"} 7\n");
    sco_page_add(&page, SCO_METRIC_REQUESTS, labels, 2, 7);
    assert_wrote("scorehost_requests_total{route=\"score\",code=\"200\"} 7\n");
}

/* clang-format off */
static const struct {
    uint64_t    ns;
    const char *text;
} seconds[] = {
    { 0,                      "0" },
    { 1,                      "0.000000001" },
    { 500000,                 "0.0005" },
    { 10000000,               "0.01" },
    { 999999999,              "0.999999999" },
    { 1000000000,             "1" },
    { 1000000010,             "1.00000001" },
    { 2500000000,             "2.5" },
    { UINT64_C(1700000000123000000), "1700000000.123" },
    { UINT64_MAX,             "18446744073.709551615" },
};

/* What stands between the quotes of a label. */
static const struct {
    const char *value;
    const char *text;
} values[] = {
    { "",              "" },
    { "plain text {}", "plain text {}" },
    { "a \"quote\"",   "a \\\"quote\\\"" },
    { "back\\slash",   "back\\\\slash" },
    { "two\nlines\n",  "two\\nlines\\n" },
    { "\\n",           "\\\\n" },
    { "\xc3\xa9\t'",   "\xc3\xa9\t'" },
};
/* clang-format on */

static void
test_times_are_seconds(void **state)
{
    char line[128];

    (void)state;
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        sco_page_add_ns(&page, SCO_METRIC_START_TIME, NULL, 0, seconds[i].ns);
        (void)snprintf(line, sizeof(line), "scorehost_start_time_seconds %s\n",
                       seconds[i].text);
        assert_wrote(line);
    }
}

static void
test_values_are_escaped(void **state)
{
    char line[128];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const struct sco_label label = { "reason", values[i].value };

        sco_page_add(&page, SCO_METRIC_REFUSED, &label, 1, 1);
        (void)snprintf(line, sizeof(line),
                       "scorehost_requests_refused_total{reason=\"%s\"} 1\n",
                       values[i].text);
        assert_wrote(line);
    }
}

static void
test_help_is_escaped_but_for_quotes(void **state)
{
    (void)state;
    add_escaped(&page, "a \"b\" \\c\nd", '\0');
    assert_wrote("a \"b\" \\\\c\\nd");
}

static void
test_a_histogram_of_rows(void **state)
{
    static const uint64_t bounds[] = { 1, 8 };
    static const struct sco_buckets few = { .bounds = bounds, .count = 2 };
    struct sco_histogram rows;

    (void)state;
    sco_histogram_init(&rows, &few);
    sco_page_add_histogram(&page, SCO_METRIC_BATCH_ROWS, NULL, 0, &rows);
    assert_wrote("scorehost_batch_rows_bucket{le=\"1\"} 0\n"
                 "scorehost_batch_rows_bucket{le=\"8\"} 0\n"
                 "scorehost_batch_rows_bucket{le=\"+Inf\"} 0\n"
                 "scorehost_batch_rows_sum 0\n"
                 "scorehost_batch_rows_count 0\n");
    sco_histogram_observe(&rows, 1);
    sco_histogram_observe(&rows, 2);
    sco_histogram_observe(&rows, 8);
    sco_histogram_observe(&rows, 100);
    sco_page_add_histogram(&page, SCO_METRIC_BATCH_ROWS, NULL, 0, &rows);
    assert_wrote("scorehost_batch_rows_bucket{le=\"1\"} 1\n"
                 "scorehost_batch_rows_bucket{le=\"8\"} 3\n"
                 "scorehost_batch_rows_bucket{le=\"+Inf\"} 4\n"
                 "scorehost_batch_rows_sum 111\n"
                 "scorehost_batch_rows_count 4\n");
}

static void
test_a_histogram_of_times(void **state)
{
    static const uint64_t bounds[] = { 500000, 60 * SCO_NS_PER_S };
    static const struct sco_buckets few = { .bounds = bounds,
                                            .count = 2,
                                            .are_of_times = true };
    const struct sco_label label = { "stage", "run" };
    struct sco_histogram times;

    (void)state;
    sco_histogram_init(&times, &few);
    sco_histogram_observe(&times, 500000);
    sco_histogram_observe(&times, 1000000001);
    sco_page_add_histogram(&page, SCO_METRIC_STAGES, &label, 1, &times);
    assert_wrote(
        "scorehost_request_stage_seconds_bucket{stage=\"run\",le=\"0.0005\"} "
        "1\n"
        "scorehost_request_stage_seconds_bucket{stage=\"run\",le=\"60\"} 2\n"
        "scorehost_request_stage_seconds_bucket{stage=\"run\",le=\"+Inf\"} "
        "2\n"
        "scorehost_request_stage_seconds_sum{stage=\"run\"} 1.000500001\n"
        "scorehost_request_stage_seconds_count{stage=\"run\"} 2\n");
}

static void
test_one_that_has_a_single_sample(void **state)
{
    (void)state;
    sco_page_put(&page, SCO_METRIC_WORKERS_READY, 3);
    assert_wrote("# HELP scorehost_workers_ready Workers that are ready, "
                 "remote ones too.\n"
                 "# TYPE scorehost_workers_ready gauge\n"
                 "scorehost_workers_ready 3\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_metric_says_what_it_is),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_times_are_seconds),
        cmocka_unit_test(test_values_are_escaped),
        cmocka_unit_test(test_help_is_escaped_but_for_quotes),
        cmocka_unit_test(test_a_histogram_of_rows),
        cmocka_unit_test(test_a_histogram_of_times),
        cmocka_unit_test(test_one_that_has_a_single_sample),
    };

    return cmocka_run_group_tests_name("page", tests, NULL, end);
}
