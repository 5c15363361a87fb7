/* reply.c - everything that a response carries besides the script's part */
#include "host/visit.h"

#include "base/clock.h"
#include "base/text.h"
#include "deploy/deployment.h"
#include "host/timeout.h"
#include "http/problem.h"
#include "link/call.h"
#include "link/head.h"
#include "request/stream.h"
#include "v2/documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCRIPT_FIELDS_MAX = 256,
    ADDED_FIELDS_MAX = 24,
    COPY_MAX = 512, /* smaller bodies are copied rather than kept */
};

/* The headers of one response, in the order of the contract. */
struct fields {
    struct sco_field items[SCRIPT_FIELDS_MAX + ADDED_FIELDS_MAX];
    size_t count;
};

static void
add(struct fields *fields, struct sco_slice name, struct sco_slice value)
{
    if (fields->count < sizeof(fields->items) / sizeof(fields->items[0])) {
        fields->items[fields->count++] = (struct sco_field){ name, value };
    }
}

static bool
script_sets(const struct visit_reply *reply, struct sco_slice name)
{
    struct sco_slice value;

    return sco_field_find(reply->fields, reply->field_count, name, &value);
}

/* What the host says itself, whatever the script says of it. */
static bool
is_ours(const struct visit *visit, const struct visit_reply *reply,
        struct sco_slice name)
{
    static const struct sco_slice always[] = {
        SCO_SLICE_INIT("server"),
        SCO_SLICE_INIT("date"),
        SCO_SLICE_INIT("connection"),
        SCO_SLICE_INIT("transfer-encoding"),
        SCO_SLICE_INIT("keep-alive"),
        SCO_SLICE_INIT("proxy-authenticate"),
        SCO_SLICE_INIT("te"),
        SCO_SLICE_INIT("trailer"),
        SCO_SLICE_INIT("trailers"),
        SCO_SLICE_INIT("upgrade"),
        SCO_SLICE_INIT("x-request-id"),
        SCO_SLICE_INIT("content-length"),
        SCO_SLICE_INIT("proxy-authorization"),
        SCO_SLICE_INIT("x-ms-request-id"),
    };

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        if (sco_slice_equal_nocase(name, always[i])) {
            return true;
        }
    }
    if (sco_slice_equal_nocase(name, SCO_SLICE("x-ms-client-request-id"))) {
        return visit->ids.client.len > 0;
    }
    if (sco_slice_equal_nocase(name, SCO_SLICE("x-ms-server-version"))) {
        return visit->host->server_version[0] != '\0';
    }
    if (sco_slice_equal_nocase(name, SCO_SLICE("traceid"))) {
        return visit->ids.has_trace;
    }
    return sco_slice_equal_nocase(name,
                                  SCO_SLICE("x-ms-run-function-failed")) &&
           !reply->no_failed && reply->status >= 500;
}

static void
add_script_fields(const struct visit *visit, const struct visit_reply *reply,
                  struct fields *fields)
{
    for (size_t i = 0; i < reply->field_count; i++) {
        if (!is_ours(visit, reply, reply->fields[i].name)) {
            add(fields, reply->fields[i].name, reply->fields[i].value);
        }
    }
}

static void
add_ids(const struct visit *visit, struct fields *fields)
{
    const struct sco_identity *ids = &visit->ids;

    if (visit->host->server_version[0] != '\0') {
        add(fields, SCO_SLICE("x-ms-server-version"),
            sco_slice_of(visit->host->server_version));
    }
    if (ids->request.len > 0) {
        add(fields, SCO_SLICE("x-request-id"), ids->request);
    }
    if (ids->legacy.len > 0) {
        add(fields, SCO_SLICE("x-ms-request-id"), ids->legacy);
    }
    if (ids->client.len > 0) {
        add(fields, SCO_SLICE("x-ms-client-request-id"), ids->client);
    }
    if (ids->has_trace) {
        add(fields, SCO_SLICE("TraceId"), ids->trace);
    }
}

static bool
is_scoring(const struct visit *visit)
{
    return visit->is_matched && !visit->is_plumbing &&
           (visit->route == VISIT_SCORE || visit->route == VISIT_INFER);
}

