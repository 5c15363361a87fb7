/* test_former.c - what goes together, and that nothing is lost
 *
 * Single cases, and then any coming, going, taking, giving back, failing and
 * answering, held against books that are kept beside it.
 */
#include "base/clock.h"
#include "support/failing_memory.h"
#include "support/test.h"

#include "batch/former.c"

#include <stdio.h>

enum { ENTRIES = 200, SLOTS = 3, ROWS_MOST = 16, STEPS = 200000 };

/* A request, and what the test knows of it. */
struct caller {
    struct sco_batch_entry entry;
    unsigned shape;
    uint64_t turn;              /* of its coming, in all */
    unsigned char answered[64]; /* how often, for each row */
    bool is_in;
};

static struct sco_batch_former *former;
static struct caller callers[ENTRIES];
static uint64_t now_ns, dice_state;
static size_t moves;

static void
on_move(void *arg, struct sco_batch *batch, uint64_t from, uint64_t to,
        uint64_t rows)
{
    assert_ptr_equal(arg, callers);
    assert_true(to < from && rows > 0);
    assert_int_equal(to + rows, batch->rows);
    moves++;
}

static struct sco_batch_former_setup
usual_setup(void)
{
    return (struct sco_batch_former_setup){
        .policy = { .max_batch_size = ROWS_MOST },
        .slots = SLOTS,
        .on_move = on_move,
        .arg = callers,
    };
}

static int
set_up(void **state)
{
    struct sco_batch_former_setup setup = usual_setup();

    (void)state;
    memset(callers, 0, sizeof(callers));
    now_ns = 1000;
    dice_state = 20261124;
    moves = 0;
    return sco_batch_former_create(&setup, &former, NULL) == SCO_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENTRIES; i++) {
        sco_batch_former_leave(&callers[i].entry);
    }
    sco_batch_former_destroy(former);
    sco_batch_former_destroy(NULL);
    return 0;
}

static unsigned
roll(unsigned sides)
{
    dice_state =
        dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695);
    return (unsigned)(dice_state >> 33) % sides;
}

/* Entry `who` comes, a moment after all before it. */
static enum sco_status
try_come(size_t who, uint64_t rows, unsigned shape, uint64_t patience_ns)
{
    static const char *const shapes[] = { "FP32[4]", "FP32[5]", "INT8[4]",
                                          "" };
    static uint64_t turns;
    struct caller *caller = &callers[who];

    memset(caller, 0, sizeof(*caller));
    caller->entry.rows = rows;
    caller->entry.urgent_ns = ++now_ns + patience_ns;
    caller->shape = shape;
    caller->turn = ++turns;
    /* Two shapes have the same key. */
    return sco_batch_former_add(former, &caller->entry, shape / 2,
                                sco_slice_of(shapes[shape]), now_ns, NULL);
}

static void
come(size_t who, uint64_t rows, unsigned shape)
{
    assert_int_equal(try_come(who, rows, shape, 0), SCO_OK);
    callers[who].is_in = true;
}

static struct caller *
caller_of(const struct sco_batch_part *part)
{
    return (struct caller *)part->piece->entry;
}

/* What a batch is to be in any case. */
static void
check_batch(const struct sco_batch *batch)
{
    uint64_t at = 0;

    assert_true(batch->state != SCO_BATCH_FREE);
    assert_true(batch->count > 0 && batch->rows <= ROWS_MOST);
    for (size_t i = 0; i < batch->count; i++) {
        const struct sco_batch_part *part = &batch->parts[i];

        assert_int_equal(part->at, at);
        assert_true(part->rows > 0);
        at += part->rows;
        if (part->piece != NULL) {
            assert_ptr_equal(part->piece->entry->group, batch->group);
            assert_int_equal(part->piece->rows, part->rows);
        }
    }
    assert_int_equal(at, batch->rows);
}

static struct sco_batch *
take(uint64_t rows)
{
    struct sco_batch_group *group = sco_batch_former_first(former);
    struct sco_batch *batch =
        group == NULL ? NULL : sco_batch_former_take(group, rows, now_ns);

    if (batch != NULL) {
        check_batch(batch);
    }
    return batch;
}

/* All parts of a batch are answered. */
static void
answer(struct sco_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct sco_batch_part *part = &batch->parts[i];
        struct caller *caller;

        if (part->piece == NULL) {
            assert_false(sco_batch_former_done(batch, i));
            continue;
        }
        caller = caller_of(part);
        for (uint64_t row = 0; row < part->rows; row++) {
            caller->answered[part->piece->from + row]++;
        }
        if (sco_batch_former_done(batch, i)) {
            for (uint64_t row = 0; row < caller->entry.rows; row++) {
                assert_int_equal(caller->answered[row], 1);
            }
            caller->is_in = false;
        }
    }
    sco_batch_former_finish(batch, SCO_BATCH_ANSWERED, ++now_ns);
}

