/* Design notes
 *
 * A thread that leaves puts its struct aside, and a later one takes it up:
 * an interrupt may be on its way to a thread that has just left, and must
 * find an idle scorer then, not freed memory.
 */
#include "pybridge/runner.h"

#include "pybridge/call.h"
#include "pybridge/errors.h"
#include "pybridge/interrupt.h"

#include <pthread.h>
#include <signal.h>

/* A thread that may score. */
struct bridge_thread {
    struct sco_scorer scorer;
    PyThreadState *state;       /* while the thread is detached */
    struct bridge_thread *next; /* among those put aside */
};

struct sco_bridge {
    /* Fixed by create(). */
    struct sco_runner runner;
    PyInterpreterState *interpreter;
    pthread_t main_id;
    PyObject *boot; /* a JSON text */
    PyTypeObject *call_type;

    /* Fixed by load(). */
    struct sco_scoring scoring;
    PyObject *handler; /* of the interrupting signal, on main */

    /* Only the main thread touches this, but for the scorer's `run`. */
    struct bridge_thread main;

    /* Any thread, and only with `mutex` held. */
    struct {
        pthread_mutex_t mutex;
        struct bridge_thread *left; /* put aside */
    } locked;
};

static void
attach(struct bridge_thread *thread)
{
    PyEval_RestoreThread(thread->state);
    thread->state = NULL;
}

static void
detach(struct bridge_thread *thread)
{
    thread->state = PyEval_SaveThread();
}

/* Calls scorehost.boot.start(): a Scoring, or NULL with an exception. */
static PyObject *
start_script(PyObject *boot_text)
{
    PyObject *json = PyImport_ImportModule("json");
    PyObject *module = NULL;
    PyObject *boot = NULL;
    PyObject *scoring = NULL;

    if (json != NULL) {
        boot = PyObject_CallMethod(json, "loads", "O", boot_text);
    }
    if (boot != NULL) {
        module = PyImport_ImportModule("scorehost.boot");
    }
    if (module != NULL) {
        scoring = PyObject_CallMethod(module, "start", "OO", boot,
                                      /* worker */ Py_False);
    }
    Py_XDECREF(module);
    Py_XDECREF(boot);
    Py_XDECREF(json);
    return scoring;
}

/* start() has logged why it gives up and says so by SystemExit; anything else
 * is a defect and is reported. */
static enum sco_status
fail_load(struct sco_error *err)
{
    PyObject *raised;

    if (!PyErr_ExceptionMatches(PyExc_SystemExit)) {
        raised = PyErr_GetRaisedException(); /* new */
        PyErr_SetRaisedException(Py_NewRef(raised));
        sco_report(NULL);
        PyErr_SetRaisedException(raised);
    }
    return sco_fail_from_python(err, SCO_SCRIPT);
}

static enum sco_status
bridge_load(void *arg, struct sco_error *err)
{
    struct sco_bridge *bridge = arg;
    enum sco_status status = SCO_OK;
    PyObject *object;

    attach(&bridge->main);
    object = start_script(bridge->boot);
    if (object == NULL ||
        sco_scoring_read(object, bridge->call_type, &bridge->scoring) < 0 ||
        sco_scorer_init(&bridge->scoring, &bridge->main.scorer) < 0) {
        status = fail_load(err);
        goto done;
    }
    bridge->handler = sco_interrupt_install(&bridge->main.scorer);
    if (bridge->handler == NULL) {
        status = fail_load(err);
    }

done:
    Py_XDECREF(object);
    detach(&bridge->main);
    return status;
}

static void
bridge_documents(void *arg, void *thread,
                 const struct sco_document **documents_out, size_t *count_out)
{
    struct sco_bridge *bridge = arg;

    (void)thread;

    *documents_out = bridge->scoring.documents;
    *count_out = bridge->scoring.document_count;
}

/* A struct that was put aside, or a new one; NULL without memory. */
static struct bridge_thread *
take_thread(struct sco_bridge *bridge)
{
    struct bridge_thread *thread;

    pthread_mutex_lock(&bridge->locked.mutex);
    thread = bridge->locked.left;
    if (thread != NULL) {
        bridge->locked.left = thread->next;
    }
    pthread_mutex_unlock(&bridge->locked.mutex);
    return thread != NULL ? thread : PyMem_RawCalloc(1, sizeof(*thread));
}

static void
put_aside(struct sco_bridge *bridge, struct bridge_thread *thread)
{
    pthread_mutex_lock(&bridge->locked.mutex);
    thread->next = bridge->locked.left;
    bridge->locked.left = thread;
    pthread_mutex_unlock(&bridge->locked.mutex);
}

/* Ends the calling thread's state, which is attached. */
static void
end_state(void)
{
    PyThreadState_Clear(PyThreadState_Get());
    PyThreadState_DeleteCurrent();
}

