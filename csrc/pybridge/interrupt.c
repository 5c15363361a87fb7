#include "pybridge/interrupt.h"

#include "link/child.h"
#include "pybridge/call.h"
#include "pybridge/errors.h"

#include <signal.h>

static const char capsule_name[] = "scorehost._core.interrupt";

/* What the handler knows: its `self` is a capsule with this in it. Somebody
 * may keep the handler (signal.getsignal()) for longer than the scorer. */
struct interrupt {
    struct sco_scorer *scorer; /* NULL after the removal */
    PyObject *previous;        /* the handler before ours */
};

static void
free_capsule(PyObject *capsule)
{
    struct interrupt *interrupt = PyCapsule_GetPointer(capsule, capsule_name);

    Py_XDECREF(interrupt->previous);
    PyMem_Free(interrupt);
}

static PyObject *
on_signal(PyObject *self, PyObject *args)
{
    struct interrupt *interrupt = PyCapsule_GetPointer(self, capsule_name);
    PyObject *why = NULL; /* borrowed */

    (void)args;
    if (interrupt == NULL) {
        return NULL;
    }
    if (interrupt->scorer != NULL) {
        why = sco_scorer_stop(interrupt->scorer);
    }
    if (why != NULL) {
        PyErr_SetNone(why);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef handler_def = {
    .ml_name = "on_scoring_timeout",
    .ml_meth = on_signal,
    .ml_flags = METH_VARARGS,
    .ml_doc = "Raises in a run() that is late or that nobody waits for.",
};

/* Calls signal.signal(); the handler that was there, a new reference. */
static PyObject *
set_handler(PyObject *handler)
{
    PyObject *module = PyImport_ImportModule("signal");
    PyObject *previous = NULL;

    if (module != NULL) {
        previous = PyObject_CallMethod(module, "signal", "iO",
                                       SCO_INTERRUPT_SIGNAL, handler);
        Py_DECREF(module);
    }
    return previous;
}

PyObject *
sco_interrupt_install(struct sco_scorer *scorer)
{
    struct interrupt *interrupt = PyMem_Calloc(1, sizeof(*interrupt));
    PyObject *capsule;
    PyObject *handler;

    if (interrupt == NULL) {
        return PyErr_NoMemory();
    }
    capsule = PyCapsule_New(interrupt, capsule_name, free_capsule);
    if (capsule == NULL) {
        PyMem_Free(interrupt);
        return NULL;
    }
    handler = PyCFunction_New(&handler_def, capsule);
    if (handler != NULL) {
        interrupt->previous = set_handler(handler);
        Py_DECREF(handler);
    }
    if (interrupt->previous == NULL) {
        Py_DECREF(capsule);
        return NULL;
    }
    interrupt->scorer = scorer;
    return capsule;
}

void
sco_interrupt_remove(PyObject *installed)
{
    struct interrupt *interrupt;
    PyObject *raised;
    PyObject *ours;

    if (installed == NULL) {
        return;
    }
    raised = PyErr_GetRaisedException(); /* new, or NULL */
    interrupt = PyCapsule_GetPointer(installed, capsule_name);
    interrupt->scorer = NULL;
    /* None: a handler that was not set from Python cannot be set again. */
    if (interrupt->previous != Py_None) {
        ours = set_handler(interrupt->previous);
        sco_report(installed);
        Py_XDECREF(ours);
    }
    Py_DECREF(installed);
    if (raised != NULL) {
        PyErr_SetRaisedException(raised);
    }
}
