#include "pybridge/rows.h"

#include "base/copy.h"
#include "cuda/stage.h"
#include "pybridge/device.h"
#include "pybridge/tensor.h"

#include <string.h>

static bool
is_bytes(const struct sco_rows *rows, size_t input)
{
    return rows->model->signature.inputs[input].dtype == SCO_BYTES;
}

/* The bytes of the strings before element `element` of a decoded input. */
static size_t
strings_before(const struct sco_memory *memory, size_t element)
{
    const size_t *ends = (const size_t *)(const void *)memory->data;

    return element == 0 ? 0 : ends[element - 1];
}

static uint64_t
rows_of(const struct sco_part *parts, size_t count)
{
    uint64_t total = 0;

    for (size_t k = 0; k < count; k++) {
        total += parts[k].rows;
    }
    return total;
}

/* How long a column is, by its first request. */
static void
measure_column(struct sco_rows *rows, size_t i, const struct sco_part *first)
{
    struct sco_column *column = &rows->columns[i];
    const struct sco_v2_input *input = &first->job->request.inputs[i];

    column->shape = input->shape;
    column->row_count = input->count / first->job->request.rows;
    column->row_bytes =
        column->row_count * sco_dtype_info(input->declared->dtype)->bytes;
    column->ends_bytes = column->used = 0;
    column->is_there = rows->slot != NULL && !is_bytes(rows, i);
    column->is_plain =
        !is_bytes(rows, i) && input->declared->dtype != SCO_BOOL;
}

/* Takes memory of the shelf for a column of so many rows. */
static bool
open_column(struct sco_rows *rows, struct sco_memory_shelf *shelf, size_t i,
            uint64_t total, const struct sco_part *parts, size_t count)
{
    struct sco_column *column = &rows->columns[i];
    size_t bytes = total * column->row_bytes;

    if (is_bytes(rows, i)) {
        column->ends_bytes = total * column->row_count * sizeof(size_t);
        for (size_t k = 0; k < count; k++) {
            const struct sco_job *job = parts[k].job;

            bytes +=
                strings_before(job->decoded[i], job->request.inputs[i].count);
        }
    }
    column->memory = sco_memory_take(shelf, column->ends_bytes + bytes);
    column->data = column->memory == NULL ? NULL : column->memory->data;
    return column->memory != NULL;
}

/* For how many rows a slot is laid out at least: a power of two, so that
 * batches of many sizes have one layout and the same arrays, but no more than
 * there can be. */
static uint64_t
room_for(const struct sco_rows *rows, uint64_t total)
{
    uint64_t most = rows->model->signature.max_batch_size;
    uint64_t room = 1;

    if (most == 0) {
        return total;
    }
    while (room < total) {
        room *= 2;
    }
    return room > most && most >= total ? most : room;
}

/* Lays the slot out, a column behind the other, each with all its room, and
 * returns how many bytes that takes. */
static size_t
lay_out(struct sco_rows *rows)
{
    size_t offset = 0;

    for (size_t i = 0; i < rows->model->signature.input_count; i++) {
        struct sco_column *column = &rows->columns[i];

        if (column->is_there) {
            column->offset = offset;
            offset += sco_stage_room(rows->room * column->row_bytes);
        }
    }
    /* An input without elements has an address all the same. */
    return offset + 1;
}

/* As many rows as last time have room, too, where the memory that is there
 * has room for them: one request with long rows takes no memory for many. */
static enum sco_status
open_slot(struct sco_rows *rows, uint64_t total, struct sco_error *err)
{
    uint64_t least = room_for(rows, total);
    enum sco_status status;
    size_t bytes;

    rows->room = rows->room < least ? least : rows->room;
    bytes = lay_out(rows);
    if (bytes > rows->slot->in.bytes && rows->room > least) {
        rows->room = least;
        bytes = lay_out(rows);
    }
    status = sco_stage_reserve(rows->slot, bytes, err);
    for (size_t i = 0;
         status == SCO_OK && i < rows->model->signature.input_count; i++) {
        struct sco_column *column = &rows->columns[i];

        if (column->is_there) {
            column->data = rows->slot->in.at + column->offset;
        }
    }
    return status;
}

