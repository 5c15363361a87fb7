/* test_worker_rules.c - a worker that breaks the rules is killed
 *
 * Each row is something that no sound worker says; the host must neither
 * believe it nor leave the client without an answer.
 */
#include "link/child_int.h"
#include "support/one_worker.h"
#include "support/test.h"

#include <signal.h>

/* What was said before the broken reply. */
enum before { NOTHING, STARTED, BEGUN_STREAM, STARTED_LINE };

enum { ITS_OWN = 0, SOME_OTHER = 999 };

/* clang-format off */
static const struct {
    const char           *why;
    enum before           before;
    struct sco_lane_reply reply;
} cases[] = {
    { "ready again", STARTED,
      { .kind = SCO_LANE_READY, .place = SCO_LANE_IN_BLOCK, .offset = 64 } },
    { "a reply to nobody", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 200, .ticket = SOME_OTHER } },
    { "no such kind", STARTED,
      { .kind = SCO_LANE_KINDS, .status = 200 } },
    { "no such place", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 200,
        .place = SCO_LANE_IN_BLOCK + 1 } },
    { "bytes that stand nowhere", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 200, .body_bytes = 1 } },
    { "more bytes than the slot has", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 200, .place = SCO_LANE_IN_SLOT,
        .offset = 64, .body_bytes = 1 << 20 } },
    { "bytes over the slot's mark", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 200, .place = SCO_LANE_IN_SLOT,
        .offset = 0, .body_bytes = 1 } },
    { "bytes outside of the region", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 200, .place = SCO_LANE_IN_BLOCK,
        .offset = SCO_SLOTS_BYTES, .body_bytes = 64 } },
    { "no status", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 0 } },
    { "a status that is none", STARTED,
      { .kind = SCO_LANE_WHOLE, .status = 1000 } },
    { "a stream's status that is none", STARTED,
      { .kind = SCO_LANE_START, .status = 99 } },
    { "a piece of no stream", STARTED,
      { .kind = SCO_LANE_CHUNK } },
    { "the end of no stream", STARTED,
      { .kind = SCO_LANE_END } },
    { "a whole reply inside of a stream", BEGUN_STREAM,
      { .kind = SCO_LANE_WHOLE, .status = 200 } },
    { "a second begin of a stream", BEGUN_STREAM,
      { .kind = SCO_LANE_START, .status = 200 } },
    { "a request logged as if it were a line", STARTED,
      { .kind = SCO_LANE_SKIPPED } },
    { "a run() that it tells of with bytes", STARTED,
      { .kind = SCO_LANE_RAN, .status = 200, .place = SCO_LANE_IN_BLOCK,
        .offset = 64, .body_bytes = 1, .batch_told = 1 } },
    { "a run() of nobody's", STARTED,
      { .kind = SCO_LANE_RAN, .status = 200, .ticket = SOME_OTHER,
        .batch_told = 1 } },
    { "a run() inside of a stream", BEGUN_STREAM,
      { .kind = SCO_LANE_RAN, .status = 200, .batch_told = 1 } },
    { "a run() of a line", STARTED_LINE,
      { .kind = SCO_LANE_RAN, .status = 200, .batch_told = 1 } },
    { "a line answered as if it were a request", STARTED_LINE,
      { .kind = SCO_LANE_WHOLE, .status = 200 } },
    { "a reply before it is ready", NOTHING,
      { .kind = SCO_LANE_WHOLE, .status = 200 } },
    { "ready without documents", NOTHING,
      { .kind = SCO_LANE_READY } },
};
/* clang-format on */

/* Brings the worker to where the broken reply comes. */
static struct sco_request *
begin(enum before before)
{
    struct sco_request *req;

    if (before == NOTHING) {
        return NULL;
    }
    one_worker_be_ready();
    if (before == STARTED_LINE) {
        req = heard_request(one_worker.arena, "x", NULL);
        req->kind = SCO_LANE_LINE;
        assert_true(sco_worker_give(one_worker.worker, req));
        assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_LINE);
        return req;
    }
    req = one_worker_give(0, "x");
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_CALL);
    if (before == BEGUN_STREAM) {
        one_worker_start_stream();
    }
    return req;
}

static void
test_what_a_worker_must_not_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sco_lane_reply reply = cases[i].reply;
        struct sco_request *req;

        print_message("%s\n", cases[i].why);
        one_worker_start(/* limit_ns */ 0, /* stream_limit_ns */ 0);
        req = begin(cases[i].before);
        if (req != NULL && reply.ticket == ITS_OWN) {
            reply.ticket = req->ticket;
        }
        child_push(one_worker.fake->child, &reply);
        assert_false(sco_worker_poll(one_worker.worker));
        assert_int_equal(fake_crew.kills, 1);
        assert_int_equal(one_worker.ran_count, 0);
        turner_turn(&one_worker.turner);
        assert_int_equal(one_worker.gone, 1);
        if (cases[i].before == STARTED) {
            assert_int_equal(one_worker.heard[0].count, 1);
            assert_int_equal(one_worker.heard[0].failure, SCO_WORKER_LOST);
        }
        one_worker_stop();
    }
}

static void
test_a_ring_that_claims_too_much_is_not_read(void **state)
{
    (void)state;
    one_worker_start(/* limit_ns */ 0, /* stream_limit_ns */ 0);
    one_worker_be_ready();
    (void)one_worker_give(0, "x");
    atomic_fetch_add(&one_worker.fake->child->shared->replies_tail, 1 << 20);
    assert_false(sco_worker_poll(one_worker.worker));
    assert_int_equal(fake_crew.kills, 1);
    turner_turn(&one_worker.turner);
    assert_int_equal(one_worker.gone, 1);
    assert_int_equal(one_worker.returned_count, 1);
    one_worker_stop();
}

/* A sound reply that another one follows is heard all the same. */
static void
test_what_was_sound_before_still_counts(void **state)
{
    struct sco_lane_reply again = { .kind = SCO_LANE_WHOLE, .status = 200 };

    (void)state;
    one_worker_start(/* limit_ns */ 0, /* stream_limit_ns */ 0);
    one_worker_be_ready();
    again.ticket = one_worker_give(0, "x")->ticket;
    assert_int_equal(fake_take(one_worker.fake), SCO_CHILD_CALL);
    fake_reply(one_worker.fake, "sound");
    child_push(one_worker.fake->child, &again);
    assert_false(sco_worker_poll(one_worker.worker));
    assert_string_equal(one_worker.heard[0].body, "sound");
    assert_int_equal(one_worker.heard[0].count, 1);
    assert_int_equal(fake_crew.kills, 1);
    one_worker_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_worker_must_not_say),
        cmocka_unit_test(test_a_ring_that_claims_too_much_is_not_read),
        cmocka_unit_test(test_what_was_sound_before_still_counts),
    };

    return cmocka_run_group_tests_name("worker rules", tests, NULL, NULL);
}
