/* test_recycle.c - when a worker has served long enough */
#include "base/clock.h"
#include "support/test.h"
#include "worker/recycle.h"

#include <string.h>
#include <unistd.h>

#define MB (1024 * 1024)

static const struct sco_recycle_limits all = {
    .requests = 100,
    .jitter = 10,
    .age_ns = SCO_NS_PER_S,
    .rss_bytes = 50 * MB,
};

static void
test_jitter_is_drawn_within_its_bounds(void **state)
{
    const struct sco_recycle_limits none = { .requests = 100 };
    bool seen[11] = { false };

    (void)state;
    for (uint64_t random = 0; random < 1000; random++) {
        struct sco_recycle_life life =
            sco_recycle_begin(&all, random * 0x9E3779B97F4A7C15);

        assert_true(life.more_requests <= 10);
        seen[life.more_requests] = true;
    }
    for (size_t i = 0; i < 11; i++) {
        assert_true(seen[i]);
    }
    assert_int_equal(sco_recycle_begin(&none, 12345).more_requests, 0);
}

static void
test_each_limit_counts_by_itself(void **state)
{
    static const struct {
        uint64_t served, age_ns;
        unsigned rss_over;
        enum sco_recycle_why why;
    } cases[] = {
        { 0, 0, 0, SCO_RECYCLE_NOT },
        { 102, SCO_NS_PER_S - 1, 2, SCO_RECYCLE_NOT },
        { 103, 0, 0, SCO_RECYCLE_REQUESTS },
        { 5000, SCO_NS_PER_S, 9, SCO_RECYCLE_REQUESTS },
        { 1, SCO_NS_PER_S, 0, SCO_RECYCLE_AGE },
        { 1, 1, 3, SCO_RECYCLE_MEMORY },
    };
    const struct sco_recycle_limits none = { .requests = 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct sco_recycle_life life = { .more_requests = 3,
                                               .rss_over = cases[i].rss_over };

        assert_int_equal(
            sco_recycle_judge(&all, &life, cases[i].served, cases[i].age_ns),
            cases[i].why);
        assert_int_equal(
            sco_recycle_judge(&none, &life, cases[i].served, cases[i].age_ns),
            SCO_RECYCLE_NOT);
    }
}

static void
test_memory_counts_when_it_stays(void **state)
{
    const struct sco_recycle_limits none = { .requests = 1 };
    struct sco_recycle_life life = { 0 };
    uint64_t now_ns = SCO_NS_PER_S;

    (void)state;
    assert_false(sco_recycle_samples(&none, &life, now_ns));
    assert_true(sco_recycle_samples(&all, &life, now_ns));
    sco_recycle_note(&all, &life, 60 * MB, now_ns);
    assert_false(sco_recycle_samples(&all, &life, now_ns + SCO_NS_PER_MS));
    assert_true(sco_recycle_samples(&all, &life, now_ns + SCO_NS_PER_S));
    sco_recycle_note(&all, &life, 60 * MB, now_ns + 1);
    sco_recycle_note(&all, &life, 0, now_ns + 2); /* nothing was seen */
    assert_int_equal(life.rss_over, 2);
    sco_recycle_note(&all, &life, 50 * MB, now_ns + 3);
    assert_int_equal(life.rss_over, 0);
}

static void
test_the_reason_is_told(void **state)
{
    static const struct {
        enum sco_recycle_why why;
        const char *text;
    } cases[] = {
        { SCO_RECYCLE_NOT, "is older than the script" },
        { SCO_RECYCLE_REQUESTS, "has answered 12 requests" },
        { SCO_RECYCLE_AGE, "is 2.5 s old" },
        { SCO_RECYCLE_MEMORY, "has 100.0 MB of memory" },
    };
    const struct sco_recycle_life life = { .rss_bytes = 100000000 };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sco_recycle_tell(cases[i].why, &life, 12, 5 * SCO_NS_PER_S / 2, text,
                         sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

static void
test_the_memory_of_a_process_is_seen(void **state)
{
    (void)state;
    assert_true(sco_recycle_rss_bytes(getpid()) >= 100 * 1024);
    assert_true(sco_recycle_rss_bytes(getpid()) <= (uint64_t)100000 * MB);
    assert_int_equal(sco_recycle_rss_bytes(-1), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jitter_is_drawn_within_its_bounds),
        cmocka_unit_test(test_each_limit_counts_by_itself),
        cmocka_unit_test(test_memory_counts_when_it_stays),
        cmocka_unit_test(test_the_reason_is_told),
        cmocka_unit_test(test_the_memory_of_a_process_is_seen),
    };

    return cmocka_run_group_tests_name("recycle", tests, NULL, NULL);
}
