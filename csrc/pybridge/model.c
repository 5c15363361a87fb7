#include "pybridge/model.h"

#include "batch/outcome.h"
#include "pybridge/errors.h"
#include "pybridge/gpu_object.h"
#include "tensor/json.h"

#include <stdlib.h>

#define NS_PER_MS 1e6

/* A text that an attribute holds; *out is NULL when it holds None. -1 with an
 * exception. Ownership: *keep_out is the attribute, a new reference. */
static int
read_text(PyObject *object, const char *name, PyObject **keep_out,
          struct sco_slice *out)
{
    Py_ssize_t length = 0;

    *out = (struct sco_slice){ NULL, 0 };
    *keep_out = NULL;
    if (PyObject_GetOptionalAttrString(object, name, keep_out) < 0) {
        return -1;
    }
    if (*keep_out == NULL || *keep_out == Py_None) {
        return 0;
    }
    out->data = PyUnicode_AsUTF8AndSize(*keep_out, &length);
    out->len = (size_t)length;
    return out->data == NULL ? -1 : 0;
}

static void
read_preferred(struct sco_json *json, struct sco_batch_setup *batch)
{
    sco_json_enter_array(json);
    while (sco_json_next_item(json)) {
        uint64_t size = sco_json_uint(json);

        if (batch->preferred_count == SCO_BATCH_PREFERRED_MOST) {
            sco_json_refuse(json, SCO_TOO_LARGE, json->at,
                            "too many preferred_batch_sizes");
            return;
        }
        batch->preferred_batch_sizes[batch->preferred_count++] = size;
    }
}

/* A number that may have a fraction; its text ends with what follows it. */
static double
read_number(struct sco_json *json)
{
    struct sco_slice text = sco_json_number(json);

    return text.len == 0 ? 0 : strtod(text.data, NULL);
}

static enum sco_status
read_batching(struct sco_slice text, struct sco_tensor_model *model,
              struct sco_error *err)
{
    struct sco_json json;
    struct sco_slice key;
    enum sco_status status;

    model->runs_most = SCO_BATCH_RUNS_MOST;
    sco_json_begin(&json, text, 8);
    sco_json_enter_object(&json);
    while (sco_json_next_key(&json, &key)) {
        if (sco_slice_equal(key, SCO_SLICE("max_batch_size"))) {
            model->batch.max_batch_size = sco_json_uint(&json);
        } else if (sco_slice_equal(key, SCO_SLICE("preferred_batch_sizes"))) {
            read_preferred(&json, &model->batch);
        } else if (sco_slice_equal(key, SCO_SLICE("max_queue_delay_ms"))) {
            model->batch.max_queue_delay_ns =
                (uint64_t)(read_number(&json) * NS_PER_MS);
        } else if (sco_slice_equal(key, SCO_SLICE("split_failed"))) {
            model->runs_most = sco_json_bool(&json) ? SCO_BATCH_RUNS_MOST : 0;
        } else if (sco_slice_equal(key, SCO_SLICE("bodies"))) {
            model->is_bodies = sco_json_bool(&json);
        } else {
            (void)sco_json_skip(&json);
        }
    }
    sco_json_end(&json);
    status = sco_json_status(&json, err);
    sco_json_finish(&json);
    model->has_batching = status == SCO_OK;
    return status;
}

static PyObject *
names_of(const struct sco_v2_signature *signature)
{
    PyObject *names = PyTuple_New((Py_ssize_t)signature->input_count);

    for (size_t i = 0; names != NULL && i < signature->input_count; i++) {
        struct sco_slice name = signature->inputs[i].name;
        PyObject *text =
            PyUnicode_DecodeUTF8(name.data, (Py_ssize_t)name.len, "strict");

        if (text == NULL) {
            Py_CLEAR(names);
            break;
        }
        PyUnicode_InternInPlace(&text);
        PyTuple_SET_ITEM(names, (Py_ssize_t)i, text);
    }
    return names;
}

static bool
is_set(PyObject *object, const char *name)
{
    PyObject *value = NULL;
    bool truth = PyObject_GetOptionalAttrString(object, name, &value) > 0 &&
                 PyObject_IsTrue(value) == 1;

    PyErr_Clear();
    Py_XDECREF(value);
    return truth;
}

/* What only a script has whose arrays are in a GPU's memory. */
static int
read_gpu(PyObject *opened, PyObject *object, PyObject *module,
         struct sco_tensor_model *model)
{
    PyObject *type = PyObject_GetAttrString(module, "Gpu");
    struct sco_gpu *gpu =
        type == NULL ? NULL : sco_gpu_of(opened, (PyTypeObject *)type);

