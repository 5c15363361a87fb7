#include "pybridge/tensors.h"

#include "link/head.h"
#include "pybridge/device.h"
#include "pybridge/errors.h"
#include "pybridge/unpack.h"
#include "tensor/print.h"
#include "v2/documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_KEPT_BYTES = 1024 * 1024 };

int
sco_tensors_create(const struct sco_tensor_model *model,
                   struct sco_tensors **out)
{
    struct sco_tensors *tensors = calloc(1, sizeof(*tensors));

    if (tensors == NULL ||
        sco_job_init(&tensors->job, &model->signature, NULL) != SCO_OK) {
        free(tensors);
        PyErr_NoMemory();
        return -1;
    }
    tensors->model = model;
    if (model->gpu != NULL && sco_device_create(model, &tensors->device) < 0) {
        sco_tensors_destroy(tensors);
        return -1;
    }
    *out = tensors;
    return 0;
}

void
sco_tensors_destroy(struct sco_tensors *tensors)
{
    if (tensors != NULL) {
        sco_device_destroy(tensors->device);
        sco_job_finish(&tensors->job);
        sco_memory_shelf_finish(&tensors->shelf);
        sco_v2_reply_finish(&tensors->reply);
        sco_text_finish(&tensors->text);
        free(tensors);
    }
}

static enum sco_status
read_freely(struct sco_tensors *tensors, struct sco_job *job,
            const struct sco_call *call, struct sco_error *err)
{
    enum sco_status status;

    if (call->body.len < SCO_WITHOUT_GIL_BYTES) {
        return sco_job_read(job, &tensors->shelf, call, err);
    }
    Py_BEGIN_ALLOW_THREADS status =
        sco_job_read(job, &tensors->shelf, call, err);
    Py_END_ALLOW_THREADS return status;
}

static enum sco_status
read_unpacked_freely(struct sco_tensors *tensors, struct sco_job *job,
                     struct sco_memory *body, size_t len,
                     struct sco_error *err)
{
    enum sco_status status;

    if (len < SCO_WITHOUT_GIL_BYTES) {
        return sco_job_read_unpacked(job, &tensors->shelf, body, len, err);
    }
    Py_BEGIN_ALLOW_THREADS status =
        sco_job_read_unpacked(job, &tensors->shelf, body, len, err);
    Py_END_ALLOW_THREADS return status;
}

enum sco_status
sco_tensors_read(struct sco_tensors *tensors, struct sco_job *job,
                 const struct sco_call *call, struct sco_error *err)
{
    enum sco_status status = read_freely(tensors, job, call, err);
    struct sco_memory *body = NULL;
    size_t len = 0;

    if (status != SCO_UNSUPPORTED) {
        return status;
    }
    status = sco_unpack(tensors->model->unpack, job->coding, call->body,
                        &tensors->shelf, &body, &len, err);
    return status == SCO_OK
               ? read_unpacked_freely(tensors, job, body, len, err)
               : status;
}

/* ---- replies ---------------------------------------------------------- */

/* Gives a reply of v2, whose fields are few. */
static void
give_v2(struct sco_sink *sink, struct sco_reply_head *head,
        struct sco_slice type, size_t json_bytes,
        const struct sco_slice *pieces, size_t count)
{
    char block[256], digits[24];
    struct sco_field fields[2] = { { SCO_SLICE("Content-Type"), type } };
    size_t field_count = 1;

    if (json_bytes > 0) {
        (void)snprintf(digits, sizeof(digits), "%zu", json_bytes);
        fields[field_count++] =
            (struct sco_field){ SCO_SLICE("Inference-Header-Content-Length"),
                                sco_slice_of(digits) };
    }
    head->flags |= SCO_REPLY_OWN_TYPE;
    sco_fields_write(fields, field_count, block);
    sco_reply_pieces(
        sink, head,
        (struct sco_slice){ block, sco_fields_bytes(fields, field_count) },
        pieces, count);
}

