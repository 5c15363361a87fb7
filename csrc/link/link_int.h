/* link_int.h - what the two ends of the link share as code
 *
 * Thread: the owner's, everywhere.
 */
#ifndef SCO_LINK_LINK_INT_H
#define SCO_LINK_LINK_INT_H

#include "base/status.h"
#include "link/shared.h"

#include <stdint.h>

/* A mapped memfd. `at` is NULL when there is none. */
struct link_map {
    char *at;
    uint64_t bytes;
    int fd;
};

/* Makes a sparse memfd and maps it. Errors: SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status link_map_create(const char *name, uint64_t bytes,
                                struct link_map *out, struct sco_error *err);

/* Maps a memfd that came from elsewhere.
 * Ownership: takes `fd` on SCO_OK. Errors: SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status link_map_open(int fd, uint64_t bytes, struct link_map *out,
                              struct sco_error *err);

/* Unmaps and closes; an empty map is allowed. */
void link_map_close(struct link_map *map);

struct sco_arena {
    struct link_map map;
    struct sco_slots *slots;
    uint64_t last_ticket;
    int doorbell;
};

struct sco_lane {
    struct link_map map;
    struct sco_arena *arena;
    unsigned refs;
    unsigned calls_tail;   /* ours to write */
    unsigned replies_head; /* ours to write */
    int wake_fd;           /* rung beside the bell, or -1 */
};

/* The first message to a worker process, with three descriptors: arena, lane
 * and doorbell. The boot text follows in the same message. */
struct link_hello {
    uint32_t magic;
    uint32_t version;
    uint64_t arena_bytes, lane_bytes;
    uint64_t boot_bytes;
};

enum {
    LINK_MAGIC = 0x53434f31, /* "SCO1" */
    LINK_VERSION = 4,
    LINK_BOOT_MAX = 128 * 1024,
};

#endif
