/* test_queue.c - who may wait, and for how long one should stay away */
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

/* ---- the queue itself ----------------------------------------------- */

static struct sco_arena *arena;
static struct sco_queue queue;
static struct sco_request *reqs[4];

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
        assert_int_equal(sco_queue_push(&queue, reqs[i]), SCO_OK);
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
        assert_int_equal(sco_queue_push(&queue, reqs[i]), SCO_OK);
    }
    assert_int_equal(sco_queue_push(&queue, reqs[3]), SCO_BUSY);
    assert_true(sco_list_empty(&reqs[3]->link));
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
        assert_int_equal(sco_queue_push(&queue, reqs[i]), SCO_OK);
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
        assert_int_equal(sco_queue_push(&queue, reqs[i]), SCO_OK);
    }
    sco_queue_remove(&queue, reqs[1]);
    assert_int_equal(queue.count, 2);
    assert_int_equal(queue.bytes, 20);
    assert_ptr_equal(sco_queue_take(&queue), reqs[0]);
    assert_ptr_equal(sco_queue_take(&queue), reqs[2]);
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
    };

    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