/* {"error": ...} or {"message": ...}. */
static void
give_text(struct sco_scorer *scorer, struct sco_sink *sink, bool is_infer,
          struct sco_reply_head *head, const char *message)
{
    struct sco_text *text = &scorer->tensors->text;
    struct sco_slice body;

    sco_text_clear(text);
    if (is_infer) {
        sco_v2_error_document(sco_slice_of(message), text);
    } else {
        sco_text_add(text, SCO_SLICE("{\"message\": "));
        sco_text_add_json(text, sco_slice_of(message));
        sco_text_add_char(text, '}');
    }
    body = sco_text_slice(text);
    if (is_infer) {
        give_v2(sink, head, SCO_SLICE("application/json"), 0, &body, 1);
    } else {
        sco_reply_plain(sink, head, body);
    }
}

void
sco_tensors_refuse(struct sco_scorer *scorer, struct sco_sink *sink,
                   bool is_infer, const struct sco_error *why)
{
    struct sco_reply_head head = { .status = 400, .stream_bytes = -1 };

    if (why->status == SCO_TOO_LARGE) {
        head.status = 413;
    } else if (why->status == SCO_UNSUPPORTED) {
        head.status = 415;
    } else if (why->status == SCO_NOMEM) {
        head.status = 503;
    } else if (why->status == SCO_INTERNAL || why->status == SCO_SCRIPT) {
        head.status = 500;
    }
    give_text(scorer, sink, is_infer, &head, why->text);
}

/* Whether an exception is ours, about what run() returned. What the script
 * raises comes with a traceback, and its text may hold what is nobody's
 * business. */
static bool
is_about_outputs(PyObject *raised)
{
    PyObject *traceback = PyException_GetTraceback(raised); /* new or NULL */
    bool has_none = traceback == NULL;

    Py_XDECREF(traceback);
    return has_none || strcmp(Py_TYPE(raised)->tp_name, "WrongOutput") == 0;
}

void
sco_tensors_tell(char *text, size_t room)
{
    PyObject *raised = PyErr_GetRaisedException(); /* new */
    PyObject *said = NULL;
    const char *utf8 = NULL;

    if (raised != NULL && is_about_outputs(raised)) {
        said = PyObject_Str(raised);
        utf8 = said == NULL ? NULL : PyUnicode_AsUTF8(said);
    }
    if (utf8 != NULL) {
        (void)snprintf(text, room, "%s", utf8);
    } else {
        (void)snprintf(text, room,
                       "An unexpected error occurred in scoring script. "
                       "Check the logs for more info.");
    }
    PyErr_Clear();
    Py_XDECREF(said);
    if (raised != NULL) {
        PyErr_SetRaisedException(raised);
    }
}

/* The status of a reply that a method of Scoring made. */
static unsigned
status_of(PyObject *reply)
{
    PyObject *status = PyTuple_Check(reply) && PyTuple_GET_SIZE(reply) > 0
                           ? PyTuple_GET_ITEM(reply, 0)
                           : NULL;
    long number = 500;

    if (status != NULL && PyTuple_Check(status) &&
        PyTuple_GET_SIZE(status) > 0) {
        status = PyTuple_GET_ITEM(status, 0);
    }
    if (status != NULL && PyLong_Check(status)) {
        number = PyLong_AsLong(status);
        PyErr_Clear();
    }
    return number < 400 || number > 599 ? 500 : (unsigned)number;
}

int
sco_tensors_give_failed(struct sco_scorer *scorer, struct sco_sink *sink,
                        bool is_infer, PyObject *reply, const char *text)
{
    struct sco_reply_head head = { .flags = SCO_REPLY_FAILED,
                                   .run_ns = scorer->time.run_ns,
                                   .begun_ns = scorer->time.begun_ns,
                                   .stream_bytes = -1 };

    if (!is_infer) {
        return sco_reply_give(scorer->scoring, sink, reply, &scorer->time);
    }
    head.status = status_of(reply);
    if (PyTuple_Check(reply) && PyTuple_GET_SIZE(reply) == 5) {
        head.flags |=
            (uint32_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(reply, 3)) &
            SCO_REPLY_UNFIT;
        PyErr_Clear();
    }
    give_text(scorer, sink, true, &head, text);
    return 0;
}

