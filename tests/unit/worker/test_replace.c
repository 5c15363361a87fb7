/* test_replace.c - new workers beside old ones, one at a time */
#include "base/clock.h"
#include "support/heard.h"
#include "support/one_pool.h"
#include "support/test.h"
#include "worker/runner.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct sco_pool *const pool = &one_pool.pool;

/* Two workers that are ready, and a reload that has begun. */
static void
reload_two(void)
{
    one_pool_fill(2);
    sco_pool_reload(pool);
    assert_int_equal(fake_crew.count, 3);
}

static bool
stays(size_t number)
{
    return fake_take(one_pool_member(number)) == SCO_CHILD_NONE &&
           one_pool_member(number)->base.state == SCO_WORKER_READY;
}

/* ---- reloading ------------------------------------------------------ */

static void
test_new_ones_come_before_old_ones_go(void **state)
{
    (void)state;
    reload_two();
    assert_true(stays(0) && stays(1));
    one_pool_make_ready(2);
    assert_true(one_pool_leaves(0));
    assert_true(stays(1) && stays(2));
    assert_int_equal(fake_crew.count, 3); /* one at a time */
    one_pool_end(0, 0, 0);
    assert_int_equal(fake_crew.count, 4);
    assert_true(stays(1));
    one_pool_make_ready(3);
    assert_true(one_pool_leaves(1));
    one_pool_end(1, 0, 0);
    assert_int_equal(sco_pool_ready_count(pool), 2);
    assert_int_equal(pool->count, 2);
    assert_int_equal(fake_crew.count, 4);
    assert_false(pool->reloading);
    assert_int_equal(pool->counts.replaced[SCO_REPLACED_RELOAD], 2);
    assert_int_equal(pool->counts.lost[SCO_LOST_EXIT], 0);
}

static void
test_one_that_leaves_finishes_what_it_holds(void **state)
{
    struct heard heard[2];

    (void)state;
    one_pool_fill(1);
    for (size_t i = 0; i < 2; i++) {
        assert_true(
            sco_worker_give(&one_pool_member(0)->base,
                            heard_request(one_pool.arena, "x", &heard[i])));
    }
    assert_true(fake_took(one_pool_member(0), "x"));
    sco_pool_reload(pool);
    one_pool_make_ready(1);
    assert_int_equal(pool->tally.held, 2);
    fake_reply(one_pool_member(0), "first");
    assert_true(fake_took(one_pool_member(0), "x"));
    fake_reply(one_pool_member(0), "second");
    assert_true(one_pool_leaves(0));
    one_pool_end(0, 0, 0);
    assert_string_equal(heard[0].body, "first");
    assert_string_equal(heard[1].body, "second");
    assert_int_equal(one_pool.returned, 0);
}

static void
test_a_broken_script_changes_nothing(void **state)
{
    (void)state;
    reload_two();
    one_pool_end(2, 3, 0);
    assert_int_equal(one_pool.boot_failed, 0);
    assert_int_equal(fake_crew.count, 3);
    assert_true(stays(0) && stays(1));
    assert_int_equal(sco_pool_health(pool), SCO_POOL_SERVING);
    assert_int_equal(pool->failures, 0);
    sco_pool_reload(pool); /* it was put right */
    one_pool_make_ready(3);
    assert_true(one_pool_leaves(0));
}

static void
test_one_that_dies_while_it_loads_ends_the_reload(void **state)
{
    (void)state;
    reload_two();
    one_pool_end(2, 0, SIGSEGV);
    assert_false(pool->reloading);
    assert_true(stays(0) && stays(1));
}

static void
test_one_that_cannot_be_started_ends_the_reload(void **state)
{
    (void)state;
    one_pool_fill(1);
    fake_crew.failing_starts = 1;
    sco_pool_reload(pool);
    assert_false(pool->reloading);
    assert_true(stays(0));
    assert_int_equal(pool->failures, 0);
}

static void
test_a_second_reload_starts_over(void **state)
{
    (void)state;
    reload_two();
    sco_pool_reload(pool);
    assert_int_equal(fake_crew.kills, 1); /* it may have loaded the old one */
    assert_int_equal(fake_crew.count, 4);
    turner_turn(&one_pool.turner);
    assert_true(pool->reloading);
    one_pool_make_ready(3);
    assert_true(one_pool_leaves(0));
    sco_pool_reload(pool); /* now 3 is of an older generation itself */
    one_pool_end(0, 0, 0);
    for (size_t next = 4; next <= 5; next++) {
        one_pool_make_ready(next);
        one_pool_end(next == 4 ? 1 : 3, 0, 0);
    }
    assert_int_equal(fake_crew.count, 6);
    assert_int_equal(pool->count, 2);
    assert_int_equal(sco_pool_ready_count(pool), 2);
}

