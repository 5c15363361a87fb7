/* test_ranks.c - the set against an array that is searched from end to end */
#include "base/ranks.h"

#include "support/test.h"

#include <string.h>

enum { MEMBERS = 300, MOMENTS = 40, STEPS = 60000 };

static struct sco_ranks ranks;
static struct sco_rank members[MEMBERS];
static uint64_t dice_state;

static int
empty(void **state)
{
    (void)state;
    memset(members, 0, sizeof(members));
    ranks = (struct sco_ranks){ .root = NULL };
    dice_state = 20261127;
    return 0;
}

static unsigned
roll(unsigned sides)
{
    dice_state =
        dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695);
    return (unsigned)(dice_state >> 33) % sides;
}

/* ---- what the set should say ---------------------------------------- */

static bool
is_in(const struct sco_rank *rank)
{
    return rank->set != NULL;
}

static struct sco_rank *
expected_first(void)
{
    struct sco_rank *first = NULL;

    for (size_t i = 0; i < MEMBERS; i++) {
        struct sco_rank *rank = &members[i];

        if (is_in(rank) &&
            (first == NULL || rank->at_ns < first->at_ns ||
             (rank->at_ns == first->at_ns && rank->number < first->number))) {
            first = rank;
        }
    }
    return first;
}

static size_t
expected_before(uint64_t at_ns)
{
    size_t count = 0;

    for (size_t i = 0; i < MEMBERS; i++) {
        count += is_in(&members[i]) && members[i].at_ns <= at_ns;
    }
    return count;
}

/* ---- tests ---------------------------------------------------------- */

static void
test_in_order_of_moment_then_of_coming(void **state)
{
    static const uint64_t moments[] = { 5, 1, 5, 3, 1 };
    static const size_t order[] = { 1, 4, 3, 0, 2 };

    (void)state;
    assert_null(sco_ranks_first(&ranks));
    for (size_t i = 0; i < 5; i++) {
        sco_ranks_add(&ranks, &members[i], moments[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(sco_ranks_count(&ranks), 5 - i);
        assert_ptr_equal(sco_ranks_first(&ranks), &members[order[i]]);
        sco_ranks_remove(&members[order[i]]);
    }
    assert_null(sco_ranks_first(&ranks));
    sco_ranks_remove(&members[0]); /* it is in none */
}

static void
test_one_that_comes_back_keeps_its_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sco_ranks_add(&ranks, &members[i], 7);
    }
    sco_ranks_remove(&members[0]);
    sco_ranks_remove(&members[1]);
    sco_ranks_add(&ranks, &members[1], 7);
    assert_ptr_equal(sco_ranks_first(&ranks), &members[1]);
    sco_ranks_add(&ranks, &members[0], 7);
    assert_ptr_equal(sco_ranks_first(&ranks), &members[0]);
}

static void
test_any_coming_and_going(void **state)
{
    size_t count = 0;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        struct sco_rank *rank = &members[roll(MEMBERS)];
        uint64_t asked_ns = roll(MOMENTS);

        if (!is_in(rank)) {
            sco_ranks_add(&ranks, rank, roll(MOMENTS));
            count++;
        } else if (roll(3) == 0) {
            sco_ranks_remove(rank);
            count--;
        } else if (roll(3) == 0) {
            assert_ptr_equal(sco_ranks_first(&ranks), expected_first());
            sco_ranks_remove(sco_ranks_first(&ranks));
            count--;
        }
        assert_int_equal(sco_ranks_count(&ranks), count);
        assert_int_equal(sco_ranks_before(&ranks, asked_ns),
                         expected_before(asked_ns));
    }
}

/* The longest way from the root. */
static size_t
depth(void)
{
    size_t longest = 0;

    for (size_t i = 0; i < MEMBERS; i++) {
        size_t steps = 0;

        for (const struct sco_rank *at = &members[i]; at != NULL;
             at = at->parent) {
            steps++;
        }
        longest = steps > longest ? steps : longest;
    }
    return longest;
}

/* By chance the way is longer than this about never. */
static void
test_it_stays_shallow_though_all_come_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        sco_ranks_add(&ranks, &members[i], i);
    }
    assert_true(depth() < 50);
    for (size_t i = 0; i < MEMBERS; i++) {
        assert_ptr_equal(sco_ranks_first(&ranks), &members[i]);
        sco_ranks_remove(&members[i]);
    }
}

#define EMPTY(test) cmocka_unit_test_setup(test, empty)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY(test_in_order_of_moment_then_of_coming),
        EMPTY(test_one_that_comes_back_keeps_its_turn),
        EMPTY(test_any_coming_and_going),
        EMPTY(test_it_stays_shallow_though_all_come_in_order),
    };

    return cmocka_run_group_tests_name("ranks", tests, NULL, NULL);
}
