/* test_storm.c - whatever happens, nothing is scored or answered twice
 *
 * Clients come and leave, workers score, hang and die, in an order that is
 * drawn by lot but the same in every run. In the end every request has been
 * started once at the most, nothing was started whose client had left before,
 * and whoever stayed has exactly one answer.
 */
#include "base/clock.h"
#include "deploy/deployment.h"
#include "support/fake_worker.h"
#include "support/heard.h"
#include "support/test.h"
#include "support/turner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SHORT_RUN_NS 1000
#define LONG_RUN_NS  (10 * SCO_NS_PER_MS)

enum {
    REQUESTS = 3000,
    WORKERS = 3,
    STARTS_MAX = FAKE_CREW_MAX - 8,
    RECENT = 64, /* requests of which some have no answer yet */
};

/* What is known of one request. */
struct story {
    struct sco_request *req; /* a reference of the "client's"; NULL: over */
    unsigned started, answered;
    unsigned started_before; /* the client left */
    bool left;
    enum sco_status failure;
};

static struct turner turner;
static struct sco_deployment *deployment;
static struct story stories[REQUESTS];
static size_t submitted;
static unsigned empty;
static uint32_t dice = 2463534242;

static unsigned
roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return dice % sides;
}

static void
on_answer(void *arg, struct sco_request *req, const struct sco_answer *answer)
{
    struct story *story = arg;
    struct sco_answer rest = *answer;

    assert_ptr_equal(story->req, req);
    assert_false(story->left);
    story->answered++;
    story->failure = answer->failure;
    sco_answer_release(&rest);
}

static void
on_boot_failed(void *arg)
{
    (void)arg;
}

static void
on_empty(void *arg)
{
    (void)arg;
    empty++;
}

/* ---- what may happen ------------------------------------------------ */

static void
client_comes(void)
{
    struct story *story = &stories[submitted];
    struct sco_request *req;
    char body[16];

    if (submitted == REQUESTS) {
        return;
    }
    (void)snprintf(body, sizeof(body), "%zu", submitted);
    req = heard_request(sco_deployment_arena(deployment), body, NULL);
    req->on_answer = on_answer;
    req->on_answer_arg = story;
    if (sco_deployment_submit(deployment, req) == SCO_OK) {
        story->req = sco_request_ref(req);
        submitted++;
    } else {
        sco_request_unref(req);
    }
}

static void
client_leaves(void)
{
    unsigned recent = submitted < RECENT ? (unsigned)submitted : RECENT;
    struct story *story =
        recent > 0 ? &stories[submitted - 1 - roll(recent)] : &stories[0];

    if (story->req == NULL || story->answered > 0 || story->left) {
        return;
    }
    if (roll(2) == 0) {
        sco_deployment_cancel(deployment, story->req);
        story->left = true;
    } else {
        story->left = sco_deployment_half_closed(deployment, story->req);
    }
    story->started_before = story->started;
}

static size_t
number_of(struct sco_slice body)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%.*s", (int)body.len, body.data);
    return strtoul(text, NULL, 10);
}

/* Now short, so that workers are fed ahead, now long. */
static uint64_t
run_ns(void)
{
    return submitted / 500 % 2 == 0 ? SHORT_RUN_NS : LONG_RUN_NS;
}

static void
worker_steps(struct fake_worker *fake)
{
    if (fake == NULL || fake->is_ended) {
        return;
    }
    if (fake->base.state == SCO_WORKER_STARTING) {
        fake_ready(fake, NULL, 0);
    } else if (fake->call.body.data != NULL) {
        fake_reply_after(fake, "done", run_ns());
        fake->call.body.data = NULL;
    } else if (fake_take(fake) == SCO_CHILD_CALL) {
        size_t number = number_of(fake->call.body);

        assert_true(number < submitted);
        stories[number].started++;
    }
}

static void
worker_dies(struct fake_worker *fake)
{
    if (fake != NULL && fake_crew.count < STARTS_MAX &&
        fake->base.served > 0) {
        fake_end(fake, 0, SIGSEGV);
        turner_turn(&turner);
    }
}

static struct fake_worker *
any_worker(void)
{
    return fake_crew.members[roll((unsigned)fake_crew.count)];
}

static void
something_happens(void)
{
    switch (roll(12)) {
    case 0:
    case 1:
    case 2:
        client_comes();
        break;
    case 3:
        client_leaves();
        break;
    case 4:
    case 5:
        (void)sco_deployment_turn(deployment);
        break;
    case 6:
        if (roll(100) == 0) {
            worker_dies(any_worker());
        }
        break;
    default:
        worker_steps(any_worker());
        break;
    }
}

/* ---- the end -------------------------------------------------------- */

static void
finish_everything(void)
{
    while (sco_deployment_busy(deployment) > 0) {
        for (size_t i = 0; i < fake_crew.count; i++) {
            worker_steps(fake_crew.members[i]);
        }
        (void)sco_deployment_turn(deployment);
    }
}

static void
check_stories(void)
{
    size_t lost = 0;
    size_t left = 0;

    for (size_t i = 0; i < REQUESTS; i++) {
        struct story *story = &stories[i];

        assert_true(story->started <= 1);
        assert_true(!story->left || story->started == story->started_before);
        assert_int_equal(story->answered, story->left ? 0 : 1);
        left += story->left;
        lost += story->answered && story->failure == SCO_WORKER_LOST;
        if (story->answered && story->failure == SCO_OK) {
            assert_int_equal(story->started, 1);
        }
        sco_request_unref(story->req);
    }
    print_message("%zu left, %zu lost, %zu workers\n", left, lost,
                  fake_crew.count);
    assert_true(left > 0);
    assert_true(lost > 0);
}

static void
test_nothing_is_scored_or_answered_twice(void **state)
{
    struct sco_deployment_setup setup = {
        .kind = &fake_worker_kind,
        .limits = { .max_requests = 50, .max_bytes = 10000 },
        .workers = WORKERS,
        .on_boot_failed = on_boot_failed,
        .on_empty = on_empty,
    };

    (void)state;
    turner_init(&turner);
    setup.loop = turner.loop;
    assert_int_equal(sco_deployment_create(&setup, &deployment, NULL), SCO_OK);
    sco_deployment_start(deployment);
    while (submitted < REQUESTS) {
        something_happens();
    }
    finish_everything();
    check_stories();
    assert_int_equal(sco_slots_taken_bytes(
                         sco_arena_slots(sco_deployment_arena(deployment))),
                     0);
    sco_deployment_kill(deployment);
    turner_turn(&turner);
    assert_int_equal(empty, 1);
    sco_deployment_destroy(deployment);
    turner_finish(&turner);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_scored_or_answered_twice),
    };

    return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
