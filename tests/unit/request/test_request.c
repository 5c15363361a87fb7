/* test_request.c - several may answer, one is heard */
#include "link/child.h"
#include "request/request.h"
#include "support/dying.h"
#include "support/heard.h"
#include "support/test.h"

#include <string.h>

static struct sco_arena *arena;

static int
make_arena(void **state)
{
    (void)state;
    return sco_arena_create(&arena, NULL) == SCO_OK ? 0 : -1;
}

static int
drop_arena(void **state)
{
    (void)state;
    sco_arena_destroy(arena);
    return 0;
}

static uint64_t
taken_bytes(void)
{
    return sco_slots_taken_bytes(sco_arena_slots(arena));
}

static void
test_the_first_answer_is_heard_and_no_other(void **state)
{
    struct heard heard;
    struct sco_request *req = heard_request(arena, "x", &heard);
    struct sco_answer late = { .status = 200 };

    (void)state;
    assert_false(sco_request_is_answered(req));
    assert_true(sco_request_fail(req, SCO_TIMEOUT, "late", 7));
    assert_true(sco_request_is_answered(req));
    assert_false(sco_request_answer(req, &late));
    assert_false(sco_request_fail(req, SCO_WORKER_LOST, NULL, 0));
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.failure, SCO_TIMEOUT);
    assert_string_equal(heard.detail, "late");
    assert_int_equal(heard.pid, 7);
    sco_request_unref(req);
}

static void
test_the_slot_goes_with_the_last_reference(void **state)
{
    struct sco_request *req = heard_request(arena, "x", NULL);
    uint64_t bytes = taken_bytes();

    (void)state;
    assert_true(bytes > 0);
    assert_ptr_equal(sco_request_ref(req), req);
    sco_request_unref(req);
    assert_int_equal(taken_bytes(), bytes);
    sco_request_unref(req);
    assert_int_equal(taken_bytes(), 0);
    sco_request_unref(NULL);
}

/* Makes an answer whose bytes stand in a block of the lane; they are at
 * `offset_out`. */
static struct sco_answer
answer_in_block(struct sco_lane *lane, struct sco_child *child,
                uint64_t *offset_out)
{
    static char large[20000];
    struct sco_reply_head head = { .status = 200 };
    struct sco_sink *sink = sco_child_sink(child);
    struct sco_lane_reply reply;

    sink->ops->reply(sink, &head, (struct sco_slice){ NULL, 0 },
                     (struct sco_slice){ large, sizeof(large) });
    assert_int_equal(sco_lane_take(lane, &reply), SCO_OK);
    assert_int_equal(reply.place, SCO_LANE_IN_BLOCK);
    *offset_out = reply.offset;
    return (struct sco_answer){ .status = 200,
                                .lane = sco_lane_ref(lane),
                                .block = reply.offset };
}

static void
test_an_answer_that_nobody_hears_is_given_back(void **state)
{
    struct sco_request *req = heard_request(arena, "x", NULL);
    struct sco_answer answer;
    struct sco_child *child;
    struct sco_lane *lane;
    uint64_t first, second;

    (void)state;
    assert_int_equal(sco_lane_create(arena, &lane, NULL), SCO_OK);
    assert_int_equal(sco_child_join(lane, &child, NULL), SCO_OK);
    answer = answer_in_block(lane, child, &first);
    assert_false(sco_request_answer(req, &answer));
    assert_null(answer.lane);
    answer = answer_in_block(lane, child, &second);
    assert_int_equal(second, first); /* so the first one was free again */
    sco_answer_release(&answer);
    sco_answer_release(&answer); /* there is nothing left to release */
    sco_child_destroy(child);
    sco_lane_unref(lane);
    sco_request_unref(req);
}

static void
die_in_a_list(void)
{
    struct sco_list list;
    struct sco_request *req = heard_request(arena, "x", NULL);

    sco_list_init(&list);
    sco_list_push(&list, &req->link);
    sco_request_unref(req);
}

static void
test_a_request_must_not_die_while_it_waits(void **state)
{
    (void)state;
    assert_true(dies(die_in_a_list));
}

static void
die_in_the_queue(void)
{
    struct sco_ranks ranks = { .root = NULL };
    struct sco_request *req = heard_request(arena, "x", NULL);

    sco_ranks_add(&ranks, &req->place, 1);
    sco_request_unref(req);
}

static void
test_nor_while_it_is_in_the_queue(void **state)
{
    (void)state;
    assert_true(dies(die_in_the_queue));
}

/* However it ends, nobody is waited for any more. */
static void
test_what_nobody_waits_for_is_not_due(void **state)
{
    struct sco_ranks due = { .root = NULL };
    struct sco_request *reqs[3];
    struct heard heard[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        reqs[i] = heard_request(arena, "x", &heard[i]);
        sco_ranks_add(&due, &reqs[i]->due, i);
    }
    assert_true(sco_request_fail(reqs[0], SCO_BUSY, NULL, 0));
    sco_request_forget(reqs[1]);
    assert_true(sco_request_is_answered(reqs[1]));
    assert_int_equal(sco_ranks_count(&due), 1);
    for (size_t i = 0; i < 3; i++) {
        sco_request_unref(reqs[i]);
    }
    assert_int_equal(sco_ranks_count(&due), 0);
    assert_int_equal(heard[0].count, 1);
    assert_int_equal(heard[1].count + heard[2].count, 0);
}

#define WITH_ARENA(test) \
    cmocka_unit_test_setup_teardown(test, make_arena, drop_arena)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(test_the_first_answer_is_heard_and_no_other),
        WITH_ARENA(test_the_slot_goes_with_the_last_reference),
        WITH_ARENA(test_an_answer_that_nobody_hears_is_given_back),
        WITH_ARENA(test_a_request_must_not_die_while_it_waits),
        WITH_ARENA(test_nor_while_it_is_in_the_queue),
        WITH_ARENA(test_what_nobody_waits_for_is_not_due),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
