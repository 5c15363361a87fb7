/* test_pool->c - as many workers as wanted, whatever becomes of them */
#include "base/clock.h"
#include "support/heard.h"
#include "support/one_pool.h"
#include "support/test.h"

#include <signal.h>

static struct sco_pool *const pool = &one_pool.pool;

/* ---- how many ------------------------------------------------------- */

static void
test_as_many_are_started_as_wanted(void **state)
{
    (void)state;
    sco_pool_resize(pool, 3);
    assert_int_equal(pool->count, 3);
    assert_int_equal(sco_pool_ready_count(pool), 0);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_STARTING);
    one_pool_make_ready(1);
    assert_int_equal(one_pool.ready, 1);
    assert_int_equal(sco_pool_ready_count(pool), 1);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_SERVING);
    sco_pool_resize(pool, 4);
    assert_int_equal(fake_crew.count, 4);
}

static void
test_those_too_many_leave_newest_first(void **state)
{
    (void)state;
    sco_pool_resize(pool, 3);
    for (size_t i = 0; i < 3; i++) {
        one_pool_make_ready(i);
    }
    sco_pool_resize(pool, 2);
    assert_int_equal(fake_take(one_pool_member(2)), SCO_CHILD_STOP);
    assert_int_equal(fake_take(one_pool_member(1)), SCO_CHILD_NONE);
    one_pool_end(2, 0, 0);
    assert_int_equal(pool->count, 2);
    assert_int_equal(fake_crew.count, 3); /* and none comes instead */
}

static void
test_one_that_leaves_is_made_up_for_when_wanted_again(void **state)
{
    (void)state;
    sco_pool_resize(pool, 2);
    one_pool_make_ready(0);
    one_pool_make_ready(1);
    sco_pool_resize(pool, 1);
    sco_pool_resize(pool, 2);
    assert_int_equal(fake_crew.count, 2);
    one_pool_end(1, 0, 0);
    assert_int_equal(pool->count, 2);
    assert_int_equal(fake_crew.count, 3);
}

/* ---- losses --------------------------------------------------------- */

static void
test_a_useful_one_is_replaced_at_once(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    for (size_t i = 0; i < 20; i++) {
        one_pool_make_ready(i);
        one_pool_serve(i);
        one_pool_end(i, 0, SIGSEGV);
        assert_int_equal(fake_crew.count, i + 2);
        assert_int_equal(sco_pool_health(pool), SCO_POOL_SERVING);
    }
    assert_int_equal(one_pool.through, 20);
}

static void
test_those_that_die_at_once_are_replaced_ever_later(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    one_pool_make_ready(0);
    one_pool_end(0, 1, 0);
    assert_int_equal(fake_crew.count, 2); /* the first time: at once */
    one_pool_end(1, 1, 0);
    assert_int_equal(fake_crew.count, 2);
    assert_int_equal(pool->count, 0);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_FAILING);
    assert_int_not_equal(pool->respawn.place, 0);
    assert_int_equal(pool->respawn.at_ns,
                     sco_loop_now_ns(one_pool.turner.loop) +
                         100 * SCO_NS_PER_MS);
    assert_true(one_pool_started(3));
    one_pool_make_ready(2);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_SERVING);
    one_pool_end(2, 1, 0);
    assert_int_equal(pool->respawn.at_ns,
                     sco_loop_now_ns(one_pool.turner.loop) +
                         200 * SCO_NS_PER_MS);
}

static void
test_a_useful_one_ends_the_row_of_failures(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    one_pool_make_ready(0);
    one_pool_end(0, 1, 0);
    one_pool_end(1, 1, 0);
    assert_true(one_pool_started(3));
    one_pool_make_ready(2);
    one_pool_serve(2);
    one_pool_end(2, 1, 0);
    assert_int_equal(fake_crew.count, 4);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_SERVING);
}

static uint64_t
lost(enum sco_lost how)
{
    return pool->counts.lost[how];
}

