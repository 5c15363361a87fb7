#include "batch/former.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS = 64,
    PARTS_LEAST = 16,

    /* So many groups in which nothing is are kept for what they have learnt;
     * a client can make up shapes without end. */
    RESTING_MOST = 16,
};

struct sco_batch_former {
    struct sco_batch_former_setup setup;
    struct sco_list at_work; /* groups with an entry or a batch */
    struct sco_list resting; /* groups with neither, the latest last */
    size_t resting_count;
    struct sco_list buckets[BUCKETS];
    uint64_t rows; /* that wait */
    struct sco_batch batches[];
};

/* ---- making and ending ---------------------------------------------- */

static bool
is_sound(const struct sco_batch_former_setup *setup)
{
    const struct sco_batch_setup *policy = &setup->policy;
    uint64_t last = 0;

    if (policy->max_batch_size == 0 || setup->slots == 0 ||
        policy->preferred_count > SCO_BATCH_PREFERRED_MOST) {
        return false;
    }
    for (size_t i = 0; i < policy->preferred_count; i++) {
        if (policy->preferred_batch_sizes[i] <= last ||
            policy->preferred_batch_sizes[i] > policy->max_batch_size) {
            return false;
        }
        last = policy->preferred_batch_sizes[i];
    }
    return true;
}

enum sco_status
sco_batch_former_create(const struct sco_batch_former_setup *setup,
                        struct sco_batch_former **out, struct sco_error *err)
{
    struct sco_batch_former *former;

    if (!is_sound(setup)) {
        return sco_fail(err, SCO_INVALID,
                        "a batch has at least one row, and "
                        "preferred_batch_sizes are at most %d numbers, "
                        "ascending, from 1 to max_batch_size",
                        (int)SCO_BATCH_PREFERRED_MOST);
    }
    former =
        calloc(1, sizeof(*former) + setup->slots * sizeof(former->batches[0]));
    if (former == NULL) {
        return sco_fail(err, SCO_NOMEM, "no memory to form batches in");
    }
    former->setup = *setup;
    sco_list_init(&former->at_work);
    sco_list_init(&former->resting);
    for (size_t i = 0; i < BUCKETS; i++) {
        sco_list_init(&former->buckets[i]);
    }
    for (size_t i = 0; i < setup->slots; i++) {
        former->batches[i].slot = i;
    }
    *out = former;
    return SCO_OK;
}

static void
forget_group(struct sco_batch_group *group)
{
    sco_list_remove(&group->link);
    sco_list_remove(&group->hashed);
    free(group);
}

static struct sco_batch_group *
group_at(struct sco_list *link)
{
    return SCO_LIST_ENTRY(link, struct sco_batch_group, link);
}

static void
free_groups(struct sco_list *head)
{
    struct sco_list *next;

    for (struct sco_list *at = head->next; at != head; at = next) {
        next = at->next;
        free(group_at(at));
    }
}

void
sco_batch_former_destroy(struct sco_batch_former *former)
{
    if (former == NULL) {
        return;
    }
    free_groups(&former->at_work);
    free_groups(&former->resting);
    for (size_t i = 0; i < former->setup.slots; i++) {
        free(former->batches[i].parts);
    }
    free(former);
}

/* ---- groups --------------------------------------------------------- */

static struct sco_batch_group *
find_group(struct sco_batch_former *former, uint64_t key,
           struct sco_slice shape)
{
    struct sco_list *bucket = &former->buckets[key % BUCKETS];

    for (struct sco_list *at = bucket->next; at != bucket; at = at->next) {
        struct sco_batch_group *group =
            SCO_LIST_ENTRY(at, struct sco_batch_group, hashed);

        if (group->key == key && sco_slice_equal(group->shape, shape)) {
            return group;
        }
    }
    return NULL;
}

static struct sco_batch_group *
make_group(struct sco_batch_former *former, uint64_t key,
           struct sco_slice shape)
{
    struct sco_batch_group *group = calloc(1, sizeof(*group) + shape.len);
    char *bytes;

    if (group == NULL) {
        return NULL;
    }
    bytes = (char *)(group + 1);
    if (shape.len > 0) {
        memcpy(bytes, shape.data, shape.len);
    }
    group->former = former;
    group->key = key;
    group->shape = (struct sco_slice){ bytes, shape.len };
    sco_list_init(&group->by_age);
    sco_list_push(&former->resting, &group->link);
    former->resting_count++;
    sco_list_push(&former->buckets[key % BUCKETS], &group->hashed);
    return group;
}

static bool
is_at_rest(const struct sco_batch_group *group)
{
    return group->entries == 0 && group->batches == 0;
}

