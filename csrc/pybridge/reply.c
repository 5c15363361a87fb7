#include "pybridge/reply.h"

#include "base/text.h"
#include "link/head.h"
#include "pybridge/stream.h"

#include <stdint.h>
#include <string.h>

/* Copying less than this takes no longer than giving the GIL away. */
enum { COPY_WITHOUT_GIL_BYTES = 128 * 1024 };

/* A field block without fields: their count. */
static const char no_fields[2] = { 0, 0 };

/* A reply on its way from the tuple to the sink. */
struct reply {
    struct sco_reply_head head;
    struct sco_field *fields;
    size_t field_count;
    struct sco_text block; /* the fields as a field block */
};

/* sink->reply(), and other threads may run during a long copy. */
static void
give(struct sco_sink *sink, const struct sco_reply_head *head,
     struct sco_slice headers, struct sco_slice body)
{
    if (body.len < COPY_WITHOUT_GIL_BYTES) {
        sink->ops->reply(sink, head, headers, body);
        return;
    }
    Py_BEGIN_ALLOW_THREADS sink->ops->reply(sink, head, headers, body);
    Py_END_ALLOW_THREADS
}

void
sco_reply_plain(struct sco_sink *sink, const struct sco_reply_head *head,
                struct sco_slice body)
{
    give(sink, head, (struct sco_slice){ no_fields, sizeof(no_fields) }, body);
}

void
sco_reply_pieces(struct sco_sink *sink, const struct sco_reply_head *head,
                 struct sco_slice headers, const struct sco_slice *pieces,
                 size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += pieces[i].len;
    }
    if (bytes < COPY_WITHOUT_GIL_BYTES) {
        sink->ops->pieces(sink, head, headers, pieces, count);
        return;
    }
    Py_BEGIN_ALLOW_THREADS sink->ops->pieces(sink, head, headers, pieces,
                                             count);
    Py_END_ALLOW_THREADS
}

void
sco_reply_internal(struct sco_sink *sink)
{
    const struct sco_reply_head head = { .status = 500, .stream_bytes = -1 };

    sco_reply_plain(sink, &head,
                    SCO_SLICE("{\"message\": \"An unexpected internal error "
                              "occurred. Check the logs for more info.\"}"));
}

/* The characters of a string that HTTP can carry in a field: latin-1, and
 * nothing that would end the line. Borrows from `text`. */
static int
read_latin1(PyObject *text, struct sco_slice *out)
{
    if (!PyUnicode_Check(text) || sco_py_ready(text) < 0 ||
        PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
        PyErr_SetString(PyExc_TypeError,
                        "a header's name and value must be latin-1 strings");
        return -1;
    }
    out->data = (const char *)PyUnicode_1BYTE_DATA(text);
    out->len = (size_t)PyUnicode_GET_LENGTH(text);
    for (size_t i = 0; i < out->len; i++) {
        if (out->data[i] == '\r' || out->data[i] == '\n' ||
            out->data[i] == '\0') {
            PyErr_SetString(PyExc_ValueError,
                            "a header must not hold a line break or NUL");
            return -1;
        }
    }
    return 0;
}

/* A stream's length is not a field to the sink: takes it out of the fields.
 * What is no number stays, for the host to refuse. */
static bool
take_length(struct reply *reply, const struct sco_field *field)
{
    int64_t length = 0;

    if (!(reply->head.flags & SCO_REPLY_STREAM) || field->value.len == 0 ||
        field->value.len > 18 ||
        !sco_slice_equal_nocase(field->name, SCO_SLICE("content-length"))) {
        return false;
    }
    for (size_t i = 0; i < field->value.len; i++) {
        char digit = field->value.data[i];

        if (digit < '0' || digit > '9') {
            return false;
        }
        length = length * 10 + (digit - '0');
    }
    reply->head.stream_bytes = length;
    return true;
}

static int
add_field(struct reply *reply, PyObject *pair)
{
    struct sco_field *field = &reply->fields[reply->field_count];

    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError,
                        "headers must be tuples of name and value");
        return -1;
    }
    if (read_latin1(PyTuple_GET_ITEM(pair, 0), &field->name) < 0 ||
        read_latin1(PyTuple_GET_ITEM(pair, 1), &field->value) < 0) {
        return -1;
    }
    if (field->name.len > UINT16_MAX || field->value.len > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "a header is too long");
        return -1;
    }
    if (!take_length(reply, field)) {
        reply->field_count++;
    }
    return 0;
}

