#include "module/core.h"

#include "link/child.h"
#include "pybridge/errors.h"
#include "pybridge/serve.h"

struct link_object {
    PyObject_HEAD struct sco_child *child;
    bool served; /* serve() is for once */
};

static struct sco_child *
child_of(PyObject *self)
{
    return ((struct link_object *)self)->child;
}

static PyObject *
link_boot(PyObject *self, void *closure)
{
    struct sco_slice boot = sco_child_boot(child_of(self));

    (void)closure;
    return PyUnicode_DecodeUTF8(boot.data, (Py_ssize_t)boot.len, NULL);
}

static PyObject *
link_serve(PyObject *self, PyObject *scoring)
{
    struct link_object *link = (struct link_object *)self;
    const struct sco_core_state *state =
        PyType_GetModuleState(Py_TYPE(self)); /* borrowed */

    if (state == NULL) {
        return NULL;
    }
    if (link->served) {
        PyErr_SetString(PyExc_RuntimeError, "serve() is called once");
        return NULL;
    }
    link->served = true;
    if (sco_serve(link->child, scoring, state->call_type) < 0) {
        return NULL;
    }
    return PyLong_FromLong(0);
}

static PyObject *
link_timed_out(PyObject *self, PyObject *args)
{
    struct sco_sink *sink = sco_child_sink(child_of(self));

    (void)args;
    return PyBool_FromLong(sink->ops->timed_out(sink));
}

static PyObject *
link_cancelled(PyObject *self, PyObject *args)
{
    struct sco_sink *sink = sco_child_sink(child_of(self));

    (void)args;
    return PyBool_FromLong(sink->ops->cancelled(sink));
}

static void
link_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    sco_child_destroy(child_of(self));
    type->tp_free(self);
    Py_DECREF(type); /* an instance of a heap type holds its type */
}

static PyMethodDef link_methods[] = {
    { "serve", link_serve, METH_O,
      "serve(scoring, /)\n--\n\n"
      "Scores what the host sends until it says stop; the exit code." },
    { "timed_out", link_timed_out, METH_NOARGS,
      "timed_out()\n--\n\n"
      "Whether the request in hand is over its limit and answered." },
    { "cancelled", link_cancelled, METH_NOARGS,
      "cancelled()\n--\n\n"
      "Whether nobody waits for the request in hand any more." },
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
sco_link_attach(PyTypeObject *type, int fd)
{
    struct sco_error err = { .text = "" };
    struct sco_child *child = NULL;
    struct link_object *link;
    enum sco_status status;

    Py_BEGIN_ALLOW_THREADS status = sco_child_attach(fd, &child, &err);
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
