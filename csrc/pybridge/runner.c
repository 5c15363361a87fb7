/* Design notes
 *
 * With one worker the script is loaded on the main thread, by load(), and
 * that thread scores. With several, scorehost.boot.Threads says whether they
 * share what load() has loaded or each loads a copy when it enters.
 */
#define _GNU_SOURCE /* SIGRTMAX */
#include "pybridge/runner.h"

#include "link/child.h"
#include "pybridge/errors.h"
#include "pybridge/interrupt.h"
#include "pybridge/pythread.h"
#include "pybridge/start.h"

#include <pthread.h>
#include <signal.h>

struct sco_bridge {
    /* Fixed by create(). */
    struct sco_runner runner;
    PyInterpreterState *interpreter;
    pthread_t main_id;
    PyObject *boot; /* a JSON text */
    PyTypeObject *call_type;

    /* Fixed by load(). */
    PyObject *script;  /* a boot.Threads */
    PyObject *handler; /* of the interrupting signal, on main */

    /* Only the main thread touches this, but for the scorer's `run`. */
    struct sco_pythread main;

    struct sco_pythreads threads; /* that have left */
};

/* Gives a thread the script: the one that all share, or its copy. Attached. */
static enum sco_status
load_thread(const struct sco_bridge *bridge, struct sco_pythread *thread,
            struct sco_error *err)
{
    PyObject *object = PyObject_CallMethod(bridge->script, "scoring", NULL);
    enum sco_status status = SCO_OK;

    if (object == NULL ||
        sco_pythread_load(thread, object, bridge->call_type) < 0) {
        status = sco_start_failed(err);
    }
    Py_XDECREF(object);
    return status;
}

static bool
is_shared(PyObject *script)
{
    PyObject *shared = PyObject_GetAttrString(script, "shared");
    bool truth = shared != NULL && PyObject_IsTrue(shared) == 1;

    PyErr_Clear();
    Py_XDECREF(shared);
    return truth;
}

/* What load() does. Attached. */
static enum sco_status
load_script(struct sco_bridge *bridge, struct sco_error *err)
{
    struct sco_slice boot = { NULL, 0 };
    Py_ssize_t length = 0;

    boot.data = PyUnicode_AsUTF8AndSize(bridge->boot, &length);
    boot.len = (size_t)length;
    if (boot.data != NULL) {
        bridge->script = sco_start_call("scorehost.boot", "Threads", boot);
    }
    if (bridge->script == NULL) {
        return sco_start_failed(err);
    }
    bridge->handler = sco_interrupt_install(&bridge->main.scorer);
    if (bridge->handler == NULL) {
        return sco_start_failed(err);
    }
    return is_shared(bridge->script) ? load_thread(bridge, &bridge->main, err)
                                     : SCO_OK;
}

static enum sco_status
bridge_load(void *arg, struct sco_error *err)
{
    struct sco_bridge *bridge = arg;
    enum sco_status status;

    /* Python sets it to something else; until then it must end nothing. */
    sco_child_ignore_dumps();
    sco_pythread_attach(&bridge->main);
    status = load_script(bridge, err);
    sco_pythread_detach(&bridge->main);
    return status;
}

static enum sco_status
enter_main(struct sco_bridge *bridge, void **thread_out, struct sco_error *err)
{
    enum sco_status status = SCO_OK;

    sco_pythread_attach(&bridge->main);
    if (bridge->main.scorer.scoring == NULL) {
        status = load_thread(bridge, &bridge->main, err);
    }
    if (status != SCO_OK) {
        sco_pythread_detach(&bridge->main);
        return status;
    }
    sco_pythread_open(&bridge->main);
    *thread_out = &bridge->main;
    return SCO_OK;
}