static void
test_losses_during_a_reload_are_made_up_for(void **state)
{
    (void)state;
    reload_two();
    one_pool_serve(0);
    one_pool_end(0, 0, SIGSEGV);
    assert_int_equal(fake_crew.count, 4); /* 2 is there for 1 */
    one_pool_make_ready(2);
    assert_true(one_pool_leaves(1));
    one_pool_make_ready(3);
    one_pool_end(1, 0, 0);
    assert_int_equal(pool->count, 2);
    assert_int_equal(fake_crew.count, 4);
    assert_false(pool->reloading);
}

static void
test_when_the_last_old_one_dies_the_new_one_has_its_place(void **state)
{
    (void)state;
    one_pool_fill(1);
    sco_pool_reload(pool);
    one_pool_serve(0);
    one_pool_end(0, 0, SIGSEGV);
    assert_int_equal(fake_crew.count, 2);
    one_pool_make_ready(1);
    assert_true(stays(1));
    assert_int_equal(pool->count, 1);
    assert_false(pool->reloading);
}

static void
test_more_and_fewer_workers_during_a_reload(void **state)
{
    (void)state;
    reload_two();
    sco_pool_resize(pool, 3);
    assert_int_equal(fake_crew.count, 4);
    sco_pool_resize(pool, 1);
    /* Enough stay for the newcomer to replace, and to serve until then. */
    turner_turn(&one_pool.turner);
    assert_int_equal(fake_crew.kills, 1); /* 3, which was starting */
    assert_true(stays(0) && one_pool_leaves(1));
    one_pool_end(1, 0, 0);
    one_pool_make_ready(2);
    assert_true(one_pool_leaves(0));
    one_pool_end(0, 0, 0);
    assert_int_equal(pool->count, 1);
    assert_int_equal(sco_pool_ready_count(pool), 1);
    assert_false(pool->reloading);
}

static void
test_a_reload_before_any_was_ready(void **state)
{
    (void)state;
    sco_pool_resize(pool, 1);
    sco_pool_reload(pool);
    assert_int_equal(fake_crew.count, 2);
    one_pool_make_ready(1);
    turner_turn(&one_pool.turner);
    assert_int_equal(fake_crew.kills, 1);
    assert_int_equal(pool->count, 1);
    assert_true(stays(1));
}

static void
test_threads_cannot_be_reloaded_in_place(void **state)
{
    (void)state;
    pool->kind.ops = &fake_fixed_kind;
    one_pool_fill(1);
    sco_pool_reload(pool);
    assert_int_equal(one_pool.worn, 1);
    assert_int_equal(fake_crew.count, 1);
    assert_true(stays(0));
}

/* A thread that loads a script cannot be killed: it may end when it has. */
static void
test_a_newcomer_inside_the_host_is_let_finish_loading(void **state)
{
    (void)state;
    pool->kind.ops = &fake_inside_kind;
    one_pool_fill(1);
    sco_pool_reload(pool);
    sco_pool_reload(pool);
    assert_int_equal(fake_crew.kills, 0);
    one_pool_make_ready(1);
    assert_int_equal(one_pool.ready, 1); /* worker 0 */
    assert_true(one_pool_leaves(1));
    one_pool_end(1, 0, 0);
    assert_int_equal(pool->lost, 0);
    one_pool_make_ready(2);
    assert_true(one_pool_leaves(0));
    one_pool_end(0, 0, 0);
}

/* ---- another kind --------------------------------------------------- */

static void
change_kind(void)
{
    pool->kind.ops = &fake_inside_kind;
    one_pool_fill(2);
    sco_pool_change_kind(pool, &fake_worker_kind, &one_pool.setup);
    assert_int_equal(fake_crew.count, 3);
    assert_ptr_equal(one_pool_member(2)->base.ops, &fake_worker_kind);
}

static void
test_a_change_of_kind_lets_all_go_when_one_is_ready(void **state)
{
    (void)state;
    change_kind();
    assert_null(sco_pool_least_busy(pool, 16)); /* what waits is kept */
    assert_true(stays(0) && stays(1));
    one_pool_make_ready(2);
    assert_ptr_equal(sco_pool_least_busy(pool, 16), &one_pool_member(2)->base);
    assert_true(one_pool_leaves(0) && one_pool_leaves(1));
    one_pool_end(0, 0, 0);
    one_pool_end(1, 0, 0);
    assert_int_equal(fake_crew.count, 4);
    one_pool_make_ready(3);
    assert_ptr_equal(one_pool_member(3)->base.ops, &fake_worker_kind);
    assert_int_equal(sco_pool_ready_count(pool), 2);
    assert_int_equal(pool->counts.replaced[SCO_REPLACED_KIND], 2);
}

