#include "pybridge/scoring.h"

#include "pybridge/errors.h"
#include "pybridge/model.h"

enum { LOGGING_INFO = 20 }; /* logging.INFO */

/* Adds the mode to the documents: the host lets HEAD and OPTIONS through to
 * a script in raw mode. */
static int
add_mode(PyObject *object, PyObject *documents)
{
    PyObject *mode = PyObject_GetAttrString(object, "mode");
    PyObject *bytes = mode == NULL ? NULL : PyUnicode_AsUTF8String(mode);
    int failed =
        bytes == NULL || PyDict_SetItemString(documents, "mode", bytes) < 0;

    Py_XDECREF(bytes);
    Py_XDECREF(mode);
    return failed ? -1 : 0;
}

/* Adds what the script says of tensors or batches, if it does: the host knows
 * the model by that. */
static int
add_optional(PyObject *object, const char *attribute, const char *name,
             PyObject *documents)
{
    PyObject *text = NULL;
    PyObject *bytes;
    int result = PyObject_GetOptionalAttrString(object, attribute, &text);

    if (result > 0 && text != Py_None) {
        bytes = PyUnicode_AsUTF8String(text);
        result =
            bytes == NULL ? -1 : PyDict_SetItemString(documents, name, bytes);
        Py_XDECREF(bytes);
    }
    Py_XDECREF(text);
    return result < 0 ? -1 : 0;
}

/* Points `out->documents` into a copy of Scoring.swaggers. The copy is ours
 * alone, so its strings and bytes stay where they are. */
