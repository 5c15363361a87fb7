#include "module/core.h"

#include "base/clock.h"
#include "http/http.h"
#include "link/child.h"
#include "pybridge/call_object.h"
#include "pybridge/current.h"
#include "pybridge/device_tensor.h"
#include "pybridge/errors.h"
#include "pybridge/gpu_object.h"
#include "pybridge/probe.h"
#include "pybridge/tensor.h"

static struct sco_core_state *
state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

/* A string's UTF-8, which holds as long as the string. -1 with an
 * exception. */
static int
read_text(PyObject *text, struct sco_slice *out)
{
    Py_ssize_t length;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &length);

    if (utf8 == NULL) {
        return -1;
    }
    *out = (struct sco_slice){ utf8, (size_t)length };
    return 0;
}

static int
require_main(const char *complaint)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) {
        return 0;
    }
    PyErr_SetString(PyExc_RuntimeError, complaint);
    return -1;
}

static PyObject *
core_serve(PyObject *module, PyObject *args)
{
    PyObject *config_text, *boot_text;
    struct sco_slice config, boot;

    if (!PyArg_ParseTuple(args, "UU:serve", &config_text, &boot_text) ||
        read_text(config_text, &config) < 0 ||
        read_text(boot_text, &boot) < 0) {
        return NULL;
    }
    if (require_main("serve() is for the main interpreter") < 0) {
        return NULL;
    }
    return sco_program_serve(module, state_of(module)->call_type, config,
                             boot_text, boot);
}

static PyObject *
core_attach(PyObject *module, PyObject *args)
{
    int fd, parent = 0;

    if (!PyArg_ParseTuple(args, "i|i:attach", &fd, &parent)) {
        return NULL;
    }
    return sco_link_attach(state_of(module)->link_type, fd, parent);
}

static PyObject *
core_connect(PyObject *module, PyObject *args)
{
    return sco_link_connect(state_of(module)->link_type, args);
}

static PyObject *
core_curve_keypair(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    return sco_link_keypair();
}

static PyObject *
core_probe(PyObject *module, PyObject *args)
{
    PyObject *boot_text;

    if (!PyArg_ParseTuple(args, "U:probe", &boot_text) ||
        require_main("probe() is for the main interpreter") < 0) {
        return NULL;
    }
    return sco_probe(boot_text, PyModule_GetDef(module));
}

static PyObject *
core_open_gpu(PyObject *module, PyObject *args)
{
    return sco_gpu_object_open(state_of(module)->gpu_type, args);
}

static PyObject *
core_tie(PyObject *module, PyObject *args)
{
    struct sco_error err = { .text = "" };
    enum sco_status status;
    int fd;

    (void)module;
    if (!PyArg_ParseTuple(args, "i:tie", &fd)) {
        return NULL;
    }
    status = sco_child_tie(fd, /* parent */ 0, &err);
    if (status != SCO_OK) {
        return sco_raise(status, &err);
    }
    Py_RETURN_NONE;
}

static PyObject *
core_version(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    return PyUnicode_FromFormat("scorehost %s, %s", SCO_VERSION,
                                sco_http_library());
}

static PyObject *
core_cancelled(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    return PyBool_FromLong(sco_current_is_cancelled());
}

static PyObject *
core_time_left(PyObject *module, PyObject *args)
{
    uint64_t deadline_ns = sco_current_deadline_ns();
    uint64_t now_ns;

    (void)module;
    (void)args;
    if (deadline_ns == 0) {
        Py_RETURN_NONE;
    }
    now_ns = sco_clock_now_ns();
    return PyFloat_FromDouble(deadline_ns > now_ns
                                  ? (double)(deadline_ns - now_ns) /
                                        (double)SCO_NS_PER_S
                                  : 0.0);
}

static PyMethodDef core_methods[] = {
    { "cancelled", core_cancelled, METH_NOARGS,
      "cancelled()\n--\n\n"
      "Whether nobody waits for the answer of the run() in hand any more." },
    { "time_left", core_time_left, METH_NOARGS,
      "time_left()\n--\n\n"
      "How many seconds the run() in hand may still take; None: any." },
    { "serve", core_serve, METH_VARARGS,
      "serve(config, boot, /)\n--\n\n"
      "Runs the host until it is told to stop; the exit code. By default it\n"
      "has a process of its own, which is started again when it crashes." },
    { "attach", core_attach, METH_VARARGS,
      "attach(fd, parent=0, /)\n--\n\n"
      "Joins the host as a worker process, over an inherited descriptor.\n\n"
      "It ends with the process `parent`, or with the one that made it." },
    { "connect", core_connect, METH_VARARGS,
      "connect(endpoint, name, gpu, script, script_hash, credits, secret, "
      "server_key, /)\n--\n\n"
      "Makes this process a remote worker of the host at that place." },
    { "curve_keypair", core_curve_keypair, METH_NOARGS,
      "curve_keypair()\n--\n\n"
      "A new pair of keys for CURVE: public, secret." },
    { "open_gpu", core_open_gpu, METH_VARARGS,
      "open_gpu(paths, device, /)\n--\n\n"
      "The GPU with that number, by the first of these CUDA runtimes that\n"
      "has it; RuntimeError says what is missing." },
    { "probe", core_probe, METH_VARARGS,
      "probe(boot, /)\n--\n\n"
      "Loads the script in two isolated interpreters; a report in JSON." },
    { "tie", core_tie, METH_VARARGS,
      "tie(fd, /)\n--\n\n"
      "Has this process end with its parent, which has the socket's other "
      "end." },
    { "version", core_version, METH_NOARGS,
      "version()\n--\n\n"
      "What this is, and how strict its HTTP library is." },
    { NULL, NULL, 0, NULL },
};

static int
core_exec(PyObject *module)
{
    struct sco_core_state *state = state_of(module);
    const struct {
        PyTypeObject *(*create)(PyObject *module);
        PyTypeObject **into;
    } types[] = {
        { sco_call_type_create, &state->call_type },
        { sco_link_type_create, &state->link_type },
        { sco_tensor_type_create, &state->tensor_type },
        { sco_gpu_type_create, &state->gpu_type },
        { sco_device_tensor_type_create, &state->device_tensor_type },
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        *types[i].into = types[i].create(module);
        if (*types[i].into == NULL ||
            PyModule_AddType(module, *types[i].into) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
core_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct sco_core_state *state = state_of(module);

    Py_VISIT(state->call_type);
    Py_VISIT(state->link_type);
    Py_VISIT(state->tensor_type);
    Py_VISIT(state->gpu_type);
    Py_VISIT(state->device_tensor_type);
    return 0;
}

static int
core_clear(PyObject *module)
{
    struct sco_core_state *state = state_of(module);

    Py_CLEAR(state->call_type);
    Py_CLEAR(state->link_type);
    Py_CLEAR(state->tensor_type);
    Py_CLEAR(state->gpu_type);
    Py_CLEAR(state->device_tensor_type);
    return 0;
}

static void
core_free(void *module)
{
    core_clear(module);
}

static PyModuleDef_Slot core_slots[] = {
    { Py_mod_exec, core_exec },
#ifdef Py_mod_multiple_interpreters
    { Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
#endif
#ifdef Py_mod_gil
    { Py_mod_gil, Py_MOD_GIL_NOT_USED },
#endif
    { 0, NULL },
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "scorehost._core",
    .m_doc = "The part of scorehost that is written in C.",
    .m_size = sizeof(struct sco_core_state),
    .m_methods = core_methods,
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
