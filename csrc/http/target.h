/* target.h - what a request target asks for
 *
 * Pure. Thread: any.
 */
#ifndef SCO_HTTP_TARGET_H
#define SCO_HTTP_TARGET_H

#include "base/slice.h"

/* Takes a target apart: the path with its percent escapes decoded, its
 * leading slashes made one and the scheme and host of an absolute form left
 * out, and the query as it stands. A fragment is dropped. An escape that is
 * none stays as it is. "*" and a target without a slash are their own path.
 *
 * `room` has space for target.len + 1 bytes.
 *
 * Ownership: `path` points into `room`, `query` into the target. */
void sco_target_split(struct sco_slice target, char *room,
                      struct sco_slice *path, struct sco_slice *query);

#endif
