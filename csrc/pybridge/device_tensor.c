/* Design notes
 *
 * What is in the memory is copied there by a stream of the stage's, for which
 * the stream that run() works in waits (sco_stage_arrive); by default that is
 * CUDA's legacy stream. Whoever uses another one says so, by DLPack's `stream`
 * or by reading "stream" of __cuda_array_interface__, and that one is had to
 * wait for the legacy stream.
 */
#include "pybridge/device_tensor.h"

#include "pybridge/dlpack.h"
#include "pybridge/errors.h"
#include "pybridge/tensor.h"

#include <stdint.h>
#include <stdio.h>

/* As __cuda_array_interface__ and DLPack number streams. */
enum { STREAM_NONE = -1, STREAM_LEGACY = 1 };

struct device_tensor {
    PyObject_HEAD struct sco_device_view view;
};

static const struct sco_device_view *
view_of(PyObject *object)
{
    return &((struct device_tensor *)object)->view;
}

/* ---- DLPack ----------------------------------------------------------- */

/* Has the stream that a taker names wait. -1 with an exception. */
static int
wait_in(struct sco_gpu *gpu, PyObject *stream)
{
    struct sco_error err = { .text = "" };
    enum sco_status status = SCO_OK;
    long long number = STREAM_LEGACY;

    if (stream != Py_None) {
        number = PyLong_AsLongLong(stream);
        if (number == -1 && PyErr_Occurred() != NULL) {
            return -1;
        }
    }
    if (number != STREAM_NONE && number != STREAM_LEGACY && number != 0) {
        status = sco_gpu_follow_legacy(
            gpu, (struct sco_cuda_stream *)(intptr_t)number, &err);
    }
    if (status != SCO_OK) {
        (void)sco_raise(status, &err);
        return -1;
    }
    return 0;
}

static void
release(void *owner)
{
    sco_gpu_block_unref(owner);
}

static PyObject *
device_dlpack(PyObject *object, PyObject *args, PyObject *kwargs)
{
    const struct sco_device_view *view = view_of(object);
    const struct sco_dlpack_array array = {
        .data = view->data,
        .device = SCO_DLPACK_CUDA,
        .device_id = view->block->gpu->device,
        .dtype = view->dtype,
        .shape = view->shape,
    };
    struct sco_dlpack_wish wish;
    struct sco_gpu_block *block;
    PyObject *capsule;

    if (sco_dlpack_wish(args, kwargs, &wish) < 0) {
        return NULL;
    }
    if (wish.is_copy) {
        PyErr_SetString(PyExc_BufferError, "it is not copied");
        return NULL;
    }
    if (wait_in(view->block->gpu, wish.stream) < 0) {
        return NULL;
    }
    block = sco_gpu_block_ref(view->block);
    capsule = sco_dlpack_give(&array, &wish, release, block);
    if (capsule == NULL) {
        sco_gpu_block_unref(block);
    }
    return capsule;
}

static PyObject *
device_dlpack_device(PyObject *object, PyObject *args)
{
    (void)args;
    return Py_BuildValue("(ii)", SCO_DLPACK_CUDA,
                         view_of(object)->block->gpu->device);
}

/* ---- __cuda_array_interface__ ----------------------------------------- */

/* NumPy's name of a datatype: "<f4". BF16 has none. */
static PyObject *
typestr_of(enum sco_dtype dtype)
{
    static const char kinds[] = { 'i', 'u', 'f', 'V', 'V', 'V', 'b' };
    const struct sco_dtype_info *info = sco_dtype_info(dtype);
    char kind =
        info->dlpack_code < sizeof(kinds) ? kinds[info->dlpack_code] : 'V';

    if (kind == 'V') {
        PyErr_Format(PyExc_AttributeError,
                     "%s has no name in __cuda_array_interface__: use DLPack",
                     info->name);
        return NULL;
    }
    return PyUnicode_FromFormat("%c%c%d", info->bytes == 1 ? '|' : '<', kind,
                                (int)info->bytes);
}

