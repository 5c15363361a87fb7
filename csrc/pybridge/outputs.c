#include "pybridge/outputs.h"

#include "batch/outcome.h"
#include "cuda/stage.h"
#include "pybridge/device.h"
#include "pybridge/dlpack.h"
#include "pybridge/errors.h"
#include "pybridge/tensor.h"

#include <stdio.h>

/* The one character of a native format, or 0. */
static char
format_of(const Py_buffer *buffer)
{
    const char *format = buffer->format != NULL ? buffer->format : "B";

    if (*format == '@' || *format == '=' || *format == '<') {
        format++;
    }
    return format[0] != '\0' && format[1] == '\0' ? format[0] : '\0';
}

/* Whether elements of a buffer are of a datatype, by what they are called. */
static bool
is_of(const Py_buffer *buffer, enum sco_dtype dtype)
{
    const struct sco_dtype_info *info = sco_dtype_info(dtype);
    char format = format_of(buffer);

    format = format == 'q' ? 'l' : format == 'Q' ? 'L' : format;
    return dtype != SCO_BF16 && dtype != SCO_BYTES && format == info->format &&
           (size_t)buffer->itemsize == info->bytes;
}

static void
read_shape(const Py_buffer *buffer, struct sco_shape *out)
{
    out->rank = (unsigned)buffer->ndim;
    for (unsigned i = 0; i < out->rank; i++) {
        out->dims[i] = (uint64_t)buffer->shape[i];
    }
}

static void
add_numbers(struct sco_outputs *out, struct sco_slice name,
            enum sco_dtype dtype)
{
    const Py_buffer *buffer = &out->buffers[out->buffer_count - 1];
    struct sco_v2_output *item = &out->items[out->count++];

    item->name = name;
    item->array.dtype = dtype;
    item->array.data = (struct sco_slice){ buffer->buf, (size_t)buffer->len };
    item->array.strings = NULL;
    out->bytes += (size_t)buffer->len;
}

/* The one declared output, if it is an array that needs nothing. */
static bool
read_plainly(struct sco_outputs *out, const struct sco_tensor_model *model,
             PyObject *result)
{
    const struct sco_v2_tensor *declared = model->signature.outputs;
    Py_buffer *buffer = &out->buffers[0];

    if (model->signature.output_count != 1 || !PyObject_CheckBuffer(result)) {
        return false;
    }
    if (PyObject_GetBuffer(result, buffer, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) <
        0) {
        PyErr_Clear();
        return false;
    }
    if (buffer->ndim > SCO_RANK_MAX || !is_of(buffer, declared->dtype)) {
        PyBuffer_Release(buffer);
        return false;
    }
    out->buffer_count = 1;
    read_shape(buffer, &out->items[0].array.shape);
    add_numbers(out, declared->name, declared->dtype);
    return true;
}

/* Elements of BYTES: a list of bytes. */
static int
read_strings(struct sco_outputs *out, PyObject *list)
{
    struct sco_v2_output *item = &out->items[out->count];
    Py_ssize_t count = PyList_Check(list) ? PyList_GET_SIZE(list) : -1;
    struct sco_slice *strings;
    size_t wanted = 0;

    if (count < 0 ||
        sco_shape_count(&item->array.shape, &wanted, NULL) != SCO_OK ||
        wanted != (size_t)count) {
        PyErr_SetString(PyExc_TypeError,
                        "BYTES are a list of bytes, as many as the shape "
                        "says");
        return -1;
    }
    strings = PyMem_Calloc((size_t)count + 1, sizeof(*strings));
    if (strings == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    out->strings[out->count++] = strings;
    item->array.data = (struct sco_slice){ NULL, 0 };
    item->array.strings = strings;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *element = PyList_GET_ITEM(list, i);

        if (!PyBytes_Check(element)) {
            PyErr_SetString(PyExc_TypeError, "BYTES are a list of bytes");
            return -1;
        }
        strings[i] = (struct sco_slice){ PyBytes_AS_STRING(element),
                                         (size_t)PyBytes_GET_SIZE(element) };
    }
    return 0;
}