static enum sco_status
bridge_enter(void *arg, void **thread_out, struct sco_error *err)
{
    struct sco_bridge *bridge = arg;
    struct bridge_thread *thread;

    (void)err;

    if (pthread_equal(pthread_self(), bridge->main_id)) {
        *thread_out = &bridge->main;
        return SCO_OK;
    }
    thread = take_thread(bridge);
    if (thread == NULL) {
        return SCO_NOMEM;
    }
    thread->state = PyThreadState_New(bridge->interpreter);
    if (thread->state == NULL) {
        put_aside(bridge, thread);
        return SCO_NOMEM;
    }
    attach(thread);
    if (sco_scorer_init(&bridge->scoring, &thread->scorer) < 0) {
        sco_report(NULL);
        end_state();
        put_aside(bridge, thread);
        return SCO_NOMEM;
    }
    detach(thread);
    *thread_out = thread;
    return SCO_OK;
}

static void
bridge_leave(void *arg, void *thread_arg)
{
    struct sco_bridge *bridge = arg;
    struct bridge_thread *thread = thread_arg;

    if (thread == &bridge->main) {
        return;
    }
    attach(thread);
    sco_scorer_finish(&thread->scorer);
    end_state();
    put_aside(bridge, thread);
}

static void
bridge_score(void *arg, void *thread_arg, const struct sco_call *call,
             struct sco_sink *sink)
{
    struct bridge_thread *thread = thread_arg;

    (void)arg;
    attach(thread);
    sco_scorer_score(&thread->scorer, call, sink);
    detach(thread);
}

static void
bridge_line(void *arg, void *thread_arg, const struct sco_child_line *line)
{
    struct sco_bridge *bridge = arg;
    struct bridge_thread *thread = thread_arg;

    attach(thread);
    sco_scoring_log(&bridge->scoring, line);
    detach(thread);
}

static void
bridge_dump(void *arg, void *thread_arg)
{
    (void)arg;
    (void)thread_arg;
}

static void
bridge_interrupt(void *arg, void *thread_arg)
{
    struct sco_bridge *bridge = arg;
    struct bridge_thread *thread = thread_arg;
    PyThreadState *state;

    if (thread == &bridge->main) {
        pthread_kill(bridge->main_id, SCO_INTERRUPT_SIGNAL);
        return;
    }
    /* The calling thread is a guest: a state for this moment only. */
    state = PyThreadState_New(bridge->interpreter);
    if (state == NULL) {
        return; /* the hard limit is still to come */
    }
    PyEval_RestoreThread(state);
    sco_scorer_strike(&thread->scorer);
    end_state();
}

static void
bridge_signals(void *arg, void *thread_arg)
{
    struct bridge_thread *thread = thread_arg;

    (void)arg;
    attach(thread);
    if (PyErr_CheckSignals() < 0) {
        sco_report(NULL);
    }
    detach(thread);
}

/* Thread: main, attached. */
static void
let_go_of_script(struct sco_bridge *bridge)
{
    sco_interrupt_remove(bridge->handler);
    bridge->handler = NULL;
    sco_scorer_finish(&bridge->main.scorer);
    sco_scoring_finish(&bridge->scoring);
}

static void
bridge_unload(void *arg)
{
    struct sco_bridge *bridge = arg;

    attach(&bridge->main);
    let_go_of_script(bridge);
    detach(&bridge->main);
}

static const struct sco_runner bridge_functions = {
    .load = bridge_load,
    .documents = bridge_documents,
    .enter = bridge_enter,
    .leave = bridge_leave,
    .score = bridge_score,
    .line = bridge_line,
    .dump = bridge_dump,
    .interrupt = bridge_interrupt,
    .signals = bridge_signals,
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
    pthread_mutex_init(&bridge->locked.mutex, NULL);
    bridge->boot = Py_NewRef(boot);
    Py_INCREF(call_type);
    bridge->call_type = call_type;
    return bridge;
}

void
sco_bridge_detach(struct sco_bridge *bridge)
{
    detach(&bridge->main);
}

void
sco_bridge_attach(struct sco_bridge *bridge)
{
    attach(&bridge->main);
}

const struct sco_runner *
sco_bridge_runner(struct sco_bridge *bridge)
{
    return &bridge->runner;
}

void
sco_bridge_destroy(struct sco_bridge *bridge)
{
    struct bridge_thread *thread;

    if (bridge == NULL) {
        return;
    }
    let_go_of_script(bridge);
    while ((thread = bridge->locked.left) != NULL) {
        bridge->locked.left = thread->next;
        PyMem_RawFree(thread);
    }
    pthread_mutex_destroy(&bridge->locked.mutex);
    Py_DECREF(bridge->boot);
    Py_DECREF(bridge->call_type);
    PyMem_Free(bridge);
}
