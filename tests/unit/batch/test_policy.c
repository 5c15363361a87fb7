/* test_policy.c - single decisions, in tables
 *
 * Time is told in microseconds from some beginning; a batch of n rows takes
 * 2000 + 50 n of them.
 */
#include "base/clock.h"
#include "batch/policy.h"

#include "support/test.h"

#include <string.h>

#define US     UINT64_C(1000)
#define BEGIN  (1000 * SCO_NS_PER_S)
#define AT(us) (BEGIN + (us)*US)
#define NEVER  SCO_BATCH_NO_TIME

static struct sco_batch_fit fit;
static struct sco_batch_waves waves;

static const struct sco_batch_setup plain = { .max_batch_size = 64 };
static const struct sco_batch_setup patient = { .max_batch_size = 64,
                                                .max_queue_delay_ns =
                                                    5000 * US };
static const struct sco_batch_setup choosy = {
    .max_batch_size = 64,
    .preferred_batch_sizes = { 8, 32 },
    .preferred_count = 2,
    .max_queue_delay_ns = 5000 * US,
};
static const struct sco_batch_setup aiming = { .max_batch_size = 64,
                                               .objective_ns = 4000 * US };

static void
learn(uint64_t a_us, uint64_t b_us)
{
    memset(&fit, 0, sizeof(fit));
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t rows = 1 + i * 7 % 64;

        sco_batch_fit_add(&fit, rows, (a_us + b_us * rows) * US);
    }
}

static int
empty(void **state)
{
    (void)state;
    memset(&waves, 0, sizeof(waves));
    learn(2000, 50);
    return 0;
}

static struct sco_batch_decision
decide(const struct sco_batch_setup *setup, uint64_t now_us, size_t idle,
       uint64_t rows, uint64_t oldest_us, uint64_t deadline_us)
{
    struct sco_batch_view view = {
        .now_ns = AT(now_us),
        .idle = idle,
        .rows = rows,
        .oldest_ns = AT(oldest_us),
        .deadline_ns = deadline_us == 0 ? 0 : AT(deadline_us),
    };

    return sco_batch_decide(setup, &fit, &waves, &view);
}

static void
assert_goes(struct sco_batch_decision decision, uint64_t rows,
            enum sco_batch_reason reason)
{
    assert_int_equal(decision.rows, rows);
    assert_string_equal(sco_batch_reason_text(decision.reason),
                        sco_batch_reason_text(reason));
    assert_true(decision.wait_until_ns == NEVER);
}

/* Until a time, give or take what the fit is not exact. */
static void
assert_waits(struct sco_batch_decision decision, uint64_t until_us)
{
    assert_int_equal(decision.rows, 0);
    assert_int_in_range(decision.wait_until_ns, AT(until_us) - 5 * US,
                        AT(until_us) + 5 * US);
}

static void
assert_waits_for_an_event(struct sco_batch_decision decision)
{
    assert_int_equal(decision.rows, 0);
    assert_true(decision.wait_until_ns == NEVER);
}

static void
test_reasons_have_names(void **state)
{
    (void)state;
    assert_string_equal(sco_batch_reason_text(SCO_BATCH_FULL), "full");
    assert_string_equal(sco_batch_reason_text(SCO_BATCH_DEADLINE), "deadline");
    assert_string_equal(sco_batch_reason_text(SCO_BATCH_REASON_COUNT), "");
}

static void
test_no_timer_while_nothing_can_be_done(void **state)
{
    static const struct sco_batch_setup *const setups[] = { &plain, &patient,
                                                            &choosy, &aiming };

    (void)state;
    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        assert_waits_for_an_event(decide(setups[i], 9, 1, 0, 0, 0));
        assert_waits_for_an_event(decide(setups[i], 9, 0, 99, 0, 100));
    }
}

static void
test_an_idle_worker_takes_what_is_there(void **state)
{
    (void)state;
    assert_goes(decide(&plain, 0, 1, 1, 0, 0), 1, SCO_BATCH_IDLE);
    assert_goes(decide(&plain, 0, 1, 63, 0, 0), 63, SCO_BATCH_IDLE);
    assert_goes(decide(&plain, 0, 1, 64, 0, 0), 64, SCO_BATCH_FULL);
    assert_goes(decide(&plain, 0, 1, 500, 0, 0), 64, SCO_BATCH_FULL);
    memset(&fit, 0, sizeof(fit)); /* the same without any knowledge */
    assert_goes(decide(&plain, 0, 3, 1, 0, 0), 1, SCO_BATCH_IDLE);
    assert_goes(decide(&plain, 0, 3, 40, 0, 1), 40, SCO_BATCH_IDLE);
}