/* Elements in a capsule of DLPack's, which the list keeps. */
static int
read_capsule(struct sco_outputs *out, PyObject *capsule)
{
    struct sco_v2_output *item = &out->items[out->count];
    struct sco_dlpack_array array;
    size_t bytes = 0;

    if (sco_dlpack_look(capsule, &array) < 0) {
        return -1;
    }
    if (array.dtype != item->array.dtype ||
        !sco_shape_equal(&array.shape, &item->array.shape) ||
        sco_shape_bytes(&array.shape, array.dtype, &bytes, NULL) != SCO_OK) {
        PyErr_SetString(PyExc_TypeError,
                        "a capsule has another datatype or shape than it is "
                        "said to have");
        return -1;
    }
    item->array.data = (struct sco_slice){ array.data, bytes };
    item->array.strings = NULL;
    if (array.device != SCO_DLPACK_CPU &&
        array.device != SCO_DLPACK_CUDA_HOST) {
        out->there[out->count] = array.data;
        out->there_bytes += sco_stage_room(bytes);
    }
    out->count++;
    out->bytes += bytes;
    return 0;
}

static int
read_text(PyObject *text, struct sco_slice *out)
{
    Py_ssize_t length = 0;

    out->data = PyUnicode_AsUTF8AndSize(text, &length);
    out->len = (size_t)length;
    return out->data == NULL ? -1 : 0;
}

/* One tuple of Scoring.outputs(): name, datatype, shape, elements. */
static int
read_item(struct sco_outputs *out, PyObject *tuple)
{
    struct sco_v2_output *item = &out->items[out->count];
    struct sco_slice datatype;

    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 4 ||
        out->count == SCO_V2_TENSORS_MAX) {
        PyErr_SetString(PyExc_TypeError, "outputs are up to 64 tuples of "
                                         "name, datatype, shape, elements");
        return -1;
    }
    if (read_text(PyTuple_GET_ITEM(tuple, 0), &item->name) < 0 ||
        read_text(PyTuple_GET_ITEM(tuple, 1), &datatype) < 0 ||
        sco_tensor_read_lengths(PyTuple_GET_ITEM(tuple, 2),
                                &item->array.shape) < 0) {
        return -1;
    }
    if (!sco_dtype_find(datatype, &item->array.dtype)) {
        PyErr_Format(PyExc_ValueError, "no such datatype: %R",
                     PyTuple_GET_ITEM(tuple, 1));
        return -1;
    }
    if (item->array.dtype == SCO_BYTES) {
        return read_strings(out, PyTuple_GET_ITEM(tuple, 3));
    }
    if (PyCapsule_CheckExact(PyTuple_GET_ITEM(tuple, 3))) {
        return read_capsule(out, PyTuple_GET_ITEM(tuple, 3));
    }
    if (PyObject_GetBuffer(PyTuple_GET_ITEM(tuple, 3),
                           &out->buffers[out->buffer_count],
                           PyBUF_C_CONTIGUOUS) < 0) {
        return -1;
    }
    out->buffer_count++;
    add_numbers(out, item->name, item->array.dtype);
    return 0;
}