/* How long each stage took of a reply that goes out now. The worker's part is
 * known while the request is still in its hands. */
static void
split_time(const struct visit *visit, const struct visit_reply *reply,
           uint64_t now_ns, struct sco_stage_times *out)
{
    const struct sco_request *req = visit->req;
    struct sco_stages stages = {
        .head_ns = visit->begun_ns,
        .body_ns = visit->body_ns,
        .begun_ns = reply->run_begun_ns,
        .run_ns = reply->run_ns,
        .now_ns = now_ns,
    };

    if (req != NULL && req->ticket != 0) {
        /* The slot's mark tells of this request only while a worker has it. */
        stages.started_ns = sco_arena_started_ns(req->arena, req->slot);
    }
    sco_stages_split(&stages, out);
}

static void
write_lines(struct visit *visit, const struct visit_reply *reply,
            uint64_t now_ns)
{
    bool bodiless = sco_slice_equal(visit->head->method, SCO_SLICE("HEAD")) ||
                    reply->status == 204 || reply->status == 304;
    struct sco_line_facts facts = {
        .head = visit->head,
        .status = reply->status,
        .took_ns = now_ns - visit->begun_ns,
        .body_bytes = reply->body.len,
        .streamed = reply->stream != NULL,
        .pid = visit->pid,
    };

    if (is_scoring(visit) ||
        (visit->is_matched && visit->route == VISIT_SWAGGER &&
         !visit->is_plumbing)) {
        sco_lines_score(&visit->host->lines, &facts);
    }
    if (!facts.streamed) {
        facts.body_bytes = bodiless ? 0 : reply->body.len;
        visit->host->counts->bytes_out += facts.body_bytes;
        sco_lines_access(&visit->host->lines, &facts);
    }
}

/* Counts an answer, and where its time went. A streamed one is not over. */
static void
count(struct visit *visit, const struct visit_reply *reply, uint64_t now_ns,
      const struct sco_stage_times *times)
{
    struct sco_counts *counts = visit->host->counts;

    sco_counts_answer(counts, visit->route, reply->status);
    if (!is_scoring(visit)) {
        return;
    }
    if (visit->req != NULL) {
        sco_counts_stages(counts, times);
        if (reply->stream == NULL) {
            sco_histogram_observe(&counts->took[visit->route],
                                  now_ns - visit->begun_ns);
        }
    }
    if (visit->route == VISIT_INFER) {
        visit_count_inference(visit, reply, now_ns, times);
    }
}

/* Adds what comes after the script's own: time, CORS, ids. */
static void
add_last(const struct visit *visit, const struct sco_cors_fields *cors,
         const struct sco_text *timing, struct fields *fields)
{
    for (size_t i = 0; i < cors->count; i++) {
        add(fields, cors->fields[i].name, cors->fields[i].value);
    }
    add_ids(visit, fields);
    if (timing->len > 0) {
        add(fields, SCO_SLICE("Server-Timing"), sco_text_slice(timing));
    }
}