static void
test_a_change_takes_back_what_was_given_ahead(void **state)
{
    (void)state;
    pool->kind.ops = &fake_inside_kind;
    one_pool_fill(1);
    for (int i = 0; i < 3; i++) {
        assert_true(sco_worker_give(&one_pool_member(0)->base,
                                    heard_request(one_pool.arena, "x", NULL)));
    }
    assert_true(fake_took(one_pool_member(0), "x"));
    sco_pool_change_kind(pool, &fake_worker_kind, &one_pool.setup);
    assert_int_equal(one_pool.returned, 2);
    assert_int_equal(pool->tally.held, 1);
    fake_reply(one_pool_member(0), "");
    assert_true(sco_pool_poll(pool));
    assert_true(stays(0));
}

/* Their script cannot be loaded where they are; it is not broken for that. */
static void
test_a_change_before_any_is_ready_is_no_failed_boot(void **state)
{
    (void)state;
    pool->kind.ops = &fake_inside_kind;
    sco_pool_resize(pool, 2);
    sco_pool_change_kind(pool, &fake_worker_kind, &one_pool.setup);
    one_pool_end(0, SCO_WORKER_BOOT_FAILED, 0);
    one_pool_end(1, SCO_WORKER_BOOT_FAILED, 0);
    assert_int_equal(one_pool.boot_failed, 0);
    one_pool_make_ready(2);
    assert_int_equal(sco_pool_ready_count(pool), 1);
    assert_null(pool->former.ops);
}

/* And if it is broken there too, that is told. */
static void
test_a_change_that_fails_at_once_is_a_failed_boot_in_the_end(void **state)
{
    (void)state;
    pool->kind.ops = &fake_inside_kind;
    sco_pool_resize(pool, 1);
    sco_pool_change_kind(pool, &fake_worker_kind, &one_pool.setup);
    one_pool_end(1, SCO_WORKER_BOOT_FAILED, 0);
    assert_int_equal(one_pool.boot_failed, 0);
    one_pool_end(0, SCO_WORKER_BOOT_FAILED, 0);
    assert_int_equal(one_pool.boot_failed, 1);
}

static void
test_a_change_that_fails_is_taken_back(void **state)
{
    (void)state;
    change_kind();
    one_pool_end(2, 1, 0);
    assert_ptr_equal(pool->kind.ops, &fake_inside_kind);
    assert_true(stays(0) && stays(1));
    assert_non_null(sco_pool_least_busy(pool, 16));
    assert_int_equal(fake_crew.count, 3);
}

static void
test_a_reload_during_a_change_has_both(void **state)
{
    (void)state;
    change_kind();
    sco_pool_reload(pool);
    turner_turn(&one_pool.turner);
    one_pool_make_ready(3);
    assert_true(one_pool_leaves(0) && one_pool_leaves(1));
    one_pool_end(0, 0, 0);
    one_pool_end(1, 0, 0);
    one_pool_make_ready(4);
    assert_int_equal(pool->count, 2);
    assert_false(pool->reloading);
    assert_ptr_equal(one_pool_member(4)->base.ops, &fake_worker_kind);
}

/* ---- recycling ------------------------------------------------------ */

static void
limit_requests(uint64_t requests)
{
    sco_pool_set_limits(pool,
                        &(struct sco_recycle_limits){ .requests = requests });
}

static void
test_worn_workers_are_replaced_one_at_a_time(void **state)
{
    (void)state;
    limit_requests(2);
    one_pool_fill(2);
    for (size_t i = 0; i < 4; i++) {
        one_pool_serve(i % 2);
    }
    assert_int_equal(fake_crew.count, 3);
    assert_true(stays(0) && stays(1));
    one_pool_make_ready(2);
    assert_true(one_pool_leaves(0) && stays(1));
    one_pool_end(0, 0, 0);
    one_pool_make_ready(3);
    assert_true(one_pool_leaves(1));
    one_pool_end(1, 0, 0);
    assert_int_equal(pool->count, 2);
    assert_int_equal(fake_crew.count, 4);
    assert_int_equal(pool->counts.replaced[SCO_REPLACED_REQUESTS], 2);
    assert_int_equal(pool->counts.replaced[SCO_REPLACED_RELOAD], 0);
}