/* Copies the strings of a part behind those that are there. */
static void
add_strings(struct sco_rows *rows, size_t i, const struct sco_part *part)
{
    struct sco_column *column = &rows->columns[i];
    const struct sco_memory *from = part->job->decoded[i];
    const size_t *ends = (const size_t *)(const void *)from->data;
    size_t all = part->job->request.inputs[i].count;
    size_t first = part->from * column->row_count;
    size_t count = part->rows * column->row_count;
    size_t begin = strings_before(from, first);
    size_t bytes = strings_before(from, first + count) - begin;
    size_t *out = (size_t *)(void *)column->memory->data +
                  rows->rows * column->row_count;

    for (size_t k = 0; k < count; k++) {
        out[k] = ends[first + k] - begin + column->used;
    }
    if (bytes > 0) {
        memcpy(column->memory->data + column->ends_bytes + column->used,
               from->data + all * sizeof(size_t) + begin, bytes);
    }
    column->used += bytes;
}

/* Copies the rows of a part that are in its request as they are in memory.
 * False: they are not. */
static bool
add_plain(struct sco_rows *rows, size_t i, const struct sco_part *part)
{
    const struct sco_v2_input *input = &part->job->request.inputs[i];
    const struct sco_column *column = &rows->columns[i];
    size_t bytes = part->rows * column->row_bytes;
    const char *from;
    char *to;

    if (!input->is_binary || !column->is_plain) {
        return false;
    }
    from = input->data.data + part->from * column->row_bytes;
    to = column->data + rows->rows * column->row_bytes;
    if (bytes >= SCO_COPY_PAST_BYTES) {
        sco_copy_past(to, from, bytes);
    } else if (bytes > 0) {
        memcpy(to, from, bytes);
    }
    return true;
}

static void
add_part(struct sco_rows *rows, struct sco_memory_shelf *shelf,
         struct sco_part *part)
{
    size_t inputs = rows->model->signature.input_count;

    part->status = SCO_OK;
    part->at = rows->rows;
    for (size_t i = 0; i < inputs && part->status == SCO_OK; i++) {
        struct sco_column *column = &rows->columns[i];

        if (add_plain(rows, i, part) || is_bytes(rows, i)) {
            continue;
        }
        part->status = sco_job_decode(
            part->job, shelf, i, part->from, part->rows,
            column->data + rows->rows * column->row_bytes, &part->err);
    }
    if (part->status != SCO_OK) {
        return;
    }
    for (size_t i = 0; i < inputs; i++) {
        if (is_bytes(rows, i)) {
            add_strings(rows, i, part);
        }
    }
    rows->rows += part->rows;
}

