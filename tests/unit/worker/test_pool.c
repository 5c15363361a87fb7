/* test_pool.c - as many workers as wanted, whatever becomes of them */
#include "base/clock.h"
#include "support/fake_worker.h"
#include "support/heard.h"
#include "support/test.h"
#include "support/turner.h"
#include "worker/pool.h"

#include <signal.h>

static struct turner turner;
static struct sco_arena *arena;
static struct sco_worker_setup setup;
static struct sco_pool pool;
static struct {
    unsigned ready, through, returned, boot_failed, empty;
} told;

static void
on_ready(void *arg, struct sco_worker *worker, struct sco_slice documents)
{
    (void)arg;
    (void)worker;
    (void)documents;
    told.ready++;
}

static void
on_through(void *arg, struct sco_worker *worker, uint64_t run_ns)
{
    (void)arg;
    (void)worker;
    (void)run_ns;
    told.through++;
}

static void
on_return(void *arg, struct sco_worker *worker, struct sco_request *req)
{
    (void)arg;
    (void)worker;
    told.returned++;
    sco_request_unref(req);
}

static void
on_boot_failed(void *arg)
{
    (void)arg;
    told.boot_failed++;
}

static void
on_empty(void *arg)
{
    (void)arg;
    told.empty++;
}

static int
make_pool(void **state)
{
    const struct sco_pool_boss boss = {
        .on_ready = on_ready,
        .on_through = on_through,
        .on_return = on_return,
        .on_boot_failed = on_boot_failed,
        .on_empty = on_empty,
    };

    (void)state;
    told.ready = told.through = told.returned = 0;
    told.boot_failed = told.empty = 0;
    fake_crew_reset();
    turner_init(&turner);
    assert_int_equal(sco_arena_create(&arena, NULL), SCO_OK);
    setup = (struct sco_worker_setup){ .loop = turner.loop, .arena = arena };
    sco_pool_init(&pool, &fake_worker_kind, &setup, &boss);
    turner_turn(&turner);
    return 0;
}

static int
drop_pool(void **state)
{
    (void)state;
    sco_pool_stop(&pool);
    sco_pool_kill(&pool);
    turner_turn(&turner);
    assert_int_equal(pool.count, 0);
    sco_arena_destroy(arena);
    turner_finish(&turner);
    return 0;
}

/* The fake worker that was started as the `number`-th. */
static struct fake_worker *
member(size_t number)
{
    assert_true(number < fake_crew.count);
    assert_non_null(fake_crew.members[number]);
    return fake_crew.members[number];
}

static void
make_ready(size_t number)
{
    fake_ready(member(number), NULL, 0);
    assert_true(sco_pool_poll(&pool));
}

static void
end(size_t number, int exit_code, int signal)
{
    fake_end(member(number), exit_code, signal);
    turner_turn(&turner);
}

/* Has a ready worker answer one request. */
static void
serve_one(size_t number)
{
    struct sco_request *req = heard_request(arena, "x", NULL);

    assert_true(sco_worker_give(&member(number)->base, req));
    assert_true(fake_took(member(number), "x"));
    fake_reply(member(number), "");
    assert_true(sco_pool_poll(&pool));
}

static bool
has_two_more(void *arg)
{
    return fake_crew.count >= *(const size_t *)arg + 2;
}

/* ---- how many ------------------------------------------------------- */

static void
test_as_many_are_started_as_wanted(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 3);
    assert_int_equal(pool.count, 3);
    assert_int_equal(sco_pool_ready_count(&pool), 0);
    assert_int_equal(sco_pool_health(&pool), SCO_POOL_STARTING);
    make_ready(1);
    assert_int_equal(told.ready, 1);
    assert_int_equal(sco_pool_ready_count(&pool), 1);
    assert_int_equal(sco_pool_health(&pool), SCO_POOL_SERVING);
    sco_pool_resize(&pool, 4);
    assert_int_equal(fake_crew.count, 4);
}

static void
test_those_too_many_leave_newest_first(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 3);
    for (size_t i = 0; i < 3; i++) {
        make_ready(i);
    }
    sco_pool_resize(&pool, 2);
    assert_int_equal(fake_take(member(2)), SCO_CHILD_STOP);
    assert_int_equal(fake_take(member(1)), SCO_CHILD_NONE);
    end(2, 0, 0);
    assert_int_equal(pool.count, 2);
    assert_int_equal(fake_crew.count, 3); /* and none comes instead */
}

