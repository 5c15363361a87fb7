#include "pybridge/call_object.h"

#include "base/clock.h"
#include "base/text.h"
#include "link/head.h"
#include "pybridge/target.h"

#include <stdint.h>

struct call_object {
    PyObject_HEAD struct sco_slice head; /* borrowed, or in `kept` */
    struct sco_slice body_bytes; /* borrowed; empty once `body` is made */
    PyObject *body;              /* bytes, or NULL */
    PyObject *kept;              /* bytes with the head, or NULL */
    uint64_t begun_ns;           /* when run() was called; 0: not yet */
};

/* What an attribute is made from: the number in its getset entry. */
enum part {
    PART_METHOD,
    PART_TARGET,
    PART_VERSION,
    PART_REQUEST_ID,
    PART_CLIENT_REQUEST_ID,
    PART_PATH,
    PART_QUERY,
    PART_PEER,
    PART_SERVER,
    PART_SCHEME,
};

static PyObject *
latin1(struct sco_slice text)
{
    return PyUnicode_DecodeLatin1(text.data, (Py_ssize_t)text.len, NULL);
}

/* Reads the head and leaves `in` at the fields. -1 with an exception. */
static int
read_head(PyObject *self, struct sco_reader *in, struct sco_call_head *head)
{
    struct call_object *object = (struct call_object *)self;

    *in = sco_reader_of(object->head);
    if (sco_head_read(in, head) != SCO_OK) {
        PyErr_SetString(PyExc_ValueError, "the request's head is gone");
        return -1;
    }
    return 0;
}

static PyObject *
path_object(struct sco_slice target)
{
    struct sco_text text = { 0 };
    PyObject *path = NULL;

    sco_target_path(target, &text);
    if (text.failed) {
        PyErr_NoMemory();
    } else {
        path = PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.len,
                                    "surrogateescape");
    }
    sco_text_finish(&text);
    return path;
}

static PyObject *
address_object(struct sco_slice host, uint16_t port)
{
    return Py_BuildValue("(Ni)", latin1(host), (int)port);
}

static PyObject *
get_part(PyObject *self, void *closure)
{
    struct sco_reader in;
    struct sco_call_head head;
    struct sco_slice query;

    if (read_head(self, &in, &head) < 0) {
        return NULL;
    }
    switch ((enum part)(uintptr_t)closure) {
    case PART_METHOD:
        return latin1(head.method);
    case PART_TARGET:
        return latin1(head.target);
    case PART_VERSION:
        return latin1(head.version);
    case PART_REQUEST_ID:
        return latin1(head.request_id);
    case PART_CLIENT_REQUEST_ID:
        return latin1(head.client_request_id);
    case PART_PATH:
        return path_object(head.target);
    case PART_QUERY:
        query = sco_target_query(head.target);
        return PyBytes_FromStringAndSize(query.data, (Py_ssize_t)query.len);
    case PART_PEER:
        return address_object(head.peer_host, head.peer_port);
    case PART_SERVER:
        return address_object(head.server_host, head.server_port);
    case PART_SCHEME:
        break;
    }
    return PyUnicode_FromString("http");
}

/* Reads the count of the fields after the head. -1 with an exception. */
static int
read_count(PyObject *self, struct sco_reader *in, struct sco_call_head *head,
           size_t *count)
{
    if (read_head(self, in, head) < 0) {
        return -1;
    }
    if (sco_fields_read_count(in, count) != SCO_OK) {
        PyErr_SetString(PyExc_ValueError, "the request's fields are damaged");
        return -1;
    }
    return 0;
}

static PyObject *
get_headers(PyObject *self, void *closure)
{
    struct sco_reader in;
    struct sco_call_head head;
    struct sco_slice name, value;
    PyObject *list;
    size_t count;

    (void)closure;
    if (read_count(self, &in, &head, &count) < 0) {
        return NULL;
    }
    list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; i < count && list != NULL; i++) {
        PyObject *pair = NULL;

        if (sco_fields_read(&in, &name, &value) != SCO_OK) {
            PyErr_SetString(PyExc_ValueError,
                            "the request's fields are damaged");
        } else {
            pair = Py_BuildValue("(NN)", latin1(name), latin1(value));
        }
        if (pair == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
        }
    }
    return list;
}