static enum sco_status
bridge_enter(void *arg, void **thread_out, struct sco_error *err)
{
    struct sco_bridge *bridge = arg;
    struct sco_pythread *thread;
    enum sco_status status;

    if (pthread_equal(pthread_self(), bridge->main_id)) {
        return enter_main(bridge, thread_out, err);
    }
    thread = sco_pythreads_take(&bridge->threads);
    if (thread == NULL) {
        return sco_fail(err, SCO_NOMEM, "a worker thread");
    }
    thread->interpreter = bridge->interpreter;
    thread->state = PyThreadState_New(bridge->interpreter);
    if (thread->state == NULL) {
        sco_pythreads_put(&bridge->threads, thread);
        return sco_fail(err, SCO_NOMEM, "a thread state");
    }
    sco_pythread_attach(thread);
    status = load_thread(bridge, thread, err);
    if (status != SCO_OK) {
        sco_pythread_end_state();
        sco_pythreads_put(&bridge->threads, thread);
        return status;
    }
    sco_pythread_open(thread);
    *thread_out = thread;
    return SCO_OK;
}

static void
bridge_leave(void *arg, void *thread_arg)
{
    struct sco_bridge *bridge = arg;
    struct sco_pythread *thread = thread_arg;

    sco_pythread_close(thread);
    if (thread == &bridge->main) {
        return;
    }
    sco_pythread_attach(thread);
    sco_pythread_unload(thread);
    /* A copy of the script is a knot of references, and what it holds may be a
     * model: an idle host would keep that until the next one is loaded. */
    (void)PyGC_Collect();
    sco_pythread_end_state();
    sco_pythreads_put(&bridge->threads, thread);
}

static void
bridge_interrupt(void *arg, void *thread)
{
    const struct sco_bridge *bridge = arg;

    if (thread == &bridge->main) {
        pthread_kill(bridge->main_id, SCO_INTERRUPT_SIGNAL);
    } else {
        sco_pythread_interrupt(arg, thread);
    }
}

/* Thread: main, attached. */
static void
let_go_of_script(struct sco_bridge *bridge)
{
    sco_interrupt_remove(bridge->handler);
    bridge->handler = NULL;
    sco_pythread_unload(&bridge->main);
    Py_CLEAR(bridge->script);
}

static void
bridge_unload(void *arg)
{
    struct sco_bridge *bridge = arg;

    sco_pythread_attach(&bridge->main);
    let_go_of_script(bridge);
    sco_pythread_detach(&bridge->main);
}

static const struct sco_runner bridge_functions = {
    .load = bridge_load,
    .documents = sco_pythread_documents,
    .enter = bridge_enter,
    .leave = bridge_leave,
    .score = sco_pythread_score,
    .serve = sco_pythread_serve,
    .line = sco_pythread_line,
    .dump = sco_pythread_dump,
    .interrupt = bridge_interrupt,
    .signals = sco_pythread_signals,
    .unload = bridge_unload,
};

struct sco_bridge *
sco_bridge_create(PyObject *boot, PyTypeObject *call_type)
{
    struct sco_bridge *bridge = PyMem_Calloc(1, sizeof(*bridge));

    if (bridge == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    bridge->runner = bridge_functions;
    bridge->runner.arg = bridge;
    bridge->interpreter = PyInterpreterState_Get();
    bridge->main_id = pthread_self();
    bridge->boot = Py_NewRef(boot);
    Py_INCREF(call_type);
    bridge->call_type = call_type;
    sco_pythread_init(&bridge->main);
    sco_pythreads_init(&bridge->threads);
    return bridge;
}

void
sco_bridge_detach(struct sco_bridge *bridge)
{
    sco_pythread_detach(&bridge->main);
}

void
sco_bridge_attach(struct sco_bridge *bridge)
{
    sco_pythread_attach(&bridge->main);
}

const struct sco_runner *
sco_bridge_runner(struct sco_bridge *bridge)
{
    return &bridge->runner;
}

void
sco_bridge_destroy(struct sco_bridge *bridge)
{
    if (bridge == NULL) {
        return;
    }
    let_go_of_script(bridge);
    sco_pythreads_finish(&bridge->threads);
    sco_pythread_finish(&bridge->main);
    Py_DECREF(bridge->boot);
    Py_DECREF(bridge->call_type);
    PyMem_Free(bridge);
}