static PyObject *
device_interface(PyObject *object, void *closure)
{
    const struct sco_device_view *view = view_of(object);
    PyObject *typestr = typestr_of(view->dtype);
    PyObject *shape;

    (void)closure;
    if (typestr == NULL) {
        return NULL;
    }
    shape = sco_tensor_lengths(&view->shape);
    if (shape == NULL) {
        Py_DECREF(typestr);
        return NULL;
    }
    return Py_BuildValue(
        "{s:N,s:N,s:(KO),s:i,s:O,s:i}", "shape", shape, "typestr", typestr,
        "data", (unsigned long long)(uintptr_t)view->data, Py_False, "version",
        3, "strides", Py_None, "stream", STREAM_LEGACY);
}

/* ---- the rest --------------------------------------------------------- */

static Py_ssize_t
device_length(PyObject *object)
{
    const struct sco_shape *shape = &view_of(object)->shape;

    if (shape->rank == 0) {
        PyErr_SetString(PyExc_TypeError, "a single value has no length");
        return -1;
    }
    return (Py_ssize_t)shape->dims[0];
}

/* Some of its rows, by a slice. */
static PyObject *
device_subscript(PyObject *object, PyObject *key)
{
    struct sco_device_view view = *view_of(object);
    Py_ssize_t length = device_length(object);
    Py_ssize_t start, stop, step, count;
    size_t row_bytes = sco_dtype_info(view.dtype)->bytes;

    if (length < 0) {
        return NULL;
    }
    if (!PySlice_Check(key)) {
        PyErr_SetString(PyExc_TypeError,
                        "it is cut by slices of its first dimension alone: "
                        "make an array of it for more");
        return NULL;
    }
    if (PySlice_Unpack(key, &start, &stop, &step) < 0) {
        return NULL;
    }
    count = PySlice_AdjustIndices(length, &start, &stop, step);
    if (step != 1) {
        PyErr_SetString(PyExc_ValueError, "a slice of it has step 1");
        return NULL;
    }
    for (unsigned i = 1; i < view.shape.rank; i++) {
        row_bytes *= view.shape.dims[i];
    }
    view.data += (size_t)start * row_bytes;
    view.shape.dims[0] = (uint64_t)count;
    return sco_device_tensor_create(Py_TYPE(object), &view);
}

static PyObject *
device_datatype(PyObject *object, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(sco_dtype_info(view_of(object)->dtype)->name);
}

static PyObject *
device_shape(PyObject *object, void *closure)
{
    (void)closure;
    return sco_tensor_lengths(&view_of(object)->shape);
}

static void
device_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    sco_gpu_block_unref(view_of(object)->block);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef device_methods[] = {
    { "__dlpack__", (PyCFunction)(void (*)(void))device_dlpack,
      METH_VARARGS | METH_KEYWORDS,
      "__dlpack__(*, stream=None, max_version=None, dl_device=None, "
      "copy=None)\n--\n\n"
      "A capsule with the elements, as DLPack has it." },
    { "__dlpack_device__", device_dlpack_device, METH_NOARGS,
      "__dlpack_device__()\n--\n\n"
      "(2, n): the GPU with that number." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef device_getset[] = {
    { "__cuda_array_interface__", device_interface, NULL,
      "Where the elements are, as Numba's protocol has it.", NULL },
    { "datatype", device_datatype, NULL, "The datatype's name: \"FP32\".",
      NULL },
    { "shape", device_shape, NULL, "A tuple of the lengths.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static char device_doc[] =
    "Elements of one datatype in the memory of a GPU, one behind the other.";

static PyType_Slot device_slots[] = {
    { Py_tp_dealloc, device_dealloc },
    { Py_tp_getset, device_getset },
    { Py_tp_methods, device_methods },
    { Py_tp_doc, device_doc },
    { Py_mp_length, device_length },
    { Py_mp_subscript, device_subscript },
    { 0, NULL },
};

static PyType_Spec device_spec = {
    .name = "scorehost._core.DeviceTensor",
    .basicsize = sizeof(struct device_tensor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = device_slots,
};

PyTypeObject *
sco_device_tensor_type_create(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &device_spec,
                                                    NULL);
}

PyObject *
sco_device_tensor_create(PyTypeObject *type,
                         const struct sco_device_view *view)
{
    PyObject *object = type->tp_alloc(type, 0);

    if (object != NULL) {
        ((struct device_tensor *)object)->view = *view;
        (void)sco_gpu_block_ref(view->block);
    }
    return object;
}
