/* config.h - what the host was told to do
 *
 * The Python side reads flags, environment and files, and hands over one flat
 * JSON object. Here it becomes a struct, checked against the bounds of
 * schema.def, which lists the keys with their defaults. Nothing else in C
 * reads the environment.
 *
 * A configuration is constant once it is made. Thread: any.
 */
#ifndef SCO_CONFIG_CONFIG_H
#define SCO_CONFIG_CONFIG_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Larger texts, and any that nest deeper than a list in the object, are
     * refused before they are parsed. */
    SCO_CONFIG_MAX_BYTES = 1024 * 1024,
    SCO_CONFIG_MAX_DEPTH = 2,
};

enum sco_config_worker_kind {
    SCO_CONFIG_PROCESS,
    SCO_CONFIG_INTERPRETER,
    SCO_CONFIG_THREAD,
};

/* Strings in the order given. */
struct sco_config_list {
    char **items;
    size_t count;
};

/* clang-format off */
/* The type of a member, by the KIND of its key. */
#define SCO_CONFIG_TYPE_BOOL        bool
#define SCO_CONFIG_TYPE_COUNT       size_t
#define SCO_CONFIG_TYPE_BYTES       size_t
#define SCO_CONFIG_TYPE_MS          uint32_t
#define SCO_CONFIG_TYPE_LONG_MS     uint64_t
#define SCO_CONFIG_TYPE_RATE        uint32_t
#define SCO_CONFIG_TYPE_STRING      char *
#define SCO_CONFIG_TYPE_LIST        struct sco_config_list
#define SCO_CONFIG_TYPE_WORKER_KIND enum sco_config_worker_kind

#define X(name, kind, initial, least, most, sentence) \
    SCO_CONFIG_TYPE_##kind name;
struct sco_config {
#include "config/schema.def"
};
#undef X
/* clang-format on */

/* Reads a configuration; what is absent or null has its default.
 *
 * Ownership: the caller owns *out and ends it with sco_config_destroy().
 * Errors:    SCO_INVALID with the key that is unknown, repeated, of the wrong
 *            type or out of its bounds; SCO_TOO_LARGE, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_config_create(struct sco_slice json,
                                  struct sco_config **out,
                                  struct sco_error *err);

/* Frees a configuration. NULL is allowed. */
void sco_config_destroy(struct sco_config *config);

enum sco_config_kind {
    SCO_CONFIG_KIND_BOOL,
    SCO_CONFIG_KIND_COUNT,
    SCO_CONFIG_KIND_BYTES,
    SCO_CONFIG_KIND_MS,
    SCO_CONFIG_KIND_LONG_MS,
    SCO_CONFIG_KIND_RATE,
    SCO_CONFIG_KIND_STRING,
    SCO_CONFIG_KIND_LIST,
    SCO_CONFIG_KIND_WORKER_KIND,
};

/* The line of a key, for the tests and the documentation. */
struct sco_config_key {
    const char *name;
    enum sco_config_kind kind;
    size_t offset; /* of its member */
    union {
        uint64_t number;
        const char *text;
    } initial;
    uint64_t least, most;
    const char *sentence;
};

/* All keys, in the order of schema.def. */
const struct sco_config_key *sco_config_keys(size_t *count_out);

#endif
