/* errors.h - exceptions that no client and no caller will hear of
 *
 * Thread: one that is attached to an interpreter.
 */
#ifndef SCO_PYBRIDGE_ERRORS_H
#define SCO_PYBRIDGE_ERRORS_H

#include "pybridge/py.h"

#include "base/status.h"

/* Reports the pending exception on stderr by way of sys.unraisablehook and
 * clears it; SystemExit and KeyboardInterrupt are no different. `where` is
 * the object named in the report, or NULL. Without a pending exception it
 * does nothing. */
void sco_report(PyObject *where);

/* Puts the pending exception into `err` as "Type: text", clears it, and
 * returns `status`. */
enum sco_status sco_fail_from_python(struct sco_error *err,
                                     enum sco_status status);

/* Raises `status` as a Python exception: MemoryError for SCO_NOMEM,
 * ConnectionError for SCO_CLOSED, ValueError for bad input, else
 * RuntimeError. Returns NULL. */
PyObject *sco_raise(enum sco_status status, const struct sco_error *err);

#endif
