/* watch.h - tells when a file of the script has changed
 *
 * For development (--reload). Folders are watched with all below them, but
 * for those that hold no code of the user's: hidden ones, __pycache__,
 * node_modules, virtual environments. What counts is Python, JSON and YAML,
 * when a file was written to its end, moved here or away, or deleted; so a
 * half-written file says nothing, and an editor that writes beside and
 * renames does. A burst of changes (a checkout, a save of several files) is
 * told once, when it is over.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HOST_WATCH_H
#define SCO_HOST_WATCH_H

#include "base/loop.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct sco_file_watch;

/* Whether a change of a file with this name counts. Thread: any. */
bool sco_file_watch_counts(const char *name);

/* Whether a folder with this name is left out, with all below it. */
bool sco_file_watch_skips(const char *name);

/* Begins to watch. `on_change` is given the first file of a burst; the name
 * holds during the call. Folders that cannot be watched are told in the log.
 *
 * Ownership: the caller owns *out.
 * Blocks:    while the folders are read.
 * Errors:    SCO_NOMEM, SCO_INTERNAL when the system has no more watches. */
SCO_NODISCARD
enum sco_status sco_file_watch_create(
    struct sco_loop *loop, char *const *folders, size_t count,
    void (*on_change)(void *arg, const char *path), void *arg,
    struct sco_file_watch **out, struct sco_error *err);

/* Ends it. NULL is allowed. */
void sco_file_watch_destroy(struct sco_file_watch *watch);

#endif