static void
test_a_worn_one_stays_when_no_new_one_comes(void **state)
{
    (void)state;
    limit_requests(1);
    one_pool_fill(1);
    one_pool_serve(0);
    one_pool_end(1, 3, 0);
    assert_true(stays(0));
    one_pool_serve(0); /* not at once again */
    assert_int_equal(fake_crew.count, 2);
    pool->recycle_from_ns = 0;
    one_pool_serve(0);
    assert_int_equal(fake_crew.count, 3);
}

static bool
has_newcomer(void *arg)
{
    (void)arg;
    return pool->newcomer != NULL;
}

static void
test_an_old_one_is_replaced_though_nobody_asks_it(void **state)
{
    (void)state;
    sco_pool_set_limits(
        pool, &(struct sco_recycle_limits){ .age_ns = 20 * SCO_NS_PER_MS });
    one_pool_fill(1);
    assert_int_not_equal(pool->age.place, 0);
    assert_true(turner_until(&one_pool.turner, has_newcomer, NULL));
    one_pool_make_ready(1);
    assert_true(one_pool_leaves(0));
    one_pool_end(0, 0, 0);
    assert_true(turner_until(&one_pool.turner, has_newcomer, NULL));
}

/* A process whose memory is over any limit: this one. */
static void
grow(size_t number)
{
    struct sco_worker *worker = &one_pool_member(number)->base;

    worker->pid = getpid();
    for (int i = 0; i < 3; i++) {
        worker->life.rss_at_ns = 0; /* the next look is due */
        one_pool_serve(number);
    }
}

static void
test_one_that_has_grown_is_replaced(void **state)
{
    (void)state;
    sco_pool_set_limits(pool, &(struct sco_recycle_limits){ .rss_bytes = 1 });
    one_pool_fill(1);
    one_pool_serve(0);
    assert_int_equal(fake_crew.count, 1); /* it cannot be seen */
    grow(0);
    assert_int_equal(fake_crew.count, 2);
    one_pool_make_ready(1);
    assert_true(one_pool_leaves(0));
}

static void
test_what_only_a_new_host_cures_is_told_once(void **state)
{
    (void)state;
    sco_pool_set_limits(pool, &(struct sco_recycle_limits){ .rss_bytes = 1 });
    pool->kind.ops = &fake_inside_kind;
    one_pool_fill(1);
    grow(0);
    grow(0);
    assert_int_equal(one_pool.worn, 1);
    assert_non_null(strstr(one_pool.why, "MB of memory"));
    assert_int_equal(fake_crew.count, 1);
}

/* The new host did not get ready: its script was broken. */
static void
test_what_no_new_host_cured_is_told_again(void **state)
{
    (void)state;
    limit_requests(1);
    pool->kind.ops = &fake_fixed_kind;
    one_pool_fill(1);
    one_pool_serve(0);
    assert_int_equal(one_pool.worn, 1);
    sco_pool_stay(pool);
    one_pool_serve(0); /* not at once again */
    assert_int_equal(one_pool.worn, 1);
    pool->recycle_from_ns = 0;
    one_pool_serve(0);
    one_pool_serve(0);
    assert_int_equal(one_pool.worn, 2);
}

static void
test_age_too_is_told_again(void **state)
{
    (void)state;
    sco_pool_set_limits(pool, &(struct sco_recycle_limits){ .age_ns = 1 });
    pool->kind.ops = &fake_fixed_kind;
    one_pool_fill(1);
    turner_turn(&one_pool.turner);
    assert_int_equal(one_pool.worn, 1);
    assert_int_equal(pool->age.place, 0);
    sco_pool_stay(pool);
    assert_int_not_equal(pool->age.place, 0);
    pool->recycle_from_ns = 0;
    pool->age.on_time(pool->age.arg, sco_clock_now_ns());
    assert_int_equal(one_pool.worn, 2);
}

static void
test_interpreters_are_recycled_only_where_they_do_not_leak(void **state)
{
    struct sco_runner runner = { .leaks = true };

    (void)state;
    limit_requests(1);
    one_pool.setup.runner = &runner;
    pool->kind.ops = &fake_inside_kind;
    one_pool_fill(1);
    one_pool_serve(0);
    assert_int_equal(one_pool.worn, 1);
    assert_string_equal(one_pool.why,
                        "a worker inside it has answered 1 requests");
    runner.leaks = false;
    one_pool_serve(0);
    assert_int_equal(fake_crew.count, 2);
}

/* ---- guests --------------------------------------------------------- */