static void
test_those_that_are_lost_are_counted_by_how(void **state)
{
    (void)state;
    one_pool_fill(3);
    one_pool_end(0, 7, 0);
    one_pool_end(1, 0, SIGSEGV);
    sco_worker_kill(&one_pool_member(2)->base);
    turner_turn(&one_pool.turner);
    assert_int_equal(lost(SCO_LOST_EXIT), 1);
    assert_int_equal(lost(SCO_LOST_SIGNAL), 1);
    assert_int_equal(lost(SCO_LOST_KILLED), 1);
    assert_int_equal(pool->started, 4); /* the next ones wait for a moment */
}

static void
test_those_that_were_asked_to_go_are_not_lost(void **state)
{
    (void)state;
    one_pool_fill(2);
    sco_pool_resize(pool, 1);
    one_pool_end(1, 0, 0);
    sco_pool_stop(pool);
    one_pool_end(0, 0, SIGKILL);
    for (int i = 0; i < SCO_LOST_COUNT; i++) {
        assert_int_equal(lost((enum sco_lost)i), 0);
    }
}

static void
test_what_cannot_be_started_is_tried_again(void **state)
{
    (void)state;
    fake_crew.failing_starts = 1;
    sco_pool_resize(pool, 2);
    assert_int_equal(pool->count, 0);
    assert_true(one_pool_started(2));
    assert_int_equal(pool->count, 2);
}

static void
test_what_a_lost_one_had_not_started_comes_back(void **state)
{
    struct heard heard;

    (void)state;
    sco_pool_resize(pool, 1);
    one_pool_make_ready(0);
    assert_true(sco_worker_give(&one_pool_member(0)->base,
                                heard_request(one_pool.arena, "a", &heard)));
    assert_true(sco_worker_give(&one_pool_member(0)->base,
                                heard_request(one_pool.arena, "b", NULL)));
    assert_true(fake_took(one_pool_member(0), "a"));
    one_pool_end(0, 0, SIGKILL);
    assert_int_equal(one_pool.returned, 1);
    assert_int_equal(heard.failure, SCO_WORKER_LOST);
    assert_string_equal(heard.detail, "worker process was killed by SIGKILL");
}

/* ---- the first start ------------------------------------------------ */

static void
test_a_script_that_cannot_be_loaded_is_told(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    one_pool_end(0, 3, 0);
    assert_int_equal(one_pool.boot_failed, 1);
    assert_int_equal(fake_crew.count, 1);
}

static void
test_once_one_was_ready_exit_code_3_is_like_any_other(void **state)
{
    (void)state;
    sco_pool_resize(pool, 2);
    one_pool_make_ready(0);
    one_pool_end(1, 3, 0);
    assert_int_equal(one_pool.boot_failed, 0);
    assert_int_equal(fake_crew.count, 3);
}

static void
test_a_crash_at_the_start_is_no_failed_boot(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    one_pool_end(0, 0, SIGSEGV);
    assert_int_equal(one_pool.boot_failed, 0);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_STARTING);
    assert_int_equal(fake_crew.count, 2);
}

/* ---- forked workers ------------------------------------------------- */

static void
test_an_end_with_the_parent_is_nobodys_failure(void **state)
{
    (void)state;
    sco_pool_resize(pool, 3);
    for (size_t i = 0; i < 3; i++) {
        one_pool_member(i)->end.with_parent = true;
        one_pool_end(i, 0, SIGKILL);
    }
    assert_int_equal(pool->failures, 0);
    assert_int_equal(pool->count, 3); /* at once: others pace the forks */
}

static void
test_one_that_was_never_forked_is_a_failure_all_the_same(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    one_pool_member(0)->base.pid = 0;
    one_pool_end(0, 1, 0);
    assert_int_equal(pool->failures, 1);
}

/* ---- choosing ------------------------------------------------------- */

static void
give(size_t number, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(sco_worker_give(&one_pool_member(number)->base,
                                    heard_request(one_pool.arena, "x", NULL)));
    }
}

