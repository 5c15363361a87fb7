/* py.h - Python.h, and what older CPythons lack of it
 *
 * Included first in every file that sees Python, as Python.h wants it. The
 * shims have the names and the meaning of the real functions, so that each
 * can go when its CPython is the oldest one.
 *
 * Thread: one that is attached to an interpreter (holds its GIL).
 */
#ifndef SCO_PYBRIDGE_PY_H
#define SCO_PYBRIDGE_PY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x030A0000
#error "CPython 3.10 or later is needed"
#endif

#if PY_VERSION_HEX < 0x030C0000
/* Takes the pending exception out: a new reference, or NULL. */
static inline PyObject *
PyErr_GetRaisedException(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* Makes an exception the pending one. Ownership: takes `raised`. */
static inline void
PyErr_SetRaisedException(PyObject *raised)
{
    PyObject *type = Py_NewRef((PyObject *)Py_TYPE(raised));
    PyObject *traceback = PyException_GetTraceback(raised); /* new */

    PyErr_Restore(type, raised, traceback);
}
#endif

#if PY_VERSION_HEX < 0x030D0000
/* An attribute that may be missing: 1 and a new reference, 0 and NULL without
 * an exception, or -1. */
static inline int
PyObject_GetOptionalAttrString(PyObject *object, const char *name,
                               PyObject **out)
{
    *out = PyObject_GetAttrString(object, name);
    if (*out != NULL) {
        return 1;
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}
#endif

/* Makes an old-style string ready to be looked into; from 3.12 on there is
 * none. 0, or -1 with an exception. */
static inline int
sco_py_ready(PyObject *text)
{
#if PY_VERSION_HEX < 0x030C0000
    return PyUnicode_READY(text);
#else
    (void)text;
    return 0;
#endif
}

#endif
