/* memory.h - the memory of tensors: blocks that are used again
 *
 * A block is counted. Whoever decodes keeps a shelf of a few, each of which
 * it holds itself; one that nobody else holds any more is given out again. A
 * script that keeps an array keeps its block, and the shelf forgets it. Large
 * ones are kept only as long as they are of use: until a request comes that
 * needs a larger one, or many that need none.
 *
 * Thread: a shelf is its owner's; sco_memory_ref() and sco_memory_unref() may
 * be called by any.
 */
#ifndef SCO_PYBRIDGE_MEMORY_H
#define SCO_PYBRIDGE_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>

enum {
    SCO_MEMORY_ALIGN = 64, /* of a block's bytes */
    SCO_MEMORY_SHELF = 8,  /* blocks on a shelf */
};

struct sco_memory {
    char *data;
    size_t room;
    atomic_size_t refs;
    unsigned taken; /* when last, by the shelf's count */
};

/* Zeroed it is empty. */
struct sco_memory_shelf {
    struct sco_memory *blocks[SCO_MEMORY_SHELF];
    size_t next;    /* whose place a new one takes */
    unsigned takes; /* how often something was taken */
};

/* Takes a block of at least `bytes` bytes, with anything in them.
 *
 * Ownership: the caller has a reference; NULL without memory. */
struct sco_memory *sco_memory_take(struct sco_memory_shelf *shelf,
                                   size_t bytes);

/* Makes a block hold at least `bytes` bytes and keeps its first `used`: the
 * same or another, which takes the caller's reference. NULL without memory,
 * and the block is as it was. */
struct sco_memory *sco_memory_grow(struct sco_memory_shelf *shelf,
                                   struct sco_memory *memory, size_t used,
                                   size_t bytes);

/* One more reference. */
struct sco_memory *sco_memory_ref(struct sco_memory *memory);

/* Gives a reference back. NULL is allowed. */
void sco_memory_unref(struct sco_memory *memory);

/* Lets go of all that is on a shelf. */
void sco_memory_shelf_finish(struct sco_memory_shelf *shelf);

#endif
