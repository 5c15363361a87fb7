/* slots.h - slots of many sizes in one large, sparse mapping
 *
 * The mapping is address space, not memory: a page costs something from its
 * first use on, and the last slot given back is the first given out again,
 * so that few connections touch few pages. Each size class has a stretch of
 * the mapping to itself; large slots that stay unused are given back to the
 * system by sco_slots_trim().
 *
 * Only book-keeping stands here; the slots' bytes are never read. So one
 * process keeps the books of a mapping that another one shares.
 *
 * Thread: its owner's.
 */
#ifndef SCO_LINK_SLOTS_H
#define SCO_LINK_SLOTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCO_SLOT_SMALLEST = 8 * 1024, /* the least class; each next has 4 times */
    SCO_SLOT_CLASSES = 10,        /* ... up to 2 GiB */
};

/* The address space of each class. */
#define SCO_SLOTS_STRETCH ((uint64_t)4 << 30)

/* The address space that sco_slots_create() wants: 40 GiB. */
#define SCO_SLOTS_BYTES (SCO_SLOTS_STRETCH * SCO_SLOT_CLASSES)

/* A slot: where it starts in the mapping, and its size. bytes is 0 when there
 * is none. */
struct sco_slot {
    uint64_t offset;
    size_t bytes;
};

struct sco_slots;

/* Starts the books of a mapping of SCO_SLOTS_BYTES at `base` over `fd`.
 *
 * Ownership: the caller owns *out; mapping and descriptor are borrowed.
 * Errors:    SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_slots_create(int fd, uint64_t file_offset,
                                 struct sco_slots **out,
                                 struct sco_error *err);

/* Takes a slot of at least `bytes` bytes.
 *
 * Errors: SCO_TOO_LARGE past the largest class, SCO_NOMEM when the class has
 *         no slot left. */
SCO_NODISCARD
enum sco_status sco_slots_take(struct sco_slots *slots, size_t bytes,
                               struct sco_slot *out);

/* Gives a slot back. An empty one is allowed. */
void sco_slots_give(struct sco_slots *slots, struct sco_slot slot);

/* Returns to the system the memory of large slots that nobody has used since
 * the last call. True while there is some that a further call may find
 * unused. */
bool sco_slots_trim(struct sco_slots *slots);

/* Bytes in slots that are taken, by their classes' sizes. */
uint64_t sco_slots_taken_bytes(const struct sco_slots *slots);

/* Frees the books. NULL is allowed. */
void sco_slots_destroy(struct sco_slots *slots);

#endif