void
visit_send(struct visit *visit, const struct visit_reply *reply)
{
    struct sco_http_reply out = {
        .status = reply->status,
        .body = reply->body,
        .release = reply->release,
        .release_arg = reply->release_arg,
        .stream = reply->stream,
        .stream_bytes = reply->stream_bytes,
        .close = reply->close || visit->host->draining,
    };
    struct sco_cors_fields cors = { .count = 0 };
    struct sco_stage_times times;
    struct fields fields;
    struct sco_text ms = { 0 };
    struct sco_text timing = { 0 };
    uint64_t now_ns = sco_clock_now_ns();

    fields.count = 0;
    add(&fields, SCO_SLICE("Server"), SCO_SLICE("scorehost"));
    if (reply->type.len > 0) {
        add(&fields, SCO_SLICE("Content-Type"), reply->type);
    }
    if (!reply->no_failed && !visit->is_plumbing && !visit->is_v2) {
        add(&fields, SCO_SLICE("x-ms-run-function-failed"),
            reply->failed ? SCO_SLICE("True") : SCO_SLICE("False"));
    }
    add_script_fields(visit, reply, &fields);
    if (reply->has_exec_ms && !visit->is_v2) {
        sco_text_add_ms(&ms, reply->run_ns);
        add(&fields, SCO_SLICE("x-ms-run-fn-exec-ms"), sco_text_slice(&ms));
    }
    if (!script_sets(reply, SCO_SLICE("access-control-allow-origin"))) {
        sco_cors_apply(visit->host->cors, visit->head->method,
                       visit->head->fields, visit->head->field_count, &cors);
    }
    if (is_scoring(visit)) {
        split_time(visit, reply, now_ns, &times);
        if (visit->host->server_timing) {
            sco_stages_write(&times, &timing);
        }
    }
    add_last(visit, &cors, &timing, &fields);
    out.fields = fields.items;
    out.field_count = fields.count;
    visit->replied = true;
    visit->status = reply->status;
    visit->streams = reply->stream != NULL;
    write_lines(visit, reply, now_ns);
    count(visit, reply, now_ns, &times);
    if (visit->req == NULL) {
        /* A reply without a worker may be gone before the turn's end. */
        sco_lines_flush(&visit->host->lines);
    }
    sco_exchange_reply(visit->ex, &out);
    sco_cors_fields_finish(&cors);
    sco_text_finish(&ms);
    sco_text_finish(&timing);
}

static const struct sco_slice shutting_down =
    SCO_SLICE_INIT("The server is shutting down.");
static const struct sco_slice no_worker =
    SCO_SLICE_INIT("No worker is there to score. Check the logs for more "
                   "info.");

/* ---- messages ------------------------------------------------------- */

void
visit_send_text(struct visit *visit, struct visit_reply *reply,
                struct sco_slice message)
{
    struct sco_text body = { 0 };

    if (visit->is_v2) {
        sco_v2_error_document(message, &body);
    } else {
        sco_text_add(&body, SCO_SLICE("{\"message\": "));
        sco_text_add_json(&body, message);
        sco_text_add_char(&body, '}');
    }
    reply->type = SCO_SLICE("application/json");
    reply->body = sco_text_slice(&body);
    visit_send(visit, reply);
    sco_text_finish(&body);
}

void
visit_send_message(struct visit *visit, unsigned status,
                   struct sco_slice message)
{
    struct visit_reply reply = { .status = status };

    visit_send_text(visit, &reply, message);
}

void
visit_send_not_allowed(struct visit *visit, struct sco_slice allowed)
{
    struct sco_field allow = { SCO_SLICE("Allow"), allowed };
    struct visit_reply reply = {
        .status = 405,
        .fields = &allow,
        .field_count = 1,
    };

    visit_send_text(visit, &reply,
                    SCO_SLICE("The method is not allowed for the requested "
                              "URL."));
}

static void
send_busy(struct visit *visit, struct sco_slice message, unsigned back_in_s)
{
    char seconds[16];
    struct sco_field retry = { SCO_SLICE("Retry-After"), { seconds, 0 } };
    struct visit_reply reply = {
        .status = 503,
        .fields = &retry,
        .field_count = 1,
    };

    snprintf(seconds, sizeof(seconds), "%u", back_in_s);
    retry.value = sco_slice_of(seconds);
    visit_send_text(visit, &reply, message);
}

void
visit_send_busy(struct visit *visit, struct sco_slice message)
{
    send_busy(visit, message,
              sco_deployment_retry_after_s(visit->host->deployment));
}

/* ---- the caller's time ---------------------------------------------- */

/* The limit in force, by the name that whoever set it knows. */
static const char *
wait_name(const struct visit *visit)
{
    return visit->wait_is_own ? "x-request-timeout-ms" : "request_timeout_ms";
}

bool
visit_read_wait(struct visit *visit)
{
    enum { SHOWN_MAX = 40 };
    struct sco_slice value = { NULL, 0 };
    enum sco_status status;
    char text[160];

    visit->wait_ms = visit->host->request_timeout_ms;
    status = sco_timeout_find(visit->head->fields, visit->head->field_count,
                              &visit->wait_ms, &value);
    if (status != SCO_INVALID) {
        visit->wait_is_own = status == SCO_OK;
        return true;
    }
    (void)snprintf(text, sizeof(text),
                   "x-request-timeout-ms must be sent once and be a whole "
                   "number of milliseconds, 1 or more, not '%.*s'",
                   value.len > SHOWN_MAX ? SHOWN_MAX : (int)value.len,
                   value.data);
    visit_send_message(visit, 400, sco_slice_of(text));
    return false;
}

