/* interpreter.h - an interpreter with a GIL of its own, from begin to end
 *
 * One belongs to the thread that made it, which has the one thread state that
 * was made with it for as long as it lives. What the interpreter shares with
 * others in the process is what a process shares: environment, current
 * directory, descriptors.
 *
 * Thread: the interpreter's own, where a function says nothing else.
 */
#ifndef SCO_PYBRIDGE_INTERPRETER_H
#define SCO_PYBRIDGE_INTERPRETER_H

#include "pybridge/py.h"

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the running Python can have workers of this kind, and can have them
 * with profit.
 *
 * Thread: main, attached.
 * Errors: SCO_UNSUPPORTED, with what to do instead. */
SCO_NODISCARD
enum sco_status sco_interpreter_possible(struct sco_error *err);

/* Imports in main what must be there before any other interpreter is.
 *
 * Thread: main, attached.
 * Errors: -1 with an exception. */
int sco_interpreter_warm_main(void);

/* Makes an interpreter for the calling thread, which has no thread state, and
 * attaches the thread to it.
 *
 * Blocks: for others that are being made, and for the main GIL.
 * Errors: SCO_NOMEM, SCO_INTERNAL with Python's reason. */
SCO_NODISCARD
enum sco_status sco_interpreter_begin(struct sco_error *err);

/* Gives the interpreter what the import system would not find as it is: the
 * module scorehost._core that main has, not a second copy of the file, and
 * the folder that main has scorehost from. Attached.
 *
 * Errors: -1 with an exception. */
int sco_interpreter_furnish(PyModuleDef *core, const char *folder);

/* The folder that main has scorehost from: PyMem_RawMalloc'ed, or NULL with
 * an exception. Thread: main, attached. */
char *sco_interpreter_folder(void);

/* Ends the interpreter that the thread is attached to; the thread has no
 * thread state then. One that cannot be ended is abandoned as it is.
 *
 * Blocks: for the threads that the script has started, perhaps for ever. */
void sco_interpreter_end(void);

/* How many interpreters were abandoned. As long as there is one, Python must
 * not be finalised: the process leaves by _exit(). Thread: any. */
size_t sco_interpreter_abandoned(void);

#endif