    Py_XDECREF(type);
    if (gpu == NULL) {
        PyErr_SetString(PyExc_TypeError, "Scoring.gpu is no _core.Gpu");
        return -1;
    }
    model->gpu = sco_gpu_ref(gpu);
    model->stream = PyObject_GetAttrString(object, "stream");
    model->device_type =
        (PyTypeObject *)PyObject_GetAttrString(module, "DeviceTensor");
    return model->stream == NULL || model->device_type == NULL ? -1 : 0;
}

static int
read_gpu_if_any(PyObject *object, PyObject *module,
                struct sco_tensor_model *model)
{
    PyObject *opened = NULL;
    int result = PyObject_GetOptionalAttrString(object, "gpu", &opened);

    if (result > 0) {
        result =
            opened == Py_None ? 0 : read_gpu(opened, object, module, model);
    }
    Py_XDECREF(opened);
    return result;
}

/* What only a script with tensors has. */
static int
read_tensors(PyObject *object, PyTypeObject *call_type,
             struct sco_tensor_model *model)
{
    PyObject *module = PyType_GetModule(call_type); /* borrowed */
    struct sco_slice way;
    PyObject *keep;
    int failed = read_text(object, "tensor_way", &keep, &way);

    model->is_schema = sco_slice_equal(way, SCO_SLICE("schema"));
    Py_XDECREF(keep);
    if (failed < 0 || module == NULL) {
        return -1;
    }
    model->is_writable = model->is_schema || is_set(object, "writable");
    model->tensor_type =
        (PyTypeObject *)PyObject_GetAttrString(module, "Tensor");
    model->names = names_of(&model->signature);
    model->array = PyObject_GetAttrString(object, "array");
    model->call = PyObject_GetAttrString(object, "call");
    model->outputs = PyObject_GetAttrString(object, "outputs");
    model->unpack = PyObject_GetAttrString(object, "unpack");
    return model->tensor_type == NULL || model->names == NULL ||
                   model->array == NULL || model->call == NULL ||
                   model->outputs == NULL || model->unpack == NULL
               ? -1
               : read_gpu_if_any(object, module, model);
}

/* Reads both texts. */
static int
read_model(PyObject *object, PyTypeObject *call_type,
           struct sco_tensor_model *model)
{
    struct sco_error err = { .text = "" };
    enum sco_status status = SCO_OK;
    struct sco_slice signature, batching;
    PyObject *keep_signature = NULL, *keep_batching = NULL;
    int result = -1;

    if (read_text(object, "signature", &keep_signature, &signature) < 0 ||
        read_text(object, "batching", &keep_batching, &batching) < 0) {
        goto done;
    }
    if (signature.len > 0) {
        status = sco_v2_signature_read(signature, &model->signature, &err);
        model->has_tensors = status == SCO_OK;
    }
    if (status == SCO_OK && batching.len > 0) {
        status = read_batching(batching, model, &err);
    }
    if (status != SCO_OK) {
        sco_raise(status, &err);
        goto done;
    }
    result = 0;
    if (model->has_tensors) {
        result = read_tensors(object, call_type, model);
    }
    if (result == 0 && model->is_bodies) {
        model->bodies = PyObject_GetAttrString(object, "bodies");
        result = model->bodies == NULL ? -1 : 0;
    }
done:
    Py_XDECREF(keep_signature);
    Py_XDECREF(keep_batching);
    return result;
}

int
sco_tensor_model_read(PyObject *object, PyTypeObject *call_type,
                      struct sco_tensor_model **out)
{
    struct sco_tensor_model *model = PyMem_Calloc(1, sizeof(*model));

    *out = NULL;
    if (model == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (read_model(object, call_type, model) < 0) {
        sco_tensor_model_destroy(model);
        return -1;
    }
    if (!model->has_tensors && !model->has_batching) {
        sco_tensor_model_destroy(model);
        return 0;
    }
    *out = model;
    return 0;
}

void
sco_tensor_model_destroy(struct sco_tensor_model *model)
{
    if (model == NULL) {
        return;
    }
    sco_v2_signature_finish(&model->signature);
    Py_XDECREF(model->tensor_type);
    Py_XDECREF(model->names);
    Py_XDECREF(model->array);
    Py_XDECREF(model->call);
    Py_XDECREF(model->outputs);
    Py_XDECREF(model->unpack);
    Py_XDECREF(model->bodies);
    Py_XDECREF(model->stream);
    Py_XDECREF(model->device_type);
    sco_gpu_unref(model->gpu);
    PyMem_Free(model);
}