/* The callers of a batch in their order, as text. */
static const char *
who_is_in(const struct sco_batch *batch)
{
    static char text[200];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < batch->count; i++) {
        const struct sco_batch_part *part = &batch->parts[i];
        long who =
            part->piece == NULL ? -1 : (long)(caller_of(part) - callers);

        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%ld:%llu",
                                i == 0 ? "" : " ", who,
                                (unsigned long long)part->rows);
    }
    return text;
}

/* ---- single cases --------------------------------------------------- */

static void
test_rows_count_and_not_requests(void **state)
{
    struct sco_batch *batch;

    (void)state;
    come(0, 5, 0);
    come(1, 10, 0);
    come(2, 2, 0); /* does not fit beside them */
    come(3, 1, 0); /* would, and is not taken out of turn */
    assert_int_equal(sco_batch_former_rows(former), 18);
    batch = take(99);
    assert_string_equal(who_is_in(batch), "0:5 1:10");
    assert_int_equal(sco_batch_former_rows(former), 3);
    answer(batch);
    batch = take(1); /* the first is whole, whatever was asked for */
    assert_string_equal(who_is_in(batch), "2:2");
    answer(batch);
    answer(take(1));
    assert_null(take(1));
    assert_null(sco_batch_former_first(former));
}

static void
test_only_the_same_shapes_and_the_first_head_decides(void **state)
{
    (void)state;
    come(0, 1, 0);
    come(1, 1, 1);
    come(2, 1, 0);
    come(3, 1, 2);
    come(4, 1, 3);
    come(5, 1, 1);
    for (size_t i = 0; i < 4; i++) {
        static const char *const expected[] = { "0:1 2:1", "1:1 5:1", "3:1",
                                                "4:1" };
        struct sco_batch *batch = take(16);

        assert_string_equal(who_is_in(batch), expected[i]);
        answer(batch);
    }
}

static void
test_the_callers_order_within_a_group(void **state)
{
    struct sco_batch *batch;

    (void)state;
    assert_int_equal(try_come(0, 1, 0, 500), SCO_OK);
    assert_int_equal(try_come(1, 1, 0, 100), SCO_OK);
    assert_int_equal(try_come(2, 1, 1, 200), SCO_OK);
    assert_int_equal(try_come(3, 1, 0, 300), SCO_OK);
    batch = take(2);
    assert_string_equal(who_is_in(batch), "1:1 3:1");
    answer(batch);
    batch = take(16);
    assert_string_equal(who_is_in(batch), "2:1");
    answer(batch);
}

static void
test_more_rows_than_a_batch_has(void **state)
{
    struct sco_batch *first, *second, *third;

    (void)state;
    come(0, 3, 0);
    come(1, 40, 0);
    come(2, 5, 0);
    first = take(16);
    assert_string_equal(who_is_in(first), "0:3");
    second = take(16);
    assert_string_equal(who_is_in(second), "1:16");
    third = take(16);
    assert_string_equal(who_is_in(third), "1:16");
    assert_null(take(16)); /* no slot is free */
    answer(third);         /* in any order */
    answer(first);
    first = take(16);
    assert_string_equal(who_is_in(first), "1:8 2:5");
    assert_int_equal(first->parts[0].piece->from, 32);
    assert_true(callers[1].is_in);
    answer(first);
    assert_true(callers[1].is_in);
    answer(second);
    assert_false(callers[1].is_in);
    assert_null(callers[1].entry.group);
}

static void
test_an_open_batch_grows_until_it_is_taken(void **state)
{
    struct sco_batch_group *group;
    struct sco_batch *open;

    (void)state;
    come(0, 4, 0);
    group = sco_batch_former_first(former);
    open = sco_batch_former_fill(group);
    assert_string_equal(who_is_in(open), "0:4");
    assert_int_equal(open->state, SCO_BATCH_FILLING);
    assert_int_equal(sco_batch_former_rows(former), 4);
    come(1, 4, 0);
    come(2, 4, 0);
    assert_ptr_equal(sco_batch_former_fill(group), open);
    assert_string_equal(who_is_in(open), "0:4 1:4 2:4");
    come(3, 4, 0);
    come(4, 4, 0);
    assert_ptr_equal(sco_batch_former_first(former), group);
    assert_ptr_equal(take(16), open);
    assert_string_equal(who_is_in(open), "0:4 1:4 2:4 3:4");
    assert_int_equal(open->state, SCO_BATCH_BUSY);
    assert_int_equal(sco_batch_former_rows(former), 4);
    assert_ptr_not_equal(sco_batch_former_fill(group), open);
    answer(open);
    answer(take(16));
    assert_null(sco_batch_former_fill(group));
}

