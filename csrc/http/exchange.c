/* Design notes
 *
 * An exchange lives in its connection and is used again for the next request
 * on it. Its stages, and who moves it on:
 *
 *     NONE --on_target--> HEAD --on_access--> BODY --on_access--> WAITING
 *     WAITING --reply--> SENDING          any --on_completed--> NONE
 *
 * The library calls on_access once with the head, then for each piece of the
 * body, then once when all of it is in, and from then on at each of its runs
 * until it has a reply or the connection is suspended. It takes a reply only
 * at the first of these calls, and then closes the connection afterwards and
 * reads no body, or from the last one on. So a reply that comes early is kept
 * until the end of the body, where the body is small or already half in; it
 * is handed over at once where the body is large, has not been sent (Expect)
 * or cannot be trusted to end where it says.
 *
 * A reply from inside a call of the app is handed over by whoever made the
 * call; a later one by sco_exchange_reply() itself.
 *
 * Ending waits for the library: on_completed comes for each exchange, also
 * for those that are cut. `is_cut` has the library close a connection the
 * next time that it asks.
 */

#include "http/exchange.h"

#include "http/check.h"
#include "http/deadline.h"
#include "http/gone.h"
#include "http/head.h"
#include "http/linger.h"
#include "http/listen.h"
#include "http/reply.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* A reply's head up to this size surely fits into what a request's head
     * up to half of the pool leaves free, so that queueing it cannot fail. */
    REPLY_HEAD_SURE_BYTES = 4 * 1024,

    /* What may come after the limit of a body of unknown size before its
     * client is cut without an answer: the library takes none until the body
     * has ended. */
    BODY_EXCESS_BYTES = 8 * 1024 * 1024,
};

static const char too_large[] =
    "The request body is larger than this server accepts.";

/* ---- the reply -------------------------------------------------------- */

/* Hands the reply over to the daemon. */
static enum MHD_Result
hand_over(struct sco_exchange *ex)
{
    struct sco_connection *connection = ex->connection;
    struct sco_http *http = connection->http;
    struct MHD_Response *response = ex->response;
    enum MHD_Result result;

    ex->response = NULL;
    ex->stage = SCO_STAGE_SENDING;
    http->sending_count++;
    sco_http_due(http, 0, 2);
    sco_deadline_move(connection, &http->senders);
    result = MHD_queue_response(connection->mhd, ex->status, response);
    MHD_destroy_response(response); /* our reference */
    return result;
}

/* Hands over a reply that comes while the daemon is not asking. */
static void
hand_over_later(struct sco_exchange *ex)
{
    struct sco_http *http = ex->connection->http;
    bool is_sure = ex->reply_head_bytes <= REPLY_HEAD_SURE_BYTES &&
                   ex->head_bytes <= SCO_POOL_BYTES / 2;
    bool was_asleep = sco_gone_wake(ex);

    if (ex->response == NULL || (!is_sure && !was_asleep)) {
        sco_http_due(http, 1, 0); /* it asks, and is answered or closes */
        return;
    }
    if (hand_over(ex) != MHD_YES) {
        ex->is_cut = true;
    }
    if (was_asleep) {
        MHD_resume_connection(ex->connection->mhd);
        sco_http_due(http, 1, 3);
    }
}

void
sco_exchange_reply(struct sco_exchange *ex, const struct sco_http_reply *reply)
{
    SCO_CHECK(!ex->replied, "a second reply to one request");
    SCO_CHECK(ex->stage != SCO_STAGE_NONE, "a reply to nothing");
    ex->replied = true;
    if (!sco_reply_make(ex, reply)) {
        ex->is_cut = true;
    }
    if (ex->in_call) {
        return;
    }
    if (ex->stage == SCO_STAGE_WAITING) {
        hand_over_later(ex);
    } else {
        ex->dropping = true;
    }
}

void
sco_exchange_more(struct sco_exchange *ex)
{
    if (ex->stage == SCO_STAGE_SENDING && ex->rest == SCO_REST_ASLEEP) {
        (void)sco_gone_wake(ex);
        MHD_resume_connection(ex->connection->mhd);
        sco_http_due(ex->connection->http, 1, 3);
    }
}

