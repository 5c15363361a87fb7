/* probe.h - whether a script can be loaded into interpreters of their own
 *
 * For a process that is thrown away: a module that is not made for it may
 * take the process with it, and a script may leave threads behind.
 *
 * Thread: main, attached to the main interpreter.
 */
#ifndef SCO_PYBRIDGE_PROBE_H
#define SCO_PYBRIDGE_PROBE_H

#include "pybridge/py.h"

/* Loads the script in two interpreters at once and ends them again: a JSON
 * text of what was refused, a new reference, or NULL with an exception.
 * `core` is the definition of scorehost._core.
 *
 * Blocks: as long as the script takes to be imported, and a moment for the
 *         ends: an interpreter that does not end is left as it is. */
PyObject *sco_probe(PyObject *boot, PyModuleDef *core);

#endif
