/* Design notes
 *
 * A DLPack capsule holds a struct that its consumer frees, perhaps without a
 * GIL and after the interpreter is gone. So it has a reference of the memory
 * and none of the Tensor.
 */
#include "pybridge/tensor.h"

#include <stdint.h>
#include <stdlib.h>

struct tensor_object {
    PyObject_HEAD struct sco_tensor_view view;
    size_t count;
    char format[2];
    Py_ssize_t shape[SCO_RANK_MAX];
    Py_ssize_t strides[SCO_RANK_MAX];
};

/* ---- DLPack's structs, as its ABI has them ---------------------------- */

enum { DL_CPU = 1, DL_MAJOR = 1, DL_MINOR = 0, DL_READ_ONLY = 1 };

struct dl_tensor {
    void *data;
    struct {
        int32_t type, id;
    } device;
    int32_t ndim;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape;
    int64_t *strides;
    uint64_t byte_offset;
};

struct dl_legacy {
    struct dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_legacy *self);
};

struct dl_versioned {
    struct {
        uint32_t major, minor;
    } version;
    void *context;
    void (*deleter)(struct dl_versioned *self);
    uint64_t flags;
    struct dl_tensor tensor;
};

/* One of both, and what it points to. */
struct dl_export {
    union {
        struct dl_legacy legacy;
        struct dl_versioned versioned;
    } managed;
    struct sco_memory *memory;
    int64_t shape[SCO_RANK_MAX];
    int64_t strides[SCO_RANK_MAX];
};

static const char legacy_name[] = "dltensor";
static const char versioned_name[] = "dltensor_versioned";

static void
free_export(struct dl_export *export)
{
    sco_memory_unref(export->memory);
    free(export);
}

static void
delete_legacy(struct dl_legacy *self)
{
    free_export(self->context);
}

static void
delete_versioned(struct dl_versioned *self)
{
    free_export(self->context);
}

/* A capsule that was taken has another name, and is the taker's to free. */
static void
delete_capsule(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, legacy_name)) {
        delete_legacy(PyCapsule_GetPointer(capsule, legacy_name));
    } else if (PyCapsule_IsValid(capsule, versioned_name)) {
        delete_versioned(PyCapsule_GetPointer(capsule, versioned_name));
    }
}

static void
fill_dl_tensor(const struct tensor_object *self, struct dl_export *export,
               struct dl_tensor *out)
{
    const struct sco_dtype_info *info = sco_dtype_info(self->view.dtype);
    int64_t stride = 1;

    for (unsigned i = self->view.shape.rank; i-- > 0;) {
        export->shape[i] = (int64_t)self->view.shape.dims[i];
        export->strides[i] = stride;
        stride *= export->shape[i];
    }
    *out = (struct dl_tensor){
        .data = (void *)(uintptr_t)self->view.data,
        .device = { DL_CPU, 0 },
        .ndim = (int32_t)self->view.shape.rank,
        .dtype = { info->dlpack_code, info->dlpack_bits, 1 },
        .shape = export->shape,
        .strides = export->strides,
    };
}

static PyObject *
export_capsule(const struct tensor_object *self, bool is_versioned)
{
    struct dl_export *export = calloc(1, sizeof(*export));
    PyObject *capsule;

    if (export == NULL) {
        return PyErr_NoMemory();
    }
    export->memory = sco_memory_ref(self->view.memory);
    if (is_versioned) {
        struct dl_versioned *managed = &export->managed.versioned;

        managed->version.major = DL_MAJOR;
        managed->version.minor = DL_MINOR;
        managed->context = export;
        managed->deleter = delete_versioned;
        managed->flags = self->view.is_writable ? 0 : DL_READ_ONLY;
        fill_dl_tensor(self, export, &managed->tensor);
    } else {
        export->managed.legacy.context = export;
        export->managed.legacy.deleter = delete_legacy;
        fill_dl_tensor(self, export, &export->managed.legacy.tensor);
    }
    capsule = PyCapsule_New(&export->managed,
                            is_versioned ? versioned_name : legacy_name,
                            delete_capsule);
    if (capsule == NULL) {
        free_export(export);
    }
    return capsule;
}

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

static PyObject *
tensor_dlpack(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { (char *)"stream", (char *)"max_version",
                             (char *)"dl_device", (char *)"copy", NULL };
    const struct tensor_object *self = (struct tensor_object *)object;
    PyObject *stream = Py_None, *version = Py_None;
    PyObject *device = Py_None, *copy = Py_None;
    bool is_versioned = false;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", names,
                                     &stream, &version, &device, &copy) ||
        is_bytes(self)) {
        return NULL;
    }
    if (stream != Py_None || copy == Py_True) {
        PyErr_SetString(PyExc_BufferError,
                        "memory of a CPU has no stream, and is not copied");
        return NULL;
    }
    if (PyTuple_Check(version) && PyTuple_GET_SIZE(version) > 0) {
        long major = PyLong_AsLong(PyTuple_GET_ITEM(version, 0));

        if (major == -1 && PyErr_Occurred() != NULL) {
            return NULL;
        }
        is_versioned = major >= DL_MAJOR;
    }
    if (!is_versioned && !self->view.is_writable) {
        PyErr_SetString(PyExc_BufferError,
                        "it is read-only, which DLPack says from 1.0 on");
        return NULL;
    }
    return export_capsule(self, is_versioned);
}

static PyObject *
tensor_dlpack_device(PyObject *object, PyObject *args)
{
    (void)object;
    (void)args;
    return Py_BuildValue("(ii)", DL_CPU, 0);
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

static PyObject *
tensor_shape(PyObject *object, void *closure)
{
    const struct tensor_object *self = (struct tensor_object *)object;
    PyObject *shape = PyTuple_New((Py_ssize_t)self->view.shape.rank);

    (void)closure;
    for (unsigned i = 0; shape != NULL && i < self->view.shape.rank; i++) {
        PyObject *length = PyLong_FromSsize_t(self->shape[i]);

        if (length == NULL) {
            Py_CLEAR(shape);
            break;
        }
        PyTuple_SET_ITEM(shape, (Py_ssize_t)i, length);
    }
    return shape;
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
