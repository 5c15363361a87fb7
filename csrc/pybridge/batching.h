/* batching.h - many calls are scored as one: the loop of a worker that does
 *
 * Calls are taken from the lane as they come, and put aside. What goes
 * together, and when, batch/ decides; run() is called once for a batch, and
 * each call gets its own rows of what that returned. A batch that fails is
 * run again in halves until who is at fault fails alone.
 *
 * Thread: the scorer's, attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_BATCHING_H
#define SCO_PYBRIDGE_BATCHING_H

#include "pybridge/py.h"

#include "link/child.h"
#include "pybridge/call.h"

#include <stdbool.h>

/* Whether a scorer's script is one for sco_batching_serve(). */
bool sco_batching_is_on(const struct sco_scorer *scorer);

/* Scores what comes until the host says stop.
 *
 * Blocks: until then; the GIL is let go while it waits.
 * Errors: -1 with an exception, before anything was taken. */
int sco_batching_serve(struct sco_scorer *scorer, struct sco_child *child);

#endif
