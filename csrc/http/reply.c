/* reply.c - what the app replies, as the library wants it */

#include "http/reply.h"

#include "base/text.h"
#include "http/gone.h"

#include <stdlib.h>

/* Room for a piece of a stream of known length; one of unknown length is
 * read into what is free of the connection's pool. */
enum { STREAM_ROOM_BYTES = 16 * 1024 };

/* What a status line and the library's own fields come to, generously. */
enum { REPLY_HEAD_FIXED_BYTES = 256 };

/* ---- streams ---------------------------------------------------------- */

/* The library wants more of a stream. */
static ssize_t
read_stream(void *arg, uint64_t position, char *into, size_t max)
{
    struct sco_sending *sending = arg;
    struct sco_exchange *ex = sending->ex;
    struct sco_http *http;
    ssize_t count;

    (void)position;
    if (ex == NULL || ex->is_cut) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    http = ex->connection->http;
    http->app_called = true;
    count = sending->stream.read(sending->stream.arg, into, max);
    if (count == 0) {
        MHD_suspend_connection(ex->connection->mhd);
        sco_gone_wait(ex, SCO_REST_ASLEEP);
        return 0;
    }
    sco_http_due(http, 0, 2); /* this is sent, and more is asked for */
    if (count > 0) {
        ex->reply_bytes += (uint64_t)count;
        return count;
    }
    return count == SCO_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM
                                   : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The library needs a stream no more. */
static void
release_stream(void *arg)
{
    struct sco_sending *sending = arg;

    if (sending->ex != NULL) {
        sending->ex->sending = NULL;
    }
    if (sending->stream.release != NULL) {
        sending->stream.release(sending->stream.arg);
    }
    free(sending);
}

static struct MHD_Response *
make_stream(struct sco_exchange *ex, const struct sco_http_reply *reply)
{
    uint64_t length = reply->stream_bytes >= 0 ? (uint64_t)reply->stream_bytes
                                               : (uint64_t)MHD_SIZE_UNKNOWN;
    struct sco_sending *sending = calloc(1, sizeof(*sending));
    struct MHD_Response *response = NULL;

    if (sending != NULL) {
        sending->stream = *reply->stream;
        sending->ex = ex;
        response = MHD_create_response_from_callback(
            length, STREAM_ROOM_BYTES, read_stream, sending, release_stream);
    }
    if (response == NULL) {
        free(sending);
        if (reply->stream->release != NULL) {
            reply->stream->release(reply->stream->arg);
        }
        return NULL;
    }
    ex->sending = sending;
    return response;
}

/* ---- bodies ----------------------------------------------------------- */

/* The library takes bytes that it does not change by a pointer that says it
 * might. */
static void *
without_const(const char *data)
{
    union {
        const char *constant;
        void *plain;
    } both = { .constant = data };

    return both.plain;
}

static struct MHD_Response *
make_body(struct sco_exchange *ex, const struct sco_http_reply *reply)
{
    static char none[1];
    void *data = reply->body.len > 0 ? without_const(reply->body.data) : none;
    struct MHD_Response *response;

    ex->reply_bytes = reply->body.len;
    if (reply->release == NULL) {
        return MHD_create_response_from_buffer(reply->body.len, data,
                                               reply->body.len > 0
                                                   ? MHD_RESPMEM_MUST_COPY
                                                   : MHD_RESPMEM_PERSISTENT);
    }
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        reply->body.len, data, reply->release, reply->release_arg);
    if (response == NULL) {
        reply->release(reply->release_arg);
    }
    return response;
}

/* ---- heads ------------------------------------------------------------ */

/* Adds a field; one that the library finds malformed is left out. */
static bool
add_field(struct MHD_Response *response, const struct sco_field *field,
          struct sco_text *scratch)
{
    size_t value_at = field->name.len + 1;

    sco_text_clear(scratch);
    sco_text_add(scratch, field->name);
    sco_text_add_char(scratch, '\0');
    sco_text_add(scratch,
                 field->value.len > 0 ? field->value : SCO_SLICE(" "));
    if (scratch->failed) {
        return false;
    }
    (void)MHD_add_response_header(response, scratch->data,
                                  scratch->data + value_at);
    return true;
}

static bool
add_fields(struct sco_exchange *ex, struct MHD_Response *response,
           const struct sco_http_reply *reply)
{
    struct sco_http *http = ex->connection->http;

    ex->reply_head_bytes = REPLY_HEAD_FIXED_BYTES;
    for (size_t i = 0; i < reply->field_count; i++) {
        const struct sco_field *field = &reply->fields[i];

        ex->reply_head_bytes += field->name.len + field->value.len + 4;
        if (!add_field(response, field, &http->scratch)) {
            return false;
        }
    }
    if (reply->close || http->is_draining) {
        (void)MHD_add_response_header(response, "Connection", "close");
    }
    return true;
}

/* What "Content-Length" counts is what a GET would have had: where nobody
 * knows that, the field has to be missing. Until 0.9.77 the library leaves it
 * out only where the end of the connection is the end of the body, and so
 * closes; as chunks it would send the last one where no body may stand. */
#if MHD_VERSION >= 0x00097701
static struct MHD_Response *
make_head(void)
{
    static char none[1];
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, none, MHD_RESPMEM_PERSISTENT);

    if (response != NULL) {
        (void)MHD_set_response_options(response, MHD_RF_HEAD_ONLY_RESPONSE,
                                       MHD_RO_END);
    }
    return response;
}
#else
static ssize_t
read_nothing(void *arg, uint64_t position, char *into, size_t max)
{
    (void)arg;
    (void)position;
    (void)into;
    (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static struct MHD_Response *
make_head(void)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 1, read_nothing, NULL, NULL);

    if (response != NULL) {
        (void)MHD_set_response_options(
            response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    return response;
}
#endif

/* A reply whose body nobody will read, and whose length nobody knows. */
static struct MHD_Response *
make_unread(const struct sco_http_reply *reply)
{
    if (reply->stream != NULL && reply->stream->release != NULL) {
        reply->stream->release(reply->stream->arg);
    }
    if (reply->release != NULL) {
        reply->release(reply->release_arg);
    }
    return make_head();
}

/* The reply without its fields. */
static struct MHD_Response *
make_response(struct sco_exchange *ex, const struct sco_http_reply *reply)
{
    bool is_head = sco_slice_equal(ex->head.method, SCO_SLICE("HEAD"));

    if (reply->status == 304 ||
        (is_head && reply->stream != NULL && reply->stream_bytes < 0)) {
        return make_unread(reply);
    }
    return reply->stream != NULL ? make_stream(ex, reply)
                                 : make_body(ex, reply);
}

bool
sco_reply_make(struct sco_exchange *ex, const struct sco_http_reply *reply)
{
    struct MHD_Response *response = make_response(ex, reply);

    if (response == NULL) {
        return false;
    }
    if (!add_fields(ex, response, reply)) {
        MHD_destroy_response(response); /* and the body with it */
        return false;
    }
    if (sco_slice_equal(ex->head.method, SCO_SLICE("HEAD")) ||
        reply->status == 204 || reply->status == 304) {
        ex->reply_bytes = 0;
    }
    ex->status = reply->status;
    ex->response = response;
    return true;
}