uint64_t
visit_deadline_ns(const struct visit *visit)
{
    return visit->wait_ms == 0
               ? 0
               : visit->begun_ns + visit->wait_ms * SCO_NS_PER_MS;
}

void
visit_send_hopeless(struct visit *visit, uint64_t late_ns)
{
    unsigned long long short_ms = late_ns / SCO_NS_PER_MS;
    char text[192];

    (void)snprintf(text, sizeof(text),
                   "Too many requests are waiting to answer this one within "
                   "%llu ms (%s); it would take some %llu ms more. Try again "
                   "later.",
                   (unsigned long long)visit->wait_ms, wait_name(visit),
                   short_ms + 1);
    send_busy(visit, sco_slice_of(text), sco_queue_back_in_s(late_ns));
}

void
visit_send_late(struct visit *visit, enum visit_late where)
{
    static const char *const places[] = {
        [VISIT_LATE_BODY] = "its body was still coming in",
        [VISIT_LATE_WAITING] = "it was waiting for a worker",
        [VISIT_LATE_RUNNING] = "the script was running",
    };
    struct visit_reply reply = {
        .status = sco_problem_http(SCO_DEADLINE),
        .failed = where == VISIT_LATE_RUNNING,
    };
    char text[160];

    if (where == VISIT_LATE_RUNNING) {
        visit->host->counts->failed[SCO_FAILED_DEADLINE]++;
    } else {
        visit_refused(visit, SCO_REFUSED_DEADLINE);
    }
    (void)snprintf(
        text, sizeof(text), "Request timeout after %llu ms (%s): %s.",
        (unsigned long long)visit->wait_ms, wait_name(visit), places[where]);
    visit_send_text(visit, &reply, sco_slice_of(text));
}

/* ---- failures ------------------------------------------------------- */

/* What goes wrong but in the script, as far as clients are told more of it. */
static enum sco_failed
failure_of(enum sco_status failure)
{
    if (failure == SCO_TIMEOUT) {
        return SCO_FAILED_TIMEOUT;
    }
    return failure == SCO_WORKER_LOST ? SCO_FAILED_WORKER
                                      : SCO_FAILED_INTERNAL;
}

static void
send_failure(struct visit *visit, const struct sco_answer *answer)
{
    struct visit_reply reply = {
        .status = sco_problem_http(answer->failure),
        .failed = true,
    };
    char text[640];

    if (answer->failure == SCO_CLOSED) {
        visit_refused(visit, visit->host->draining ? SCO_REFUSED_DRAINING
                                                   : SCO_REFUSED_NO_WORKER);
        visit_send_busy(visit,
                        visit->host->draining ? shutting_down : no_worker);
        return;
    }
    if (answer->failure == SCO_NOMEM) {
        visit_refused(visit, SCO_REFUSED_MEMORY);
        visit_send_busy(visit, SCO_SLICE("The server is out of memory."));
        return;
    }
    if (answer->failure == SCO_DEADLINE) {
        visit_send_late(visit, answer->pid != 0 ? VISIT_LATE_RUNNING
                                                : VISIT_LATE_WAITING);
        return;
    }
    visit->host->counts->failed[failure_of(answer->failure)]++;
    if (answer->failure == SCO_TIMEOUT) {
        (void)snprintf(text, sizeof(text), "Scoring timeout after %llu ms",
                       (unsigned long long)visit->host->timeout_ms);
    } else if (answer->failure == SCO_WORKER_LOST) {
        (void)snprintf(text, sizeof(text),
                       "The %s while it scored this request. "
                       "Check the logs for more info.",
                       answer->detail != NULL ? answer->detail
                                              : "worker process was lost");
    } else {
        (void)snprintf(text, sizeof(text), "%s",
                       sco_status_text(answer->failure));
    }
    visit_send_text(visit, &reply, sco_slice_of(text));
}

