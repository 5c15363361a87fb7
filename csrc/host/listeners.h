/* listeners.h - the sockets that clients connect to
 *
 * Thread: main, before the loop runs.
 */
#ifndef SCO_HOST_LISTENERS_H
#define SCO_HOST_LISTENERS_H

#include "base/status.h"
#include "base/text.h"

#include <stddef.h>
#include <sys/types.h>

/* Opens a listening, non-blocking socket at "ADDRESS:PORT", "[ADDRESS]:PORT"
 * or "unix:PATH". A name is resolved and its first address taken. A port
 * that is in use is tried five times, a second apart, and each failure is
 * logged; a socket file that nobody listens at is replaced.
 *
 * Ownership: the caller owns *fd_out.
 * Blocks:    five seconds at most.
 * Errors:    SCO_INVALID for no such address, SCO_BUSY for one in use,
 *            SCO_INTERNAL with the system's reason. */
SCO_NODISCARD
enum sco_status sco_listen_open(const char *where, int *fd_out,
                                struct sco_error *err);

/* Appends how clients reach it: "http://0.0.0.0:5001", "unix:/run/a.sock". */
void sco_listen_name(const char *where, struct sco_text *out);

/* Removes the socket file, if it is one. */
void sco_listen_clean(const char *where);

/* One of several, as it was opened. */
struct sco_listener {
    const char *where; /* borrowed */
    int fd;            /* -1: closed, or somebody else's now */
    dev_t device;      /* of the socket file: another program may put its */
    ino_t inode;       /* own there after us */
};

/* All of them; a zeroed one is empty. */
struct sco_listeners {
    struct sco_listener *items;
    size_t count;
};

/* Opens a socket at each place, or none.
 *
 * Ownership: `places` are borrowed; the caller ends *out with
 *            sco_listeners_finish().
 * Blocks:    five seconds for each that is in use.
 * Errors:    as sco_listen_open(). */
SCO_NODISCARD
enum sco_status sco_listeners_open(char *const *places, size_t count,
                                   struct sco_listeners *out,
                                   struct sco_error *err);

/* Says in the log where clients can connect. */
void sco_listeners_log(const struct sco_listeners *listeners);

/* Closes those that are open; the socket files stay. */
void sco_listeners_close(struct sco_listeners *listeners);

/* Removes the socket files that are ours still. Thread: any. */
void sco_listeners_clean(const struct sco_listeners *listeners);

/* Closes them, removes the socket files, frees the list. */
void sco_listeners_finish(struct sco_listeners *listeners);

#endif