static void
test_whoever_leaves_leaves_from_anywhere(void **state)
{
    struct sco_batch *batch;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        come(i, 2, 0);
    }
    sco_batch_former_leave(&callers[1].entry); /* it waits */
    sco_batch_former_leave(&callers[1].entry);
    batch = sco_batch_former_fill(sco_batch_former_first(former));
    sco_batch_former_leave(&callers[2].entry); /* it is in an open batch */
    assert_int_equal(moves, 1);
    assert_string_equal(who_is_in(batch), "0:2 3:2 4:2");
    sco_batch_former_leave(&callers[4].entry); /* ... at its end */
    assert_int_equal(moves, 1);
    assert_ptr_equal(take(16), batch);
    sco_batch_former_leave(&callers[0].entry); /* it is being worked on */
    assert_string_equal(who_is_in(batch), "-1:2 3:2");
    assert_int_equal(batch->rows, 4);
    answer(batch);
    assert_int_equal(sco_batch_former_rows(former), 0);
    come(0, 1, 0);
    batch = sco_batch_former_fill(sco_batch_former_first(former));
    sco_batch_former_leave(&callers[0].entry); /* the last in it */
    assert_int_equal(batch->state, SCO_BATCH_FREE);
}

static void
test_what_is_given_back_is_where_it_was(void **state)
{
    struct sco_batch *batch;

    (void)state;
    come(0, 8, 0);
    come(1, 30, 0);
    come(2, 1, 0);
    batch = take(16);
    come(3, 1, 0);
    sco_batch_former_give_back(batch);
    assert_int_equal(sco_batch_former_rows(former), 40);
    batch = take(16);
    assert_string_equal(who_is_in(batch), "0:8");
    (void)take(16);
    sco_batch_former_leave(&callers[1].entry);
    sco_batch_former_give_back(batch);
    batch = sco_batch_former_fill(sco_batch_former_first(former));
    assert_string_equal(who_is_in(batch), "0:8 2:1 3:1");
    sco_batch_former_give_back(batch);
    assert_int_equal(sco_batch_former_rows(former), 10);
    answer(take(16));
}

/* What a failed batch leaves undone waits again, and the fit hears nothing. */
static void
test_a_batch_that_failed(void **state)
{
    struct sco_batch_group *group;
    struct sco_batch *batch;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        come(i, 1, 0);
    }
    group = sco_batch_former_first(former);
    batch = take(16);
    assert_true(sco_batch_former_done(batch, 0));
    sco_batch_former_leave(&callers[1].entry);
    sco_batch_former_finish(batch, SCO_BATCH_FAILED, now_ns);
    assert_int_equal(group->fit.count, 0);
    batch = take(16);
    assert_string_equal(who_is_in(batch), "2:1");
    answer(batch);
    assert_int_equal(group->fit.count, 1);
}

/* ---- with the policy ------------------------------------------------ */

static void
test_one_group_waits_while_another_goes(void **state)
{
    struct sco_batch_former_setup setup = usual_setup();
    struct sco_batch_group *group = NULL;
    struct sco_batch_decision decision;

    sco_batch_former_destroy(former);
    setup.policy.max_queue_delay_ns = 1000;
    assert_int_equal(sco_batch_former_create(&setup, &former, NULL), SCO_OK);
    (void)state;
    come(0, 4, 0); /* at 1001 */
    come(1, 4, 1);
    decision = sco_batch_former_choose(former, 1, 1500, &group);
    assert_int_equal(decision.rows, 0);
    assert_int_equal(decision.wait_until_ns, 2001);
    assert_null(group);
    come(2, 12, 1);
    decision = sco_batch_former_choose(former, 1, 1500, &group);
    assert_int_equal(decision.reason, SCO_BATCH_FULL);
    assert_ptr_equal(group, callers[1].entry.group);
    decision = sco_batch_former_choose(former, 1, 2001, &group);
    assert_int_equal(decision.reason, SCO_BATCH_DELAY);
    assert_ptr_equal(group, callers[0].entry.group);
    decision = sco_batch_former_choose(former, 0, 2001, &group);
    assert_true(decision.wait_until_ns == SCO_BATCH_NO_TIME);
}

