#include "base/ranks.h"

static size_t
count_of(const struct sco_rank *rank)
{
    return rank == NULL ? 0 : rank->count;
}

/* A number for each member that looks like chance (the mixing steps of
 * MurmurHash3), and differs from run to run with the set's address. */
static uint64_t
weight_of(const struct sco_rank *rank)
{
    uint64_t mixed = rank->number ^ (uint64_t)(uintptr_t)rank->set;

    mixed ^= mixed >> 33;
    mixed *= UINT64_C(0xff51afd7ed558ccd);
    mixed ^= mixed >> 33;
    mixed *= UINT64_C(0xc4ceb9fe1a85ec53);
    return mixed ^ mixed >> 33;
}

static bool
is_before(const struct sco_rank *a, const struct sco_rank *b)
{
    return a->at_ns < b->at_ns ||
           (a->at_ns == b->at_ns && a->number < b->number);
}

/* Hangs `below`, which may be NULL, where `rank` hangs. */
static void
replace(struct sco_rank *rank, struct sco_rank *below)
{
    struct sco_rank *parent = rank->parent;

    if (parent == NULL) {
        rank->set->root = below;
    } else if (parent->before == rank) {
        parent->before = below;
    } else {
        parent->after = below;
    }
    if (below != NULL) {
        below->parent = parent;
    }
}

/* Makes `rank` its parent's parent; the order stays as it is. */
static void
rotate_up(struct sco_rank *rank)
{
    struct sco_rank *parent = rank->parent;
    struct sco_rank *moved;

    replace(parent, rank);
    if (parent->before == rank) {
        moved = rank->after;
        parent->before = moved;
        rank->after = parent;
    } else {
        moved = rank->before;
        parent->after = moved;
        rank->before = parent;
    }
    if (moved != NULL) {
        moved->parent = parent;
    }
    parent->parent = rank;
    rank->count = parent->count;
    parent->count = count_of(parent->before) + 1 + count_of(parent->after);
}

void
sco_ranks_add(struct sco_ranks *ranks, struct sco_rank *rank, uint64_t at_ns)
{
    struct sco_rank **place = &ranks->root;

    rank->set = ranks;
    rank->at_ns = at_ns;
    rank->number = rank->number != 0 ? rank->number : ++ranks->last_number;
    rank->count = 1;
    rank->parent = rank->before = rank->after = NULL;
    while (*place != NULL) {
        rank->parent = *place;
        rank->parent->count++;
        place = is_before(rank, rank->parent) ? &rank->parent->before
                                              : &rank->parent->after;
    }
    *place = rank;
    while (rank->parent != NULL && weight_of(rank->parent) > weight_of(rank)) {
        rotate_up(rank);
    }
}

void
sco_ranks_remove(struct sco_rank *rank)
{
    if (rank->set == NULL) {
        return;
    }
    while (rank->before != NULL && rank->after != NULL) {
        rotate_up(weight_of(rank->before) < weight_of(rank->after)
                      ? rank->before
                      : rank->after);
    }
    replace(rank, rank->before != NULL ? rank->before : rank->after);
    for (struct sco_rank *above = rank->parent; above != NULL;
         above = above->parent) {
        above->count--;
    }
    rank->set = NULL;
}

struct sco_rank *
sco_ranks_first(const struct sco_ranks *ranks)
{
    struct sco_rank *first = ranks->root;

    while (first != NULL && first->before != NULL) {
        first = first->before;
    }
    return first;
}

size_t
sco_ranks_count(const struct sco_ranks *ranks)
{
    return count_of(ranks->root);
}

size_t
sco_ranks_before(const struct sco_ranks *ranks, uint64_t at_ns)
{
    const struct sco_rank *at = ranks->root;
    size_t count = 0;

    while (at != NULL) {
        if (at->at_ns <= at_ns) {
            count += count_of(at->before) + 1;
            at = at->after;
        } else {
            at = at->before;
        }
    }
    return count;
}
