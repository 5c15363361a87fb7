#define _GNU_SOURCE
#include "pybridge/forked.h"

#include "pybridge/errors.h"
#include "pybridge/py.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_child; /* set before there is a second thread */

static void
on_fork(void)
{
    is_child = true;
}

static void
watch(void)
{
    (void)pthread_atfork(NULL, NULL, on_fork);
}

void
sco_forked_watch(void)
{
    (void)pthread_once(&once, watch);
}

/* What a program that ends by the pending SystemExit would end with. */
static int
code_of_exit(void)
{
    PyObject *raised = PyErr_GetRaisedException(); /* new */
    PyObject *code = PyObject_GetAttrString(raised, "code");
    int result = 1;

    if (code == Py_None) {
        result = 0;
    } else if (code != NULL && PyLong_Check(code)) {
        result = (int)PyLong_AsLong(code) & 0xFF;
    }
    Py_XDECREF(code);
    Py_DECREF(raised);
    return result;
}

/* Not by way of Python's end: what its buffers hold is the worker's. */
static void
end_child(void)
{
    bool has_raised = PyErr_Occurred() != NULL;
    int code = 1;

    if (has_raised && PyErr_ExceptionMatches(PyExc_SystemExit)) {
        code = code_of_exit();
    } else {
        if (has_raised) {
            sco_report(NULL);
        }
        PySys_WriteStderr("run() came back in process %d, which it had "
                          "forked: only the worker may answer, so this "
                          "process ends. End it in run(), by os._exit().\n",
                          (int)getpid());
    }
    _exit(code);
}

void
sco_forked_check(void)
{
    if (is_child) {
        end_child();
    }
}
