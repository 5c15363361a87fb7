/* test_counts.c - how did a worker go? */
#include "worker/counts.h"

#include "support/test.h"

#include <signal.h>

/* clang-format off */
static const struct {
    const char           *why;
    struct sco_worker_end end;
    bool                  is_guest, was_killed;
    enum sco_lost         how;
} ends[] = {
    { "it exited", { .exit_code = 1 }, false, false, SCO_LOST_EXIT },
    { "... even well", { .exit_code = 0 }, false, false, SCO_LOST_EXIT },
    { "it crashed", { .signal = SIGSEGV }, false, false, SCO_LOST_SIGNAL },
    { "somebody killed it",
      { .signal = SIGKILL }, false, false, SCO_LOST_SIGNAL },
    { "we killed it", { .signal = SIGKILL }, false, true, SCO_LOST_KILLED },
    { "we could not", { .lost = true }, false, true, SCO_LOST_STUCK },
    { "its parent went",
      { .with_parent = true }, false, false, SCO_LOST_PARENT },
    { "one elsewhere is lost",
      { .reason = "no heartbeat" }, true, false, SCO_LOST_REMOTE },
    { "... or given up", { .reason = "given up" }, true, true,
      SCO_LOST_REMOTE },
    { "... or went as it liked", { .exit_code = 0 }, true, false,
      SCO_LOST_COUNT },
};
/* clang-format on */

static void
test_how_it_was_lost(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        print_message("%s\n", ends[i].why);
        assert_int_equal(
            sco_lost_of(&ends[i].end, ends[i].is_guest, ends[i].was_killed),
            ends[i].how);
    }
}

static void
test_why_it_was_replaced(void **state)
{
    (void)state;
    assert_int_equal(sco_replaced_of(SCO_RECYCLE_NOT), SCO_REPLACED_RELOAD);
    assert_int_equal(sco_replaced_of(SCO_RECYCLE_REQUESTS),
                     SCO_REPLACED_REQUESTS);
    assert_int_equal(sco_replaced_of(SCO_RECYCLE_AGE), SCO_REPLACED_AGE);
    assert_int_equal(sco_replaced_of(SCO_RECYCLE_MEMORY), SCO_REPLACED_MEMORY);
}

static void
test_each_has_a_label(void **state)
{
    (void)state;
    assert_string_equal(sco_lost_text(SCO_LOST_SIGNAL), "signal");
    assert_string_equal(sco_lost_text(SCO_LOST_COUNT), "");
    assert_string_equal(sco_replaced_text(SCO_REPLACED_KIND), "kind");
    assert_string_equal(sco_replaced_text(SCO_REPLACED_COUNT), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_it_was_lost),
        cmocka_unit_test(test_why_it_was_replaced),
        cmocka_unit_test(test_each_has_a_label),
    };

    return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
