/* test_queue.c - who may wait, in which order, and who has no hope */
#include "queue/queue.h"
#include "support/heard.h"
#include "support/test.h"

#include <stdlib.h>

static const struct sco_queue_limits three = { .max_requests = 3,
                                               .max_bytes = 100 };

/* clang-format off */
static const struct {
    const char     *why;
    size_t          waiting;
    uint64_t        waiting_bytes, body_bytes;
    enum sco_status status;
} doors[] = {
    { "nobody waits",                     0,   0,  10, SCO_OK },
    { "nobody waits: whatever its size",  0,   0, 101, SCO_OK },
    { "one waits",                        1,  10,  10, SCO_OK },
    { "the last place",                   2,  10,  10, SCO_OK },
    { "no place left",                    3,  10,   0, SCO_BUSY },
    { "more than can wait do wait",       4,  10,   0, SCO_BUSY },
    { "exactly as many bytes as may",     1,  90,  10, SCO_OK },
    { "one byte more",                    1,  90,  11, SCO_BUSY },
    { "an empty body beside full bytes",  1, 100,   0, SCO_OK },
    { "more bytes than may wait do wait", 1, 101,   0, SCO_BUSY },
    { "a sum that wraps",                 1,  10, UINT64_MAX, SCO_BUSY },
};

static const struct {
    const char *why;
    size_t      waiting, workers;
    uint64_t    run_ns;
    unsigned    seconds;
} delays[] = {
    { "nothing waits",              0, 1,          0,  1 },
    { "a short queue",             10, 1,    1000000,  1 },
    { "half of 100 at 100 ms",    100, 1,  100000000,  5 },
    { "two workers: half of it",  200, 2,  100000000,  5 },
    { "no worker counts as one",  100, 0,  100000000,  5 },
    { "rounded to the nearest",   100, 1,  130000000,  7 },
    { "a minute at the most",    2048, 1, 1000000000, 60 },
    { "run() of an hour",           2, 1, UINT64_C(3600000000000), 60 },
    { "numbers without sense", SIZE_MAX, 1, UINT64_MAX, 60 },
};

#define MS SCO_NS_PER_MS

static const struct {
    const char *why;
    size_t      ahead, workers;
    uint64_t    run_ns, left_ns, late_ns;
} prospects[] = {
    { "nobody is ahead",              0, 1,  10 * MS,  20 * MS,      0 },
    { "... and run() is too slow",    0, 1,  90 * MS,  20 * MS,      0 },
    { "another worker is free",       1, 2,  90 * MS,  20 * MS,      0 },
    { "one is ahead, just in time",   1, 1,  10 * MS,  20 * MS,      0 },
    { "one is ahead, just too late",  1, 1,  10 * MS,  19 * MS,     MS },
    { "nine are ahead",               9, 1,  10 * MS,  50 * MS, 50 * MS },
    { "... of three workers",         9, 3,  10 * MS,  50 * MS,      0 },
    { "... that are slower",          9, 3,  20 * MS,  50 * MS, 30 * MS },
    { "its time is over",             1, 1,  10 * MS,        0, 20 * MS },
    { "no estimate yet",             99, 1,        0,       MS,      0 },
    { "no worker yet",               99, 0,  10 * MS,       MS,      0 },
    { "numbers without sense", SIZE_MAX, 1, UINT64_MAX / 2, 1, UINT64_MAX },
};

static const struct {
    uint64_t late_ns;
    unsigned seconds;
} returns[] = {
    { 1, 1 }, { 999 * MS, 1 }, { 1500 * MS, 2 }, { 59900 * MS, 60 },
    { 60000 * MS, 60 }, { UINT64_MAX, 60 },
};
/* clang-format on */

static void
test_the_door(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
        print_message("%s\n", doors[i].why);
        assert_int_equal(sco_queue_admits(&three, doors[i].waiting,
                                          doors[i].waiting_bytes,
                                          doors[i].body_bytes),
                         doors[i].status);
    }
}

static void
test_how_long_to_stay_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        print_message("%s\n", delays[i].why);
        assert_int_equal(sco_queue_retry_after_s(delays[i].waiting,
                                                 delays[i].workers,
                                                 delays[i].run_ns),
                         delays[i].seconds);
    }
}

static void
test_who_has_no_hope(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(prospects) / sizeof(prospects[0]); i++) {
        const struct sco_queue_outlook outlook = {
            .ahead = prospects[i].ahead,
            .workers = prospects[i].workers,
            .run_ns = prospects[i].run_ns,
            .left_ns = prospects[i].left_ns,
        };

        print_message("%s\n", prospects[i].why);
        assert_int_equal(sco_queue_late_ns(&outlook), prospects[i].late_ns);
    }
}

static void
test_when_to_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(returns) / sizeof(returns[0]); i++) {
        assert_int_equal(sco_queue_back_in_s(returns[i].late_ns),
                         returns[i].seconds);
    }
}

/* ---- the queue itself ----------------------------------------------- */

static struct sco_arena *arena;
static struct sco_queue queue;
static struct sco_request *reqs[4];

#define NOW_NS (1000 * SCO_NS_PER_S)

static int
make_queue(void **state)
{
    (void)state;
    assert_int_equal(sco_arena_create(&arena, NULL), SCO_OK);
    sco_queue_init(&queue, &three);
    for (size_t i = 0; i < 4; i++) {
        reqs[i] = heard_request(arena, "0123456789", NULL);
    }
    return 0;
}

static int
drop_queue(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        sco_request_unref(reqs[i]);
    }
    sco_arena_destroy(arena);
    return 0;
}

