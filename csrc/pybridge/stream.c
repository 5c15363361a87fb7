#include "pybridge/stream.h"

#include "pybridge/errors.h"
#include "pybridge/scoring.h"

/* sink->chunk() without the GIL: it waits for the client. */
static enum sco_status
send_bytes(struct sco_sink *sink, const char *data, Py_ssize_t length)
{
    struct sco_slice bytes = { data, (size_t)length };
    enum sco_status status = SCO_OK;

    if (length > 0) {
        Py_BEGIN_ALLOW_THREADS status = sink->ops->chunk(sink, bytes);
        Py_END_ALLOW_THREADS
    }
    return status;
}

/* Sends one item. SCO_SCRIPT with an exception for one that is no bytes. */
static enum sco_status
send_item(struct sco_sink *sink, PyObject *item)
{
    enum sco_status status;
    Py_buffer buffer;
    Py_ssize_t length;

    if (PyUnicode_Check(item)) {
        const char *utf8 = PyUnicode_AsUTF8AndSize(item, &length);

        return utf8 == NULL ? SCO_SCRIPT : send_bytes(sink, utf8, length);
    }
    if (PyObject_GetBuffer(item, &buffer, PyBUF_SIMPLE) < 0) {
        return SCO_SCRIPT;
    }
    status = send_bytes(sink, buffer.buf, buffer.len);
    PyBuffer_Release(&buffer);
    return status;
}

/* Sends item after item. SCO_SCRIPT with an exception when there is no next
 * one though it is not the end. */
static enum sco_status
send_items(struct sco_sink *sink, PyObject *items)
{
    enum sco_status status = SCO_OK;

    while (status == SCO_OK) {
        PyObject *item = PyIter_Next(items);

        if (item == NULL) {
            return PyErr_Occurred() != NULL ? SCO_SCRIPT : SCO_OK;
        }
        status = send_item(sink, item);
        Py_DECREF(item);
    }
    return status;
}

/* Calls close() where there is one: generators run their finally blocks,
 * files are closed. */
static void
close_body(PyObject *body)
{
    PyObject *close;
    PyObject *done = NULL;

    if (PyObject_GetOptionalAttrString(body, "close", &close) > 0) {
        done = PyObject_CallNoArgs(close);
    }
    sco_report(body);
    Py_XDECREF(done);
    Py_XDECREF(close);
}

/* Tells the Python side what an iterator raised. */
static void
tell_failure(const struct sco_scoring *scoring)
{
    PyObject *raised = PyErr_GetRaisedException(); /* new */
    PyObject *done;

    if (scoring->stream_failed != NULL) {
        done = PyObject_CallOneArg(scoring->stream_failed, raised);
        sco_report(scoring->stream_failed);
        Py_XDECREF(done);
    }
    Py_XDECREF(raised);
}

int
sco_stream_give(const struct sco_scoring *scoring, struct sco_sink *sink,
                const struct sco_reply_head *head, struct sco_slice headers,
                PyObject *body)
{
    PyObject *items = PyObject_GetIter(body);
    enum sco_status status;

    if (items == NULL) {
        return -1;
    }
    status = sink->ops->start(sink, head, headers);
    if (status == SCO_OK) {
        status = send_items(sink, items);
    }
    if (PyErr_Occurred() != NULL) {
        tell_failure(scoring);
    }
    /* The client need not wait for what close() does. */
    sink->ops->end(sink, status);
    close_body(body);
    Py_DECREF(items);
    return 0;
}