static void
test_one_that_leaves_is_made_up_for_when_wanted_again(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 2);
    make_ready(0);
    make_ready(1);
    sco_pool_resize(&pool, 1);
    sco_pool_resize(&pool, 2);
    assert_int_equal(fake_crew.count, 2);
    end(1, 0, 0);
    assert_int_equal(pool.count, 2);
    assert_int_equal(fake_crew.count, 3);
}

/* ---- losses --------------------------------------------------------- */

static void
test_a_useful_one_is_replaced_at_once(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 1);
    for (size_t i = 0; i < 20; i++) {
        make_ready(i);
        serve_one(i);
        end(i, 0, SIGSEGV);
        assert_int_equal(fake_crew.count, i + 2);
        assert_int_equal(sco_pool_health(&pool), SCO_POOL_SERVING);
    }
    assert_int_equal(told.through, 20);
}

static void
test_those_that_die_at_once_are_replaced_ever_later(void **state)
{
    size_t before;

    (void)state;
    sco_pool_resize(&pool, 1);
    make_ready(0);
    end(0, 1, 0);
    assert_int_equal(fake_crew.count, 2); /* the first time: at once */
    end(1, 1, 0);
    assert_int_equal(fake_crew.count, 2);
    assert_int_equal(pool.count, 0);
    assert_int_equal(sco_pool_health(&pool), SCO_POOL_FAILING);
    assert_int_not_equal(pool.respawn.place, 0);
    assert_int_equal(pool.respawn.at_ns,
                     sco_loop_now_ns(turner.loop) + 100 * SCO_NS_PER_MS);
    before = 1;
    assert_true(turner_until(&turner, has_two_more, &before));
    make_ready(2);
    assert_int_equal(sco_pool_health(&pool), SCO_POOL_SERVING);
    end(2, 1, 0);
    assert_int_equal(pool.respawn.at_ns,
                     sco_loop_now_ns(turner.loop) + 200 * SCO_NS_PER_MS);
}

static void
test_a_useful_one_ends_the_row_of_failures(void **state)
{
    size_t before = 1;

    (void)state;
    sco_pool_resize(&pool, 1);
    make_ready(0);
    end(0, 1, 0);
    end(1, 1, 0);
    assert_true(turner_until(&turner, has_two_more, &before));
    make_ready(2);
    serve_one(2);
    end(2, 1, 0);
    assert_int_equal(fake_crew.count, 4);
    assert_int_equal(sco_pool_health(&pool), SCO_POOL_SERVING);
}

static void
test_what_cannot_be_started_is_tried_again(void **state)
{
    size_t before = 0;

    (void)state;
    fake_crew.failing_starts = 1;
    sco_pool_resize(&pool, 2);
    assert_int_equal(pool.count, 0);
    assert_true(turner_until(&turner, has_two_more, &before));
    assert_int_equal(pool.count, 2);
}

static void
test_what_a_lost_one_had_not_started_comes_back(void **state)
{
    struct heard heard;

    (void)state;
    sco_pool_resize(&pool, 1);
    make_ready(0);
    assert_true(
        sco_worker_give(&member(0)->base, heard_request(arena, "a", &heard)));
    assert_true(
        sco_worker_give(&member(0)->base, heard_request(arena, "b", NULL)));
    assert_true(fake_took(member(0), "a"));
    end(0, 0, SIGKILL);
    assert_int_equal(told.returned, 1);
    assert_int_equal(heard.failure, SCO_WORKER_LOST);
    assert_string_equal(heard.detail, "was killed by SIGKILL");
}

/* ---- the first start ------------------------------------------------ */

static void
test_a_script_that_cannot_be_loaded_is_told(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 1);
    end(0, 3, 0);
    assert_int_equal(told.boot_failed, 1);
    assert_int_equal(fake_crew.count, 1);
}

static void
test_once_one_was_ready_exit_code_3_is_like_any_other(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 2);
    make_ready(0);
    end(1, 3, 0);
    assert_int_equal(told.boot_failed, 0);
    assert_int_equal(fake_crew.count, 3);
}

