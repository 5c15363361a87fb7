/* test_lost.c - workers inside the host that do not come back
 *
 * What they hold and use stays as it is, for their threads may come back at
 * any time; here the tests play those threads.
 */
#include "base/clock.h"
#include "support/heard.h"
#include "support/one_pool.h"
#include "support/test.h"

#include <string.h>

static struct sco_pool *const pool = &one_pool.pool;

static int
make(void **state)
{
    (void)one_pool_make(state);
    pool->kind.ops = &fake_inside_kind;
    pool->lost_max = 1;
    return 0;
}

/* Ends every worker in the order of its thread, so that none is lost. */
static int
drop(void **state)
{
    for (size_t i = 0; i < fake_crew.count; i++) {
        if (fake_crew.members[i] != NULL && !fake_crew.members[i]->is_ended) {
            one_pool_end(i, 0, 0);
        }
        sco_pool_stop(pool);
    }
    return one_pool_drop(state);
}

/* Gives a worker a request, which it begins. */
static struct sco_request *
begin(size_t number, const char *body, struct heard *heard)
{
    struct sco_request *req = heard_request(one_pool.arena, body, heard);

    assert_true(sco_worker_give(&one_pool_member(number)->base, req));
    assert_true(fake_took(one_pool_member(number), body));
    return req;
}

static void
lose(size_t number)
{
    sco_worker_kill(&one_pool_member(number)->base);
    turner_turn(&one_pool.turner);
}

static void
test_what_it_had_begun_is_answered_and_the_rest_comes_back(void **state)
{
    struct heard heard[2];

    (void)state;
    one_pool_fill(1);
    (void)begin(0, "stuck", &heard[0]);
    assert_true(
        sco_worker_give(&one_pool_member(0)->base,
                        heard_request(one_pool.arena, "b", &heard[1])));
    lose(0);
    assert_int_equal(heard[0].failure, SCO_WORKER_LOST);
    assert_string_equal(heard[0].detail,
                        "worker is stuck and was left behind");
    assert_int_equal(one_pool.returned, 1);
    assert_int_equal(heard[1].count, 0);
    assert_int_equal(pool->lost, 1);
    assert_int_equal(pool->tally.held, 0);
    assert_int_equal(fake_crew.count, 2); /* the next one, at once */
    assert_int_equal(one_pool.worn, 0);
}

static void
test_too_many_of_them_wear_the_host_out(void **state)
{
    (void)state;
    one_pool_fill(1);
    for (size_t i = 0; i < 2; i++) {
        (void)begin(i, "stuck", NULL);
        assert_int_equal(one_pool.worn, 0);
        lose(i);
        one_pool_make_ready(i + 1);
    }
    assert_int_equal(one_pool.worn, 1);
    assert_string_equal(one_pool.why, "it has 2 stuck workers");
    assert_int_equal(sco_pool_health(pool), SCO_POOL_SERVING);
}

static void
test_a_thread_that_comes_back_harms_nobody(void **state)
{
    struct sco_request *stuck, *other;
    struct heard heard;

    (void)state;
    one_pool_fill(1);
    stuck = begin(0, "stuck", NULL);
    lose(0);
    one_pool_make_ready(1);
    other = begin(1, "other", &heard);
    assert_true(other->slot.offset != stuck->slot.offset);
    fake_reply_late(&fake_crew.left[0], "late, into the slot that is its own");
    turner_turn(&one_pool.turner);
    assert_int_equal(pool->lost, 1);
    assert_int_equal(pool->count, 1);
    fake_reply(one_pool_member(1), "mine");
    assert_true(sco_pool_poll(pool));
    assert_string_equal(heard.body, "mine");
    assert_int_equal(one_pool.through, 1);
}

static bool
is_lost(void *arg)
{
    (void)arg;
    return pool->lost > 0;
}

/* The whole ladder: answered, its stack written, interrupted, left behind. */
static void
test_a_run_that_does_not_end_is_left_behind(void **state)
{
    struct heard heard;

    (void)state;
    one_pool.setup.limit_ns = 20 * SCO_NS_PER_MS;
    one_pool_fill(1);
    (void)begin(0, "stuck", &heard);
    assert_true(turner_until(&one_pool.turner, is_lost, NULL));
    assert_int_equal(heard.failure, SCO_TIMEOUT);
    assert_int_equal(heard.count, 1);
    assert_int_equal(fake_crew.dumps, 1);
    assert_int_equal(fake_crew.interrupts, 1);
    assert_int_equal(fake_crew.kills, 1);
    assert_int_equal(fake_crew.count, 2);
}

static void
test_a_lost_one_that_was_leaving_ends_its_replacement(void **state)
{
    (void)state;
    one_pool_fill(1);
    (void)begin(0, "stuck", NULL);
    sco_pool_reload(pool);
    one_pool_make_ready(1);
    assert_ptr_equal(pool->leaver, &one_pool_member(0)->base);
    lose(0);
    assert_null(pool->leaver);
    assert_false(pool->reloading);
    assert_int_equal(pool->count, 1);
    assert_int_equal(fake_crew.count, 2);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, make, drop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOL(test_what_it_had_begun_is_answered_and_the_rest_comes_back),
        WITH_POOL(test_too_many_of_them_wear_the_host_out),
        WITH_POOL(test_a_thread_that_comes_back_harms_nobody),
        WITH_POOL(test_a_run_that_does_not_end_is_left_behind),
        WITH_POOL(test_a_lost_one_that_was_leaving_ends_its_replacement),
    };

    return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
