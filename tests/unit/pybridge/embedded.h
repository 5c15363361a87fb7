/* embedded.h - a CPython inside a unit test, and a script
 *
 * Every test of pybridge/ is a program that embeds CPython. The package
 * scorehost is not needed: the little of it that the bridge calls stands
 * here. Include it before everything else, as it brings Python.h.
 */
#ifndef SCO_TESTS_PYBRIDGE_EMBEDDED_H
#define SCO_TESTS_PYBRIDGE_EMBEDDED_H

#include "pybridge/py.h"

#include "pybridge/call_object.h"
#include "pybridge/scoring.h"
#include "pybridge/tensor.h"
#include "support/test.h"

#include <stdbool.h>

/* What stands in for scorehost: the exception, and a Scoring that logs into
 * lists. `make(run)` gives one. */
static const char embedded_package[] =
    "import json, sys, types\n"
    "class ScoringTimeout(BaseException): pass\n"
    "class Cancelled(BaseException): pass\n"
    "errors = types.ModuleType('scorehost.errors')\n"
    "errors.ScoringTimeout = ScoringTimeout\n"
    "errors.Cancelled = Cancelled\n"
    "sys.modules['scorehost'] = types.ModuleType('scorehost')\n"
    "sys.modules['scorehost.errors'] = errors\n"
    "unraised = []\n"
    "sys.unraisablehook = lambda a: unraised.append(a.exc_type.__name__)\n"
    "class Scoring:\n"
    "    mode, fast = 'plain', True\n"
    "    parameter = 'data'\n"
    "    def __init__(self, run):\n"
    "        self.run = run\n"
    "        self.swaggers = {'2': b'{\"two\": 2}', '3': b'{}'}\n"
    "        self.calls, self.raised, self.lines = [], [], []\n"
    "    def invoke(self, call):\n"
    "        self.calls.append(call.target)\n"
    "        return self.run(call)\n"
    "    def finish(self, result, run_ns):\n"
    "        text = 'finish ' + type(result).__name__\n"
    "        return 201, [('X-Kind', 'finish')], text, 4, run_ns\n"
    "    def failed(self, exc):\n"
    "        self.raised.append(exc)\n"
    "        return 500, [], 'failed ' + type(exc).__name__, 1, 0\n"
    "    def log_line(self, logger, level, message):\n"
    "        self.lines.append((logger, level, message))\n";

/* The namespace that all Python text of the test runs in. Borrowed. */
static PyObject *embedded_names;

/* Runs statements; a failure of theirs fails the test. */
static inline void
py_run(const char *text)
{
    PyObject *done =
        PyRun_String(text, Py_file_input, embedded_names, embedded_names);

    if (done == NULL) {
        PyErr_Print();
    }
    assert_non_null(done);
    Py_DECREF(done);
}

/* The value of an expression: a new reference. */
static inline PyObject *
py_eval(const char *text)
{
    PyObject *value =
        PyRun_String(text, Py_eval_input, embedded_names, embedded_names);

    if (value == NULL) {
        PyErr_Print();
    }
    assert_non_null(value);
    return value;
}

/* Fails the test unless an expression is true. */
static inline void
py_assert(const char *text)
{
    PyObject *value = py_eval(text);
    bool truth = PyObject_IsTrue(value) == 1;

    Py_DECREF(value);
    if (!truth) {
        print_error("not true: %s\n", text);
    }
    assert_true(truth);
}

/* A group's setup and teardown: starts and ends CPython. */
static inline int
embedded_start(void **state)
{
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    (void)state;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
#ifdef __SANITIZE_ADDRESS__
    before.allocator = PYMEM_ALLOCATOR_MALLOC; /* one that it sees */
#endif
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        return -1;
    }
    PyConfig_InitIsolatedConfig(&config);
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        return -1;
    }
    embedded_names = PyModule_GetDict(PyImport_AddModule("__main__"));
    py_run(embedded_package);
    return 0;
}

static inline int
embedded_stop(void **state)
{
    (void)state;
    return Py_FinalizeEx();
}

/* The type _core.Call without its module. New reference. */
static inline PyTypeObject *
embedded_call_type(void)
{
    PyObject *module = PyModule_New("scorehost._core");
    PyTypeObject *type, *tensor;

    assert_non_null(module);
    type = sco_call_type_create(module);
    assert_non_null(type);
    tensor = sco_tensor_type_create(module);
    assert_non_null(tensor);
    assert_int_equal(PyModule_AddType(module, tensor), 0);
    Py_DECREF(tensor);
    Py_DECREF(module);
    return type;
}

/* A Scoring around the run() that `script` defines, read. */
static inline void
embedded_script(const char *script, struct sco_scoring *out)
{
    PyTypeObject *type = embedded_call_type();
    PyObject *object;

    py_run(script);
    py_run("unraised.clear()\n"
           "scoring = Scoring(run)\n");
    object = py_eval("scoring");
    assert_int_equal(sco_scoring_read(object, type, out), 0);
    Py_DECREF(object);
    Py_DECREF(type);
}

#endif
