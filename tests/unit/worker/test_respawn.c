/* test_respawn.c - when is the next worker started? */
#include "support/test.h"
#include "worker/respawn.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

/* clang-format off */
static const struct {
    const char *why;
    uint64_t    ready_ns;
    unsigned    served;
    bool        was_useful;
} ends[] = {
    { "ended as soon as it was ready",  0,          0, false },
    { "answered one request",           1,          1, true },
    { "nobody asked it, for a moment",  5 * S - 1,  0, false },
    { "nobody asked it, for a while",   5 * S,      0, true },
};
/* clang-format on */

static void
test_what_was_useful(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        print_message("%s\n", ends[i].why);
        assert_int_equal(
            sco_respawn_was_useful(ends[i].ready_ns, ends[i].served),
            ends[i].was_useful);
    }
}

static void
test_it_waits_longer_each_time(void **state)
{
    (void)state;
    assert_int_equal(sco_respawn_delay_ns(1), 0);
    assert_int_equal(sco_respawn_delay_ns(2), 100 * MS);
    assert_int_equal(sco_respawn_delay_ns(UINT32_MAX), 10 * S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_useful),
        cmocka_unit_test(test_it_waits_longer_each_time),
    };

    return cmocka_run_group_tests_name("respawn", tests, NULL, NULL);
}