static void
wake_group(struct sco_batch_group *group)
{
    if (is_at_rest(group)) {
        sco_list_remove(&group->link);
        sco_list_push(&group->former->at_work, &group->link);
        group->former->resting_count--;
    }
}

/* Called after an entry or a batch of it is gone. */
static void
rest_group(struct sco_batch_group *group)
{
    struct sco_batch_former *former = group->former;

    if (!is_at_rest(group)) {
        return;
    }
    sco_list_remove(&group->link);
    sco_list_push(&former->resting, &group->link);
    if (++former->resting_count > RESTING_MOST) {
        former->resting_count--;
        forget_group(group_at(sco_list_first(&former->resting)));
    }
}

static void
count_rows(struct sco_batch_group *group, uint64_t more, uint64_t fewer)
{
    group->rows += more - fewer;
    group->former->rows += more - fewer;
}

/* ---- entries -------------------------------------------------------- */

/* Puts an entry where it belongs by its age, mostly the end. */
static void
add_by_age(struct sco_batch_entry *entry)
{
    struct sco_list *head = &entry->group->by_age;
    struct sco_list *after = head->prev;

    while (after != head &&
           SCO_LIST_ENTRY(after, struct sco_batch_entry, by_age)->came_ns >
               entry->came_ns) {
        after = after->prev;
    }
    sco_list_push_front(after, &entry->by_age);
}

static void
piece_waits(struct sco_batch_piece *piece)
{
    piece->batch = NULL;
    sco_ranks_add(&piece->entry->group->pieces, &piece->place,
                  piece->entry->urgent_ns);
}

static void
cut(struct sco_batch_entry *entry, uint64_t most)
{
    uint64_t from = 0;

    for (size_t i = 0; i < entry->piece_count; i++) {
        uint64_t left = entry->rows - from;

        entry->pieces[i] = (struct sco_batch_piece){
            .entry = entry, .from = from, .rows = left < most ? left : most
        };
        from += entry->pieces[i].rows;
        piece_waits(&entry->pieces[i]);
    }
}

enum sco_status
sco_batch_former_add(struct sco_batch_former *former,
                     struct sco_batch_entry *entry, uint64_t key,
                     struct sco_slice shape, uint64_t now_ns,
                     struct sco_error *err)
{
    uint64_t most = former->setup.policy.max_batch_size;
    struct sco_batch_group *group;
    struct sco_batch_piece *pieces = &entry->only;
    size_t count;

    if (entry->rows == 0) {
        return sco_fail(err, SCO_INVALID,
                        "a request without rows cannot "
                        "be in a batch with others");
    }
    count = (size_t)((entry->rows - 1) / most + 1);
    group = find_group(former, key, shape);
    if (count > 1) {
        pieces = calloc(count, sizeof(*pieces));
    }
    if (pieces != NULL && group == NULL) {
        group = make_group(former, key, shape);
    }
    if (pieces == NULL || group == NULL) {
        if (pieces != &entry->only) {
            free(pieces);
        }
        return sco_fail(err, SCO_NOMEM, "no memory for a request of %zu parts",
                        count);
    }
    wake_group(group);
    entry->group = group;
    entry->pieces = pieces;
    entry->piece_count = entry->unstarted_count = count;
    entry->done_count = 0;
    entry->came_ns = now_ns;
    cut(entry, most);
    add_by_age(entry);
    group->entries++;
    count_rows(group, entry->rows, 0);
    sco_batch_waves_came(&group->waves, entry->rows, now_ns);
    return SCO_OK;
}

static void
forget_entry(struct sco_batch_entry *entry)
{
    struct sco_batch_group *group = entry->group;

    sco_list_remove(&entry->by_age);
    if (entry->pieces != &entry->only) {
        free(entry->pieces);
    }
    entry->group = NULL;
    entry->pieces = NULL;
    group->entries--;
    rest_group(group);
}

/* ---- batches -------------------------------------------------------- */

/* Room for one part more. */
static bool
has_room(struct sco_batch *batch)
{
    size_t more = batch->room < PARTS_LEAST ? PARTS_LEAST : 2 * batch->room;
    struct sco_batch_part *parts;

    if (batch->count < batch->room) {
        return true;
    }
    parts = realloc(batch->parts, more * sizeof(*parts));
    if (parts == NULL) {
        return false;
    }
    batch->parts = parts;
    batch->room = more;
    return true;
}

/* Adds what waits, as long as it is whole within `rows`. Without memory for
 * more parts a batch is as large as it is. */
