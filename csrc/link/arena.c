#define _GNU_SOURCE
#include "link/link_int.h"
#include "link/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum sco_status
link_map_create(const char *name, uint64_t bytes, struct link_map *out,
                struct sco_error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) {
        sco_fail(err, SCO_INTERNAL, "shared memory: %s", strerror(errno));
        goto fail;
    }
    if (link_map_open(fd, bytes, out, err) == SCO_OK) {
        return SCO_OK;
    }

fail:
    if (fd >= 0) {
        close(fd);
    }
    return SCO_INTERNAL;
}

enum sco_status
link_map_open(int fd, uint64_t bytes, struct link_map *out,
              struct sco_error *err)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (at == MAP_FAILED) {
        return sco_fail(err, SCO_INTERNAL,
                        "shared memory: %s (address space limited?)",
                        strerror(errno));
    }
    *out = (struct link_map){ .fd = fd, .at = at, .bytes = bytes };
    return SCO_OK;
}

void
link_map_close(struct link_map *map)
{
    if (map->at != NULL) {
        munmap(map->at, map->bytes);
        close(map->fd);
        map->at = NULL;
    }
}

enum sco_status
sco_arena_create(struct sco_arena **out, struct sco_error *err)
{
    struct sco_arena *arena = calloc(1, sizeof(*arena));
    enum sco_status status;

    if (arena == NULL) {
        return sco_fail(err, SCO_NOMEM, "the arena");
    }
    arena->doorbell = -1;
    status = link_map_create("scorehost-arena", SHARED_ARENA_BYTES,
                             &arena->map, err);
    if (status != SCO_OK) {
        goto fail;
    }
    status = sco_slots_create(arena->map.fd, SHARED_PAGE, &arena->slots, err);
    if (status != SCO_OK) {
        goto fail;
    }
    arena->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (arena->doorbell < 0) {
        status = sco_fail(err, SCO_INTERNAL, "eventfd: %s", strerror(errno));
        goto fail;
    }
    *out = arena;
    return SCO_OK;

fail:
    sco_arena_destroy(arena);
    return status;
}

void
sco_arena_destroy(struct sco_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    if (arena->doorbell >= 0) {
        close(arena->doorbell);
    }
    sco_slots_destroy(arena->slots);
    link_map_close(&arena->map);
    free(arena);
}

struct sco_slots *
sco_arena_slots(struct sco_arena *arena)
{
    return arena->slots;
}

static struct shared_mark *
mark_of(struct sco_arena *arena, struct sco_slot slot)
{
    return (struct shared_mark *)(void *)(arena->map.at + SHARED_PAGE +
                                          slot.offset);
}

char *
sco_arena_bytes(struct sco_arena *arena, struct sco_slot slot)
{
    return arena->map.at + SHARED_PAGE + slot.offset + SHARED_MARK_BYTES;
}

int
sco_arena_doorbell(const struct sco_arena *arena)
{
    return arena->doorbell;
}

static struct shared_arena *
arena_head(struct sco_arena *arena)
{
    return (struct shared_arena *)(void *)arena->map.at;
}

void
sco_arena_sleep(struct sco_arena *arena)
{
    atomic_store(&arena_head(arena)->host_sleeps, 1);
}

void
sco_arena_awake(struct sco_arena *arena)
{
    atomic_store_explicit(&arena_head(arena)->host_sleeps, 0,
                          memory_order_relaxed);
}

uint64_t
sco_arena_mark(struct sco_arena *arena, struct sco_slot slot)
{
    struct shared_mark *mark = mark_of(arena, slot);
    uint64_t ticket = ++arena->last_ticket;

    atomic_store_explicit(&mark->started_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&mark->cancel, 0, memory_order_relaxed);
    atomic_store_explicit(&mark->ticket, ticket << MARK_BITS | MARK_WAITING,
                          memory_order_release);
    return ticket;
}

bool
sco_arena_revoke(struct sco_arena *arena, struct sco_slot slot,
                 uint64_t ticket)
{
    uint64_t waiting = ticket << MARK_BITS | MARK_WAITING;

    return atomic_compare_exchange_strong(&mark_of(arena, slot)->ticket,
                                          &waiting,
                                          ticket << MARK_BITS | MARK_REVOKED);
}

uint64_t
sco_arena_started_ns(struct sco_arena *arena, struct sco_slot slot)
{
    return atomic_load_explicit(&mark_of(arena, slot)->started_ns,
                                memory_order_acquire);
}

void
sco_arena_cancel(struct sco_arena *arena, struct sco_slot slot, unsigned why)
{
    atomic_fetch_or(&mark_of(arena, slot)->cancel, why);
}
