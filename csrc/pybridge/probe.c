/* Design notes
 *
 * Two at once, because some modules can be loaded into one interpreter, but
 * not into another one beside it. Main waits for both reports, and then no
 * longer than a moment for the threads: how a script ends is not the
 * question, and whoever asked is waiting.
 */
#define _GNU_SOURCE /* pthread_timedjoin_np() */
#include "pybridge/probe.h"

#include "base/thread.h"
#include "pybridge/errors.h"
#include "pybridge/interpreter.h"
#include "pybridge/start.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROBES = 2, PATIENCE_S = 2 };

/* What one thread works with, for as long as it does: nobody frees it. */
struct probe {
    struct probes *all;
    pthread_t thread;
    bool started;
    char *report; /* JSON, in memory of malloc(); NULL: see err */
    struct sco_error err;
};

struct probes {
    PyModuleDef *core;
    char *boot;
    char *folder;
    struct probe each[PROBES];
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        unsigned reported;
    } locked;
};

/* The report of the interpreter that the thread is attached to. */
static char *
make_report(const struct probes *all, struct sco_error *err)
{
    PyObject *made = NULL;
    const char *text = NULL;
    char *report = NULL;

    if (sco_interpreter_furnish(all->core, all->folder) == 0) {
        made = sco_start_call("scorehost.isolation", "probe",
                              sco_slice_of(all->boot));
    }
    if (made != NULL) {
        text = PyUnicode_AsUTF8(made);
    }
    if (text == NULL) {
        (void)sco_fail_from_python(err, SCO_INTERNAL);
    } else {
        report = strdup(text);
    }
    Py_XDECREF(made);
    return report;
}

static void
tell(struct probes *all)
{
    pthread_mutex_lock(&all->locked.mutex);
    all->locked.reported++;
    pthread_cond_signal(&all->locked.changed);
    pthread_mutex_unlock(&all->locked.mutex);
}

static void
probe_body(void *arg)
{
    struct probe *probe = arg;

    if (sco_interpreter_begin(&probe->err) == SCO_OK) {
        probe->report = make_report(probe->all, &probe->err);
        tell(probe->all);
        sco_interpreter_end();
    } else {
        tell(probe->all);
    }
}

/* Runs both. Thread: main, detached. */
static void
run_probes(struct probes *all)
{
    struct timespec until;
    unsigned started = 0;

    for (size_t i = 0; i < PROBES; i++) {
        struct probe *probe = &all->each[i];

        probe->all = all;
        probe->started =
            sco_thread_start("probe", SCO_ROLE_WORK, probe_body, probe,
                             &probe->thread, &probe->err) == SCO_OK;
        started += probe->started;
    }
    pthread_mutex_lock(&all->locked.mutex);
    while (all->locked.reported < started) {
        pthread_cond_wait(&all->locked.changed, &all->locked.mutex);
    }
    pthread_mutex_unlock(&all->locked.mutex);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    for (size_t i = 0; i < PROBES; i++) {
        if (all->each[i].started) {
            (void)pthread_timedjoin_np(all->each[i].thread, NULL, &until);
        }
    }
}

/* One report of both: a new reference, or NULL with an exception. */
static PyObject *
merge(const struct probes *all)
{
    const char *texts[PROBES];
    PyObject *module;
    PyObject *merged = NULL;

    for (size_t i = 0; i < PROBES; i++) {
        texts[i] = all->each[i].report;
        if (texts[i] == NULL) {
            PyErr_SetString(PyExc_RuntimeError, all->each[i].err.text);
            return NULL;
        }
    }
    module = PyImport_ImportModule("scorehost.isolation");
    if (module != NULL) {
        merged =
            PyObject_CallMethod(module, "merge", "((ss))", texts[0], texts[1]);
        Py_DECREF(module);
    }
    return merged;
}

PyObject *
sco_probe(PyObject *boot, PyModuleDef *core)
{
    const char *text = PyUnicode_AsUTF8(boot);
    struct sco_error err;
    struct probes *all;

    if (text == NULL) {
        return NULL;
    }
    if (sco_interpreter_possible(&err) != SCO_OK) {
        PyErr_SetString(PyExc_RuntimeError, err.text);
        return NULL;
    }
    all = sco_alloc(1, sizeof(*all));
    all->core = core;
    all->boot = strdup(text);
    all->folder = sco_interpreter_folder();
    pthread_mutex_init(&all->locked.mutex, NULL);
    pthread_cond_init(&all->locked.changed, NULL);
    if (all->boot == NULL || all->folder == NULL ||
        sco_interpreter_warm_main() < 0) {
        return PyErr_Occurred() != NULL ? NULL : PyErr_NoMemory();
    }
    Py_BEGIN_ALLOW_THREADS run_probes(all);
    Py_END_ALLOW_THREADS return merge(all);
}