static void
test_the_oldest_comes_first(void **state)
{
    (void)state;
    assert_null(sco_queue_take(&queue));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sco_queue_push(&queue, reqs[i], NOW_NS), SCO_OK);
    }
    assert_int_equal(queue.count, 3);
    assert_int_equal(queue.bytes, 30);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(sco_queue_take(&queue), reqs[i]);
    }
    assert_null(sco_queue_take(&queue));
    assert_int_equal(queue.count, 0);
    assert_int_equal(queue.bytes, 0);
}

static void
test_a_refused_request_is_still_the_callers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sco_queue_push(&queue, reqs[i], NOW_NS), SCO_OK);
    }
    assert_int_equal(sco_queue_push(&queue, reqs[3], NOW_NS), SCO_BUSY);
    assert_false(sco_request_is_queued(reqs[3]));
    assert_int_equal(queue.count, 3);
    for (size_t i = 0; i < 3; i++) {
        (void)sco_queue_take(&queue);
    }
}

static void
test_what_comes_back_is_first_whatever_the_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sco_queue_push(&queue, reqs[i], NOW_NS), SCO_OK);
    }
    sco_queue_return(&queue, reqs[3]);
    assert_int_equal(queue.count, 4);
    assert_int_equal(queue.bytes, 40);
    assert_ptr_equal(sco_queue_take(&queue), reqs[3]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[0]);
    (void)sco_queue_take(&queue);
    (void)sco_queue_take(&queue);
}

static void
test_one_in_the_middle_can_leave(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sco_queue_push(&queue, reqs[i], NOW_NS), SCO_OK);
    }
    sco_queue_remove(&queue, reqs[1]);
    assert_int_equal(queue.count, 2);
    assert_int_equal(queue.bytes, 20);
    assert_ptr_equal(sco_queue_take(&queue), reqs[0]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[2]);
}

/* ---- deadlines ------------------------------------------------------ */

static void
push_until(size_t i, uint64_t deadline_ns, uint64_t now_ns)
{
    reqs[i]->deadline_ns = deadline_ns;
    assert_int_equal(sco_queue_push(&queue, reqs[i], now_ns), SCO_OK);
}

static void
test_the_most_urgent_comes_first(void **state)
{
    (void)state;
    push_until(0, 0, NOW_NS);
    push_until(1, NOW_NS + 9 * SCO_NS_PER_S, NOW_NS);
    push_until(2, NOW_NS + 2 * SCO_NS_PER_S, NOW_NS + SCO_NS_PER_S);
    assert_ptr_equal(sco_queue_first(&queue), reqs[2]);
    assert_int_equal(queue.count, 3);
    assert_ptr_equal(sco_queue_take(&queue), reqs[2]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[1]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[0]);
    assert_null(sco_queue_first(&queue));
}

/* A minute later the hurry of others means nothing to the one that waits; a
 * deadline further off is no reason to wait longer than who has none. */
static void
test_nobody_starves(void **state)
{
    (void)state;
    push_until(0, NOW_NS + 9 * SCO_QUEUE_PATIENCE_NS, NOW_NS);
    push_until(1, 0, NOW_NS + SCO_NS_PER_S);
    push_until(2, NOW_NS + SCO_QUEUE_PATIENCE_NS + SCO_NS_PER_MS,
               NOW_NS + SCO_QUEUE_PATIENCE_NS);
    assert_ptr_equal(sco_queue_take(&queue), reqs[0]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[2]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[1]);
}

static void
test_what_comes_back_has_its_place_again(void **state)
{
    (void)state;
    push_until(0, 0, NOW_NS);
    push_until(1, 0, NOW_NS);
    push_until(2, 0, NOW_NS);
    assert_ptr_equal(sco_queue_take(&queue), reqs[0]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[1]);
    push_until(3, NOW_NS + SCO_NS_PER_S, NOW_NS); /* in a hurry */
    sco_queue_return(&queue, reqs[1]);
    sco_queue_return(&queue, reqs[0]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[3]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[0]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[1]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[2]);
}

static void
test_how_many_are_ahead(void **state)
{
    const uint64_t soon_ns = NOW_NS + SCO_NS_PER_S;

    (void)state;
    push_until(0, 0, NOW_NS);
    push_until(1, soon_ns, NOW_NS);
    push_until(2, NOW_NS + 5 * SCO_NS_PER_S, NOW_NS);
    assert_int_equal(sco_queue_ahead(&queue, 0, NOW_NS), 3);
    assert_int_equal(sco_queue_ahead(&queue, soon_ns, NOW_NS), 1);
    assert_int_equal(sco_queue_ahead(&queue, soon_ns - 1, NOW_NS), 0);
    assert_int_equal(
        sco_queue_ahead(&queue, NOW_NS + 9 * SCO_NS_PER_S, NOW_NS), 2);
    while (sco_queue_take(&queue) != NULL) {
    }
}

#define WITH_QUEUE(test) \
    cmocka_unit_test_setup_teardown(test, make_queue, drop_queue)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_door),
        cmocka_unit_test(test_how_long_to_stay_away),
        WITH_QUEUE(test_the_oldest_comes_first),
        WITH_QUEUE(test_a_refused_request_is_still_the_callers),
        WITH_QUEUE(test_what_comes_back_is_first_whatever_the_limits),
        WITH_QUEUE(test_one_in_the_middle_can_leave),
        cmocka_unit_test(test_who_has_no_hope),
        cmocka_unit_test(test_when_to_come_back),
        WITH_QUEUE(test_the_most_urgent_comes_first),
        WITH_QUEUE(test_nobody_starves),
        WITH_QUEUE(test_what_comes_back_has_its_place_again),
        WITH_QUEUE(test_how_many_are_ahead),
    };

    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