static void
test_several_idle_workers_share_what_is_worth_it(void **state)
{
    (void)state;
    assert_goes(decide(&plain, 0, 2, 60, 0, 0), 60, SCO_BATCH_IDLE);
    learn(100, 500);
    assert_goes(decide(&plain, 0, 2, 61, 0, 0), 31, SCO_BATCH_IDLE);
    assert_goes(decide(&plain, 0, 4, 3, 0, 0), 1, SCO_BATCH_IDLE);
    assert_goes(decide(&plain, 0, 4, 64, 0, 0), 64, SCO_BATCH_FULL);
}

static void
test_the_users_delay(void **state)
{
    (void)state;
    assert_waits(decide(&patient, 1000, 1, 5, 400, 0), 5400);
    assert_waits(decide(&patient, 5399, 1, 5, 400, 0), 5400);
    assert_goes(decide(&patient, 5400, 1, 5, 400, 0), 5, SCO_BATCH_DELAY);
    assert_goes(decide(&patient, 9000, 2, 5, 400, 0), 5, SCO_BATCH_DELAY);
    assert_goes(decide(&patient, 500, 1, 64, 400, 0), 64, SCO_BATCH_FULL);
}

static void
test_the_users_sizes(void **state)
{
    static const struct {
        uint64_t rows, goes;
        enum sco_batch_reason reason;
    } cases[] = {
        { 8, 8, SCO_BATCH_PREFERRED },   { 31, 8, SCO_BATCH_PREFERRED },
        { 32, 32, SCO_BATCH_PREFERRED }, { 63, 32, SCO_BATCH_PREFERRED },
        { 64, 64, SCO_BATCH_FULL },
    };

    (void)state;
    assert_waits(decide(&choosy, 1000, 1, 7, 400, 0), 5400);
    assert_goes(decide(&choosy, 5400, 1, 7, 400, 0), 7, SCO_BATCH_DELAY);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_goes(decide(&choosy, 1000, 1, cases[i].rows, 400, 0),
                    cases[i].goes, cases[i].reason);
    }
}

/* ---- deadlines ------------------------------------------------------ */

static void
test_nobody_is_kept_until_he_is_late(void **state)
{
    (void)state;
    /* 4 rows take 2200, or an eighth more. */
    assert_waits(decide(&patient, 0, 1, 4, 0, 9000), 5000);
    assert_waits(decide(&patient, 0, 1, 4, 0, 4475), 2000);
    assert_goes(decide(&patient, 2010, 1, 4, 0, 4475), 4, SCO_BATCH_DEADLINE);
    assert_goes(decide(&patient, 0, 1, 4, 0, 1000), 4, SCO_BATCH_DEADLINE);
}

static void
test_a_batch_is_smaller_for_a_deadline(void **state)
{
    struct sco_batch_decision decision;

    (void)state;
    assert_goes(decide(&plain, 0, 1, 40, 0, 4010), 40, SCO_BATCH_IDLE);
    decision = decide(&plain, 0, 1, 40, 0, 3510);
    assert_int_equal(decision.reason, SCO_BATCH_DEADLINE);
    assert_int_in_range(decision.rows, 29, 30);
    decision = decide(&plain, 0, 1, 640, 0, 3510);
    assert_int_equal(decision.reason, SCO_BATCH_DEADLINE);
    assert_int_in_range(decision.rows, 29, 30);
}

/* One cannot be saved, or only if most others are late for it. */
static void
test_not_at_any_price(void **state)
{
    (void)state;
    assert_goes(decide(&plain, 0, 1, 40, 0, 2200), 40, SCO_BATCH_IDLE);
    assert_goes(decide(&plain, 0, 1, 40, 0, 1000), 40, SCO_BATCH_IDLE);
    assert_goes(decide(&plain, 5000, 1, 640, 0, 1000), 64, SCO_BATCH_FULL);
}

static void
test_an_objective_counts_from_the_coming(void **state)
{
    struct sco_batch_decision decision;

    (void)state;
    assert_goes(decide(&aiming, 0, 1, 30, 0, 0), 30, SCO_BATCH_IDLE);
    decision = decide(&aiming, 500, 1, 60, 0, 0);
    assert_int_equal(decision.reason, SCO_BATCH_DEADLINE);
    assert_int_in_range(decision.rows, 29, 30);
    /* Too late already: then for the many. */
    assert_goes(decide(&aiming, 5000, 1, 64, 0, 0), 64, SCO_BATCH_FULL);
    /* The earlier of the two. */
    decision = decide(&aiming, 0, 1, 60, 0, 3510);
    assert_int_in_range(decision.rows, 29, 30);
}

