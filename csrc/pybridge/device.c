#include "pybridge/device.h"

#include "pybridge/device_tensor.h"
#include "pybridge/errors.h"
#include "pybridge/term.h"

#include <stdlib.h>
#include <string.h>

void
sco_device_broke(struct sco_device *device)
{
    device->is_broken = true;
    sco_term_ask();
}

int
sco_device_raise(struct sco_device *device, enum sco_status status,
                 const struct sco_error *err)
{
    if (status == SCO_SCRIPT) {
        sco_device_broke(device);
    }
    (void)sco_raise(status, err);
    return -1;
}

int
sco_device_create(const struct sco_tensor_model *model,
                  struct sco_device **out)
{
    struct sco_device *device = calloc(1, sizeof(*device));
    struct sco_error err = { .text = "" };
    enum sco_status status = SCO_NOMEM;

    if (device != NULL) {
        device->model = model;
        status =
            sco_stage_create(model->gpu, NULL, NULL, &device->stage, &err);
    }
    for (size_t i = 0; i < SCO_STAGE_SLOTS && status == SCO_OK; i++) {
        device->bases[i] =
            calloc(model->signature.input_count, sizeof(*device->bases[i]));
        status = device->bases[i] == NULL ? SCO_NOMEM : SCO_OK;
    }
    if (status != SCO_OK) {
        sco_device_destroy(device);
        (void)sco_raise(status, &err);
        return -1;
    }
    *out = device;
    return 0;
}

void
sco_device_destroy(struct sco_device *device)
{
    if (device == NULL) {
        return;
    }
    for (size_t i = 0; i < SCO_STAGE_SLOTS && device->bases[i] != NULL; i++) {
        for (size_t k = 0; k < device->model->signature.input_count; k++) {
            Py_XDECREF(device->bases[i][k].array);
        }
        free(device->bases[i]);
    }
    sco_stage_destroy(device->stage);
    free(device);
}

/* ---- there ------------------------------------------------------------ */

int
sco_device_stream(const struct sco_device *device,
                  struct sco_cuda_stream **out)
{
    PyObject *number = PyObject_CallNoArgs(device->model->stream);
    void *handle = NULL;

    if (number != NULL) {
        handle = PyLong_AsVoidPtr(number);
        Py_DECREF(number);
    }
    if (PyErr_Occurred() != NULL) {
        return -1;
    }
    *out = handle == NULL ? SCO_CUDA_LEGACY : handle;
    return 0;
}

int
sco_device_upload(struct sco_device *device, const struct sco_rows *rows,
                  uint64_t first, uint64_t count)
{
    struct sco_error err = { .text = "" };
    enum sco_status status = SCO_OK;
    struct sco_cuda_stream *stream;

    if (sco_device_stream(device, &stream) < 0) {
        return -1;
    }
    for (size_t i = 0;
         i < device->model->signature.input_count && status == SCO_OK; i++) {
        const struct sco_column *column = &rows->columns[i];

        if (column->is_there) {
            status = sco_stage_upload(
                rows->slot, column->offset + first * column->row_bytes,
                count * column->row_bytes, &err);
        }
    }
    if (status == SCO_OK) {
        status = sco_stage_arrive(rows->slot, stream, &err);
    }
    return status == SCO_OK ? 0 : sco_device_raise(device, status, &err);
}

/* The shape of the array of all rows that there is room for. */
static struct sco_shape
base_shape(const struct sco_rows *rows, const struct sco_column *column)
{
    struct sco_shape shape = column->shape;

    if (rows->model->signature.max_batch_size > 0) {
        shape.dims[0] = rows->room;
    }
    return shape;
}

/* Whether a script has made the array part of a graph of PyTorch's, by writing
 * to a row what has a gradient: the next one would go on from there, and the
 * graph would never end. */
static bool
has_graph(PyObject *array)
{
    PyObject *value = NULL;
    bool truth;

    if (PyObject_GetOptionalAttrString(array, "requires_grad", &value) < 0) {
        PyErr_Clear();
    }
    truth = value == Py_True;
    Py_XDECREF(value);
    return truth;
}