/* Guests that leave come again by themselves, with the script as it is then:
 * one after the other, when one has come. */
static void
test_guests_are_renewed_one_by_one(void **state)
{
    struct sco_worker *guest;

    (void)state;
    pool->is_open = true;
    assert_int_equal(sco_pool_health(pool), SCO_POOL_EMPTY);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sco_pool_admit(pool, &fake_worker_kind,
                                        &one_pool.setup, &guest, NULL),
                         SCO_OK);
    }
    one_pool_make_ready(0);
    one_pool_make_ready(1);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_SERVING);
    sco_pool_reload(pool);
    assert_true(one_pool_leaves(0) && stays(1));
    one_pool_end(0, 0, 0);
    assert_true(stays(1));
    one_pool_make_ready(2);
    assert_true(one_pool_leaves(1) && stays(2));
    one_pool_end(1, 0, 0);
    one_pool_end(2, 0, 0);
    assert_int_equal(sco_pool_health(pool), SCO_POOL_EMPTY);
}

static void
test_a_guest_is_given_work_and_not_replaced(void **state)
{
    struct sco_worker *guest;

    (void)state;
    limit_requests(1);
    one_pool_fill(1);
    assert_int_equal(
        sco_pool_admit(pool, &fake_inside_kind, &one_pool.setup, &guest, NULL),
        SCO_OK);
    one_pool_make_ready(1);
    assert_int_equal(sco_pool_ready_count(pool), 2);
    one_pool_serve(1);
    assert_int_equal(fake_crew.count, 2);
    sco_pool_resize(pool, 1);
    assert_true(stays(1));
    sco_pool_reload(pool);
    assert_true(one_pool_leaves(1)); /* it comes again, with the new script */
    one_pool_make_ready(2);
    assert_true(one_pool_leaves(0));
    one_pool_end(0, 0, 0);
    one_pool_end(1, 1, 0);
    assert_int_equal(pool->count, 1);
    assert_int_equal(pool->failures, 0);
    sco_pool_stop(pool);
    assert_int_equal(
        sco_pool_admit(pool, &fake_worker_kind, &one_pool.setup, &guest, NULL),
        SCO_CLOSED);
}

#define WITH_POOL(test) \
    cmocka_unit_test_setup_teardown(test, one_pool_make, one_pool_drop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOL(test_new_ones_come_before_old_ones_go),
        WITH_POOL(test_one_that_leaves_finishes_what_it_holds),
        WITH_POOL(test_a_broken_script_changes_nothing),
        WITH_POOL(test_one_that_dies_while_it_loads_ends_the_reload),
        WITH_POOL(test_one_that_cannot_be_started_ends_the_reload),
        WITH_POOL(test_a_second_reload_starts_over),
        WITH_POOL(test_losses_during_a_reload_are_made_up_for),
        WITH_POOL(test_when_the_last_old_one_dies_the_new_one_has_its_place),
        WITH_POOL(test_more_and_fewer_workers_during_a_reload),
        WITH_POOL(test_a_reload_before_any_was_ready),
        WITH_POOL(test_threads_cannot_be_reloaded_in_place),
        WITH_POOL(test_a_newcomer_inside_the_host_is_let_finish_loading),
        WITH_POOL(test_a_change_of_kind_lets_all_go_when_one_is_ready),
        WITH_POOL(test_a_change_takes_back_what_was_given_ahead),
        WITH_POOL(test_a_change_before_any_is_ready_is_no_failed_boot),
        WITH_POOL(
            test_a_change_that_fails_at_once_is_a_failed_boot_in_the_end),
        WITH_POOL(test_a_change_that_fails_is_taken_back),
        WITH_POOL(test_a_reload_during_a_change_has_both),
        WITH_POOL(test_worn_workers_are_replaced_one_at_a_time),
        WITH_POOL(test_a_worn_one_stays_when_no_new_one_comes),
        WITH_POOL(test_an_old_one_is_replaced_though_nobody_asks_it),
        WITH_POOL(test_one_that_has_grown_is_replaced),
        WITH_POOL(test_what_only_a_new_host_cures_is_told_once),
        WITH_POOL(test_what_no_new_host_cured_is_told_again),
        WITH_POOL(test_age_too_is_told_again),
        WITH_POOL(test_interpreters_are_recycled_only_where_they_do_not_leak),
        WITH_POOL(test_guests_are_renewed_one_by_one),
        WITH_POOL(test_a_guest_is_given_work_and_not_replaced),
    };

    return cmocka_run_group_tests_name("replace", tests, NULL, NULL);
}