static void
test_who_would_be_late(void **state)
{
    static const struct {
        uint64_t ahead, rows;
        size_t workers;
        uint64_t left_us, late_us;
    } cases[] = {
        { 0, 64, 1, 0, 0 }, /* a worker is free */
        { 63, 1, 1, 0, 0 }, /* it may be in that batch */
        { 64, 1, 1, 7250, 0 },      { 64, 1, 1, 7000, 250 },
        { 640, 1, 1, 7000, 47050 }, { 640, 1, 10, 7000, 250 },
        { 640, 1, 11, 0, 0 },       { 640, 1, 0, 0, 0 },
        { 64, 128, 1, 15000, 600 }, { 64, 129, 1, 15600, 2050 },
        { 64, 0, 1, 7000, 200 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t late_ns =
            sco_batch_late_ns(&plain, &fit, cases[i].ahead, cases[i].rows,
                              cases[i].workers, cases[i].left_us * US);

        assert_true(late_ns + 20 * US >= cases[i].late_us * US);
        assert_true(late_ns <= (cases[i].late_us + 20) * US);
        assert_true(cases[i].late_us > 0 || late_ns < 20 * US);
    }
    assert_true(sco_batch_late_ns(&plain, &fit, UINT64_MAX, 1, 1, 0) > 0);
    memset(&fit, 0, sizeof(fit));
    assert_int_equal(sco_batch_late_ns(&plain, &fit, 6400, 1, 1, 0), 0);
}

/* ---- waves ---------------------------------------------------------- */

/* So many clients are answered at `at_us` and come back one after another,
 * `step_us` apart, the first after `first_us`. */
static void
wave(size_t answered, size_t come, uint64_t at_us, uint64_t first_us,
     uint64_t step_us)
{
    sco_batch_waves_answered(&waves, answered, AT(at_us));
    for (size_t i = 0; i < come; i++) {
        sco_batch_waves_came(&waves, 1, AT(at_us + first_us + i * step_us));
    }
}

/* Turns of 450 us, in steps of 20. */
static void
learn_waves(void)
{
    for (uint64_t i = 0; i < 20; i++) {
        wave(16, 16, i * 4000, 150, 20);
    }
}

static void
test_who_was_just_answered_is_waited_for(void **state)
{
    (void)state;
    learn_waves();
    wave(16, 0, 100000, 0, 0);
    /* 15 have waited for long; the 16 are awaited for two turns. */
    assert_waits(decide(&plain, 100000, 1, 15, 98000, 0), 100900);
    wave(16, 3, 100000, 150, 20);
    /* Three are back: the others have a turn, and a quarter of one to spare.
     */
    assert_waits(decide(&plain, 100200, 1, 18, 98000, 0), 100562);
    assert_goes(decide(&plain, 100570, 1, 18, 98000, 0), 18, SCO_BATCH_GAP);
    wave(16, 12, 100000, 280, 20);
    /* They are late: from the last of them a gap of eight steps. */
    assert_waits(decide(&plain, 100565, 1, 27, 98000, 0), 100660);
    assert_goes(decide(&plain, 100665, 1, 27, 98000, 0), 27, SCO_BATCH_GAP);
    wave(16, 16, 100000, 150, 20);
    assert_goes(decide(&plain, 100450, 1, 31, 98000, 0), 31, SCO_BATCH_IDLE);
}

/* A worker takes what came while it was at work when it has answered. */
static void
test_who_waited_is_nobody_who_came_back(void **state)
{
    (void)state;
    learn_waves();
    wave(16, 0, 100000, 0, 0);
    for (uint64_t i = 0; i < 16; i++) {
        sco_batch_waves_came(&waves, 1, AT(98000 + i * 10));
    }
    assert_waits(decide(&plain, 100000, 1, 16, 98000, 0), 100900);
    sco_batch_waves_came(&waves, 16, AT(100200));
    assert_goes(decide(&plain, 100200, 1, 32, 98000, 0), 32, SCO_BATCH_IDLE);
}

static void
test_nobody_is_waited_for_in_vain_for_long(void **state)
{
    (void)state;
    learn_waves();
    wave(16, 0, 100000, 0, 0);
    assert_goes(decide(&plain, 100905, 1, 15, 98000, 0), 15, SCO_BATCH_GAP);
    /* Whoever comes after that waits for nobody. */
    assert_goes(decide(&plain, 200000, 1, 1, 200000, 0), 1, SCO_BATCH_IDLE);
}

static void
test_what_goes_before_waiting(void **state)
{
    (void)state;
    learn_waves();
    wave(16, 0, 100000, 0, 0);
    assert_goes(decide(&plain, 100000, 1, 64, 98000, 0), 64, SCO_BATCH_FULL);
    assert_goes(decide(&choosy, 100000, 1, 9, 98000, 0), 8,
                SCO_BATCH_PREFERRED);
    assert_waits(decide(&patient, 100000, 1, 9, 98000, 0), 103000);
    assert_waits(decide(&plain, 100000, 1, 10, 98000, 103012), 100200);
    assert_goes(decide(&plain, 100210, 1, 10, 98000, 103012), 10,
                SCO_BATCH_DEADLINE);
}

static void
test_not_before_some_waves_were_seen(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 4; i++) {
        wave(16, 0, 100000 + i * 4000, 0, 0);
        assert_goes(decide(&plain, 100000 + i * 4000, 1, 5, 98000, 0), 5,
                    SCO_BATCH_IDLE);
        wave(16, 16, 100000 + i * 4000, 150, 20);
    }
    wave(16, 0, 200000, 0, 0);
    assert_int_equal(decide(&plain, 200000, 1, 5, 98000, 0).rows, 0);
}

