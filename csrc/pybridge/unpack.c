#include "pybridge/unpack.h"

#include "pybridge/errors.h"
#include "v2/request.h"

#include <string.h>

/* What the method says in place of bytes: a status of HTTP, and why. */
static enum sco_status
refuse(PyObject *refusal, struct sco_error *err)
{
    enum sco_status status = SCO_INVALID;
    const char *why;
    int number;

    if (!PyArg_ParseTuple(refusal, "is", &number, &why)) {
        return sco_fail_from_python(err, SCO_INTERNAL);
    }
    if (number == 413) {
        status = SCO_TOO_LARGE;
    } else if (number == 415) {
        status = SCO_UNSUPPORTED;
    }
    return sco_fail(err, status, "%s", why);
}

static enum sco_status
copy(PyObject *bytes, struct sco_memory_shelf *shelf, struct sco_memory **out,
     size_t *len_out, struct sco_error *err)
{
    struct sco_memory *memory;
    Py_buffer buffer;

    if (PyObject_GetBuffer(bytes, &buffer, PyBUF_SIMPLE) < 0) {
        return sco_fail_from_python(err, SCO_INTERNAL);
    }
    memory = sco_memory_take(shelf, (size_t)buffer.len);
    if (memory != NULL && buffer.len > 0) {
        memcpy(memory->data, buffer.buf, (size_t)buffer.len);
    }
    if (memory != NULL) {
        *out = memory;
        *len_out = (size_t)buffer.len;
    }
    PyBuffer_Release(&buffer);
    return memory != NULL ? SCO_OK
                          : sco_fail(err, SCO_NOMEM, "no memory for a body");
}

enum sco_status
sco_unpack(PyObject *method, enum sco_v2_coding coding, struct sco_slice body,
           struct sco_memory_shelf *shelf, struct sco_memory **out,
           size_t *len_out, struct sco_error *err)
{
    PyObject *view = PyMemoryView_FromMemory(
        (char *)(uintptr_t)(body.data != NULL ? body.data : ""),
        (Py_ssize_t)body.len, PyBUF_READ);
    PyObject *made = NULL;
    enum sco_status status;

    if (view != NULL) {
        made = PyObject_CallFunction(
            method, "sOi", coding == SCO_V2_GZIP ? "gzip" : "deflate", view,
            (int)SCO_V2_BODY_BYTES);
        Py_DECREF(view);
    }
    if (made == NULL) {
        return sco_fail_from_python(
            err, PyErr_ExceptionMatches(PyExc_MemoryError) ? SCO_NOMEM
                                                           : SCO_INTERNAL);
    }
    status = PyTuple_Check(made) ? refuse(made, err)
                                 : copy(made, shelf, out, len_out, err);
    Py_DECREF(made);
    return status;
}
