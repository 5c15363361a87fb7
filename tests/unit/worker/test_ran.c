/* test_ran.c - what a reply tells of the run() that it comes from */
#include "link/call.h"
#include "support/test.h"
#include "worker/ran.h"

#define REASON(reason) (1 + (reason))

/* The worker began with it at 1000; now it is 2000. */
enum { STARTED = 1000, NOW = 2000 };

/* clang-format off */
static const struct {
    const char *why;
    uint64_t    begun_ns, ns; /* as the worker says */
    uint64_t    started_ns;
    uint64_t    input_ns, run_ns, output_ns;
} times[] = {
    { "all is known",            1100, 600, STARTED, 100, 600, 300 },
    { "it took no time",         1100,   0, STARTED, 100,   0, 900 },
    { "it has just come back",   1100, 900, STARTED, 100, 900,   0 },
    { "longer than there was",   1100, 990, STARTED, 100, 900,   0 },
    { "it has begun anew since", 1100, 600,    1800,   0, 600, 300 },
    { "nobody knows its start",  1100, 600,       0,   0, 600, 300 },
    { "in the future",           2100, 600, STARTED, 400, 600,   0 },
    { "by another clock",           0, 600, STARTED, 400, 600,   0 },
    { "... which is slow",          0, 990,    1500,   0, 500,   0 },
    { "... and nothing is known",   0, 600,       0,   0,   0,   0 },
    { "... and it starts later",    0, 600,    2100,   0,   0,   0 },
};
/* clang-format on */

static void
test_its_time_is_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        const struct sco_lane_reply reply = {
            .begun_ns = times[i].begun_ns,
            .run_ns = times[i].ns,
            .batch_told = REASON(0),
        };
        struct sco_ran ran;

        print_message("%s\n", times[i].why);
        assert_true(sco_ran_read(&reply, SCO_LANE_PLAIN, times[i].started_ns,
                                 NOW, &ran));
        assert_int_equal(ran.input_ns, times[i].input_ns);
        assert_int_equal(ran.run_ns, times[i].run_ns);
        assert_int_equal(ran.output_ns, times[i].output_ns);
    }
}

static void
test_what_is_told(void **state)
{
    struct sco_lane_reply reply = { .batch_rows = 64,
                                    .batch_told = REASON(4) };
    struct sco_ran ran;

    (void)state;
    assert_true(sco_ran_read(&reply, SCO_LANE_INFER, STARTED, NOW, &ran));
    assert_int_equal(ran.reason, 4);
    assert_int_equal(ran.rows, 64);
    assert_true(ran.is_infer);
    assert_false(ran.has_failed);
    reply.batch_told |= SCO_BATCH_TOLD_FAILED;
    assert_true(sco_ran_read(&reply, SCO_LANE_PLAIN, STARTED, NOW, &ran));
    assert_int_equal(ran.reason, 4);
    assert_true(ran.has_failed);
    assert_false(ran.is_infer);
}

static void
test_nothing_is_told(void **state)
{
    struct sco_lane_reply reply = { .batch_rows = 64 };
    struct sco_ran ran = { .rows = 7 };

    (void)state;
    assert_false(sco_ran_read(&reply, SCO_LANE_PLAIN, STARTED, NOW, &ran));
    reply.batch_told = SCO_BATCH_TOLD_FAILED;
    assert_false(sco_ran_read(&reply, SCO_LANE_PLAIN, STARTED, NOW, &ran));
    reply.batch_told = 0xff00;
    assert_false(sco_ran_read(&reply, SCO_LANE_PLAIN, STARTED, NOW, &ran));
    assert_int_equal(ran.rows, 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_time_is_split),
        cmocka_unit_test(test_what_is_told),
        cmocka_unit_test(test_nothing_is_told),
    };

    return cmocka_run_group_tests_name("ran", tests, NULL, NULL);
}
