/* call_object.h - the type _core.Call: a request as the Python side sees it
 *
 * The general road hands one to Scoring.invoke(). Its attributes are built
 * from the head block when they are asked for, each time anew (the body once).
 * The block and the body stand in memory that is another request's as soon
 * as this one is answered; a script that keeps the object keeps a copy
 * (sco_call_object_detach()).
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_CALL_OBJECT_H
#define SCO_PYBRIDGE_CALL_OBJECT_H

#include "pybridge/py.h"

#include "link/call.h"

/* Makes the type for a module: a new reference, or NULL with an exception. */
PyTypeObject *sco_call_type_create(PyObject *module);

/* Makes a Call: a new reference, or NULL with an exception.
 *
 * Ownership: what `call` points into is borrowed until
 *            sco_call_object_detach(). */
PyObject *sco_call_object_create(PyTypeObject *type,
                                 const struct sco_call *call);

/* When begin() was called, on the monotonic clock; 0: it was not. */
uint64_t sco_call_object_begun_ns(PyObject *object);

/* Says that the request is about to be answered. If anybody else holds the
 * object it copies what it borrows; without memory for that it becomes empty.
 *
 * Ownership: gives the caller's reference back. */
void sco_call_object_detach(PyObject *object);

#endif
