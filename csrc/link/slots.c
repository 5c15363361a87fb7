#define _GNU_SOURCE
#include "link/slots.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Classes from 128 KiB on are worth a system call to give back. */
enum { FIRST_LARGE_CLASS = 2 };

/* One size. `free` is a stack of places; beyond `used` no place was ever
 * taken, so it needs no entry. */
struct slot_class {
    size_t bytes;
    uint32_t places; /* how many there can be */
    uint32_t used;   /* places ever taken */
    uint32_t *free;
    uint32_t free_count;
    uint32_t free_room;
    uint32_t idle;    /* bottom entries of `free` unused since the last trim */
    uint32_t trimmed; /* bottom entries whose memory was given back */
};

struct sco_slots {
    int fd;
    uint64_t file_offset;
    uint64_t taken_bytes;
    struct slot_class classes[SCO_SLOT_CLASSES];
};

enum sco_status
sco_slots_create(int fd, uint64_t file_offset, struct sco_slots **out,
                 struct sco_error *err)
{
    struct sco_slots *slots = calloc(1, sizeof(*slots));
    size_t bytes = SCO_SLOT_SMALLEST;

    if (slots == NULL) {
        return sco_fail(err, SCO_NOMEM, "the books of the arena");
    }
    slots->fd = fd;
    slots->file_offset = file_offset;
    for (size_t i = 0; i < SCO_SLOT_CLASSES; i++, bytes *= 4) {
        slots->classes[i].bytes = bytes;
        slots->classes[i].places = (uint32_t)(SCO_SLOTS_STRETCH / bytes);
    }
    *out = slots;
    return SCO_OK;
}

static size_t
class_for(size_t bytes)
{
    size_t which = 0;
    size_t size = SCO_SLOT_SMALLEST;

    while (which < SCO_SLOT_CLASSES && size < bytes) {
        size *= 4;
        which++;
    }
    return which;
}

static uint32_t
class_pop(struct slot_class *class)
{
    uint32_t place = class->free[--class->free_count];

    if (class->idle > class->free_count) {
        class->idle = class->free_count;
    }
    if (class->trimmed > class->free_count) {
        class->trimmed = class->free_count;
    }
    return place;
}

enum sco_status
sco_slots_take(struct sco_slots *slots, size_t bytes, struct sco_slot *out)
{
    size_t which = class_for(bytes);
    struct slot_class *class = &slots->classes[which];
    uint32_t place;

    if (which == SCO_SLOT_CLASSES) {
        return SCO_TOO_LARGE;
    }
    if (class->free_count > 0) {
        place = class_pop(class);
    } else if (class->used < class->places) {
        place = class->used++;
    } else {
        return SCO_NOMEM;
    }
    out->offset = which * SCO_SLOTS_STRETCH + (uint64_t)place * class->bytes;
    out->bytes = class->bytes;
    slots->taken_bytes += class->bytes;
    return SCO_OK;
}

/* Makes room for one more free place. Without memory for it the place is
 * lost to the books, which costs address space and nothing else. */
static bool
class_room(struct slot_class *class)
{
    uint32_t room = class->free_room == 0 ? 64 : class->free_room * 2;
    uint32_t *grown;

    if (class->free_count < class->free_room) {
        return true;
    }
    grown = realloc(class->free, room * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    class->free = grown;
    class->free_room = room;
    return true;
}

void
sco_slots_give(struct sco_slots *slots, struct sco_slot slot)
{
    size_t which = (size_t)(slot.offset / SCO_SLOTS_STRETCH);
    struct slot_class *class = &slots->classes[which];

    if (slot.bytes == 0) {
        return;
    }
    slots->taken_bytes -= slot.bytes;
    if (class_room(class)) {
        class->free[class->free_count++] =
            (uint32_t)(slot.offset % SCO_SLOTS_STRETCH / class->bytes);
    }
}

static void
class_trim(struct sco_slots *slots, size_t which)
{
    struct slot_class *class = &slots->classes[which];

    for (uint32_t i = class->trimmed; i < class->idle; i++) {
        uint64_t at = slots->file_offset + which * SCO_SLOTS_STRETCH +
                      (uint64_t) class->free[i] * class->bytes;

        fallocate(slots->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)at, (off_t) class->bytes);
    }
    class->trimmed = class->idle;
    class->idle = class->free_count;
}

bool
sco_slots_trim(struct sco_slots *slots)
{
    bool more = false;

    for (size_t i = FIRST_LARGE_CLASS; i < SCO_SLOT_CLASSES; i++) {
        class_trim(slots, i);
        more = more || slots->classes[i].idle > slots->classes[i].trimmed;
    }
    return more;
}

uint64_t
sco_slots_taken_bytes(const struct sco_slots *slots)
{
    return slots->taken_bytes;
}

void
sco_slots_destroy(struct sco_slots *slots)
{
    if (slots == NULL) {
        return;
    }
    for (size_t i = 0; i < SCO_SLOT_CLASSES; i++) {
        free(slots->classes[i].free);
    }
    free(slots);
}