static int
read_documents(PyObject *object, struct sco_scoring *out)
{
    PyObject *swaggers = PyObject_GetAttrString(object, "swaggers");
    PyObject *name, *body; /* borrowed */
    Py_ssize_t at = 0;

    if (swaggers == NULL) {
        return -1;
    }
    if (!PyDict_Check(swaggers)) {
        PyErr_SetString(PyExc_TypeError, "Scoring.swaggers must be a dict");
        Py_DECREF(swaggers);
        return -1;
    }
    out->swaggers = PyDict_Copy(swaggers);
    Py_DECREF(swaggers);
    if (out->swaggers == NULL || add_mode(object, out->swaggers) < 0 ||
        add_optional(object, "signature", "v2", out->swaggers) < 0 ||
        add_optional(object, "batching", "batch", out->swaggers) < 0) {
        return -1;
    }
    /* One more than needed: an empty dict is no allocation of nothing. */
    out->documents = PyMem_Calloc((size_t)PyDict_Size(out->swaggers) + 1,
                                  sizeof(*out->documents));
    if (out->documents == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    while (PyDict_Next(out->swaggers, &at, &name, &body)) {
        struct sco_document *document = &out->documents[out->document_count];
        const char *text = PyUnicode_AsUTF8(name);

        if (text == NULL) {
            return -1;
        }
        if (!PyBytes_Check(body)) {
            PyErr_SetString(PyExc_TypeError,
                            "Scoring.swaggers must hold bytes");
            return -1;
        }
        document->name = sco_slice_of(text);
        document->body.data = PyBytes_AS_STRING(body);
        document->body.len = (size_t)PyBytes_GET_SIZE(body);
        out->document_count++;
    }
    return 0;
}

/* Reads what a call without invoke() needs. */
static int
read_fast_road(PyObject *object, struct sco_scoring *out)
{
    PyObject *fast = PyObject_GetAttrString(object, "fast");
    PyObject *parameter;
    int truth;

    if (fast == NULL) {
        return -1;
    }
    truth = PyObject_IsTrue(fast);
    Py_DECREF(fast);
    if (truth < 0) {
        return -1;
    }
    out->fast = truth;
    if (!out->fast) {
        return 0;
    }
    out->run = PyObject_GetAttrString(object, "run");
    parameter = PyObject_GetAttrString(object, "parameter");
    if (parameter != NULL && !PyUnicode_Check(parameter)) {
        PyErr_SetString(PyExc_TypeError, "Scoring.parameter must be a str");
        Py_CLEAR(parameter);
    }
    if (parameter == NULL || out->run == NULL) {
        Py_XDECREF(parameter);
        return -1;
    }
    /* The interpreter compares keyword names by address first. */
    PyUnicode_InternInPlace(&parameter);
    out->keywords = PyTuple_Pack(1, parameter);
    Py_DECREF(parameter);
    return out->keywords == NULL ? -1 : 0;
}

static int
read_methods(PyObject *object, struct sco_scoring *out)
{
    const struct {
        const char *name;
        PyObject **into;
    } methods[] = {
        { "invoke", &out->invoke },
        { "finish", &out->finish },
        { "failed", &out->failed },
        { "log_line", &out->log_line },
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        *methods[i].into = PyObject_GetAttrString(object, methods[i].name);
        if (*methods[i].into == NULL) {
            return -1;
        }
    }
    return 0;
}

static int
read_optional(PyObject *object, struct sco_scoring *out)
{
    if (PyObject_GetOptionalAttrString(object, "stream_failed",
                                       &out->stream_failed) < 0 ||
        PyObject_GetOptionalAttrString(object, "wake", &out->wake) < 0 ||
        PyObject_GetOptionalAttrString(object, "unfit", &out->unfit) < 0 ||
        PyObject_GetOptionalAttrString(object, "refusals", &out->refusals) <
            0) {
        return -1;
    }
    if (out->refusals != NULL && !PyList_Check(out->refusals)) {
        Py_CLEAR(out->refusals);
    }
    return 0;
}

static int
read_surroundings(struct sco_scoring *out)
{
    PyObject *errors = PyImport_ImportModule("scorehost.errors");

    if (errors == NULL) {
        return -1;
    }
    out->timeout = PyObject_GetAttrString(errors, "ScoringTimeout");
    out->cancelled = out->timeout == NULL
                         ? NULL
                         : PyObject_GetAttrString(errors, "Cancelled");
    Py_DECREF(errors);
    if (out->cancelled == NULL) {
        return -1;
    }
    out->modules = Py_XNewRef(PyImport_GetModuleDict());
    out->flask = PyUnicode_InternFromString("flask");
    return out->modules == NULL || out->flask == NULL ? -1 : 0;
}

int
sco_scoring_read(PyObject *object, PyTypeObject *call_type,
                 struct sco_scoring *out)
{
    struct sco_scoring scoring = { 0 };

    Py_INCREF(call_type);
    scoring.call_type = call_type;
    if (read_methods(object, &scoring) < 0 ||
        read_optional(object, &scoring) < 0 ||
        read_fast_road(object, &scoring) < 0 ||
        read_surroundings(&scoring) < 0 ||
        sco_tensor_model_read(object, call_type, &scoring.model) < 0 ||
        read_documents(object, &scoring) < 0) {
        sco_scoring_finish(&scoring);
        *out = scoring;
        return -1;
    }
    *out = scoring;
    return 0;
}

void
sco_scoring_finish(struct sco_scoring *scoring)
{
    Py_CLEAR(scoring->run);
    Py_CLEAR(scoring->keywords);
    Py_CLEAR(scoring->invoke);
    Py_CLEAR(scoring->finish);
    Py_CLEAR(scoring->failed);
    Py_CLEAR(scoring->log_line);
    Py_CLEAR(scoring->stream_failed);
    Py_CLEAR(scoring->wake);
    Py_CLEAR(scoring->unfit);
    Py_CLEAR(scoring->refusals);
    Py_CLEAR(scoring->timeout);
    Py_CLEAR(scoring->cancelled);
    Py_CLEAR(scoring->modules);
    Py_CLEAR(scoring->flask);
    Py_CLEAR(scoring->call_type);
    sco_tensor_model_destroy(scoring->model);
    scoring->model = NULL;
    PyMem_Free(scoring->documents);
    scoring->documents = NULL;
    scoring->document_count = 0;
    Py_CLEAR(scoring->swaggers);
}

void
sco_scoring_log(const struct sco_scoring *scoring,
                const struct sco_child_line *line)
{
    /* A request line may hold any byte; a log line must not fail for it. */
    PyObject *done = PyObject_CallFunction(
        scoring->log_line, "NiN",
        PyUnicode_DecodeUTF8(line->logger.data, (Py_ssize_t)line->logger.len,
                             "replace"),
        LOGGING_INFO,
        PyUnicode_DecodeUTF8(line->message.data, (Py_ssize_t)line->message.len,
                             "replace"));

    if (done == NULL) {
        sco_report(scoring->log_line);
    }
    Py_XDECREF(done);
}
