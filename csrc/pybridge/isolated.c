#define _GNU_SOURCE /* SIGRTMAX */
#include "pybridge/isolated.h"

#include "base/log.h"
#include "link/child.h"
#include "pybridge/errors.h"
#include "pybridge/interpreter.h"
#include "pybridge/pythread.h"
#include "pybridge/start.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct sco_isolated {
    struct sco_runner runner;
    struct sco_bridge *bridge;
    PyModuleDef *core;
    char *boot;                   /* a copy: main's objects stay in main */
    char *folder;                 /* of scorehost; from load() on */
    struct sco_pythreads threads; /* that have left */
};

static void
on_interrupt(int number)
{
    (void)number; /* it ends a system call, and that is all */
}

/* Neither signal may ever end the process, whatever Python does with it. */
static void
take_signals(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };

    sco_child_ignore_dumps();
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SCO_INTERRUPT_SIGNAL, &action, NULL);
}

/* Has Python's crashes and the host's signal show stacks. */
static int
show_stacks(void)
{
    PyObject *module = PyImport_ImportModule("scorehost.stacks");
    PyObject *done = NULL;

    if (module != NULL) {
        done = PyObject_CallMethod(module, "show", "O",
                                   /* all_threads */ Py_False);
    }
    Py_XDECREF(module);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1; /* only whether there was one */
}

static enum sco_status
prepare_main(struct sco_isolated *isolated, struct sco_error *err)
{
    enum sco_status status = sco_interpreter_possible(err);

    if (status != SCO_OK) {
        return status;
    }
    take_signals();
    isolated->folder = sco_interpreter_folder();
    if (isolated->folder == NULL || sco_interpreter_warm_main() < 0 ||
        show_stacks() < 0) {
        return sco_fail_from_python(err, SCO_INTERNAL);
    }
    return SCO_OK;
}

static enum sco_status
isolated_load(void *arg, struct sco_error *err)
{
    struct sco_isolated *isolated = arg;
    struct sco_error why = { .text = "" };
    enum sco_status status;

    sco_bridge_attach(isolated->bridge);
    status = prepare_main(isolated, &why);
    sco_bridge_detach(isolated->bridge);
    if (status != SCO_OK) {
        sco_log(SCO_EVENT_KIND_REFUSED, "%s", why.text);
        return sco_fail(err, status, "%s", why.text);
    }
    return SCO_OK;
}

/* The type _core.Call of this interpreter: a new reference. */
static PyTypeObject *
call_type_of(const char *core)
{
    PyObject *module = PyImport_ImportModule(core);
    PyObject *type = NULL;

    if (module != NULL) {
        type = PyObject_GetAttrString(module, "Call");
        Py_DECREF(module);
    }
    return (PyTypeObject *)type;
}

/* Brings the script up in the interpreter that the thread is attached to. */
static enum sco_status
load_script(const struct sco_isolated *isolated, struct sco_pythread *thread,
            struct sco_error *err)
{
    PyTypeObject *call_type = NULL;
    PyObject *object = NULL;
    enum sco_status status = SCO_OK;

    if (sco_interpreter_furnish(isolated->core, isolated->folder) == 0) {
        call_type = call_type_of(isolated->core->m_name);
    }
    if (call_type != NULL) {
        object = sco_start_call("scorehost.boot", "start_isolated",
                                sco_slice_of(isolated->boot));
    }
    if (object == NULL || sco_pythread_load(thread, object, call_type) < 0) {
        status = sco_start_failed(err);
    }
    Py_XDECREF(object);
    Py_XDECREF(call_type);
    return status;
}

static enum sco_status
isolated_enter(void *arg, void **thread_out, struct sco_error *err)
{
    struct sco_isolated *isolated = arg;
    struct sco_pythread *thread = sco_pythreads_take(&isolated->threads);
    struct sco_error why = { .text = "" };
    enum sco_status status;

    if (thread == NULL) {
        return sco_fail(err, SCO_NOMEM, "a worker thread");
    }
    status = sco_interpreter_begin(&why);
    if (status != SCO_OK) {
        sco_log(SCO_EVENT_INTERNAL, "%s", why.text);
        sco_pythreads_put(&isolated->threads, thread);
        return sco_fail(err, status, "%s", why.text);
    }
    thread->interpreter = PyInterpreterState_Get();
    status = load_script(isolated, thread, err);
    if (status != SCO_OK) {
        sco_interpreter_end();
        sco_pythreads_put(&isolated->threads, thread);
        return status;
    }
    sco_pythread_open(thread);
    *thread_out = thread;
    return SCO_OK;
}

static void
isolated_leave(void *arg, void *thread_arg)
{
    struct sco_isolated *isolated = arg;
    struct sco_pythread *thread = thread_arg;

    sco_pythread_close(thread);
    sco_pythread_attach(thread);
    sco_pythread_unload(thread);
    sco_interpreter_end();
    sco_pythreads_put(&isolated->threads, thread);
}

static void
isolated_unload(void *arg)
{
    (void)arg; /* each interpreter has gone with its thread */
}

static const struct sco_runner isolated_functions = {
    .leaks = PY_VERSION_HEX < 0x030E0000,
    .load = isolated_load,
    .enter = isolated_enter,
    .leave = isolated_leave,
    .documents = sco_pythread_documents,
    .score = sco_pythread_score,
    .serve = sco_pythread_serve,
    .line = sco_pythread_line,
    .dump = sco_pythread_dump,
    .interrupt = sco_pythread_interrupt,
    .signals = sco_pythread_signals,
    .unload = isolated_unload,
};

struct sco_isolated *
sco_isolated_create(struct sco_bridge *bridge, PyObject *boot,
                    PyModuleDef *core)
{
    struct sco_isolated *isolated;
    const char *text = PyUnicode_AsUTF8(boot);

    if (text == NULL) {
        return NULL;
    }
    isolated = PyMem_RawCalloc(1, sizeof(*isolated));
    if (isolated == NULL || (isolated->boot = strdup(text)) == NULL) {
        PyMem_RawFree(isolated);
        PyErr_NoMemory();
        return NULL;
    }
    isolated->runner = isolated_functions;
    isolated->runner.arg = isolated;
    isolated->bridge = bridge;
    isolated->core = core;
    sco_pythreads_init(&isolated->threads);
    return isolated;
}

const struct sco_runner *
sco_isolated_runner(struct sco_isolated *isolated)
{
    return &isolated->runner;
}

void
sco_isolated_destroy(struct sco_isolated *isolated)
{
    if (isolated == NULL) {
        return;
    }
    sco_pythreads_finish(&isolated->threads);
    PyMem_RawFree(isolated->folder);
    free(isolated->boot);
    PyMem_RawFree(isolated);
}