/* ---- the head --------------------------------------------------------- */

/* Has the app refuse the request. */
static void
refuse(struct sco_exchange *ex, unsigned status, const char *message)
{
    struct sco_http *http = ex->connection->http;

    ex->refused = true;
    ex->dropping = true;
    if (ex->replied) {
        return;
    }
    ex->in_call = true;
    http->app.on_refused(http->app.arg, ex, &ex->head, status, message);
    ex->in_call = false;
    SCO_CHECK(ex->replied, "on_refused() without a reply");
}

/* Has the app look at a head that is sound. */
static void
offer(struct sco_exchange *ex)
{
    struct sco_http *http = ex->connection->http;

    ex->in_call = true;
    http->app.on_head(http->app.arg, ex, &ex->head);
    ex->in_call = false;
    ex->dropping = ex->replied;
}

/* Reads, checks and offers a head. */
static void
take_head(struct sco_exchange *ex, const char *method, const char *version)
{
    struct sco_http *http = ex->connection->http;
    struct sco_head_facts facts = { 0 };
    struct sco_head_fault fault = { 0 };
    bool is_whole = sco_exchange_read_head(ex, method, version);

    http->app_called = true;
    if (ex->too_many_fields) {
        sco_head_fault_fields(&fault);
        refuse(ex, fault.status, fault.message);
    } else if (!is_whole) {
        refuse(ex, 400,
               "The request head is malformed: each line must end "
               "with CRLF, and none may be folded.");
    } else if (!sco_head_check(&ex->head, &facts, &fault)) {
        refuse(ex, fault.status, fault.message);
    } else {
        ex->head.body_bytes = facts.body_bytes;
        ex->head.chunked = facts.chunked;
        ex->has_expect = facts.expects_continue;
        if (facts.body_bytes > http->limits.max_body_bytes) {
            refuse(ex, 413, too_large);
        } else {
            offer(ex);
        }
    }
}

/* Whether a reply that is there before the body has to go out before it. */
static bool
goes_early(const struct sco_exchange *ex)
{
    return ex->refused || ex->has_expect || ex->head.chunked ||
           ex->head.body_bytes > SCO_DRAIN_BYTES;
}

