/* listeners.h - the sockets that clients connect to
 *
 * Thread: main, before the loop runs.
 */
#ifndef SCO_HOST_LISTENERS_H
#define SCO_HOST_LISTENERS_H

#include "base/status.h"
#include "base/text.h"

#include <stddef.h>

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

#endif
