/* test_stages.c - what Server-Timing says of what happened */
#include "host/stages.h"

#include "support/test.h"

#define US UINT64_C(1000)
#define T0 (UINT64_C(5000000) * US)

/* clang-format off */
static const struct {
    const char       *why;
    struct sco_stages stages;
    const char       *value;
} cases[] = {
    { "all of it",
      { T0, T0 + 100 * US, T0 + 300 * US, T0 + 310 * US, 1500 * US,
        T0 + 2000 * US },
      "read;dur=0.100, queue;dur=0.200, wait;dur=0.010, run;dur=1.500, "
      "write;dur=0.190" },
    { "no time at all",
      { T0, T0, T0, T0, 0, T0 },
      "read;dur=0.000, queue;dur=0.000, wait;dur=0.000, run;dur=0.000, "
      "write;dur=0.000" },
    { "refused at its head", { .head_ns = T0, .now_ns = T0 + 7 * US },
      "read;dur=0.007" },
    { "refused while it waited",
      { .head_ns = T0, .body_ns = T0 + US, .now_ns = T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.008" },
    { "cut off while it ran",
      { .head_ns = T0, .body_ns = T0 + US, .started_ns = T0 + 3 * US,
        .now_ns = T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.002, run;dur=0.006" },
    { "a worker with another clock",
      { T0, T0 + US, T0 + 3 * US, 0, 4 * US, T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.002, wait;dur=0.002, run;dur=0.004" },
    { "... that lies",
      { T0, T0 + US, T0 + 3 * US, 0, UINT64_MAX, T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.002, wait;dur=0.000, run;dur=0.006" },
    { "a worker that lies: run() began before the request",
      { T0, T0 + US, T0 + 3 * US, 1, 2 * US, T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.002, wait;dur=0.000, run;dur=0.002, "
      "write;dur=0.004" },
    { "... after its end",
      { T0, T0 + US, T0 + 3 * US, UINT64_MAX, 2 * US, T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.002, wait;dur=0.006, run;dur=0.000, "
      "write;dur=0.000" },
    { "... and took longer than the request",
      { T0, T0 + US, T0 + 3 * US, T0 + 4 * US, UINT64_MAX, T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.002, wait;dur=0.001, run;dur=0.005, "
      "write;dur=0.000" },
    { "... and began before it came",
      { T0, T0 + US, 1, 1, UINT64_MAX - 1, T0 + 9 * US },
      "read;dur=0.001, queue;dur=0.000, wait;dur=0.000, run;dur=0.008, "
      "write;dur=0.000" },
};
/* clang-format on */

static void
test_values(void **state)
{
    struct sco_text text = { 0 };
    struct sco_stage_times times;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].why);
        sco_text_clear(&text);
        sco_stages_split(&cases[i].stages, &times);
        sco_stages_write(&times, &text);
        assert_string_equal(text.data, cases[i].value);
    }
    sco_text_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}