static void
test_slow_clients_and_cheap_batches_are_not_waited_for(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        wave(16, 16, i * 8000, 1500, 20);
    }
    wave(16, 0, 200000, 0, 0);
    assert_goes(decide(&plain, 200000, 1, 5, 198000, 0), 5, SCO_BATCH_IDLE);
    (void)empty(state);
    learn(500, 50);
    learn_waves();
    wave(16, 0, 200000, 0, 0);
    assert_goes(decide(&plain, 200000, 1, 5, 198000, 0), 5, SCO_BATCH_IDLE);
    learn(2000, 1000); /* 16 rows are worth eight fixed parts */
    assert_goes(decide(&plain, 200000, 1, 5, 198000, 0), 5, SCO_BATCH_IDLE);
    memset(&fit, 0, sizeof(fit));
    assert_goes(decide(&plain, 200000, 1, 5, 198000, 0), 5, SCO_BATCH_IDLE);
}

/* Some leave for good: those that come make the turn. All leave: it is soon
 * known. A pause: it is soon forgotten. */
static void
test_waves_that_change(void **state)
{
    (void)state;
    learn_waves();
    for (uint64_t i = 0; i < 40; i++) {
        wave(16, 13, 200000 + i * 4000, 150, 20);
    }
    wave(16, 0, 400000, 0, 0);
    assert_waits(decide(&plain, 400000, 1, 5, 398000, 0), 400780);
    for (uint64_t i = 0; i < 20; i++) {
        wave(16, 1, 500000 + i * 4000, 3000, 0);
    }
    assert_goes(decide(&plain, 600000, 1, 5, 598000, 0), 5, SCO_BATCH_IDLE);
    (void)empty(state);
    learn_waves();
    wave(16, 16, 1000000, 900000, 20);
    wave(16, 0, 3000000, 0, 0);
    assert_int_equal(decide(&plain, 3000000, 1, 5, 2998000, 0).rows, 0);
}

#define EMPTY(test) cmocka_unit_test_setup(test, empty)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY(test_reasons_have_names),
        EMPTY(test_no_timer_while_nothing_can_be_done),
        EMPTY(test_an_idle_worker_takes_what_is_there),
        EMPTY(test_several_idle_workers_share_what_is_worth_it),
        EMPTY(test_the_users_delay),
        EMPTY(test_the_users_sizes),
        EMPTY(test_nobody_is_kept_until_he_is_late),
        EMPTY(test_a_batch_is_smaller_for_a_deadline),
        EMPTY(test_not_at_any_price),
        EMPTY(test_an_objective_counts_from_the_coming),
        EMPTY(test_who_would_be_late),
        EMPTY(test_who_was_just_answered_is_waited_for),
        EMPTY(test_who_waited_is_nobody_who_came_back),
        EMPTY(test_nobody_is_waited_for_in_vain_for_long),
        EMPTY(test_what_goes_before_waiting),
        EMPTY(test_not_before_some_waves_were_seen),
        EMPTY(test_slow_clients_and_cheap_batches_are_not_waited_for),
        EMPTY(test_waves_that_change),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