static PyObject *
get_body(PyObject *self, void *closure)
{
    struct call_object *object = (struct call_object *)self;

    (void)closure;
    if (object->body == NULL) {
        object->body = PyBytes_FromStringAndSize(
            object->body_bytes.data, (Py_ssize_t)object->body_bytes.len);
    }
    return Py_XNewRef(object->body);
}

static PyObject *
call_begin(PyObject *self, PyObject *args)
{
    struct call_object *object = (struct call_object *)self;

    (void)args;
    object->begun_ns = sco_clock_now_ns();
    return PyLong_FromUnsignedLongLong(object->begun_ns);
}

static void
call_dealloc(PyObject *self)
{
    struct call_object *object = (struct call_object *)self;
    PyTypeObject *type = Py_TYPE(self);

    Py_CLEAR(object->body);
    Py_CLEAR(object->kept);
    type->tp_free(self);
    Py_DECREF(type); /* an instance of a heap type holds its type */
}

#define PART(name, number, text)                                    \
    {                                                               \
        (name), get_part, NULL, (text), (void *)(uintptr_t)(number) \
    }

static PyGetSetDef call_getset[] = {
    PART("method", PART_METHOD, "The method as received."),
    PART("target", PART_TARGET, "The request target as received (latin-1)."),
    PART("path", PART_PATH,
         "The target's path, percent-decoded. Bytes that are no UTF-8 are "
         "escaped as surrogates."),
    PART("query", PART_QUERY, "The raw bytes after the '?'."),
    PART("version", PART_VERSION, "\"HTTP/1.1\" or \"HTTP/1.0\"."),
    { "headers", get_headers, NULL,
      "A new list of (name, value) as received (latin-1), in order.", NULL },
    { "body", get_body, NULL, "The body's bytes.", NULL },
    PART("peer", PART_PEER, "(address, port) of the client."),
    PART("server", PART_SERVER, "(address, port) that it connected to."),
    PART("scheme", PART_SCHEME, "\"http\": what the connection is."),
    PART("request_id", PART_REQUEST_ID, "The request's id."),
    PART("client_request_id", PART_CLIENT_REQUEST_ID,
         "The client's own id; empty when it gave none."),
    { NULL, NULL, NULL, NULL, NULL },
};

static PyMethodDef call_methods[] = {
    { "begin", call_begin, METH_NOARGS,
      "begin()\n--\n\n"
      "Says that run() is called now; time.perf_counter_ns()." },
    { NULL, NULL, 0, NULL },
};

static char call_doc[] =
    "One request, while it is scored and for as long as it is kept.";

static PyType_Slot call_slots[] = {
    { Py_tp_dealloc, call_dealloc },
    { Py_tp_getset, call_getset },
    { Py_tp_methods, call_methods },
    { Py_tp_doc, call_doc },
    { 0, NULL },
};

static PyType_Spec call_spec = {
    .name = "scorehost._core.Call",
    .basicsize = sizeof(struct call_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = call_slots,
};

PyTypeObject *
sco_call_type_create(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &call_spec, NULL);
}

PyObject *
sco_call_object_create(PyTypeObject *type, const struct sco_call *call)
{
    PyObject *self = type->tp_alloc(type, 0);
    struct call_object *object = (struct call_object *)self;

    if (self != NULL) {
        object->head = call->head;
        object->body_bytes = call->body;
    }
    return self;
}

uint64_t
sco_call_object_begun_ns(PyObject *self)
{
    return ((const struct call_object *)self)->begun_ns;
}

void
sco_call_object_detach(PyObject *self)
{
    struct call_object *object = (struct call_object *)self;
    PyObject *raised;

    if (Py_REFCNT(self) == 1) {
        Py_DECREF(self);
        return;
    }
    raised = PyErr_GetRaisedException(); /* new, or NULL */
    Py_XDECREF(get_body(self, NULL));
    object->kept = PyBytes_FromStringAndSize(object->head.data,
                                             (Py_ssize_t)object->head.len);
    object->head = (struct sco_slice){ NULL, 0 };
    object->body_bytes = (struct sco_slice){ NULL, 0 };
    if (object->kept != NULL) {
        object->head.data = PyBytes_AS_STRING(object->kept);
        object->head.len = (size_t)PyBytes_GET_SIZE(object->kept);
    }
    PyErr_Clear();
    if (raised != NULL) {
        PyErr_SetRaisedException(raised);
    }
    Py_DECREF(self);
}
