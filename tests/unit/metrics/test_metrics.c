/* test_metrics.c - is the table of metrics such as Prometheus wants one? */
#include "metrics/metrics.h"

#include "support/test.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool
is_name(const char *text)
{
    if (!islower((unsigned char)text[0])) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) &&
            *text != '_') {
            return false;
        }
    }
    return true;
}

static bool
ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static void
test_names_are_sound(void **state)
{
    (void)state;
    for (int i = 0; i < SCO_METRIC_COUNT; i++) {
        const struct sco_metric_about *about =
            sco_metric_about((enum sco_metric)i);

        print_message("%s\n", about->name);
        assert_true(is_name(about->name));
        assert_ptr_equal(strstr(about->name, "scorehost_"), about->name);
        assert_int_equal(ends_in(about->name, "_total"),
                         about->type == SCO_METRIC_COUNTER);
        assert_false(ends_in(about->name, "_bucket"));
        assert_false(ends_in(about->name, "_sum"));
        assert_false(ends_in(about->name, "_count"));
        assert_true(ends_in(about->sentence, "."));
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(
                about->name, sco_metric_about((enum sco_metric)k)->name);
        }
    }
}

/* What labels there may be: no other ones tell operators apart what they
 * look at. */
static bool
is_label(const char *text, size_t len)
{
    static const char *const labels[] = { "route",        "code",    "stage",
                                          "reason",       "version", "python",
                                          "libmicrohttpd" };

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (strlen(labels[i]) == len && memcmp(labels[i], text, len) == 0) {
            return true;
        }
    }
    return false;
}

static void
test_labels_are_few(void **state)
{
    (void)state;
    for (int i = 0; i < SCO_METRIC_COUNT; i++) {
        const char *at = sco_metric_about((enum sco_metric)i)->labels;

        while (*at != '\0') {
            size_t len = strcspn(at, " ");

            assert_true(is_label(at, len));
            at += len + (at[len] == ' ');
        }
    }
}

static void
test_types_have_names(void **state)
{
    (void)state;
    assert_string_equal(sco_metric_type_text(SCO_METRIC_COUNTER), "counter");
    assert_string_equal(sco_metric_type_text(SCO_METRIC_GAUGE), "gauge");
    assert_string_equal(sco_metric_type_text(SCO_METRIC_HISTOGRAM),
                        "histogram");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_sound),
        cmocka_unit_test(test_labels_are_few),
        cmocka_unit_test(test_types_have_names),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
