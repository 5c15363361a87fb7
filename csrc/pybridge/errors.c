#include "pybridge/errors.h"

void
sco_report(PyObject *where)
{
    if (PyErr_Occurred() != NULL) {
        PyErr_WriteUnraisable(where);
    }
    /* A hook of the user's may have left one of its own. */
    PyErr_Clear();
}

enum sco_status
sco_fail_from_python(struct sco_error *err, enum sco_status status)
{
    PyObject *raised = PyErr_GetRaisedException(); /* new, or NULL */
    PyObject *text = raised != NULL ? PyObject_Str(raised) : NULL;
    const char *utf8 = text != NULL ? PyUnicode_AsUTF8(text) : NULL;

    PyErr_Clear(); /* str() of an exception can itself raise */
    sco_fail(err, status, "%s: %s",
             raised != NULL ? Py_TYPE(raised)->tp_name : "no exception",
             utf8 != NULL ? utf8 : "(no text)");
    Py_XDECREF(text);
    Py_XDECREF(raised);
    return status;
}

/* The Python class for a status. A borrowed reference. */
static PyObject *
class_of(enum sco_status status)
{
    switch (status) {
    case SCO_NOMEM:
        return PyExc_MemoryError;
    case SCO_CLOSED:
    case SCO_CANCELLED:
    case SCO_WORKER_LOST:
        return PyExc_ConnectionError;
    case SCO_TIMEOUT:
    case SCO_DEADLINE:
        return PyExc_TimeoutError;
    case SCO_INVALID:
    case SCO_TOO_LARGE:
    case SCO_UNSUPPORTED:
    case SCO_NOT_FOUND:
        return PyExc_ValueError;
    case SCO_OK:
    case SCO_BUSY:
    case SCO_SCRIPT:
    case SCO_INTERNAL:
    case SCO_STATUS_COUNT:
        break;
    }
    return PyExc_RuntimeError;
}

PyObject *
sco_raise(enum sco_status status, const struct sco_error *err)
{
    PyErr_SetString(class_of(status), err->text[0] != '\0'
                                          ? err->text
                                          : sco_status_text(status));
    return NULL;
}