/* What is decoded already is used where it is, if nothing comes beside it. */
static bool
is_alone(const struct sco_rows *rows, const struct sco_part *parts,
         size_t count)
{
    const struct sco_job *job = parts[0].job;

    if (rows->slot != NULL || count > 1 ||
        parts[0].rows != job->request.rows) {
        return false;
    }
    for (size_t i = 0; i < job->request.signature->input_count; i++) {
        if (job->decoded[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void
use_decoded(struct sco_rows *rows, struct sco_part *part)
{
    for (size_t i = 0; i < rows->model->signature.input_count; i++) {
        struct sco_column *column = &rows->columns[i];

        column->memory = sco_memory_ref(part->job->decoded[i]);
        column->data = column->memory->data;
        column->ends_bytes =
            is_bytes(rows, i)
                ? part->job->request.inputs[i].count * sizeof(size_t)
                : 0;
    }
    part->status = SCO_OK;
    part->at = 0;
    rows->rows = part->rows;
}

/* Lets go of the columns' memory. */
static void
close_columns(struct sco_rows *rows)
{
    size_t count =
        rows->model != NULL ? rows->model->signature.input_count : 0;

    for (size_t i = 0; i < count; i++) {
        sco_memory_unref(rows->columns[i].memory);
        rows->columns[i].memory = NULL;
    }
    rows->rows = 0;
}

/* Room for all columns. */
static enum sco_status
open_columns(struct sco_rows *rows, struct sco_memory_shelf *shelf,
             const struct sco_part *parts, size_t count, struct sco_error *err)
{
    uint64_t total = rows_of(parts, count);

    for (size_t i = 0; i < rows->model->signature.input_count; i++) {
        if (!rows->columns[i].is_there &&
            !open_column(rows, shelf, i, total, parts, count)) {
            return sco_fail(err, SCO_NOMEM, "no memory for a batch");
        }
    }
    return rows->slot == NULL ? SCO_OK : open_slot(rows, total, err);
}

void
sco_rows_begin(struct sco_rows *rows, const struct sco_tensor_model *model,
               struct sco_stage_slot *slot)
{
    rows->model = model;
    rows->slot = slot;
}

enum sco_status
sco_rows_gather(struct sco_rows *rows, struct sco_memory_shelf *shelf,
                struct sco_part *parts, size_t count, struct sco_error *err)
{
    enum sco_status status;

    close_columns(rows);
    for (size_t i = 0; i < rows->model->signature.input_count; i++) {
        measure_column(rows, i, &parts[0]);
    }
    if (is_alone(rows, parts, count)) {
        use_decoded(rows, &parts[0]);
        return SCO_OK;
    }
    status = open_columns(rows, shelf, parts, count, err);
    if (status != SCO_OK) {
        return status;
    }
    for (size_t k = 0; k < count; k++) {
        add_part(rows, shelf, &parts[k]);
    }
    return SCO_OK;
}

void
sco_rows_clear(struct sco_rows *rows)
{
    close_columns(rows);
    rows->slot = NULL;
}

/* Some rows of a column as an array of the script's. */
static PyObject *
array_of(const struct sco_rows *rows, size_t i, uint64_t first, uint64_t count)
{
    const struct sco_column *column = &rows->columns[i];
    struct sco_tensor_view view = {
        .memory = column->memory,
        .dtype = rows->model->signature.inputs[i].dtype,
        .shape = column->shape,
        .is_writable = rows->model->is_writable,
    };
    PyObject *tensor, *array;

    if (rows->model->signature.max_batch_size > 0) {
        view.shape.dims[0] = count;
    }
    if (is_bytes(rows, i)) {
        size_t element = first * column->row_count;

        view.data = column->memory->data + column->ends_bytes;
        view.ends =
            (const size_t *)(const void *)column->memory->data + element;
        view.begin = strings_before(column->memory, element);
    } else {
        view.data = column->data + first * column->row_bytes;
    }
    tensor = sco_tensor_create(rows->model->tensor_type, &view);
    if (tensor == NULL) {
        return NULL;
    }
    array = PyObject_CallOneArg(rows->model->array, tensor);
    Py_DECREF(tensor);
    return array;
}

PyObject *
sco_rows_arguments(const struct sco_rows *rows, struct sco_device *device,
                   uint64_t first, uint64_t count)
{
    PyObject *arguments = PyDict_New();

    for (size_t i = 0;
         arguments != NULL && i < rows->model->signature.input_count; i++) {
        PyObject *name = PyTuple_GET_ITEM(rows->model->names, (Py_ssize_t)i);
        PyObject *array = rows->columns[i].is_there
                              ? sco_device_array(device, rows, i, first, count)
                              : array_of(rows, i, first, count);

        if (array == NULL || PyDict_SetItem(arguments, name, array) < 0) {
            Py_CLEAR(arguments);
        }
        Py_XDECREF(array);
    }
    return arguments;
}