static void
test_the_one_that_holds_least_is_chosen(void **state)
{
    (void)state;
    sco_pool_resize(pool, 3);
    assert_null(sco_pool_least_busy(pool, 16)); /* none is ready */
    for (size_t i = 0; i < 3; i++) {
        one_pool_make_ready(i);
    }
    assert_null(sco_pool_most_busy(pool));
    give(0, 2);
    give(1, 1);
    give(2, 3);
    assert_ptr_equal(sco_pool_least_busy(pool, 16), &one_pool_member(1)->base);
    assert_ptr_equal(sco_pool_most_busy(pool), &one_pool_member(2)->base);
    assert_null(sco_pool_least_busy(pool, 1));
    sco_worker_leave(&one_pool_member(1)->base);
    assert_ptr_equal(sco_pool_least_busy(pool, 16), &one_pool_member(0)->base);
    assert_null(sco_pool_least_busy(pool, 2));
}

/* ---- stopping ------------------------------------------------------- */

static void
test_a_stopped_pool_is_empty_when_the_last_has_gone(void **state)
{
    (void)state;
    sco_pool_resize(pool, 2);
    one_pool_make_ready(0);
    one_pool_make_ready(1);
    sco_pool_stop(pool);
    assert_int_equal(fake_take(one_pool_member(0)), SCO_CHILD_STOP);
    assert_int_equal(fake_take(one_pool_member(1)), SCO_CHILD_STOP);
    one_pool_end(0, 0, 0);
    assert_int_equal(one_pool.empty, 0);
    one_pool_end(1, 0, 0);
    assert_int_equal(one_pool.empty, 1);
    assert_int_equal(fake_crew.count, 2);
    sco_pool_resize(pool, 5);
    assert_int_equal(fake_crew.count, 2);
}

static void
test_a_pool_without_workers_is_empty_at_once(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    one_pool_make_ready(0);
    one_pool_end(0, 1, 0);
    one_pool_end(1, 1, 0);
    assert_int_equal(pool->count, 0);
    sco_pool_stop(pool);
    assert_int_equal(one_pool.empty, 1);
    assert_int_equal(pool->respawn.place, 0);
}

static void
test_killing_ends_all(void **state)
{
    (void)state;
    sco_pool_resize(pool, 2);
    one_pool_make_ready(0);
    sco_pool_stop(pool);
    sco_pool_kill(pool);
    turner_turn(&one_pool.turner);
    assert_int_equal(one_pool.empty, 1);
}

#define WITH_POOL(test) \
    cmocka_unit_test_setup_teardown(test, one_pool_make, one_pool_drop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOL(test_as_many_are_started_as_wanted),
        WITH_POOL(test_those_too_many_leave_newest_first),
        WITH_POOL(test_one_that_leaves_is_made_up_for_when_wanted_again),
        WITH_POOL(test_a_useful_one_is_replaced_at_once),
        WITH_POOL(test_those_that_die_at_once_are_replaced_ever_later),
        WITH_POOL(test_a_useful_one_ends_the_row_of_failures),
        WITH_POOL(test_those_that_are_lost_are_counted_by_how),
        WITH_POOL(test_those_that_were_asked_to_go_are_not_lost),
        WITH_POOL(test_what_cannot_be_started_is_tried_again),
        WITH_POOL(test_what_a_lost_one_had_not_started_comes_back),
        WITH_POOL(test_a_script_that_cannot_be_loaded_is_told),
        WITH_POOL(test_once_one_was_ready_exit_code_3_is_like_any_other),
        WITH_POOL(test_a_crash_at_the_start_is_no_failed_boot),
        WITH_POOL(test_an_end_with_the_parent_is_nobodys_failure),
        WITH_POOL(test_one_that_was_never_forked_is_a_failure_all_the_same),
        WITH_POOL(test_the_one_that_holds_least_is_chosen),
        WITH_POOL(test_a_stopped_pool_is_empty_when_the_last_has_gone),
        WITH_POOL(test_a_pool_without_workers_is_empty_at_once),
        WITH_POOL(test_killing_ends_all),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
