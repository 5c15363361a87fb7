/* main.c - scorehost-host: the same host as a program
 *
 * It embeds CPython and runs the entry point of the console script, so that
 * there is one road and not two. The extension module is linked in; worker
 * processes are started with the environment's own python and import the
 * extension that is installed there.
 */
#include "pybridge/py.h"

#include "http/http.h"
#include "main/home.h"
#include "module/core.h"

#include <stdio.h>
#include <string.h>

enum { FAILED = 1 };

static const char module_name[] = "scorehost._core";

static int
print_version(void)
{
    const char *python = Py_GetVersion(); /* "3.11.2 (main, ...) [GCC ...]" */

    (void)printf("scorehost-host %s, Python %.*s, %s\n", SCO_VERSION,
                 (int)strcspn(python, " "), python, sco_http_library());
    return 0;
}

/* "3.11", as it stands in the names of directories. */
static const char *
python_version(void)
{
    static char version[16];

#ifdef Py_GIL_DISABLED
    (void)snprintf(version, sizeof(version), "%d.%dt", PY_MAJOR_VERSION,
                   PY_MINOR_VERSION);
#else
    (void)snprintf(version, sizeof(version), "%d.%d", PY_MAJOR_VERSION,
                   PY_MINOR_VERSION);
#endif
    return version;
}

/* Starts CPython as if `python` had been started, which is what makes it
 * find that environment's packages. */
static PyStatus
start_python(const char *python, int argc, char **argv)
{
    PyConfig config;
    PyStatus status;

    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    status = PyConfig_SetBytesString(&config, &config.program_name, python);
    if (!PyStatus_Exception(status)) {
        status = PyConfig_SetBytesArgv(&config, argc, argv);
    }
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return status;
}

/* Makes `import scorehost._core` give the one that is linked in. It is built
 * in under its full name, but a built-in module is looked for at the top
 * level only: so it is loaded here, before anybody asks. */
static int
preset_core(void)
{
    PyObject *machinery = PyImport_ImportModule("_frozen_importlib");
    PyObject *importer = NULL;
    PyObject *spec = NULL;
    PyObject *module = NULL;
    PyObject *done = NULL;

    if (machinery != NULL) {
        importer = PyObject_GetAttrString(machinery, "BuiltinImporter");
    }
    if (importer != NULL) {
        spec = PyObject_CallMethod(machinery, "ModuleSpec", "sO", module_name,
                                   importer);
    }
    if (spec != NULL) {
        module = PyObject_CallMethod(machinery, "module_from_spec", "O", spec);
    }
    if (module != NULL) {
        done = PyObject_CallMethod(importer, "exec_module", "O", module);
    }
    if (done != NULL && PyDict_SetItemString(PyImport_GetModuleDict(),
                                             module_name, module) < 0) {
        Py_CLEAR(done);
    }
    Py_XDECREF(module);
    Py_XDECREF(spec);
    Py_XDECREF(importer);
    Py_XDECREF(machinery);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1; /* only whether there was one */
}

/* The exit code that an exception means, as for any Python program. */
static int
code_of_exception(void)
{
    PyObject *raised;
    PyObject *code;
    long number = FAILED;

    if (!PyErr_ExceptionMatches(PyExc_SystemExit)) {
        PyErr_PrintEx(/* set_sys_last_vars */ 0);
        return FAILED;
    }
    raised = PyErr_GetRaisedException(); /* new */
    code = PyObject_GetAttrString(raised, "code");
    if (code == Py_None) {
        number = 0;
    } else if (code != NULL && PyLong_Check(code)) {
        number = PyLong_AsLong(code);
    } else if (code != NULL) {
        PySys_FormatStderr("%S\n", code);
    }
    PyErr_Clear();
    Py_XDECREF(code);
    Py_DECREF(raised);
    return (int)(number & 0xff);
}

/* Calls scorehost.azmlinfsrv.main(), as the console script does. */
static int
run_main(void)
{
    PyObject *module = NULL;
    PyObject *result = NULL;
    long code = FAILED;

    if (preset_core() == 0) {
        module = PyImport_ImportModule("scorehost.azmlinfsrv");
    }
    if (module != NULL) {
        result = PyObject_CallMethod(module, "main", NULL);
    }
    if (result != NULL) {
        code = PyLong_AsLong(result);
    }
    if (PyErr_Occurred() != NULL) {
        code = code_of_exception();
    }
    Py_XDECREF(result);
    Py_XDECREF(module);
    return (int)(code & 0xff);
}

int
main(int argc, char **argv)
{
    char python[PATH_MAX];
    struct sco_error err;
    PyStatus status;
    int code;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    if (sco_home_find(python_version(), python, &err) != SCO_OK) {
        (void)fprintf(stderr, "scorehost-host: error: %s\n", err.text);
        return FAILED;
    }
    if (PyImport_AppendInittab(module_name, PyInit__core) < 0) {
        (void)fprintf(stderr, "scorehost-host: error: out of memory\n");
        return FAILED;
    }
    status = start_python(python, argc, argv);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
    code = run_main();
    /* Its own failure (a full disk behind stdout) is one of the program. */
    return Py_FinalizeEx() < 0 && code == 0 ? 120 : code;
}