static void
test_without_a_slot_nothing_goes(void **state)
{
    struct sco_batch_group *group;
    struct sco_batch *batch = NULL;

    (void)state;
    for (size_t i = 0; i < SLOTS + 1; i++) {
        come(i, ROWS_MOST, 0);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        assert_int_equal(
            sco_batch_former_choose(former, 9, now_ns, &group).rows,
            ROWS_MOST);
        batch = take(ROWS_MOST);
    }
    assert_int_equal(sco_batch_former_choose(former, 9, now_ns, &group).rows,
                     0);
    answer(batch);
    assert_int_equal(sco_batch_former_choose(former, 9, now_ns, &group).rows,
                     ROWS_MOST);
}

/* ---- refusals and memory -------------------------------------------- */

static void
test_what_makes_no_sense_is_refused(void **state)
{
    static const struct sco_batch_former_setup setups[] = {
        { .policy = { .max_batch_size = 0 }, .slots = 1 },
        { .policy = { .max_batch_size = 4 }, .slots = 0 },
        { .policy = { 4, { 5 }, 1, 0, 0 }, .slots = 1 },
        { .policy = { 4, { 2, 2 }, 2, 0, 0 }, .slots = 1 },
        { .policy = { 4, { 0 }, 1, 0, 0 }, .slots = 1 },
        { .policy = { 99, { 1 }, 17, 0, 0 }, .slots = 1 },
    };
    struct sco_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        struct sco_batch_former *none = NULL;

        assert_int_equal(sco_batch_former_create(&setups[i], &none, &err),
                         SCO_INVALID);
        assert_non_null(strstr(err.text, "from 1 to max_batch_size"));
        assert_null(none);
    }
    assert_int_equal(try_come(0, 0, 0, 0), SCO_INVALID);
    assert_null(callers[0].entry.group);
}

static void
test_memory_runs_out(void **state)
{
    struct sco_batch_former_setup setup = usual_setup();
    struct sco_batch_former *none = NULL;

    (void)state;
    memory_fail_at(0);
    assert_int_equal(sco_batch_former_create(&setup, &none, NULL), SCO_NOMEM);
    for (size_t i = 0; i < 2; i++) {
        memory_fail_at(i);
        assert_int_equal(try_come(0, 40, 0, 0), SCO_NOMEM);
        assert_null(callers[0].entry.group);
        assert_int_equal(sco_batch_former_rows(former), 0);
    }
    come(0, 1, 0);
    memory_fail_at(0); /* for the parts of a batch */
    assert_null(take(16));
    assert_int_equal(sco_batch_former_rows(former), 1);
    answer(take(16));
}

/* A client may make up shapes without end. */
static void
test_groups_are_forgotten_but_not_at_once(void **state)
{
    struct sco_batch_group *group;

    (void)state;
    come(0, 1, 0);
    group = sco_batch_former_first(former);
    answer(take(16));
    for (uint64_t i = 0; i < 1000; i++) {
        callers[1].entry = (struct sco_batch_entry){ .rows = 1 };
        assert_int_equal(sco_batch_former_add(
                             former, &callers[1].entry, i,
                             (struct sco_slice){ (const char *)&i, sizeof(i) },
                             1, NULL),
                         SCO_OK);
        sco_batch_former_leave(&callers[1].entry);
        if (i == RESTING_MOST / 2) {
            come(0, 1, 0);
            assert_ptr_equal(sco_batch_former_first(former), group);
            assert_int_equal(group->fit.count, 1);
            sco_batch_former_leave(&callers[0].entry);
        }
        assert_true(former->resting_count <= RESTING_MOST);
    }
    assert_true(sco_list_empty(&former->at_work));
}

/* ---- anything ------------------------------------------------------- */

/* Whoever comes before another of its group is before it in the batches, and
 * no head of another group was earlier than the head of this one. */
static void
check_order(const struct sco_batch *batch)
{
    uint64_t last = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct caller *caller = caller_of(&batch->parts[i]);

        assert_true(caller->turn >= last);
        last = caller->turn;
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct caller *other = &callers[i];

        if (other->is_in && other->entry.unstarted_count > 0) {
            assert_true(other->shape == caller_of(&batch->parts[0])->shape
                            ? other->turn >= last
                            : other->turn > caller_of(batch->parts)->turn);
        }
    }
}

/* An open batch is as it is: who is given back while it is open comes behind
 * those that are in it. */
static void
take_in_order(uint64_t rows)
{
    const struct sco_batch_group *group = sco_batch_former_first(former);
    bool was_open = group != NULL && group->filling != NULL;
    const struct sco_batch *batch = take(rows);

    if (batch != NULL && !was_open) {
        check_order(batch);
    }
}

