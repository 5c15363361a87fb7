/* isolated.h - what worker kind "interpreter" calls
 *
 * The second struct sco_runner: enter() makes an interpreter with a GIL of
 * its own on the worker's thread and brings the script up there, leave() ends
 * it. In main there is nothing of the script.
 */
#ifndef SCO_PYBRIDGE_ISOLATED_H
#define SCO_PYBRIDGE_ISOLATED_H

#include "pybridge/py.h"

#include "pybridge/runner.h"
#include "worker/runner.h"

struct sco_isolated;

/* Makes the runner.
 *
 * Thread:    main, attached.
 * Ownership: the caller owns what it returns; NULL with an exception.
 *            `bridge` is borrowed, by which main is attached and detached;
 *            `core` is the definition of scorehost._core. */
struct sco_isolated *sco_isolated_create(struct sco_bridge *bridge,
                                         PyObject *boot, PyModuleDef *core);

/* What the host calls; holds as long as it does. */
const struct sco_runner *sco_isolated_runner(struct sco_isolated *isolated);

/* Lets go of it. NULL is allowed. Thread: main, attached. */
void sco_isolated_destroy(struct sco_isolated *isolated);

#endif
