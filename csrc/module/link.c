#include "module/core.h"

#include "base/clock.h"
#include "link/child.h"
#include "link/zmq_term.h"
#include "link/zmq_worker.h"
#include "pybridge/errors.h"
#include "pybridge/serve.h"
#include "pybridge/term.h"

#include <string.h>

/* What serve() returns, and the process exits with. */
enum { EXIT_RENEW = 75, EXIT_REFUSED = 1 };

/* A signal to stop that comes so soon after the first is the same one. */
#define INSIST_NS SCO_NS_PER_S

struct link_object {
    PyObject_HEAD struct sco_child *child;
    struct sco_zmq_worker *line; /* of a remote worker, whose child it is */
    bool served;                 /* serve() is for once */
};

static struct sco_child *
child_of(PyObject *self)
{
    return ((struct link_object *)self)->child;
}

static PyObject *
link_boot(PyObject *self, void *closure)
{
    struct sco_slice boot = { NULL, 0 };

    (void)closure;
    if (child_of(self) != NULL) {
        boot = sco_child_boot(child_of(self));
    }
    return PyUnicode_DecodeUTF8(boot.data, (Py_ssize_t)boot.len, NULL);
}

/* Ends the line of a remote worker, which its child goes with: how the
 * process exits. */
static int
end_line(struct link_object *link)
{
    struct sco_zmq_worker *line = link->line;
    enum sco_zmq_worker_end end = SCO_WORKER_ENDED;

    if (line == NULL) {
        return 0;
    }
    sco_zmq_term_remove();
    link->line = NULL;
    link->child = NULL;
    Py_BEGIN_ALLOW_THREADS end = sco_zmq_worker_destroy(line);
    Py_END_ALLOW_THREADS if (end == SCO_WORKER_RENEW)
    {
        return EXIT_RENEW;
    }
    return end == SCO_WORKER_REFUSED ? EXIT_REFUSED : 0;
}

/* Has the line answer what it has, and the worker told to stop. */
static void
stop_line(void *line)
{
    sco_zmq_worker_stop(line);
}

static PyObject *
link_serve(PyObject *self, PyObject *scoring)
{
    struct link_object *link = (struct link_object *)self;
    const struct sco_core_state *state =
        PyType_GetModuleState(Py_TYPE(self)); /* borrowed */
    int served, code;

    if (state == NULL) {
        return NULL;
    }
    if (link->served) {
        PyErr_SetString(PyExc_RuntimeError, "serve() is called once");
        return NULL;
    }
    link->served = true;
    if (link->line != NULL) {
        sco_term_end_by(stop_line, link->line);
    }
    served = sco_serve(link->child, scoring, state->call_type);
    sco_term_end_by(NULL, NULL);
    if (served < 0) {
        return NULL;
    }
    code = end_line(link);
    return PyLong_FromLong(sco_term_was_asked() ? EXIT_RENEW : code);
}

/* Has signals end a remote worker when it has answered what it has. */
static PyObject *
link_stop_on_signals(PyObject *self, PyObject *args)
{
    const struct link_object *link = (const struct link_object *)self;

    (void)args;
    if (link->line != NULL) {
        sco_zmq_term_install(link->line, INSIST_NS);
    }
    Py_RETURN_NONE;
}

static void
link_dealloc(PyObject *self)
{
    struct link_object *link = (struct link_object *)self;
    PyTypeObject *type = Py_TYPE(self);

    if (link->line != NULL) {
        (void)end_line(link);
    }
    sco_child_destroy(link->child);
    type->tp_free(self);
    Py_DECREF(type); /* an instance of a heap type holds its type */
}

static PyMethodDef link_methods[] = {
    { "serve", link_serve, METH_O,
      "serve(scoring, /)\n--\n\n"
      "Scores what the host sends until it says stop; the exit code." },
    { "stop_on_signals", link_stop_on_signals, METH_NOARGS,
      "stop_on_signals()\n--\n\n"
      "Has SIGTERM and SIGINT end a remote worker when it has answered what "
      "it has.\n\n"
      "A later one ends it at once; but one that comes by two ways is one." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef link_getset[] = {
    { "boot", link_boot, NULL, "The text that the host gives each worker.",
      NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static char link_doc[] = "A worker process's end of the line to its host.";

static PyType_Slot link_slots[] = {
    { Py_tp_dealloc, link_dealloc },
    { Py_tp_methods, link_methods },
    { Py_tp_getset, link_getset },
    { Py_tp_doc, link_doc },
    { 0, NULL },
};

static PyType_Spec link_spec = {
    .name = "scorehost._core.Link",
    .basicsize = sizeof(struct link_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = link_slots,
};

PyTypeObject *
sco_link_type_create(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &link_spec, NULL);
}

PyObject *
sco_link_attach(PyTypeObject *type, int fd, int parent)
{
    struct sco_error err = { .text = "" };
    struct sco_child *child = NULL;
    struct link_object *link;
    enum sco_status status;

    Py_BEGIN_ALLOW_THREADS status = sco_child_attach(fd, parent, &child, &err);
    Py_END_ALLOW_THREADS if (status != SCO_OK)
    {
        return sco_raise(status, &err);
    }
    link = (struct link_object *)type->tp_alloc(type, 0);
    if (link == NULL) {
        sco_child_destroy(child);
        return NULL;
    }
    link->child = child;
    return (PyObject *)link;
}

static bool
read_key(const char *text, struct sco_zmq_key *out)
{
    size_t len = strlen(text);

    if (len != 0 && len != SCO_ZMQ_KEY_CHARS) {
        PyErr_Format(PyExc_ValueError,
                     "a key has %d characters of Z85, not %zu",
                     SCO_ZMQ_KEY_CHARS, len);
        return false;
    }
    memcpy(out->text, text, len + 1);
    return true;
}

PyObject *
sco_link_connect(PyTypeObject *type, PyObject *args)
{
    struct sco_zmq_worker_setup setup = { .endpoint = NULL };
    struct sco_error err = { .text = "" };
    struct sco_zmq_worker *line = NULL;
    struct link_object *link;
    enum sco_status status;
    const char *secret, *server;
    unsigned long long hash;

    if (!PyArg_ParseTuple(args, "ssssKIss:connect", &setup.endpoint,
                          &setup.name, &setup.gpu, &setup.script, &hash,
                          &setup.credits, &secret, &server) ||
        !read_key(secret, &setup.secret) || !read_key(server, &setup.server)) {
        return NULL;
    }
    setup.script_hash = hash;
    Py_BEGIN_ALLOW_THREADS status = sco_zmq_worker_create(&setup, &line, &err);
    Py_END_ALLOW_THREADS if (status != SCO_OK)
    {
        return sco_raise(status, &err);
    }
    link = (struct link_object *)type->tp_alloc(type, 0);
    if (link == NULL) {
        (void)sco_zmq_worker_destroy(line);
        return NULL;
    }
    link->line = line;
    link->child = sco_zmq_worker_child(line);
    return (PyObject *)link;
}

PyObject *
sco_link_keypair(void)
{
    struct sco_error err = { .text = "" };
    struct sco_zmq_key secret, pub;
    enum sco_status status = sco_zmq_keypair(&pub, &secret, &err);

    return status == SCO_OK ? Py_BuildValue("ss", pub.text, secret.text)
                            : sco_raise(status, &err);
}
