/* Design notes
 *
 * Making one. CPython wants a thread state for it, and the only one that can
 * be had is one of main's; so the thread is a guest of main for that moment,
 * holds main's GIL, and comes out attached to the new interpreter.
 * Interpreters are made one after another, by a mutex of our own that is taken
 * without any GIL: on 3.12 two at once crash, and later versions do it in turn
 * anyhow.
 *
 * Ending one. Py_EndInterpreter() waits for the script's threads. Up to 3.13
 * it aborts the process when a thread state is left that it did not wait for;
 * such an interpreter is not ended but abandoned: its thread goes, it stays.
 */
#include "pybridge/interpreter.h"

#include "pybridge/errors.h"
#include "pybridge/pythread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

static atomic_size_t abandoned;

size_t
sco_interpreter_abandoned(void)
{
    return atomic_load(&abandoned);
}

#if PY_VERSION_HEX < 0x030C0000

enum sco_status
sco_interpreter_possible(struct sco_error *err)
{
    return sco_fail(err, SCO_UNSUPPORTED,
                    "worker kind interpreter needs Python 3.12.4 or later; "
                    "this is %.20s: use --worker_kind process",
                    PY_VERSION);
}

enum sco_status
sco_interpreter_begin(struct sco_error *err)
{
    return sco_interpreter_possible(err);
}

void
sco_interpreter_end(void)
{
}

#else

/* What the end of an interpreter waits for a thread that is all but gone. */
enum { LAST_STEPS = 1000, LAST_STEP_NS = 1000000 };

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

/* Whether threads run at once here without any of this. */
static bool
has_no_gil(void)
{
#ifdef Py_GIL_DISABLED
    PyObject *is_enabled = PySys_GetObject("_is_gil_enabled"); /* borrowed */
    PyObject *answer =
        is_enabled != NULL ? PyObject_CallNoArgs(is_enabled) : NULL;
    bool has_none = answer != NULL && PyObject_IsTrue(answer) == 0;

    PyErr_Clear();
    Py_XDECREF(answer);
    return has_none;
#else
    return false;
#endif
}

enum sco_status
sco_interpreter_possible(struct sco_error *err)
{
    /* The version that runs, which may be another one than that of the
     * headers, by its last number. */
    if (Py_Version < 0x030C0400) {
        return sco_fail(err, SCO_UNSUPPORTED,
                        "worker kind interpreter needs Python 3.12.4 or "
                        "later; this is %lu.%lu.%lu: use --worker_kind "
                        "process",
                        Py_Version >> 24 & 0xff, Py_Version >> 16 & 0xff,
                        Py_Version >> 8 & 0xff);
    }
    if (has_no_gil()) {
        return sco_fail(err, SCO_UNSUPPORTED,
                        "worker kind interpreter is of no use in a "
                        "free-threaded Python: use --worker_kind thread");
    }
    return SCO_OK;
}

static enum sco_status
make(struct sco_error *err)
{
    const PyInterpreterConfig config = {
        .use_main_obmalloc = 0,
        .allow_fork = 0,
        .allow_exec = 0,
        .allow_threads = 1,
        .allow_daemon_threads = Py_Version >= 0x030E0000,
        .check_multi_interp_extensions = 1,
        .gil = PyInterpreterConfig_OWN_GIL,
    };
    PyThreadState *guest = PyThreadState_New(PyInterpreterState_Main());
    PyThreadState *state = NULL;
    PyStatus made;

    if (guest == NULL) {
        return sco_fail(err, SCO_NOMEM, "a thread state");
    }
    PyEval_RestoreThread(guest);
    made = Py_NewInterpreterFromConfig(&state, &config);
    (void)PyThreadState_Swap(guest);
    sco_pythread_end_state();
    if (PyStatus_Exception(made) || state == NULL) {
        return sco_fail(err, SCO_INTERNAL, "an interpreter: %s: %s",
                        made.func != NULL ? made.func : "Python",
                        made.err_msg != NULL ? made.err_msg : "no reason");
    }
    PyEval_RestoreThread(state);
    return SCO_OK;
}

enum sco_status
sco_interpreter_begin(struct sco_error *err)
{
    enum sco_status status;

    pthread_mutex_lock(&making);
    status = make(err);
    pthread_mutex_unlock(&making);
    return status;
}