static int
read_by_python(struct sco_outputs *out, const struct sco_tensor_model *model,
               PyObject *result, uintptr_t stream)
{
    PyObject *list = model->gpu == NULL
                         ? PyObject_CallOneArg(model->outputs, result)
                         : PyObject_CallFunction(model->outputs, "OK", result,
                                                 (unsigned long long)stream);

    out->list = list;
    if (list == NULL) {
        return -1;
    }
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "Scoring.outputs() makes a list");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        if (read_item(out, PyList_GET_ITEM(list, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Rows cannot be told apart: with one too few nobody gets any. */
static enum sco_status
check_rows(const struct sco_outputs *out, uint64_t rows, struct sco_error *err)
{
    struct sco_batch_output seen[SCO_V2_TENSORS_MAX];

    for (size_t i = 0; i < out->count; i++) {
        const struct sco_shape *shape = &out->items[i].array.shape;

        seen[i].name = out->items[i].name;
        seen[i].rows = shape->rank > 0 ? shape->dims[0] : SCO_BATCH_NO_ROWS;
    }
    return sco_batch_check_rows(rows, seen, out->count, err);
}

/* Looks at the elements of an output, which must be here. */
static enum sco_status
check_elements(const struct sco_v2_output *item, struct sco_error *err)
{
    char what[96];

    if (item->array.dtype == SCO_BYTES) {
        return SCO_OK;
    }
    (void)snprintf(what, sizeof(what), "output \"%.*s\"",
                   (int)(item->name.len < 64 ? item->name.len : 64),
                   item->name.data);
    return sco_v2_array_check(&item->array, what, err);
}

static enum sco_status
check(const struct sco_outputs *out, const struct sco_tensor_model *model,
      uint64_t rows, struct sco_error *err)
{
    enum sco_status status = SCO_OK;

    for (size_t i = 0; i < out->count && status == SCO_OK; i++) {
        if (out->there[i] == NULL) {
            status = check_elements(&out->items[i], err);
        }
    }
    return status == SCO_OK && model->signature.max_batch_size > 0
               ? check_rows(out, rows, err)
               : status;
}

int
sco_outputs_read(struct sco_outputs *out, const struct sco_tensor_model *model,
                 PyObject *result, uint64_t rows, uintptr_t stream)
{
    struct sco_error err = { .text = "" };

    out->count = out->buffer_count = out->bytes = out->there_bytes = 0;
    out->list = NULL;
    if (!read_plainly(out, model, result) &&
        read_by_python(out, model, result, stream) < 0) {
        return -1;
    }
    if (check(out, model, rows, &err) != SCO_OK) {
        PyErr_SetString(PyExc_ValueError, err.text);
        return -1;
    }
    return 0;
}

/* Room for the numbers that are here already. */
static size_t
room_here(const struct sco_outputs *out)
{
    size_t bytes = 0;

    for (size_t i = 0; i < out->count; i++) {
        if (out->there[i] == NULL) {
            bytes += sco_stage_room(out->items[i].array.data.len);
        }
    }
    return bytes;
}

/* Has all outputs in the slot, or on their way there: run() may use their
 * memory for another batch while this one is in the air. */
static enum sco_status
collect(struct sco_outputs *out, struct sco_stage_slot *slot,
        struct sco_cuda_stream *stream, struct sco_error *err)
{
    enum sco_status status =
        sco_stage_reserve_back(slot, out->there_bytes, room_here(out), err);

    for (size_t i = 0; i < out->count && status == SCO_OK; i++) {
        struct sco_slice *data = &out->items[i].array.data;

        if (out->there[i] != NULL) {
            status = sco_stage_collect(slot, stream, out->there[i], data->len,
                                       &data->data, err);
        }
    }
    for (size_t i = 0; i < out->count && status == SCO_OK; i++) {
        struct sco_slice *data = &out->items[i].array.data;

        if (out->there[i] == NULL && data->len > 0) {
            data->data = sco_stage_keep(slot, data->data, data->len);
        }
    }
    return status;
}

int
sco_outputs_fetch(struct sco_outputs *out, struct sco_device *device,
                  struct sco_stage_slot *slot, struct sco_cuda_stream *stream)
{
    struct sco_error err = { .text = "" };
    enum sco_status status = collect(out, slot, stream, &err);

    if (status == SCO_OK) {
        status = sco_stage_leave(slot, stream, &err);
    }
    if (status == SCO_OK) {
        status = sco_stage_send(slot, &err);
    }
    return status == SCO_OK ? 0 : sco_device_raise(device, status, &err);
}

int
sco_outputs_arrived(const struct sco_outputs *out)
{
    struct sco_error err = { .text = "" };
    enum sco_status status = SCO_OK;

    for (size_t i = 0; i < out->count && status == SCO_OK; i++) {
        if (out->there[i] != NULL) {
            status = check_elements(&out->items[i], &err);
        }
    }
    if (status != SCO_OK) {
        PyErr_SetString(PyExc_ValueError, err.text);
        return -1;
    }
    return 0;
}

void
sco_outputs_clear(struct sco_outputs *out)
{
    for (size_t i = 0; i < out->buffer_count; i++) {
        PyBuffer_Release(&out->buffers[i]);
    }
    for (size_t i = 0; i < out->count; i++) {
        PyMem_Free(out->strings[i]);
        out->strings[i] = NULL;
        out->there[i] = NULL;
    }
    Py_CLEAR(out->list);
    out->count = out->buffer_count = 0;
}
