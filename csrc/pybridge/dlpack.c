#include "pybridge/dlpack.h"

#include <stdlib.h>

enum { MAJOR = 1, MINOR = 0, READ_ONLY = 1 };

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
struct export
{
    union {
        struct dl_legacy legacy;
        struct dl_versioned versioned;
    } managed;
    void (*release)(void *owner);
    void *owner;
    int64_t shape[SCO_RANK_MAX];
    int64_t strides[SCO_RANK_MAX];
};

static const char legacy_name[] = "dltensor";
static const char versioned_name[] = "dltensor_versioned";

/* ---- giving ----------------------------------------------------------- */

static void
free_export(struct export *export)
{
    export->release(export->owner);
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
fill(const struct sco_dlpack_array *array, struct export *export,
     struct dl_tensor *out)
{
    const struct sco_dtype_info *info = sco_dtype_info(array->dtype);
    int64_t stride = 1;

    for (unsigned i = array->shape.rank; i-- > 0;) {
        export->shape[i] = (int64_t)array->shape.dims[i];
        export->strides[i] = stride;
        stride *= export->shape[i];
    }
    *out = (struct dl_tensor){
        .data = array->data,
        .device = { array->device, array->device_id },
        .ndim = (int32_t)array->shape.rank,
        .dtype = { info->dlpack_code, info->dlpack_bits, 1 },
        .shape = export->shape,
        .strides = export->strides,
    };
}

/* Fills the struct that is asked for, and returns its name. */
static const char *
fill_managed(const struct sco_dlpack_array *array, bool is_versioned,
             struct export *export)
{
    struct dl_versioned *versioned = &export->managed.versioned;
    struct dl_legacy *legacy = &export->managed.legacy;

    if (!is_versioned) {
        legacy->context = export;
        legacy->deleter = delete_legacy;
        fill(array, export, &legacy->tensor);
        return legacy_name;
    }
    versioned->version.major = MAJOR;
    versioned->version.minor = MINOR;
    versioned->context = export;
    versioned->deleter = delete_versioned;
    versioned->flags = array->is_read_only ? READ_ONLY : 0;
    fill(array, export, &versioned->tensor);
    return versioned_name;
}

PyObject *
sco_dlpack_give(const struct sco_dlpack_array *array,
                const struct sco_dlpack_wish *wish,
                void (*release)(void *owner), void *owner)
{
    struct export *export;
    const char *name;
    PyObject *capsule;

    if (!wish->is_versioned && array->is_read_only) {
        PyErr_SetString(PyExc_BufferError,
                        "it is read-only, which DLPack says from 1.0 on");
        return NULL;
    }
    export = calloc(1, sizeof(*export));
    if (export == NULL) {
        return PyErr_NoMemory();
    }
    export->release = release;
    export->owner = owner;
    name = fill_managed(array, wish->is_versioned, export);
    capsule = PyCapsule_New(&export->managed, name, delete_capsule);
    if (capsule == NULL) {
        free(export);
    }
    return capsule;
}

int
sco_dlpack_wish(PyObject *args, PyObject *kwargs, struct sco_dlpack_wish *out)
{
    static char *names[] = { (char *)"stream", (char *)"max_version",
                             (char *)"dl_device", (char *)"copy", NULL };
    PyObject *version = Py_None, *device = Py_None, *copy = Py_None;

    *out = (struct sco_dlpack_wish){ .stream = Py_None };
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", names,
                                     &out->stream, &version, &device, &copy)) {
        return -1;
    }
    out->is_copy = copy == Py_True;
    if (PyTuple_Check(version) && PyTuple_GET_SIZE(version) > 0) {
        long major = PyLong_AsLong(PyTuple_GET_ITEM(version, 0));

        if (major == -1 && PyErr_Occurred() != NULL) {
            return -1;
        }
        out->is_versioned = major >= MAJOR;
    }
    return 0;
}

/* ---- looking ---------------------------------------------------------- */

static const struct dl_tensor *
tensor_in(PyObject *capsule, bool *is_read_only)
{
    struct dl_versioned *versioned;
    struct dl_legacy *legacy;

    *is_read_only = false;
    if (PyCapsule_IsValid(capsule, legacy_name)) {
        legacy = PyCapsule_GetPointer(capsule, legacy_name);
        return &legacy->tensor;
    }
    if (!PyCapsule_IsValid(capsule, versioned_name)) {
        return NULL;
    }
    versioned = PyCapsule_GetPointer(capsule, versioned_name);
    *is_read_only = (versioned->flags & READ_ONLY) != 0;
    return versioned->version.major == MAJOR ? &versioned->tensor : NULL;
}

static bool
find_dtype(const struct dl_tensor *tensor, enum sco_dtype *out)
{
    for (int i = 0; i < SCO_BYTES; i++) {
        const struct sco_dtype_info *info = sco_dtype_info((enum sco_dtype)i);

        if (info->dlpack_code == tensor->dtype.code &&
            info->dlpack_bits == tensor->dtype.bits &&
            tensor->dtype.lanes == 1) {
            *out = (enum sco_dtype)i;
            return true;
        }
    }
    return false;
}

/* Reads the shape. False: the elements do not stand one behind the other. */
static bool
read_shape(const struct dl_tensor *tensor, struct sco_shape *out)
{
    bool is_contiguous = true, is_empty = false;
    int64_t stride = 1;

    out->rank = (unsigned)tensor->ndim;
    for (unsigned i = out->rank; i-- > 0;) {
        int64_t length = tensor->shape[i];

        out->dims[i] = (uint64_t)length;
        is_empty = is_empty || length == 0;
        if (tensor->strides != NULL && length > 1 &&
            tensor->strides[i] != stride) {
            is_contiguous = false;
        }
        stride *= length;
    }
    return is_contiguous || is_empty;
}

int
sco_dlpack_look(PyObject *capsule, struct sco_dlpack_array *out)
{
    bool is_read_only;
    const struct dl_tensor *tensor = tensor_in(capsule, &is_read_only);
    struct sco_dlpack_array array = { .is_read_only = is_read_only };

    if (tensor == NULL || tensor->ndim < 0 || tensor->ndim > SCO_RANK_MAX) {
        PyErr_SetString(PyExc_BufferError,
                        "a capsule of DLPack 0.x or 1.x is expected, with up "
                        "to 32 dimensions");
        return -1;
    }
    if (!find_dtype(tensor, &array.dtype)) {
        PyErr_SetString(PyExc_BufferError,
                        "the array's elements have no datatype of tensors");
        return -1;
    }
    if (!read_shape(tensor, &array.shape)) {
        PyErr_SetString(PyExc_BufferError, "the array is not contiguous");
        return -1;
    }
    array.data = (char *)tensor->data + tensor->byte_offset;
    array.device = tensor->device.type;
    array.device_id = tensor->device.id;
    *out = array;
    return 0;
}
