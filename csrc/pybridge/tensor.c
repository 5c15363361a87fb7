#include "pybridge/tensor.h"

#include "pybridge/dlpack.h"

#include <stdint.h>
#include <stdlib.h>

struct tensor_object {
    PyObject_HEAD struct sco_tensor_view view;
    size_t count;
    char format[2];
    Py_ssize_t shape[SCO_RANK_MAX];
    Py_ssize_t strides[SCO_RANK_MAX];
};

/* ---- DLPack ----------------------------------------------------------- */

static bool
is_bytes(const struct tensor_object *self)
{
    if (self->view.dtype != SCO_BYTES) {
        return false;
    }
    PyErr_SetString(PyExc_BufferError,
                    "elements of BYTES have no buffer: use items()");
    return true;
}

static void
release(void *owner)
{
    sco_memory_unref(owner);
}

static PyObject *
tensor_dlpack(PyObject *object, PyObject *args, PyObject *kwargs)
{
    const struct tensor_object *self = (struct tensor_object *)object;
    const struct sco_dlpack_array array = {
        .data = (void *)(uintptr_t)self->view.data,
        .device = SCO_DLPACK_CPU,
        .dtype = self->view.dtype,
        .shape = self->view.shape,
        .is_read_only = !self->view.is_writable,
    };
    struct sco_dlpack_wish wish;
    struct sco_memory *memory;
    PyObject *capsule;

    if (sco_dlpack_wish(args, kwargs, &wish) < 0 || is_bytes(self)) {
        return NULL;
    }
    if (wish.stream != Py_None || wish.is_copy) {
        PyErr_SetString(PyExc_BufferError,
                        "memory of a CPU has no stream, and is not copied");
        return NULL;
    }
    memory = sco_memory_ref(self->view.memory);
    capsule = sco_dlpack_give(&array, &wish, release, memory);
    if (capsule == NULL) {
        sco_memory_unref(memory);
    }
    return capsule;
}

static PyObject *
tensor_dlpack_device(PyObject *object, PyObject *args)
{
    (void)object;
    (void)args;
    return Py_BuildValue("(ii)", SCO_DLPACK_CPU, 0);
}

/* ---- the buffer protocol ---------------------------------------------- */

static int
tensor_getbuffer(PyObject *object, Py_buffer *out, int flags)
{
    struct tensor_object *self = (struct tensor_object *)object;

    out->obj = NULL;
    if (is_bytes(self)) {
        return -1;
    }
    if ((flags & PyBUF_WRITABLE) != 0 && !self->view.is_writable) {
        PyErr_SetString(PyExc_BufferError, "the tensor is read-only");
        return -1;
    }
    *out = (Py_buffer){
        .buf = (void *)(uintptr_t)self->view.data,
        .itemsize = (Py_ssize_t)sco_dtype_info(self->view.dtype)->bytes,
        .readonly = !self->view.is_writable,
        .ndim = (int)self->view.shape.rank,
        .format = (flags & PyBUF_FORMAT) != 0 ? self->format : NULL,
        .shape = (flags & PyBUF_ND) != 0 ? self->shape : NULL,
        .strides =
            (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? self->strides : NULL,
    };
    out->len = (Py_ssize_t)self->count * out->itemsize;
    out->obj = Py_NewRef(object);
    return 0;
}

/* ---- the rest --------------------------------------------------------- */

static PyObject *
tensor_items(PyObject *object, PyObject *args)
{
    const struct tensor_object *self = (struct tensor_object *)object;
    const struct sco_tensor_view *view = &self->view;
    size_t begin = view->begin;
    PyObject *items;

    (void)args;
    if (view->dtype != SCO_BYTES) {
        PyErr_SetString(PyExc_TypeError, "items() is for elements of BYTES");
        return NULL;
    }
    items = PyList_New((Py_ssize_t)self->count);
    for (size_t i = 0; items != NULL && i < self->count; i++) {
        PyObject *item = PyBytes_FromStringAndSize(
            view->data + begin, (Py_ssize_t)(view->ends[i] - begin));

        if (item == NULL) {
            Py_CLEAR(items);
            break;
        }
        begin = view->ends[i];
        PyList_SET_ITEM(items, (Py_ssize_t)i, item);
    }
    return items;
}

static PyObject *
tensor_datatype(PyObject *object, void *closure)
{
    const struct tensor_object *self = (struct tensor_object *)object;

    (void)closure;
    return PyUnicode_FromString(sco_dtype_info(self->view.dtype)->name);
}

PyObject *
sco_tensor_lengths(const struct sco_shape *shape)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)shape->rank);

    for (unsigned i = 0; tuple != NULL && i < shape->rank; i++) {
        PyObject *length = PyLong_FromUnsignedLongLong(shape->dims[i]);

        if (length == NULL) {
            Py_CLEAR(tuple);
            break;
        }
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, length);
    }
    return tuple;
}

