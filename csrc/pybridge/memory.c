#include "pybridge/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A block this small is not worth less. */
enum { SMALLEST = 4096 };

/* A block that is so many times too large is left for what needs it. */
enum { WASTE = 16 };

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

struct sco_memory *
sco_memory_take(struct sco_memory_shelf *shelf, size_t bytes)
{
    struct sco_memory **place = NULL;
    struct sco_memory *memory;

    for (size_t i = 0; i < SCO_MEMORY_SHELF; i++) {
        memory = shelf->blocks[i];
        if (memory == NULL) {
            place = place == NULL ? &shelf->blocks[i] : place;
        } else if (atomic_load(&memory->refs) == 1 && memory->room >= bytes &&
                   (memory->room == SMALLEST ||
                    memory->room / WASTE <= bytes)) {
            return sco_memory_ref(memory);
        }
    }
    memory = memory_create(bytes);
    if (memory == NULL) {
        return NULL;
    }
    if (place == NULL) {
        place = &shelf->blocks[shelf->next++ % SCO_MEMORY_SHELF];
        sco_memory_unref(*place);
    }
    *place = sco_memory_ref(memory);
    return memory;
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
