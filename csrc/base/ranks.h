/* ranks.h - things in order, by a moment each
 *
 * A set whose nodes live in its members: adding, removing and telling how
 * many come before a moment take O(log n) steps, and none of them takes
 * memory, so none can fail. Those of the same moment keep the order in which
 * they first came, also when one is removed and added again.
 *
 * It is a treap: a search tree by moment that is a heap by weight, where a
 * weight is a number which nobody outside can guess.
 *
 * Thread: that of the set's owner.
 */
#ifndef SCO_BASE_RANKS_H
#define SCO_BASE_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_ranks;

/* A member's place. Zero before first use. */
struct sco_rank {
    struct sco_rank *parent, *before, *after;
    struct sco_ranks *set; /* that it is in, or NULL */
    uint64_t at_ns;
    uint64_t number; /* of its coming, from 1 */
    size_t count;    /* of the tree below it, itself included */
};

/* A set; zeroed it is empty. It must not move while it has members. */
struct sco_ranks {
    struct sco_rank *root;
    uint64_t last_number;
};

/* Adds one that is in no set. One that was in this set before keeps its turn
 * among those of its moment; one that goes to another set must be zeroed. */
void sco_ranks_add(struct sco_ranks *ranks, struct sco_rank *rank,
                   uint64_t at_ns);

/* Takes one out of the set it is in; one that is in none is allowed. */
void sco_ranks_remove(struct sco_rank *rank);

/* The first one, or NULL. */
struct sco_rank *sco_ranks_first(const struct sco_ranks *ranks);

/* How many there are. */
size_t sco_ranks_count(const struct sco_ranks *ranks);

/* How many would be before one that came now with this moment. */
size_t sco_ranks_before(const struct sco_ranks *ranks, uint64_t at_ns);

#endif