int
sco_tensor_read_lengths(PyObject *shape, struct sco_shape *out)
{
    Py_ssize_t rank = PyTuple_Check(shape) ? PyTuple_GET_SIZE(shape) : -1;

    if (rank < 0 || rank > SCO_RANK_MAX) {
        PyErr_SetString(PyExc_TypeError,
                        "a shape is a tuple of up to 32 lengths");
        return -1;
    }
    out->rank = (unsigned)rank;
    for (Py_ssize_t i = 0; i < rank; i++) {
        out->dims[i] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(shape, i));
        if (PyErr_Occurred() != NULL) {
            return -1;
        }
    }
    return 0;
}

static PyObject *
tensor_shape(PyObject *object, void *closure)
{
    (void)closure;
    return sco_tensor_lengths(&((struct tensor_object *)object)->view.shape);
}

static void
tensor_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    sco_memory_unref(((struct tensor_object *)object)->view.memory);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef tensor_methods[] = {
    { "__dlpack__", (PyCFunction)(void (*)(void))tensor_dlpack,
      METH_VARARGS | METH_KEYWORDS,
      "__dlpack__(*, stream=None, max_version=None, dl_device=None, "
      "copy=None)\n--\n\n"
      "A capsule with the elements, as DLPack has it." },
    { "__dlpack_device__", tensor_dlpack_device, METH_NOARGS,
      "__dlpack_device__()\n--\n\n"
      "(1, 0): the CPU." },
    { "items", tensor_items, METH_NOARGS,
      "items()\n--\n\n"
      "The elements of BYTES as a new list of bytes, in order." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef tensor_getset[] = {
    { "datatype", tensor_datatype, NULL, "The datatype's name: \"FP32\".",
      NULL },
    { "shape", tensor_shape, NULL, "A tuple of the lengths.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static char tensor_doc[] =
    "Elements of one datatype, one behind the other: what a request brought.";

static PyType_Slot tensor_slots[] = {
    { Py_tp_dealloc, tensor_dealloc },     { Py_tp_getset, tensor_getset },
    { Py_tp_methods, tensor_methods },     { Py_tp_doc, tensor_doc },
    { Py_bf_getbuffer, tensor_getbuffer }, { 0, NULL },
};

static PyType_Spec tensor_spec = {
    .name = "scorehost._core.Tensor",
    .basicsize = sizeof(struct tensor_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = tensor_slots,
};

PyTypeObject *
sco_tensor_type_create(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &tensor_spec,
                                                    NULL);
}

PyObject *
sco_tensor_create(PyTypeObject *type, const struct sco_tensor_view *view)
{
    const struct sco_dtype_info *info = sco_dtype_info(view->dtype);
    PyObject *object = type->tp_alloc(type, 0);
    struct tensor_object *self = (struct tensor_object *)object;
    Py_ssize_t stride = (Py_ssize_t)info->bytes;

    if (object == NULL) {
        return NULL;
    }
    self->view = *view;
    (void)sco_memory_ref(view->memory);
    self->count = 1;
    self->format[0] = info->format;
    for (unsigned i = view->shape.rank; i-- > 0;) {
        self->shape[i] = (Py_ssize_t)view->shape.dims[i];
        self->strides[i] = stride;
        stride *= self->shape[i];
        self->count *= view->shape.dims[i];
    }
    return object;
}
