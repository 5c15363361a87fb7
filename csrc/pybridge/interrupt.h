/* interrupt.h - a run() on the main thread is interrupted by a signal
 *
 * The signal ends a system call that the script waits in, and its Python
 * handler raises ScoringTimeout, if the call in hand is late, or Cancelled,
 * if nobody waits for it. A signal that comes after that call does nothing.
 *
 * Thread: main, attached to the main interpreter.
 */
#ifndef SCO_PYBRIDGE_INTERRUPT_H
#define SCO_PYBRIDGE_INTERRUPT_H

#include "pybridge/py.h"

struct sco_scorer;

/* Installs the handler with signal.signal(). Returns what
 * sco_interrupt_remove() wants, a new reference, or NULL with an exception.
 *
 * Ownership: `scorer` is borrowed until the handler is removed. */
PyObject *sco_interrupt_install(struct sco_scorer *scorer);

/* Puts the handler back that was there before. NULL is allowed.
 *
 * Ownership: takes `installed`. */
void sco_interrupt_remove(PyObject *installed);

#endif
