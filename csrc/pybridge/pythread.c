#define _GNU_SOURCE /* SIGRTMAX */
#include "pybridge/pythread.h"

#include "link/child.h"
#include "pybridge/batching.h"
#include "pybridge/errors.h"

#include <signal.h>

void
sco_pythreads_init(struct sco_pythreads *threads)
{
    threads->left = NULL;
    pthread_mutex_init(&threads->mutex, NULL);
}

void
sco_pythreads_finish(struct sco_pythreads *threads)
{
    struct sco_pythread *thread;

    while ((thread = threads->left) != NULL) {
        threads->left = thread->next;
        sco_pythread_finish(thread);
        PyMem_RawFree(thread);
    }
    pthread_mutex_destroy(&threads->mutex);
}

struct sco_pythread *
sco_pythreads_take(struct sco_pythreads *threads)
{
    struct sco_pythread *thread;

    pthread_mutex_lock(&threads->mutex);
    thread = threads->left;
    if (thread != NULL) {
        threads->left = thread->next;
    }
    pthread_mutex_unlock(&threads->mutex);
    if (thread == NULL) {
        thread = PyMem_RawCalloc(1, sizeof(*thread));
        if (thread != NULL) {
            sco_pythread_init(thread);
        }
    }
    return thread;
}

void
sco_pythreads_put(struct sco_pythreads *threads, struct sco_pythread *thread)
{
    pthread_mutex_lock(&threads->mutex);
    thread->next = threads->left;
    threads->left = thread;
    pthread_mutex_unlock(&threads->mutex);
}

void
sco_pythread_init(struct sco_pythread *thread)
{
    pthread_mutex_init(&thread->locked.mutex, NULL);
    pthread_cond_init(&thread->locked.left, NULL);
}

void
sco_pythread_finish(struct sco_pythread *thread)
{
    pthread_cond_destroy(&thread->locked.left);
    pthread_mutex_destroy(&thread->locked.mutex);
}

void
sco_pythread_attach(struct sco_pythread *thread)
{
    PyEval_RestoreThread(thread->state);
    thread->state = NULL;
}

void
sco_pythread_detach(struct sco_pythread *thread)
{
    thread->state = PyEval_SaveThread();
}

int
sco_pythread_load(struct sco_pythread *thread, PyObject *object,
                  PyTypeObject *call_type)
{
    if (sco_scoring_read(object, call_type, &thread->scoring) < 0) {
        return -1;
    }
    if (sco_scorer_init(&thread->scoring, &thread->scorer) < 0) {
        sco_scoring_finish(&thread->scoring);
        return -1;
    }
    return 0;
}

void
sco_pythread_unload(struct sco_pythread *thread)
{
    sco_scorer_finish(&thread->scorer);
    sco_scoring_finish(&thread->scoring);
}

/* Our threads start with every signal blocked. */
static void
let_signals_through(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SCO_DUMP_SIGNAL);
    (void)sigaddset(&set, SCO_INTERRUPT_SIGNAL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void
sco_pythread_open(struct sco_pythread *thread)
{
    sco_pythread_detach(thread);
    let_signals_through();
    pthread_mutex_lock(&thread->locked.mutex);
    thread->locked.id = pthread_self();
    thread->locked.is_open = true;
    pthread_mutex_unlock(&thread->locked.mutex);
}

void
sco_pythread_close(struct sco_pythread *thread)
{
    pthread_mutex_lock(&thread->locked.mutex);
    thread->locked.is_open = false;
    while (thread->locked.guests > 0) {
        pthread_cond_wait(&thread->locked.left, &thread->locked.mutex);
    }
    pthread_mutex_unlock(&thread->locked.mutex);
}

void
sco_pythread_end_state(void)
{
    PyThreadState_Clear(PyThreadState_Get());
    PyThreadState_DeleteCurrent();
}

void
sco_pythread_documents(void *arg, void *thread_arg,
                       const struct sco_document **documents_out,
                       size_t *count_out)
{
    const struct sco_pythread *thread = thread_arg;

    (void)arg;
    *documents_out = thread->scoring.documents;
    *count_out = thread->scoring.document_count;
}

void
sco_pythread_score(void *arg, void *thread_arg, const struct sco_call *call,
                   struct sco_sink *sink)
{
    struct sco_pythread *thread = thread_arg;

    (void)arg;
    sco_pythread_attach(thread);
    sco_scorer_score(&thread->scorer, call, sink);
    sco_pythread_detach(thread);
}

bool
sco_pythread_serve(void *arg, void *thread_arg, struct sco_child *child)
{
    struct sco_pythread *thread = thread_arg;

    (void)arg;
    if (!sco_batching_is_on(&thread->scorer)) {
        return false;
    }
    sco_pythread_attach(thread);
    if (sco_batching_serve(&thread->scorer, child) < 0) {
        sco_report(NULL); /* without memory for batches there are none */
        sco_pythread_detach(thread);
        return false;
    }
    sco_pythread_detach(thread);
    return true;
}

void
sco_pythread_line(void *arg, void *thread_arg,
                  const struct sco_child_line *line)
{
    struct sco_pythread *thread = thread_arg;

    (void)arg;
    sco_pythread_attach(thread);
    sco_scoring_log(&thread->scoring, line);
    sco_pythread_detach(thread);
}

void
sco_pythread_dump(void *arg, void *thread_arg)
{
    struct sco_pythread *thread = thread_arg;

    (void)arg;
    pthread_mutex_lock(&thread->locked.mutex);
    if (thread->locked.is_open) {
        (void)pthread_kill(thread->locked.id, SCO_DUMP_SIGNAL);
    }
    pthread_mutex_unlock(&thread->locked.mutex);
}

/* Keeps the thread from ending. False when it is closed. */
static bool
come_in(struct sco_pythread *thread)
{
    bool is_open;

    pthread_mutex_lock(&thread->locked.mutex);
    is_open = thread->locked.is_open;
    thread->locked.guests += is_open;
    pthread_mutex_unlock(&thread->locked.mutex);
    return is_open;
}

static void
go_out(struct sco_pythread *thread)
{
    pthread_mutex_lock(&thread->locked.mutex);
    thread->locked.guests--;
    pthread_cond_signal(&thread->locked.left);
    pthread_mutex_unlock(&thread->locked.mutex);
}

/* From 3.15 on a system call that a signal ends looks for an exception that
 * was left for its thread; before, it is begun again. */
static void
end_system_call(struct sco_pythread *thread)
{
#if PY_VERSION_HEX >= 0x030F0000
    (void)pthread_kill(thread->locked.id, SCO_INTERRUPT_SIGNAL);
#else
    (void)thread;
#endif
}

void
sco_pythread_interrupt(void *arg, void *thread_arg)
{
    struct sco_pythread *thread = thread_arg;
    PyThreadState *state;

    (void)arg;
    if (!come_in(thread)) {
        return;
    }
    /* An exception can be left for a thread from within its interpreter
     * alone, where the calling thread is a guest: it has a state for this
     * moment only. Without memory for one the hard limit is still to come. */
    state = PyThreadState_New(thread->interpreter);
    if (state != NULL) {
        PyEval_RestoreThread(state);
        sco_scorer_strike(&thread->scorer);
        sco_pythread_end_state();
        end_system_call(thread);
    }
    go_out(thread);
}

void
sco_pythread_signals(void *arg, void *thread_arg)
{
    struct sco_pythread *thread = thread_arg;

    (void)arg;
    sco_pythread_attach(thread);
    if (PyErr_CheckSignals() < 0) {
        sco_report(NULL);
    }
    sco_pythread_detach(thread);
}