/* The strings of BYTES as JSON lists; `at` goes on through them. */
static void
print_strings(struct sco_text *text, const struct sco_v2_array *array,
              unsigned level, size_t *at)
{
    if (level == array->shape.rank) {
        sco_text_add_json(text, array->strings[(*at)++]);
        return;
    }
    sco_text_add_char(text, '[');
    for (uint64_t i = 0; i < array->shape.dims[level]; i++) {
        if (i > 0) {
            sco_text_add(text, SCO_SLICE(", "));
        }
        print_strings(text, array, level + 1, at);
    }
    sco_text_add_char(text, ']');
}

static void
print_array(struct sco_text *text, const struct sco_v2_array *array)
{
    size_t at = 0;

    if (array->dtype == SCO_BYTES) {
        print_strings(text, array, 0, &at);
    } else {
        sco_print_tensor(text, array->dtype, &array->shape, array->data.data,
                         SCO_PRINT_SPACED);
    }
}

/* One output as it is, several as an object. */
static void
print_outputs(struct sco_text *text, const struct sco_v2_output *outputs,
              size_t count)
{
    sco_text_clear(text);
    if (count == 1) {
        print_array(text, &outputs[0].array);
        return;
    }
    sco_text_add_char(text, '{');
    for (size_t i = 0; i < count; i++) {
        sco_text_add(text, i == 0 ? SCO_SLICE("") : SCO_SLICE(", "));
        sco_text_add_json(text, outputs[i].name);
        sco_text_add(text, SCO_SLICE(": "));
        print_array(text, &outputs[i].array);
    }
    sco_text_add_char(text, '}');
}

/* Makes the body, with which `text` or `reply` is filled. */
static enum sco_status
make_body(struct sco_tensors *tensors, const struct sco_job *job,
          const struct sco_v2_output *outputs, size_t count,
          struct sco_error *err)
{
    if (job->is_infer) {
        return sco_v2_reply_make(&tensors->reply, &job->request, outputs,
                                 count, err);
    }
    print_outputs(&tensors->text, outputs, count);
    return tensors->text.failed ? sco_fail(err, SCO_NOMEM, "no memory")
                                : SCO_OK;
}

static enum sco_status
make_body_freely(struct sco_tensors *tensors, const struct sco_job *job,
                 const struct sco_v2_output *outputs, size_t count,
                 size_t bytes, struct sco_error *err)
{
    enum sco_status status;

    if (bytes < SCO_WITHOUT_GIL_BYTES) {
        return make_body(tensors, job, outputs, count, err);
    }
    Py_BEGIN_ALLOW_THREADS status =
        make_body(tensors, job, outputs, count, err);
    Py_END_ALLOW_THREADS return status;
}

int
sco_tensors_give(struct sco_scorer *scorer, struct sco_sink *sink,
                 const struct sco_job *job,
                 const struct sco_v2_output *outputs, size_t count,
                 size_t bytes, uint64_t batch_rows)
{
    struct sco_tensors *tensors = scorer->tensors;
    struct sco_v2_reply *reply = &tensors->reply;
    struct sco_reply_head head = { .status = 200,
                                   .flags = SCO_REPLY_EXEC_MS,
                                   .run_ns = scorer->time.run_ns,
                                   .begun_ns = scorer->time.begun_ns,
                                   .rows = (uint32_t)job->request.rows,
                                   .batch_rows = (uint32_t)batch_rows,
                                   .stream_bytes = -1 };
    struct sco_error err = { .text = "" };
    enum sco_status status =
        make_body_freely(tensors, job, outputs, count, bytes, &err);

    if (status == SCO_INVALID) {
        sco_tensors_refuse(scorer, sink, job->is_infer, &err);
        return 0;
    }
    if (status != SCO_OK) {
        PyErr_SetString(PyExc_ValueError, err.text);
        return -1;
    }
    if (job->is_infer) {
        give_v2(sink, &head, sco_v2_reply_type(reply), reply->json_bytes,
                reply->pieces, reply->piece_count);
        sco_text_clear_to(&reply->json, TEXT_KEPT_BYTES);
        sco_text_clear_to(&reply->strings, TEXT_KEPT_BYTES);
    } else {
        sco_reply_plain(sink, &head, sco_text_slice(&tensors->text));
        sco_text_clear_to(&tensors->text, TEXT_KEPT_BYTES);
    }
    return 0;
}

