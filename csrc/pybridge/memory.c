#include "pybridge/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A block this small is not worth less. */
enum { SMALLEST = 4096 };

/* A block that is so many times too large is left for what needs it. */
enum { WASTE = 16 };

/* A block larger than this is let go after so many takings of others. */
enum { LARGE = 1024 * 1024, UNUSED_MOST = 64 };

static struct sco_memory *
memory_create(size_t bytes)
{
    struct sco_memory *memory = malloc(sizeof(*memory));
    size_t room = bytes < SMALLEST ? SMALLEST : bytes;

    if (memory == NULL || room > SIZE_MAX - SCO_MEMORY_ALIGN) {
        free(memory);
        return NULL;
    }
    room = (room + SCO_MEMORY_ALIGN - 1) / SCO_MEMORY_ALIGN * SCO_MEMORY_ALIGN;
    memory->data = aligned_alloc(SCO_MEMORY_ALIGN, room);
    if (memory->data == NULL) {
        free(memory);
        return NULL;
    }
    memory->room = room;
    atomic_init(&memory->refs, 1);
    return memory;
}

static bool
is_free(struct sco_memory *memory)
{
    return memory != NULL && atomic_load(&memory->refs) == 1;
}

/* Lets go of large blocks that nobody holds and that were not taken in the
 * last so many times. */
static void
tidy(struct sco_memory_shelf *shelf, unsigned takes)
{
    for (size_t i = 0; i < SCO_MEMORY_SHELF; i++) {
        struct sco_memory *memory = shelf->blocks[i];

        if (is_free(memory) && memory->room > LARGE &&
            shelf->takes - memory->taken > takes) {
            sco_memory_unref(memory);
            shelf->blocks[i] = NULL;
        }
    }
}

/* A block on the shelf that fits and is free, or NULL. */
static struct sco_memory *
find(struct sco_memory_shelf *shelf, size_t bytes)
{
    for (size_t i = 0; i < SCO_MEMORY_SHELF; i++) {
        struct sco_memory *memory = shelf->blocks[i];

        if (is_free(memory) && memory->room >= bytes &&
            (memory->room == SMALLEST || memory->room / WASTE <= bytes)) {
            return memory;
        }
    }
    return NULL;
}

/* Where a new block goes: the first free place, or that of another block. */
static struct sco_memory **
find_place(struct sco_memory_shelf *shelf)
{
    struct sco_memory **place;

    for (size_t i = 0; i < SCO_MEMORY_SHELF; i++) {
        if (shelf->blocks[i] == NULL) {
            return &shelf->blocks[i];
        }
    }
    place = &shelf->blocks[shelf->next++ % SCO_MEMORY_SHELF];
    sco_memory_unref(*place);
    *place = NULL;
    return place;
}

struct sco_memory *
sco_memory_take(struct sco_memory_shelf *shelf, size_t bytes)
{
    struct sco_memory *memory = find(shelf, bytes);

    shelf->takes++;
    if (memory == NULL) {
        /* What is large and did not fit will not fit the next ones either. */
        tidy(shelf, bytes > LARGE ? 0 : UNUSED_MOST);
        memory = memory_create(bytes);
        if (memory == NULL) {
            return NULL;
        }
        *find_place(shelf) = memory;
    }
    memory->taken = shelf->takes;
    tidy(shelf, UNUSED_MOST);
    return sco_memory_ref(memory);
}

struct sco_memory *
sco_memory_grow(struct sco_memory_shelf *shelf, struct sco_memory *memory,
                size_t used, size_t bytes)
{
    struct sco_memory *larger;

    if (memory->room >= bytes) {
        return memory;
    }
    larger = sco_memory_take(shelf, bytes);
    if (larger != NULL) {
        memcpy(larger->data, memory->data, used);
        sco_memory_unref(memory);
    }
    return larger;
}

struct sco_memory *
sco_memory_ref(struct sco_memory *memory)
{
    atomic_fetch_add(&memory->refs, 1);
    return memory;
}

void
sco_memory_unref(struct sco_memory *memory)
{
    if (memory != NULL && atomic_fetch_sub(&memory->refs, 1) == 1) {
        free(memory->data);
        free(memory);
    }
}

void
sco_memory_shelf_finish(struct sco_memory_shelf *shelf)
{
    for (size_t i = 0; i < SCO_MEMORY_SHELF; i++) {
        sco_memory_unref(shelf->blocks[i]);
        shelf->blocks[i] = NULL;
    }
}
