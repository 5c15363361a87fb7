/* former.h - which waiting rows make a batch together
 *
 * Requests whose inputs have the same data types and row shapes are a group,
 * and a batch has rows of one group. What counts is rows, not requests.
 *
 * A request that fits into one batch is never cut. One with more rows than
 * the maximum is answered whole all the same: it is cut into pieces of the
 * maximum, and a rest that may have company; sco_batch_former_done() says
 * when the last of them is there. Inside a group the order is the caller's
 * (`urgent_ns`), and nobody is taken out of turn because he is smaller.
 *
 * Between groups the head with the earliest moment decides. While its group
 * waits for company another may go, but it goes as soon as the policy lets
 * it. So nobody is overtaken but by earlier moments: where the caller's
 * moments lie within some time of the coming (queue/queue.h), none starves.
 *
 * Design notes
 *
 * A batch is FREE -> FILLING -> BUSY -> FREE, or is given back from the two
 * in between. There are `slots` of them, two or three for each worker, each
 * of which stands for one buffer. Who copies rows in place while all workers
 * are busy opens one with sco_batch_former_fill(): it grows, at its end, with
 * every further call until it is taken. Who copies later just takes.
 *
 * Entry -> pieces -> a part of a batch. A piece waits, or is in a batch, or
 * is answered; it goes back to where it was if its batch is given back. An
 * entry may leave at any time: what waits is gone, in a FILLING batch the
 * rows behind move up (`on_move`), in a BUSY batch the part stays without an
 * entry, since its rows are being worked on, and its answer is dropped.
 *
 * Thread: that of the owner of the former.
 */
#ifndef SCO_BATCH_FORMER_H
#define SCO_BATCH_FORMER_H

#include "base/list.h"
#include "base/ranks.h"
#include "base/slice.h"
#include "base/status.h"
#include "batch/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_batch;
struct sco_batch_entry;
struct sco_batch_former;

/* Rows of an entry that stay together. The former's own. */
struct sco_batch_piece {
    struct sco_batch_entry *entry;
    struct sco_rank place;   /* among those of the group that wait */
    struct sco_batch *batch; /* that it is in, or NULL */
    size_t part;             /* ... and which of its parts it is */
    uint64_t from;           /* its first row in the entry */
    uint64_t rows;
    bool is_done;
};

/* A request, as the former sees it: a member of the caller's struct, which
 * stays where it is until the entry is done or has left. Zero before use; all
 * of it is the former's but what sco_batch_former_add() is given. */
struct sco_batch_entry {
    uint64_t rows;        /* given: at least 1 */
    uint64_t urgent_ns;   /* given: the order, earliest first */
    uint64_t deadline_ns; /* given; 0: none. Only that of the first in order
                             is looked at: the order should go by it */

    struct sco_batch_group *group; /* NULL: it is in no former */
    struct sco_list by_age;        /* in the group, while a piece waits */
    struct sco_batch_piece *pieces;
    struct sco_batch_piece only; /* of an entry that is not cut */
    size_t piece_count;
    size_t done_count;
    size_t unstarted_count; /* pieces in no BUSY batch, and not done */
    uint64_t came_ns;
};

/* Rows of one batch that belong to one entry. */
struct sco_batch_part {
    struct sco_batch_piece *piece; /* NULL: its entry has left */
    uint64_t at;                   /* its first row in the batch */
    uint64_t rows;
};

enum sco_batch_state {
    SCO_BATCH_FREE,
    SCO_BATCH_FILLING,
    SCO_BATCH_BUSY,
};

/* A batch; to be read only. */
struct sco_batch {
    struct sco_batch_group *group;
    struct sco_batch_part *parts; /* in the order of their rows */
    size_t count;
    size_t room; /* for parts */
    uint64_t rows;
    uint64_t begun_ns; /* when it became BUSY */
    size_t slot;       /* from 0: which buffer is its */
    enum sco_batch_state state;
};

/* Requests that can be in one batch. */
struct sco_batch_group {
    struct sco_batch_former *former;
    struct sco_list link;    /* among those at work, or those at rest */
    struct sco_list hashed;  /* among those of like keys */
    struct sco_list by_age;  /* of sco_batch_entry, the oldest first */
    struct sco_ranks pieces; /* that are in no batch */
    struct sco_batch *filling;
    struct sco_batch_fit fit;
    struct sco_batch_waves waves;
    uint64_t key;
    struct sco_slice shape; /* its bytes stand behind the struct */
    uint64_t rows;          /* that wait, those of `filling` among them */
    size_t entries;         /* in all */
    size_t batches;         /* that are not FREE */
};