/* Whether the array that a slot keeps will do. */
static bool
is_current(const struct sco_device_base *base, const struct sco_rows *rows,
           const struct sco_column *column, const struct sco_shape *shape)
{
    return base->array != NULL && base->generation == rows->slot->generation &&
           base->offset == column->offset &&
           sco_shape_equal(&base->shape, shape) && !has_graph(base->array);
}

static int
make_base(struct sco_device *device, const struct sco_rows *rows, size_t input,
          const struct sco_shape *shape, struct sco_device_base *base)
{
    const struct sco_column *column = &rows->columns[input];
    const struct sco_device_view view = {
        .block = rows->slot->block,
        .data = (char *)rows->slot->block->at + column->offset,
        .dtype = device->model->signature.inputs[input].dtype,
        .shape = *shape,
    };
    PyObject *tensor;

    Py_CLEAR(base->array);
    tensor = sco_device_tensor_create(device->model->device_type, &view);
    if (tensor == NULL) {
        return -1;
    }
    base->array = PyObject_CallOneArg(device->model->array, tensor);
    Py_DECREF(tensor);
    base->shape = *shape;
    base->offset = column->offset;
    base->generation = rows->slot->generation;
    return base->array == NULL ? -1 : 0;
}

PyObject *
sco_device_array(struct sco_device *device, const struct sco_rows *rows,
                 size_t input, uint64_t first, uint64_t count)
{
    struct sco_device_base *base = &device->bases[rows->slot->number][input];
    struct sco_shape shape = base_shape(rows, &rows->columns[input]);
    PyObject *begin, *end, *slice = NULL, *part = NULL;

    if (!is_current(base, rows, &rows->columns[input], &shape) &&
        make_base(device, rows, input, &shape, base) < 0) {
        return NULL;
    }
    if (device->model->signature.max_batch_size == 0) {
        return Py_NewRef(base->array);
    }
    begin = PyLong_FromUnsignedLongLong(first);
    end = PyLong_FromUnsignedLongLong(first + count);
    if (begin != NULL && end != NULL) {
        slice = PySlice_New(begin, end, NULL);
    }
    if (slice != NULL) {
        part = PyObject_GetItem(base->array, slice);
    }
    Py_XDECREF(slice);
    Py_XDECREF(end);
    Py_XDECREF(begin);
    return part;
}

/* ---- and back --------------------------------------------------------- */

int
sco_device_wait(struct sco_device *device, struct sco_stage_slot *slot)
{
    struct sco_error err = { .text = "" };
    enum sco_status status;

    Py_BEGIN_ALLOW_THREADS status = sco_stage_wait(slot, &err);
    Py_END_ALLOW_THREADS return status == SCO_OK
        ? 0
        : sco_device_raise(device, status, &err);
}

/* What was begun and not sent, because the batch failed, comes to its end
 * first: it reads the slot's memory. */
static enum sco_status
settle(struct sco_device *device, struct sco_stage_slot *slot)
{
    struct sco_error err = { .text = "" };
    struct sco_cuda_stream *stream = SCO_CUDA_LEGACY;
    enum sco_status status = SCO_OK;

    if (slot->state == SCO_STAGE_TAKEN) {
        if (sco_device_stream(device, &stream) < 0) {
            PyErr_Clear();
        }
        status = sco_stage_leave(slot, stream, &err);
        if (status == SCO_OK) {
            status = sco_stage_send(slot, &err);
        }
    }
    if (status == SCO_OK) {
        Py_BEGIN_ALLOW_THREADS status = sco_stage_wait(slot, &err);
        Py_END_ALLOW_THREADS
    }
    return status;
}

void
sco_device_settle(struct sco_device *device, struct sco_stage_slot *slot)
{
    PyObject *raised;

    if (!slot->is_begun) {
        return;
    }
    raised = PyErr_GetRaisedException();
    if (settle(device, slot) == SCO_SCRIPT) {
        sco_device_broke(device);
    }
    sco_stage_reuse(slot);
    if (raised != NULL) {
        PyErr_SetRaisedException(raised);
    }
}
