#include "pybridge/start.h"

#include "pybridge/errors.h"

#include <stdbool.h>

/* As in python/scorehost/boot.py. */
enum { BOOT_UNFIT = 4 };

/* The boot text as Python's json reads it: a new reference. */
static PyObject *
read_boot(struct sco_slice boot)
{
    PyObject *json = PyImport_ImportModule("json");
    PyObject *told = NULL;

    if (json != NULL) {
        told = PyObject_CallMethod(json, "loads", "s#", boot.data,
                                   (Py_ssize_t)boot.len);
        Py_DECREF(json);
    }
    return told;
}

PyObject *
sco_start_call(const char *module_name, const char *function,
               struct sco_slice boot)
{
    PyObject *told = read_boot(boot);
    PyObject *module = NULL;
    PyObject *made = NULL;

    if (told != NULL) {
        module = PyImport_ImportModule(module_name);
    }
    if (module != NULL) {
        made = PyObject_CallMethod(module, function, "O", told);
    }
    Py_XDECREF(module);
    Py_XDECREF(told);
    return made;
}

static bool
is_unfit(PyObject *raised)
{
    PyObject *code = PyObject_GetAttrString(raised, "code");
    bool unfit = code != NULL && PyLong_Check(code) &&
                 PyLong_AsLong(code) == BOOT_UNFIT;

    PyErr_Clear();
    Py_XDECREF(code);
    return unfit;
}

enum sco_status
sco_start_failed(struct sco_error *err)
{
    PyObject *raised = PyErr_GetRaisedException(); /* new */
    enum sco_status status = SCO_SCRIPT;

    if (PyErr_GivenExceptionMatches(raised, PyExc_SystemExit)) {
        status = is_unfit(raised) ? SCO_UNSUPPORTED : SCO_SCRIPT;
    } else {
        PyErr_SetRaisedException(Py_NewRef(raised));
        sco_report(NULL);
    }
    PyErr_SetRaisedException(raised);
    return sco_fail_from_python(err, status);
}