static void
grow(struct sco_batch *batch, uint64_t rows)
{
    struct sco_batch_group *group = batch->group;
    struct sco_rank *first;

    while ((first = sco_ranks_first(&group->pieces)) != NULL) {
        struct sco_batch_piece *piece =
            SCO_LIST_ENTRY(first, struct sco_batch_piece, place);

        if ((batch->count > 0 && batch->rows + piece->rows > rows) ||
            !has_room(batch)) {
            return;
        }
        sco_ranks_remove(&piece->place);
        piece->batch = batch;
        piece->part = batch->count;
        batch->parts[batch->count++] =
            (struct sco_batch_part){ piece, batch->rows, piece->rows };
        batch->rows += piece->rows;
    }
}

/* The place of a FREE slot, or that behind the last one: there is none. */
static size_t
free_slot(const struct sco_batch_former *former)
{
    size_t slot = 0;

    while (slot < former->setup.slots &&
           former->batches[slot].state != SCO_BATCH_FREE) {
        slot++;
    }
    return slot;
}

/* Makes a slot FREE. */
static void
release(struct sco_batch *batch)
{
    struct sco_batch_group *group = batch->group;

    if (group->filling == batch) {
        group->filling = NULL;
    }
    batch->state = SCO_BATCH_FREE;
    batch->count = 0;
    batch->rows = 0;
    batch->group = NULL;
    group->batches--;
    rest_group(group);
}

/* The group's FILLING batch, or a new one, with up to `rows` rows. */
static struct sco_batch *
gather(struct sco_batch_group *group, uint64_t rows)
{
    struct sco_batch_former *former = group->former;
    uint64_t most = former->setup.policy.max_batch_size;
    struct sco_batch *batch = group->filling;

    if (batch == NULL) {
        size_t slot = free_slot(former);

        if (group->rows == 0 || slot == former->setup.slots) {
            return NULL;
        }
        batch = &former->batches[slot];
        batch->state = SCO_BATCH_FILLING;
        batch->group = group;
        group->filling = batch;
        group->batches++;
    }
    grow(batch, rows < most ? rows : most);
    if (batch->count == 0) {
        release(batch);
        return NULL;
    }
    return batch;
}

struct sco_batch *
sco_batch_former_fill(struct sco_batch_group *group)
{
    return gather(group, group->former->setup.policy.max_batch_size);
}

struct sco_batch *
sco_batch_former_take(struct sco_batch_group *group, uint64_t rows,
                      uint64_t now_ns)
{
    struct sco_batch *batch = gather(group, rows);

    if (batch == NULL) {
        return NULL;
    }
    batch->state = SCO_BATCH_BUSY;
    batch->begun_ns = now_ns;
    group->filling = NULL;
    count_rows(group, 0, batch->rows);
    for (size_t i = 0; i < batch->count; i++) {
        struct sco_batch_entry *entry = batch->parts[i].piece->entry;

        if (--entry->unstarted_count == 0) {
            sco_list_remove(&entry->by_age);
        }
    }
    return batch;
}

void
sco_batch_former_begin(struct sco_batch *batch, uint64_t now_ns)
{
    batch->begun_ns = now_ns;
}

void
sco_batch_former_give_back(struct sco_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct sco_batch_piece *piece = batch->parts[i].piece;

        if (piece == NULL) {
            continue;
        }
        if (batch->state == SCO_BATCH_BUSY) {
            count_rows(batch->group, piece->rows, 0);
            if (piece->entry->unstarted_count++ == 0) {
                add_by_age(piece->entry);
            }
        }
        piece_waits(piece);
    }
    release(batch);
}

/* The rows behind a part that leaves a FILLING batch move up. */
static void
close_up(struct sco_batch *batch, size_t gone)
{
    const struct sco_batch_former_setup *setup = &batch->group->former->setup;
    struct sco_batch_part *parts = batch->parts;
    uint64_t at = parts[gone].at;
    uint64_t rows = parts[gone].rows;

    batch->count--;
    batch->rows -= rows;
    for (size_t i = gone; i < batch->count; i++) {
        parts[i] = parts[i + 1];
        parts[i].at -= rows;
        parts[i].piece->part = i;
    }
    if (setup->on_move != NULL && batch->rows > at) {
        setup->on_move(setup->arg, batch, at + rows, at, batch->rows - at);
    }
    if (batch->count == 0) {
        release(batch);
    }
}