/* Waits as the end of a process does: for all threads but daemons. */
static void
wait_for_threads(void)
{
    PyObject *module = PyImport_ImportModule("scorehost.isolation");
    PyObject *done = NULL;

    if (module != NULL) {
        done = PyObject_CallMethod(module, "wait_for_threads", NULL);
    }
    sco_report(module);
    Py_XDECREF(done);
    Py_XDECREF(module);
}

/* Whether the interpreter has a thread beside the calling one. A thread that
 * Python has seen end may be about to take its state away. */
static bool
has_others(void)
{
    const struct timespec step = { .tv_nsec = LAST_STEP_NS };
    PyInterpreterState *interpreter = PyInterpreterState_Get();

    for (int i = 0; i < LAST_STEPS; i++) {
        PyThreadState *first = PyInterpreterState_ThreadHead(interpreter);

        if (first == NULL || PyThreadState_Next(first) == NULL) {
            return false;
        }
        Py_BEGIN_ALLOW_THREADS nanosleep(&step, NULL);
        Py_END_ALLOW_THREADS
    }
    return true;
}

void
sco_interpreter_end(void)
{
    if (Py_Version < 0x030E0000) {
        wait_for_threads();
        if (has_others()) {
            atomic_fetch_add(&abandoned, 1);
            (void)PyEval_SaveThread(); /* nobody comes back to it */
            return;
        }
    }
    Py_EndInterpreter(PyThreadState_Get());
}

#endif

int
sco_interpreter_warm_main(void)
{
    PyObject *module = PyImport_ImportModule("scorehost.isolation");
    PyObject *done = NULL;

    if (module != NULL) {
        done = PyObject_CallMethod(module, "warm", NULL);
    }
    Py_XDECREF(module);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1; /* only whether there was one */
}

char *
sco_interpreter_folder(void)
{
    PyObject *package = PyImport_ImportModule("scorehost");
    PyObject *file = NULL;
    const char *text = NULL;
    char *folder = NULL;

    if (package != NULL) {
        file = PyObject_GetAttrString(package, "__file__");
    }
    if (file != NULL) {
        text = PyUnicode_AsUTF8(file);
    }
    if (text != NULL) {
        folder = PyMem_RawMalloc(strlen(text) + 1);
    }
    if (folder != NULL) {
        memcpy(folder, text, strlen(text) + 1);
        for (int parts = 0; parts < 2; parts++) {
            char *slash = strrchr(folder, '/');

            *(slash != NULL ? slash : folder) = '\0';
        }
    } else if (text != NULL) {
        PyErr_NoMemory();
    }
    Py_XDECREF(file);
    Py_XDECREF(package);
    return folder;
}

/* Puts main's folder of scorehost behind the others, unless it is there. */
static int
extend_path(const char *folder)
{
    PyObject *path = PySys_GetObject("path"); /* borrowed */
    PyObject *text;
    int result = -1;

    if (path == NULL || !PyList_Check(path)) {
        PyErr_SetString(PyExc_RuntimeError, "sys.path is no list");
        return -1;
    }
    text = PyUnicode_DecodeFSDefault(folder);
    if (text != NULL) {
        result = PySequence_Contains(path, text);
        result = result == 0 ? PyList_Append(path, text) : result;
        Py_DECREF(text);
    }
    return result < 0 ? -1 : 0;
}

/* A module of a definition that this process has: a new reference. */
static PyObject *
make_core(PyModuleDef *core)
{
    PyObject *machinery = PyImport_ImportModule("importlib.machinery");
    PyObject *spec = NULL;
    PyObject *module = NULL;

    if (machinery != NULL) {
        spec = PyObject_CallMethod(machinery, "ModuleSpec", "sO", core->m_name,
                                   Py_None);
    }
    if (spec != NULL) {
        module = PyModule_FromDefAndSpec(core, spec);
    }
    if (module != NULL && PyModule_ExecDef(module, core) < 0) {
        Py_CLEAR(module);
    }
    Py_XDECREF(spec);
    Py_XDECREF(machinery);
    return module;
}

int
sco_interpreter_furnish(PyModuleDef *core, const char *folder)
{
    PyObject *package = NULL;
    PyObject *module = NULL;
    int result = -1;

    if (extend_path(folder) == 0) {
        package = PyImport_ImportModule("scorehost");
    }
    if (package != NULL) {
        module = make_core(core);
    }
    if (module != NULL &&
        PyDict_SetItemString(PyImport_GetModuleDict(), core->m_name, module) ==
            0 &&
        PyObject_SetAttrString(package, "_core", module) == 0) {
        result = 0;
    }
    Py_XDECREF(module);
    Py_XDECREF(package);
    return result;
}