/* ---- one call --------------------------------------------------------- */

/* Replies to the call in hand that failed with the pending exception. */
static int
fail_alone(struct sco_scorer *scorer)
{
    bool is_infer = scorer->tensors->job.is_infer;
    char text[256];
    PyObject *reply;
    int given;

    sco_tensors_tell(text, sizeof(text));
    reply = sco_scorer_failed(scorer);
    if (reply == NULL) {
        return -1;
    }
    given =
        sco_tensors_give_failed(scorer, scorer->sink, is_infer, reply, text);
    Py_DECREF(reply);
    return given;
}

/* Replies with what run() returned. -1 with an exception. */
static int
give_alone(struct sco_scorer *scorer)
{
    struct sco_tensors *tensors = scorer->tensors;
    struct sco_pass *pass = &tensors->pass;
    uint64_t rows = tensors->job.request.rows;

    if (tensors->model->is_schema && !tensors->job.is_infer) {
        return sco_scorer_give_result(scorer, pass->result,
                                      scorer->time.run_ns);
    }
    if (sco_pass_read(scorer, pass, rows) < 0 ||
        sco_pass_wait(scorer, pass) < 0) {
        return -1;
    }
    return sco_tensors_give(scorer, scorer->sink, &tensors->job,
                            pass->outputs.items, pass->outputs.count,
                            pass->outputs.bytes, rows);
}

/* Runs what was gathered, and replies. */
static int
run_alone(struct sco_scorer *scorer)
{
    struct sco_tensors *tensors = scorer->tensors;
    int given = -1;

    if (sco_pass_call(scorer, &tensors->pass, 0, tensors->job.request.rows) ==
        0) {
        given = give_alone(scorer);
    }
    if (given < 0 && PyErr_Occurred() != NULL) {
        given = fail_alone(scorer);
    }
    return given;
}

/* Reads and decodes a call. */
static enum sco_status
gather_alone(struct sco_scorer *scorer, const struct sco_call *call,
             struct sco_error *err)
{
    struct sco_tensors *tensors = scorer->tensors;
    struct sco_part part = { .job = &tensors->job };
    enum sco_status status =
        sco_tensors_read(tensors, &tensors->job, call, err);

    if (status != SCO_OK) {
        return status;
    }
    SCO_CHECK(sco_pass_open(scorer, &tensors->pass), "no slot for one call");
    part.rows = tensors->job.request.rows;
    status =
        sco_pass_gather(scorer, &tensors->pass, &part, 1, call->body.len, err);
    if (status == SCO_OK && part.status != SCO_OK) {
        *err = part.err;
        status = part.status;
    }
    return status;
}

int
sco_tensors_score(struct sco_scorer *scorer, const struct sco_call *call)
{
    struct sco_tensors *tensors = scorer->tensors;
    struct sco_error err = { .status = SCO_OK };
    int given = 0;

    err.status = gather_alone(scorer, call, &err);
    if (err.status == SCO_OK) {
        given = run_alone(scorer);
    } else if (tensors->model->is_schema && call->way == SCO_CALL_PLAIN) {
        given = 1;
    } else {
        sco_tensors_refuse(scorer, scorer->sink, call->way == SCO_CALL_INFER,
                           &err);
    }
    sco_pass_close(scorer, &tensors->pass);
    sco_job_clear(&tensors->job);
    return given;
}
