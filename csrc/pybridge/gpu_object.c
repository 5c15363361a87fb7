#include "pybridge/gpu_object.h"

#include "pybridge/device_tensor.h"
#include "pybridge/dlpack.h"
#include "pybridge/errors.h"
#include "pybridge/tensor.h"

struct gpu_object {
    PyObject_HEAD struct sco_gpu *gpu;
};

enum { PATHS_MOST = 32 };

/* Borrows the texts of a tuple of paths. -1 with an exception. */
static int
read_paths(PyObject *tuple, const char **out, size_t *count)
{
    *count = (size_t)PyTuple_GET_SIZE(tuple);
    if (*count > PATHS_MOST) {
        PyErr_SetString(PyExc_ValueError, "too many paths");
        return -1;
    }
    for (size_t i = 0; i < *count; i++) {
        out[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(tuple, (Py_ssize_t)i));
        if (out[i] == NULL) {
            return -1;
        }
    }
    return 0;
}

PyObject *
sco_gpu_object_open(PyTypeObject *type, PyObject *args)
{
    const char *paths[PATHS_MOST];
    struct sco_error err = { .text = "" };
    struct sco_gpu *gpu = NULL;
    enum sco_status status;
    struct gpu_object *self;
    PyObject *tuple;
    size_t count;
    int device;

    if (!PyArg_ParseTuple(args, "O!i:open_gpu", &PyTuple_Type, &tuple,
                          &device) ||
        read_paths(tuple, paths, &count) < 0) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS status =
        sco_gpu_open(paths, count, device, &gpu, &err);
    Py_END_ALLOW_THREADS if (status != SCO_OK)
    {
        PyErr_SetString(PyExc_RuntimeError, err.text);
        return NULL;
    }
    self = (struct gpu_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        sco_gpu_unref(gpu);
        return NULL;
    }
    self->gpu = gpu;
    return (PyObject *)self;
}

struct sco_gpu *
sco_gpu_of(PyObject *object, const PyTypeObject *type)
{
    return Py_TYPE(object) == type ? ((struct gpu_object *)object)->gpu : NULL;
}

static void
gpu_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    sco_gpu_unref(((struct gpu_object *)object)->gpu);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- copies, for the ways that are no fast ones ----------------------- */

/* Copies, and waits for it. -1 with an exception. */
static int
copy(struct sco_gpu *gpu, void *to, const void *from, size_t bytes, int kind)
{
    const struct sco_cuda_runtime *cuda = &gpu->cuda;
    struct sco_error err = { .text = "" };
    enum sco_status status;
    int failed;

    Py_BEGIN_ALLOW_THREADS failed =
        cuda->cudaMemcpyAsync(to, from, bytes, kind, SCO_CUDA_LEGACY);
    if (failed == SCO_CUDA_SUCCESS) {
        failed = cuda->cudaStreamSynchronize(SCO_CUDA_LEGACY);
    }
    Py_END_ALLOW_THREADS if (failed == SCO_CUDA_SUCCESS)
    {
        return 0;
    }
    status = sco_cuda_fail(cuda, failed, "a copy", &err);
    (void)sco_raise(status, &err);
    return -1;
}

/* Datatype and shape of what is to be sent. -1 with an exception. */
static int
read_view(PyObject *name, PyObject *lengths, size_t bytes,
          struct sco_device_view *out)
{
    struct sco_slice text = { NULL, 0 };
    Py_ssize_t length = 0;
    size_t wanted = 0;

    text.data = PyUnicode_AsUTF8AndSize(name, &length);
    text.len = (size_t)length;
    if (text.data == NULL ||
        sco_tensor_read_lengths(lengths, &out->shape) < 0) {
        return -1;
    }
    if (!sco_dtype_find(text, &out->dtype) || out->dtype == SCO_BYTES ||
        sco_shape_bytes(&out->shape, out->dtype, &wanted, NULL) != SCO_OK ||
        wanted != bytes) {
        PyErr_SetString(PyExc_ValueError,
                        "datatype and shape are not those of the elements");
        return -1;
    }
    return 0;
}