static struct sco_batch *
any_batch(enum sco_batch_state of)
{
    size_t first = roll(SLOTS);

    for (size_t i = 0; i < SLOTS; i++) {
        struct sco_batch *batch = &former->batches[(first + i) % SLOTS];

        if (batch->state == of) {
            return batch;
        }
    }
    return NULL;
}

/* A failed batch: some are answered, some fail, the rest is tried again. */
static void
fail_batch(struct sco_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct sco_batch_piece *piece = batch->parts[i].piece;

        if (piece != NULL && roll(3) == 0) {
            ((struct caller *)piece->entry)->is_in = false;
            sco_batch_former_leave(piece->entry);
        }
    }
    sco_batch_former_finish(batch, SCO_BATCH_FAILED, ++now_ns);
}

static void
some_step(void)
{
    struct caller *caller = &callers[roll(ENTRIES)];
    struct sco_batch *batch;

    switch (roll(8)) {
    case 0:
    case 1:
    case 2:
        if (!caller->is_in) {
            come((size_t)(caller - callers),
                 roll(20) == 0 ? 1 + roll(64) : 1 + roll(6), roll(4));
        }
        return;
    case 3:
        if (roll(4) == 0) {
            sco_batch_former_leave(&caller->entry);
            caller->is_in = false;
        }
        return;
    case 4:
        take_in_order(1 + roll(20));
        return;
    case 5:
        if (sco_batch_former_first(former) != NULL && roll(4) == 0) {
            (void)sco_batch_former_fill(sco_batch_former_first(former));
        }
        return;
    case 6:
        batch = any_batch(roll(2) == 0 ? SCO_BATCH_BUSY : SCO_BATCH_FILLING);
        if (batch != NULL && roll(4) == 0) {
            sco_batch_former_give_back(batch);
        }
        return;
    default:
        batch = any_batch(SCO_BATCH_BUSY);
        if (batch != NULL && roll(8) == 0) {
            fail_batch(batch);
        } else if (batch != NULL) {
            answer(batch);
        }
        return;
    }
}

/* The rows that are in no BUSY batch and not answered, counted anew. */
static uint64_t
waiting_rows(void)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < ENTRIES; i++) {
        const struct sco_batch_entry *entry = &callers[i].entry;

        assert_int_equal(entry->group != NULL, callers[i].is_in);
        for (size_t k = 0; callers[i].is_in && k < entry->piece_count; k++) {
            const struct sco_batch_piece *piece = &entry->pieces[k];

            rows +=
                !piece->is_done && (piece->batch == NULL ||
                                    piece->batch->state == SCO_BATCH_FILLING)
                    ? piece->rows
                    : 0;
        }
    }
    return rows;
}

static void
test_no_row_is_lost_and_none_is_answered_twice(void **state)
{
    struct sco_batch *batch;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        some_step();
        for (size_t i = 0; i < SLOTS; i++) {
            if (former->batches[i].state != SCO_BATCH_FREE) {
                check_batch(&former->batches[i]);
            }
        }
        if (step % 64 == 0) {
            assert_int_equal(sco_batch_former_rows(former), waiting_rows());
        }
    }
    /* In the end all are answered, in bounded time. */
    for (int i = 0; i < 2000; i++) {
        batch = any_batch(SCO_BATCH_BUSY);
        if (batch != NULL) {
            answer(batch);
        } else {
            (void)take(ROWS_MOST);
        }
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        assert_false(callers[i].is_in);
    }
    assert_true(sco_list_empty(&former->at_work));
}

#define FORMER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FORMER(test_rows_count_and_not_requests),
        FORMER(test_only_the_same_shapes_and_the_first_head_decides),
        FORMER(test_the_callers_order_within_a_group),
        FORMER(test_more_rows_than_a_batch_has),
        FORMER(test_an_open_batch_grows_until_it_is_taken),
        FORMER(test_whoever_leaves_leaves_from_anywhere),
        FORMER(test_what_is_given_back_is_where_it_was),
        FORMER(test_a_batch_that_failed),
        FORMER(test_one_group_waits_while_another_goes),
        FORMER(test_without_a_slot_nothing_goes),
        FORMER(test_what_makes_no_sense_is_refused),
        FORMER(test_memory_runs_out),
        FORMER(test_groups_are_forgotten_but_not_at_once),
        FORMER(test_no_row_is_lost_and_none_is_answered_twice),
    };

    return cmocka_run_group_tests_name("former", tests, NULL, NULL);
}
