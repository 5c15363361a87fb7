/* serve.h - the life of a worker process after its script is loaded
 *
 * Thread: main, attached to the main interpreter.
 */
#ifndef SCO_PYBRIDGE_SERVE_H
#define SCO_PYBRIDGE_SERVE_H

#include "pybridge/py.h"

struct sco_child;

/* Tells the host that the script is ready, and scores what it sends until it
 * says stop or is gone.
 *
 * Blocks: until then; without the GIL while there is nothing to do.
 * Errors: -1 with an exception when the script cannot be served at all. */
int sco_serve(struct sco_child *child, PyObject *scoring,
              PyTypeObject *call_type);

#endif