static void
piece_leaves(struct sco_batch_piece *piece)
{
    struct sco_batch *batch = piece->batch;

    if (piece->is_done) {
        return;
    }
    if (batch != NULL && batch->state == SCO_BATCH_BUSY) {
        batch->parts[piece->part].piece = NULL;
        return;
    }
    count_rows(piece->entry->group, 0, piece->rows);
    if (batch != NULL) {
        close_up(batch, piece->part);
    } else {
        sco_ranks_remove(&piece->place);
    }
}

void
sco_batch_former_leave(struct sco_batch_entry *entry)
{
    if (entry->group == NULL) {
        return;
    }
    for (size_t i = 0; i < entry->piece_count; i++) {
        piece_leaves(&entry->pieces[i]);
    }
    forget_entry(entry);
}

bool
sco_batch_former_done(struct sco_batch *batch, size_t part)
{
    struct sco_batch_piece *piece = batch->parts[part].piece;
    struct sco_batch_entry *entry;

    if (piece == NULL) {
        return false;
    }
    entry = piece->entry;
    batch->parts[part].piece = NULL;
    piece->batch = NULL;
    piece->is_done = true;
    if (++entry->done_count < entry->piece_count) {
        return false;
    }
    forget_entry(entry);
    return true;
}

void
sco_batch_former_finish(struct sco_batch *batch, enum sco_batch_end end,
                        uint64_t now_ns)
{
    struct sco_batch_group *group = batch->group;

    if (end == SCO_BATCH_ANSWERED) {
        sco_batch_fit_add(&group->fit, batch->rows, now_ns - batch->begun_ns);
    }
    sco_batch_waves_answered(&group->waves, batch->rows, now_ns);
    sco_batch_former_give_back(batch);
}

/* ---- whose turn it is ----------------------------------------------- */

/* What waits in a group, and its most urgent entry. */
static const struct sco_batch_entry *
look(const struct sco_batch_group *group, struct sco_batch_view *view)
{
    const struct sco_rank *rank = sco_ranks_first(&group->pieces);
    const struct sco_batch *filling = group->filling;
    const struct sco_batch_entry *first = NULL;

    if (rank != NULL) {
        first = SCO_LIST_ENTRY(rank, struct sco_batch_piece, place)->entry;
    }
    for (size_t i = 0; filling != NULL && i < filling->count; i++) {
        const struct sco_batch_entry *entry = filling->parts[i].piece->entry;

        if (first == NULL || entry->urgent_ns < first->urgent_ns) {
            first = entry;
        }
    }
    view->rows = group->rows;
    if (first != NULL) {
        view->deadline_ns = first->deadline_ns;
        view->oldest_ns = SCO_LIST_ENTRY(sco_list_first(&group->by_age),
                                         struct sco_batch_entry, by_age)
                              ->came_ns;
    }
    return first;
}

struct sco_batch_decision
sco_batch_former_choose(const struct sco_batch_former *former, size_t idle,
                        uint64_t now_ns, struct sco_batch_group **out)
{
    struct sco_batch_decision best = { .wait_until_ns = SCO_BATCH_NO_TIME };
    bool has_slot = free_slot(former) < former->setup.slots;
    uint64_t first_ns = UINT64_MAX;

    for (struct sco_list *at = former->at_work.next; at != &former->at_work;
         at = at->next) {
        struct sco_batch_group *group = group_at(at);
        struct sco_batch_view view = { .now_ns = now_ns, .idle = idle };
        const struct sco_batch_entry *first = look(group, &view);
        struct sco_batch_decision decision;

        if (first == NULL || (!has_slot && group->filling == NULL)) {
            continue;
        }
        decision = sco_batch_decide(&former->setup.policy, &group->fit,
                                    &group->waves, &view);
        if (decision.rows > 0 &&
            (best.rows == 0 || first->urgent_ns < first_ns)) {
            best = decision;
            first_ns = first->urgent_ns;
            *out = group;
        } else if (best.rows == 0 &&
                   decision.wait_until_ns < best.wait_until_ns) {
            best.wait_until_ns = decision.wait_until_ns;
        }
    }
    return best;
}

struct sco_batch_group *
sco_batch_former_first(const struct sco_batch_former *former)
{
    struct sco_batch_group *best = NULL;
    uint64_t first_ns = UINT64_MAX;

    for (struct sco_list *at = former->at_work.next; at != &former->at_work;
         at = at->next) {
        struct sco_batch_view view = { 0 };
        const struct sco_batch_entry *first = look(group_at(at), &view);

        if (first != NULL && (best == NULL || first->urgent_ns < first_ns)) {
            best = group_at(at);
            first_ns = first->urgent_ns;
        }
    }
    return best;
}

uint64_t
sco_batch_former_rows(const struct sco_batch_former *former)
{
    return former->rows;
}