/* The first call. */
static enum MHD_Result
on_head(struct sco_exchange *ex, const char *method, const char *version)
{
    struct sco_connection *connection = ex->connection;
    struct sco_http *http = connection->http;
    const union MHD_ConnectionInfo *info;

    sco_deadline_move(connection, NULL);
    connection->head_since_ns = 0;
    info = MHD_get_connection_info(connection->mhd,
                                   MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    ex->head_bytes = info != NULL ? info->header_size : 0;
    ex->edges = http->edges;
    ex->stage = SCO_STAGE_BODY;
    take_head(ex, method, version);
    if (ex->is_cut) {
        return MHD_NO;
    }
    if (ex->replied && goes_early(ex)) {
        connection->lingers = true;
        return hand_over(ex);
    }
    if (ex->has_expect) {
        sco_http_due(http, 1, 0); /* "100 Continue" goes out */
    }
    if (ex->head.chunked || ex->head.body_bytes > 0) {
        sco_deadline_move(connection, &http->bodies);
    }
    return MHD_YES;
}

/* ---- the body --------------------------------------------------------- */

/* Counts a piece of the body; false when it is far too large. */
static bool
count_body(struct sco_exchange *ex, size_t length)
{
    uint64_t most = ex->connection->http->limits.max_body_bytes;

    ex->body_bytes += length;
    if (ex->body_bytes > most && !ex->refused) {
        refuse(ex, 413, too_large);
    }
    return ex->body_bytes <= most ||
           ex->body_bytes - most <= BODY_EXCESS_BYTES;
}

/* Whether a piece of a chunked body begins too early. 1.0.1 takes the LF that
 * ends a chunk's extension for the first byte of its data; a sound request is
 * then refused by itself, but one whose length is wrong by one comes through.
 * Pieces that do not begin a chunk stand at the begin of the buffer, behind
 * the head, so there is always a byte before. */
static bool
begins_early(const struct sco_exchange *ex, struct sco_slice bytes)
{
    return ex->head.chunked && bytes.data[0] == '\n' && bytes.data[-1] == '\r';
}

/* A piece of the body. */
static enum MHD_Result
on_body(struct sco_exchange *ex, struct sco_slice bytes)
{
    struct sco_connection *connection = ex->connection;
    struct sco_http *http = connection->http;

    http->app_called = true;
    connection->progress_ns = sco_loop_now_ns(http->loop);
    if (begins_early(ex, bytes) && !ex->refused) {
        refuse(ex, 400, "The request body is malformed.");
    }
    if (!count_body(ex, bytes.len)) {
        ex->is_cut = true;
    }
    if (!ex->dropping && !ex->is_cut) {
        ex->in_call = true;
        if (http->app.on_body(http->app.arg, ex, bytes) != SCO_OK) {
            ex->dropping = true;
        }
        ex->in_call = false;
    }
    if (ex->head.chunked || ex->body_bytes < ex->head.body_bytes) {
        sco_http_due(http, 1, 0); /* there may be more in the socket */
    }
    return ex->is_cut ? MHD_NO : MHD_YES;
}

/* All of the request is in. */
static enum MHD_Result
on_request(struct sco_exchange *ex)
{
    struct sco_connection *connection = ex->connection;
    struct sco_http *http = connection->http;

    sco_deadline_move(connection, NULL);
    ex->stage = SCO_STAGE_WAITING;
    if (!ex->replied) {
        http->app_called = true;
        ex->in_call = true;
        http->app.on_request(http->app.arg, ex);
        ex->in_call = false;
    }
    if (ex->is_cut) {
        return MHD_NO;
    }
    if (ex->replied) {
        return hand_over(ex);
    }
    sco_gone_wait(ex, SCO_REST_AWAKE);
    return MHD_YES;
}

/* ---- what the daemon calls -------------------------------------------- */

void *
sco_exchange_on_target(void *arg, const char *target,
                       struct MHD_Connection *mhd)
{
    struct sco_http *http = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct sco_connection *connection = info->socket_context;
    struct sco_exchange *ex = &connection->exchange;

    ex->stage = SCO_STAGE_HEAD;
    if (connection->head_since_ns == 0) {
        connection->head_since_ns = sco_loop_now_ns(http->loop);
    }
    if (!sco_head_keep_target(ex, target)) {
        ex->is_cut = true;
    }
    return ex;
}

/* The daemon asks for the reply to a request that is all in. */
static enum MHD_Result
on_question(struct sco_exchange *ex)
{
    if (ex->is_cut) {
        return MHD_NO;
    }
    if (ex->response != NULL) {
        return hand_over(ex);
    }
    if (sco_gone_should_sleep(ex)) {
        MHD_suspend_connection(ex->connection->mhd);
        sco_gone_asleep(ex);
    }
    return MHD_YES;
}

enum MHD_Result
sco_exchange_on_access(void *arg, struct MHD_Connection *mhd, const char *url,
                       const char *method, const char *version,
                       const char *upload, size_t *upload_len, void **context)
{
    struct sco_exchange *ex = *context;
    struct sco_slice piece = { upload, *upload_len };

    (void)arg;
    (void)mhd;
    (void)url;
    if (ex == NULL || (ex->is_cut && ex->stage == SCO_STAGE_HEAD)) {
        return MHD_NO;
    }
    switch (ex->stage) {
    case SCO_STAGE_HEAD:
        return on_head(ex, method, version);
    case SCO_STAGE_BODY:
        *upload_len = 0;
        return piece.len > 0 ? on_body(ex, piece) : on_request(ex);
    case SCO_STAGE_WAITING:
        return on_question(ex);
    case SCO_STAGE_NONE:
    case SCO_STAGE_SENDING:
        break;
    }
    return MHD_NO;
}

/* ---- the end ---------------------------------------------------------- */

void
sco_exchange_tell_gone(struct sco_exchange *ex, enum sco_gone how)
{
    struct sco_http *http = ex->connection->http;

    if (ex->gone_all) {
        return;
    }
    ex->gone_all = how == SCO_GONE_ALL;
    http->app_called = true;
    http->app.on_gone(http->app.arg, ex, how);
}

/* Whether the client had something to wait for, which it will not get. */
static bool
is_owed(const struct sco_exchange *ex)
{
    return (ex->stage == SCO_STAGE_WAITING && !ex->replied) ||
           (ex->stage == SCO_STAGE_SENDING && ex->sending != NULL);
}

/* Tells the app how it ended. */
static void
tell_done(struct sco_exchange *ex, bool is_complete)
{
    struct sco_http *http = ex->connection->http;
    struct sco_http_done done = {
        .replied = ex->stage == SCO_STAGE_SENDING,
        .complete = ex->stage == SCO_STAGE_SENDING && is_complete,
    };

    if (done.complete || ex->sending != NULL) {
        done.body_bytes = ex->reply_bytes;
    }
    ex->in_call = true; /* a reply from here on goes nowhere */
    if (!is_complete && !http->is_destroyed && is_owed(ex)) {
        sco_exchange_tell_gone(ex, SCO_GONE_ALL);
    }
    http->app_called = true;
    http->app.on_done(http->app.arg, ex, &done);
}

/* Makes the exchange ready for the next request. */
static void
reset(struct sco_exchange *ex)
{
    struct sco_connection *connection = ex->connection;
    struct sco_exchange fresh = {
        .connection = connection,
        .fields = ex->fields,
        .field_room = ex->field_room,
        .text = ex->text,
        .text_room = ex->text_room,
    };

    if (ex->response != NULL) {
        MHD_destroy_response(ex->response);
    }
    if (ex->sending != NULL) {
        ex->sending->ex = NULL;
    }
    *ex = fresh;
    sco_list_init(&ex->link);
    if (connection->http->app.state_bytes > 0) {
        memset(sco_exchange_state(ex), 0, connection->http->app.state_bytes);
    }
}

void
sco_exchange_on_completed(void *arg, struct MHD_Connection *mhd,
                          void **context, enum MHD_RequestTerminationCode code)
{
    struct sco_http *http = arg;
    struct sco_exchange *ex = *context;
    struct sco_connection *connection;

    (void)mhd;
    if (ex == NULL) {
        return;
    }
    connection = ex->connection;
    (void)sco_gone_wake(ex);
    if (ex->stage == SCO_STAGE_SENDING) {
        http->sending_count--;
    }
    if (http->edges != ex->edges) {
        sco_http_due(http, 1, 0); /* it may have sent more meanwhile */
    }
    connection->lingers =
        !ex->is_cut &&
        (connection->lingers || code == MHD_REQUEST_TERMINATED_WITH_ERROR);
    connection->is_cut = ex->is_cut;
    if (ex->stage >= SCO_STAGE_BODY) {
        tell_done(ex, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    }
    sco_deadline_count(ex);
    reset(ex);
    connection->head_since_ns = 0;
    sco_deadline_move(connection, &http->idle);
}

void
sco_exchange_on_connection(void *arg, struct MHD_Connection *mhd,
                           void **context,
                           enum MHD_ConnectionNotificationCode code)
{
    struct sco_http *http = arg;
    struct sco_connection *connection = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection = http->entering;
        http->entering = NULL;
        connection->mhd = mhd;
        *context = connection;
        sco_list_push(&http->connections, &connection->all);
        http->connection_count++;
        http->accepted++;
        sco_deadline_move(connection, &http->idle);
        sco_gone_watch(connection);
        return;
    }
    *context = NULL;
    if (!http->is_destroyed) {
        sco_linger_begin(connection);
    }
    http->connection_count--;
    sco_connection_destroy(connection);
}

const struct sco_http_head *
sco_exchange_head(const struct sco_exchange *ex)
{
    return &ex->head;
}