static PyObject *
send(struct sco_gpu *gpu, PyTypeObject *type, const Py_buffer *buffer,
     struct sco_device_view *view)
{
    struct sco_error err = { .text = "" };
    size_t bytes = (size_t)buffer->len;
    enum sco_status status =
        sco_gpu_block_create(gpu, bytes > 0 ? bytes : 1, &view->block, &err);
    PyObject *tensor = NULL;

    if (status != SCO_OK) {
        return sco_raise(status, &err);
    }
    view->data = view->block->at;
    if (bytes == 0 || copy(gpu, view->data, buffer->buf, bytes,
                           SCO_CUDA_HOST_TO_DEVICE) == 0) {
        tensor = sco_device_tensor_create(type, view);
    }
    sco_gpu_block_unref(view->block);
    return tensor;
}

static PyObject *
gpu_send(PyObject *object, PyObject *args)
{
    struct sco_gpu *gpu = ((struct gpu_object *)object)->gpu;
    struct sco_device_view view = { .block = NULL };
    PyObject *elements, *name, *lengths, *type, *tensor = NULL;
    Py_buffer buffer;

    if (!PyArg_ParseTuple(args, "OUO!:send", &elements, &name, &PyTuple_Type,
                          &lengths) ||
        PyObject_GetBuffer(elements, &buffer, PyBUF_C_CONTIGUOUS) < 0) {
        return NULL;
    }
    type = PyObject_GetAttrString(PyType_GetModule(Py_TYPE(object)),
                                  "DeviceTensor");
    if (type != NULL &&
        read_view(name, lengths, (size_t)buffer.len, &view) == 0) {
        tensor = send(gpu, (PyTypeObject *)type, &buffer, &view);
    }
    Py_XDECREF(type);
    PyBuffer_Release(&buffer);
    return tensor;
}

static PyObject *
gpu_fetch(PyObject *object, PyObject *capsule)
{
    struct sco_gpu *gpu = ((struct gpu_object *)object)->gpu;
    struct sco_dlpack_array array;
    PyObject *elements;
    size_t bytes = 0;

    if (!PyCapsule_CheckExact(capsule)) {
        PyErr_SetString(PyExc_TypeError, "a capsule of DLPack's is expected");
        return NULL;
    }
    if (sco_dlpack_look(capsule, &array) < 0) {
        return NULL;
    }
    if (sco_shape_bytes(&array.shape, array.dtype, &bytes, NULL) != SCO_OK) {
        return PyErr_NoMemory();
    }
    elements = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);
    if (elements != NULL && bytes > 0 &&
        copy(gpu, PyBytes_AS_STRING(elements), array.data, bytes,
             SCO_CUDA_DEVICE_TO_HOST) < 0) {
        Py_CLEAR(elements);
    }
    return elements;
}

/* ---- the rest --------------------------------------------------------- */

static PyObject *
gpu_device(PyObject *object, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((struct gpu_object *)object)->gpu->device);
}

static PyObject *
gpu_version(PyObject *object, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((struct gpu_object *)object)->gpu->version);
}

static PyGetSetDef gpu_getset[] = {
    { "device", gpu_device, NULL, "Its number in this process.", NULL },
    { "version", gpu_version, NULL,
      "That of the CUDA runtime, as it says it: 12040 is 12.4.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyMethodDef gpu_methods[] = {
    { "send", gpu_send, METH_VARARGS,
      "send(elements, datatype, shape, /)\n--\n\n"
      "A DeviceTensor with a copy of a buffer's elements." },
    { "fetch", gpu_fetch, METH_O,
      "fetch(capsule, /)\n--\n\n"
      "The bytes of the elements that a capsule of DLPack's has." },
    { NULL, NULL, 0, NULL },
};

static char gpu_doc[] = "A GPU that was opened.";

static PyType_Slot gpu_slots[] = {
    { Py_tp_dealloc, gpu_dealloc },
    { Py_tp_getset, gpu_getset },
    { Py_tp_methods, gpu_methods },
    { Py_tp_doc, gpu_doc },
    { 0, NULL },
};

static PyType_Spec gpu_spec = {
    .name = "scorehost._core.Gpu",
    .basicsize = sizeof(struct gpu_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = gpu_slots,
};

PyTypeObject *
sco_gpu_type_create(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &gpu_spec, NULL);
}
