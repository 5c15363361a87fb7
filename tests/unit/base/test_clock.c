/* test_clock.c - does time go forward? */
#include "base/clock.h"

#include "support/test.h"

static void
test_never_goes_back(void **state)
{
    uint64_t last_ns = sco_clock_now_ns();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now_ns = sco_clock_now_ns();

        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
}

static void
test_is_in_nanoseconds(void **state)
{
    const struct timespec wait = { .tv_nsec = 2000000 };
    uint64_t before_ns = sco_clock_now_ns();
    uint64_t took_ns;

    (void)state;
    assert_int_equal(nanosleep(&wait, NULL), 0);
    took_ns = sco_clock_now_ns() - before_ns;
    assert_true(took_ns >= 2 * SCO_NS_PER_MS);
    assert_true(took_ns < 60 * SCO_NS_PER_S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_goes_back),
        cmocka_unit_test(test_is_in_nanoseconds),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
