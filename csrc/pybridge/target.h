/* target.h - the path and the query of a request target
 *
 * Pure, and the only part of the bridge without Python. Thread: any.
 */
#ifndef SCO_PYBRIDGE_TARGET_H
#define SCO_PYBRIDGE_TARGET_H

#include "base/slice.h"

struct sco_text;

/* Appends the path of a target, percent-decoded: without query, fragment and,
 * in absolute form, scheme and authority. */
void sco_target_path(struct sco_slice target, struct sco_text *into);

/* The raw bytes between the '?' and the fragment; empty where there are
 * none. Ownership: borrows from `target`. */
struct sco_slice sco_target_query(struct sco_slice target);

#endif
