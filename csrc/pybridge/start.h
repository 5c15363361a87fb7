/* start.h - the script is brought up by scorehost.boot, in Python
 *
 * Thread: one that is attached to the interpreter it is for.
 */
#ifndef SCO_PYBRIDGE_START_H
#define SCO_PYBRIDGE_START_H

#include "pybridge/py.h"

#include "base/slice.h"
#include "base/status.h"

/* Calls a function of a module with the boot text, read as JSON: what it
 * returns, a new reference, or NULL with an exception.
 *
 * Blocks: as long as the script's init(), where the function calls it. */
PyObject *sco_start_call(const char *module, const char *function,
                         struct sco_slice boot);

/* Says what the pending exception of a start means, and clears it. A
 * SystemExit has been explained in the log; anything else is a defect, and is
 * reported.
 *
 * Errors: SCO_UNSUPPORTED for a script that another kind of worker may run,
 *         else SCO_SCRIPT. */
enum sco_status sco_start_failed(struct sco_error *err);

#endif
