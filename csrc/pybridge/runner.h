/* runner.h - the script inside the host: what worker kind "thread" calls
 *
 * The host calls a struct sco_runner (worker/runner.h) and knows no Python;
 * this is the real one. While sco_program_run() runs, the main thread is
 * detached from the interpreter, and every function attaches for its own
 * time. Each worker thread has one thread state for life.
 */
#ifndef SCO_PYBRIDGE_RUNNER_H
#define SCO_PYBRIDGE_RUNNER_H

#include "pybridge/py.h"

#include "worker/runner.h"

struct sco_bridge;

/* Makes a runner for the main interpreter.
 *
 * Thread:    main, attached.
 * Ownership: the caller owns what it returns; NULL with an exception. */
struct sco_bridge *sco_bridge_create(PyObject *boot, PyTypeObject *call_type);

/* Lets go of the GIL, so that the host can run. Thread: main, attached. */
void sco_bridge_detach(struct sco_bridge *bridge);

/* Takes the GIL again. Thread: main, detached. */
void sco_bridge_attach(struct sco_bridge *bridge);

/* What the host calls; holds as long as the bridge. */
const struct sco_runner *sco_bridge_runner(struct sco_bridge *bridge);

/* Lets go of it, and of the script if the host did not. NULL is allowed.
 *
 * Thread: main, attached. */
void sco_bridge_destroy(struct sco_bridge *bridge);

#endif