/* Reads the list of headers into `reply->fields`, behind what is there. */
static int
read_fields(struct reply *reply, PyObject *headers)
{
    Py_ssize_t count;

    if (!PyList_Check(headers)) {
        PyErr_SetString(PyExc_TypeError, "a reply's headers must be a list");
        return -1;
    }
    count = PyList_GET_SIZE(headers);
    if (count >= SCO_FIELDS_MAX) {
        PyErr_SetString(PyExc_ValueError, "a reply has too many headers");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (add_field(reply, PyList_GET_ITEM(headers, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Reads 200, or (200, "Fine"); the reason becomes the first field. */
static int
read_status(struct reply *reply, PyObject *status)
{
    long number;

    if (PyTuple_Check(status) && PyTuple_GET_SIZE(status) == 2) {
        if (read_latin1(PyTuple_GET_ITEM(status, 1), &reply->fields[0].value) <
            0) {
            return -1;
        }
        reply->fields[0].name = SCO_SLICE("");
        reply->field_count = 1;
        reply->head.has_reason = true;
        status = PyTuple_GET_ITEM(status, 0);
    }
    number = PyLong_AsLong(status);
    if (number == -1 && PyErr_Occurred() != NULL) {
        return -1;
    }
    if (number < 100 || number > 999) {
        PyErr_SetString(PyExc_ValueError, "a reply's status is 100 to 999");
        return -1;
    }
    reply->head.status = (unsigned)number;
    return 0;
}

/* Makes the field block of what was read. */
static int
write_block(struct reply *reply)
{
    size_t bytes = sco_fields_bytes(reply->fields, reply->field_count);
    char *room = sco_text_room(&reply->block, bytes);

    if (room == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    sco_fields_write(reply->fields, reply->field_count, room);
    reply->block.len += bytes;
    return 0;
}

/* Reads all of the tuple but the body. */
static int
read_reply(PyObject *tuple, struct reply *reply)
{
    Py_ssize_t room;

    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 5 ||
        !PyList_Check(PyTuple_GET_ITEM(tuple, 1))) {
        PyErr_SetString(PyExc_TypeError, "a reply is a tuple of status, "
                                         "headers, body, flags and run_ns");
        return -1;
    }
    reply->head.stream_bytes = -1;
    reply->head.flags =
        (uint32_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(tuple, 3));
    reply->head.run_ns =
        PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(tuple, 4));
    if (PyErr_Occurred() != NULL) {
        return -1;
    }
    /* The reason is one more. */
    room = PyList_GET_SIZE(PyTuple_GET_ITEM(tuple, 1)) + 1;
    reply->fields = PyMem_Calloc((size_t)room, sizeof(*reply->fields));
    if (reply->fields == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (read_status(reply, PyTuple_GET_ITEM(tuple, 0)) < 0 ||
        read_fields(reply, PyTuple_GET_ITEM(tuple, 1)) < 0) {
        return -1;
    }
    return write_block(reply);
}

/* Gives a body that is there as a whole: bytes, str, or a buffer. */
static int
give_body(struct sco_sink *sink, const struct reply *reply, PyObject *body)
{
    struct sco_slice headers = sco_text_slice(&reply->block);
    Py_buffer buffer;
    Py_ssize_t length;

    if (PyUnicode_Check(body)) {
        const char *utf8 = PyUnicode_AsUTF8AndSize(body, &length);

        if (utf8 == NULL) {
            return -1;
        }
        give(sink, &reply->head, headers,
             (struct sco_slice){ utf8, (size_t)length });
        return 0;
    }
    if (PyObject_GetBuffer(body, &buffer, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    give(sink, &reply->head, headers,
         (struct sco_slice){ buffer.buf, (size_t)buffer.len });
    PyBuffer_Release(&buffer);
    return 0;
}

int
sco_reply_give(const struct sco_scoring *scoring, struct sco_sink *sink,
               PyObject *tuple, const struct sco_run_time *time)
{
    struct reply reply = { .fields = NULL };
    int result = read_reply(tuple, &reply);

    reply.head.begun_ns = time->begun_ns;
    if (reply.head.run_ns == 0) {
        reply.head.run_ns = time->run_ns;
    }

    if (result == 0) {
        PyObject *body = PyTuple_GET_ITEM(tuple, 2);

        if (reply.head.flags & SCO_REPLY_STREAM) {
            result = sco_stream_give(scoring, sink, &reply.head,
                                     sco_text_slice(&reply.block), body);
        } else {
            result = give_body(sink, &reply, body);
        }
    }
    sco_text_finish(&reply.block);
    PyMem_Free(reply.fields);
    return result;
}