/* How a batch ended. */
enum sco_batch_end {
    SCO_BATCH_ANSWERED,
    SCO_BATCH_FAILED, /* its time says nothing */
};

struct sco_batch_former_setup {
    struct sco_batch_setup policy;
    size_t slots; /* at least 1 */

    /* `rows` rows of a FILLING batch move up, from row `from` to row `to`,
     * because an entry left; may be NULL. */
    void (*on_move)(void *arg, struct sco_batch *batch, uint64_t from,
                    uint64_t to, uint64_t rows);
    void *arg;
};

/* Makes a former.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_NOMEM; SCO_INVALID when max_batch_size or slots is 0, or the
 *            preferred sizes are not ascending, or over the maximum. */
SCO_NODISCARD
enum sco_status
sco_batch_former_create(const struct sco_batch_former_setup *setup,
                        struct sco_batch_former **out, struct sco_error *err);

/* Frees a former in which no entry is. NULL is allowed. */
void sco_batch_former_destroy(struct sco_batch_former *former);

/* Lets an entry wait. `shape` are bytes that tell all about the data types
 * and row shapes of its inputs, and `key` is any hash of them: the same bytes
 * are the same group. A request without rows has nobody to be with; it is the
 * caller's to run alone.
 *
 * Ownership: the entry is borrowed until it is done or has left; the bytes
 *            are copied.
 * Errors:    SCO_NOMEM, SCO_INVALID without rows. */
SCO_NODISCARD
enum sco_status sco_batch_former_add(struct sco_batch_former *former,
                                     struct sco_batch_entry *entry,
                                     uint64_t key, struct sco_slice shape,
                                     uint64_t now_ns, struct sco_error *err);

/* Takes an entry out, wherever it is; one that is in no former is allowed. */
void sco_batch_former_leave(struct sco_batch_entry *entry);

/* Asks the policy for each group in turn, and says what is to be done for the
 * first that may go: *out is then its group. If none may, the decision has no
 * rows and the earliest time to wait for, and *out is untouched. `idle` are
 * the workers with nothing to do; without a FREE slot it waits for one. */
struct sco_batch_decision
sco_batch_former_choose(const struct sco_batch_former *former, size_t idle,
                        uint64_t now_ns, struct sco_batch_group **out);

/* The most urgent rows of a group as a batch that is BUSY: at most `rows`,
 * but a whole first piece. If the group has a FILLING batch it is that one,
 * with all that it has, grown to `rows`. NULL: nothing waits, or no slot is
 * FREE. */
struct sco_batch *sco_batch_former_take(struct sco_batch_group *group,
                                        uint64_t rows, uint64_t now_ns);

/* Lets a group's FILLING batch grow by what waits, up to the maximum, after
 * it has opened one if it must. NULL: nothing waits, or no slot is FREE. */
struct sco_batch *sco_batch_former_fill(struct sco_batch_group *group);

/* The group whose turn it is, or NULL: nothing waits. */
struct sco_batch_group *
sco_batch_former_first(const struct sco_batch_former *former);

/* Work on a BUSY batch begins only now: it had waited for another. */
void sco_batch_former_begin(struct sco_batch *batch, uint64_t now_ns);

/* A FILLING or BUSY batch is not to be worked on after all: what is still
 * wanted waits again, in its old place, and the slot is FREE. */
void sco_batch_former_give_back(struct sco_batch *batch);

/* The rows of a part of a BUSY batch are answered. True: so are all rows of
 * its entry, which is in the former no more. False also for a part whose
 * entry has left. */
bool sco_batch_former_done(struct sco_batch *batch, size_t part);

/* The answers of a BUSY batch have gone out: the slot is FREE, and the group
 * has learnt from it. Parts that are not done by then wait again. */
void sco_batch_former_finish(struct sco_batch *batch, enum sco_batch_end end,
                             uint64_t now_ns);

/* How many rows wait in all groups. */
uint64_t sco_batch_former_rows(const struct sco_batch_former *former);

#endif