static void
test_a_crash_at_the_start_is_no_failed_boot(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 1);
    end(0, 0, SIGSEGV);
    assert_int_equal(told.boot_failed, 0);
    assert_int_equal(sco_pool_health(&pool), SCO_POOL_STARTING);
    assert_int_equal(fake_crew.count, 2);
}

/* ---- restarting ----------------------------------------------------- */

static void
test_a_restart_replaces_them_one_after_the_other(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 2);
    make_ready(0);
    make_ready(1);
    sco_pool_restart(&pool);
    assert_int_equal(fake_take(member(0)), SCO_CHILD_STOP);
    assert_int_equal(fake_take(member(1)), SCO_CHILD_NONE);
    end(0, 0, 0);
    assert_int_equal(fake_crew.count, 3);
    assert_int_equal(fake_take(member(1)), SCO_CHILD_NONE);
    make_ready(2);
    assert_int_equal(fake_take(member(1)), SCO_CHILD_STOP);
    end(1, 0, 0);
    make_ready(3);
    assert_int_equal(fake_take(member(2)), SCO_CHILD_NONE);
    assert_int_equal(sco_pool_ready_count(&pool), 2);
    assert_int_equal(fake_crew.count, 4);
}

/* ---- choosing ------------------------------------------------------- */

static void
give(size_t number, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(sco_worker_give(&member(number)->base,
                                    heard_request(arena, "x", NULL)));
    }
}

static void
test_the_one_that_holds_least_is_chosen(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 3);
    assert_null(sco_pool_least_busy(&pool, 16)); /* none is ready */
    for (size_t i = 0; i < 3; i++) {
        make_ready(i);
    }
    assert_null(sco_pool_most_busy(&pool));
    give(0, 2);
    give(1, 1);
    give(2, 3);
    assert_ptr_equal(sco_pool_least_busy(&pool, 16), &member(1)->base);
    assert_ptr_equal(sco_pool_most_busy(&pool), &member(2)->base);
    assert_null(sco_pool_least_busy(&pool, 1));
    sco_worker_leave(&member(1)->base);
    assert_ptr_equal(sco_pool_least_busy(&pool, 16), &member(0)->base);
    assert_null(sco_pool_least_busy(&pool, 2));
}

/* ---- stopping ------------------------------------------------------- */

static void
test_a_stopped_pool_is_empty_when_the_last_has_gone(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 2);
    make_ready(0);
    make_ready(1);
    sco_pool_stop(&pool);
    assert_int_equal(fake_take(member(0)), SCO_CHILD_STOP);
    assert_int_equal(fake_take(member(1)), SCO_CHILD_STOP);
    end(0, 0, 0);
    assert_int_equal(told.empty, 0);
    end(1, 0, 0);
    assert_int_equal(told.empty, 1);
    assert_int_equal(fake_crew.count, 2);
    sco_pool_resize(&pool, 5);
    assert_int_equal(fake_crew.count, 2);
}

static void
test_a_pool_without_workers_is_empty_at_once(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 1);
    make_ready(0);
    end(0, 1, 0);
    end(1, 1, 0);
    assert_int_equal(pool.count, 0);
    sco_pool_stop(&pool);
    assert_int_equal(told.empty, 1);
    assert_int_equal(pool.respawn.place, 0);
}

static void
test_killing_ends_all(void **state)
{
    (void)state;
    sco_pool_resize(&pool, 2);
    make_ready(0);
    sco_pool_stop(&pool);
    sco_pool_kill(&pool);
    turner_turn(&turner);
    assert_int_equal(told.empty, 1);
}

#define WITH_POOL(test) \
    cmocka_unit_test_setup_teardown(test, make_pool, drop_pool)

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
        WITH_POOL(test_what_cannot_be_started_is_tried_again),
        WITH_POOL(test_what_a_lost_one_had_not_started_comes_back),
        WITH_POOL(test_a_script_that_cannot_be_loaded_is_told),
        WITH_POOL(test_once_one_was_ready_exit_code_3_is_like_any_other),
        WITH_POOL(test_a_crash_at_the_start_is_no_failed_boot),
        WITH_POOL(test_a_restart_replaces_them_one_after_the_other),
        WITH_POOL(test_the_one_that_holds_least_is_chosen),
        WITH_POOL(test_a_stopped_pool_is_empty_when_the_last_has_gone),
        WITH_POOL(test_a_pool_without_workers_is_empty_at_once),
        WITH_POOL(test_killing_ends_all),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