/* ---- answers of workers --------------------------------------------- */

/* Bytes of a worker's that are being sent: what they stand in is given back
 * afterwards. */
struct kept {
    struct sco_request *req;
    struct sco_answer answer;
};

static void
kept_release(void *arg)
{
    struct kept *kept = arg;

    sco_answer_release(&kept->answer);
    sco_request_unref(kept->req);
    free(kept);
}

static void
release_request(void *arg)
{
    sco_request_unref(arg);
}

/* Has the body sent from where it stands, or copied when it is small. */
static void
keep_body(struct sco_request *req, const struct sco_answer *answer,
          struct visit_reply *reply)
{
    struct kept *kept;

    if (answer->lane == NULL && answer->body.len > COPY_MAX) {
        reply->release = release_request;
        reply->release_arg = sco_request_ref(req);
        return;
    }
    kept = answer->body.len > COPY_MAX ? malloc(sizeof(*kept)) : NULL;
    if (kept != NULL) {
        kept->req = sco_request_ref(req);
        kept->answer = *answer;
        kept->answer.stream = NULL;
        reply->release = kept_release;
        reply->release_arg = kept;
    }
}

static ssize_t
stream_read(void *arg, char *into, size_t max)
{
    return sco_stream_read(arg, into, max);
}

static void
stream_release(void *arg)
{
    sco_stream_drop(arg);
    sco_stream_unref(arg);
}

static void
stream_more(void *arg)
{
    sco_exchange_more(arg);
}

/* Reads the script's headers; what is no field block counts as none. */
static size_t
read_fields(struct sco_slice block, struct sco_field *out, size_t max)
{
    struct sco_reader in = sco_reader_of(block);
    size_t count = 0;

    if (block.len == 0 || sco_fields_read_count(&in, &count) != SCO_OK) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == max ||
            sco_fields_read(&in, &out[i].name, &out[i].value) != SCO_OK) {
            return i;
        }
    }
    return count;
}

void
visit_send_answer(struct visit *visit, struct sco_request *req,
                  const struct sco_answer *answer)
{
    struct sco_field script[SCRIPT_FIELDS_MAX];
    struct sco_http_stream stream = {
        .read = stream_read,
        .release = stream_release,
        .arg = answer->stream,
    };
    struct visit_reply reply = {
        .status = answer->status,
        .body = answer->body,
        .stream_bytes = answer->stream_bytes,
        .run_ns = answer->run_ns,
        .run_begun_ns = answer->begun_ns,
        .rows = answer->rows != 0 ? answer->rows : 1,
        .failed = (answer->flags & SCO_REPLY_FAILED) != 0,
        .no_failed = (answer->flags & SCO_REPLY_NO_FAILED_HEADER) != 0,
        .has_exec_ms = (answer->flags & SCO_REPLY_EXEC_MS) != 0,
        .fields = script,
    };
    struct sco_answer rest = *answer;

    visit->pid = answer->pid;
    if (answer->failure != SCO_OK) {
        send_failure(visit, answer);
        return;
    }
    if ((answer->flags & SCO_REPLY_UNFIT) != 0) {
        visit->host->counts->failed[SCO_FAILED_UNFIT]++;
    } else if (reply.failed) {
        visit->host->counts->failed[SCO_FAILED_SCRIPT]++;
    }
    if ((answer->flags & SCO_REPLY_OWN_TYPE) == 0) {
        reply.type = SCO_SLICE("application/json");
    }
    reply.field_count =
        read_fields(answer->headers, script, SCRIPT_FIELDS_MAX);
    if (answer->has_reason && reply.field_count > 0) {
        reply.fields++;
        reply.field_count--;
    }
    if (answer->stream != NULL) {
        reply.stream = &stream;
        sco_stream_listen(answer->stream, stream_more, visit->ex);
        visit_send(visit, &reply);
        rest.stream = NULL;
        sco_answer_release(&rest);
        return;
    }
    keep_body(req, answer, &reply);
    visit_send(visit, &reply);
    if (reply.release != kept_release) {
        sco_answer_release(&rest);
    }
}
