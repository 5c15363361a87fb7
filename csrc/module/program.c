/* program.c - _core.serve(): the program, with Python in its processes
 *
 * Design notes
 *
 * The caller's process supervises and the host is forked from it, so serve()
 * returns once, in the supervisor; the host's process ends inside of it. All
 * that a host needs of Python is made before the fork and holds in both
 * processes: nothing of it is a thread or knows one but main, which is main
 * on both sides.
 */
#include "host/program.h"
#include "module/core.h"
#include "pybridge/interpreter.h"
#include "pybridge/isolated.h"
#include "pybridge/runner.h"
#include "worker/runner.h"

#include <errno.h>
#include <unistd.h>

struct serving {
    struct sco_bridge *bridge;
    struct sco_isolated *isolated;
    PyObject *boot_text; /* borrowed */
};

/* fork() as os.fork() does it: Python's own locks and thread are put in order
 * in the new process. */
static pid_t
fork_python(void *arg)
{
    const struct serving *serving = arg;
    pid_t pid;
    int failed;

    sco_bridge_attach(serving->bridge);
    PyOS_BeforeFork();
    pid = fork();
    failed = errno;
    if (pid == 0) {
        PyOS_AfterFork_Child();
    } else {
        PyOS_AfterFork_Parent();
    }
    sco_bridge_detach(serving->bridge);
    errno = failed;
    return pid;
}

/* Has the kind that auto chooses remembered. What goes wrong with it is no
 * reason not to serve. */
static bool
remember_unfit(void *arg)
{
    const struct serving *serving = arg;
    PyObject *kinds;
    PyObject *kept = NULL;
    bool is_kept;

    sco_bridge_attach(serving->bridge);
    kinds = PyImport_ImportModule("scorehost.kinds");
    if (kinds != NULL) {
        kept = PyObject_CallMethod(kinds, "remember_crashes", "O",
                                   serving->boot_text);
    }
    is_kept = kept == Py_True;
    if (kept == NULL) {
        PyErr_WriteUnraisable(kinds);
    }
    Py_XDECREF(kept);
    Py_XDECREF(kinds);
    sco_bridge_detach(serving->bridge);
    return is_kept;
}

/* Lets go of the script, with the exit code at hand. */
static void
finish(struct serving *serving, int code)
{
    if (sco_interpreter_abandoned() > 0) {
        /* What is left there would abort the end of Python. Nothing of ours
         * waits to be written, and nothing of anybody else's is here. */
        _exit(code);
    }
    sco_bridge_attach(serving->bridge);
    sco_isolated_destroy(serving->isolated);
    sco_bridge_destroy(serving->bridge);
}

/* Ends the host's process as sys.exit() would: what the script left to be
 * done at exit is done. */
static void
leave_python(void *arg, int code)
{
    finish(arg, code);
    Py_Exit(code);
}

PyObject *
sco_program_serve(PyObject *module, PyTypeObject *call_type,
                  struct sco_slice config, PyObject *boot_text,
                  struct sco_slice boot)
{
    struct serving serving = {
        .bridge = sco_bridge_create(boot_text, call_type),
        .boot_text = boot_text,
    };
    const struct sco_process process = {
        .arg = &serving,
        .fork = fork_python,
        .remember_unfit = remember_unfit,
        .leave = leave_python,
    };
    struct sco_runners runners;
    int code;

    if (serving.bridge == NULL) {
        return NULL;
    }
    serving.isolated = sco_isolated_create(serving.bridge, boot_text,
                                           PyModule_GetDef(module));
    if (serving.isolated == NULL) {
        sco_bridge_destroy(serving.bridge);
        return NULL;
    }
    runners.thread = sco_bridge_runner(serving.bridge);
    runners.interpreter = sco_isolated_runner(serving.isolated);
    sco_bridge_detach(serving.bridge);
    code = sco_program_run(config, boot, &runners, &process);
    finish(&serving, code);
    return PyLong_FromLong(code);
}
