#include "host/pipeline.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "deploy/deployment.h"
#include "http/problem.h"
#include "request/stream.h"
#include "v2/path.h"

enum method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_OPTIONS,
};

static const struct sco_slice not_found = SCO_SLICE_INIT(
    "The requested URL was not found on the server. If you entered the URL "
    "manually please check your spelling and try again.");
static const struct sco_slice deprecated = SCO_SLICE_INIT(
    "x-ms-request-id header has been deprecated and will be removed from "
    "future versions of the server. Please use x-ms-client-request-id.");
static const struct sco_slice pages = SCO_SLICE_INIT("HEAD, GET, OPTIONS");
static const struct sco_slice html =
    SCO_SLICE_INIT("text/html; charset=utf-8");

static enum method
method_of(struct sco_slice name)
{
    static const struct {
        struct sco_slice name;
        enum method method;
    } table[] = {
        { SCO_SLICE_INIT("POST"), METHOD_POST },
        { SCO_SLICE_INIT("GET"), METHOD_GET },
        { SCO_SLICE_INIT("HEAD"), METHOD_HEAD },
        { SCO_SLICE_INIT("OPTIONS"), METHOD_OPTIONS },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (sco_slice_equal(name, table[i].name)) {
            return table[i].method;
        }
    }
    return METHOD_OTHER;
}

static enum visit_route
route_of(struct sco_slice path)
{
    static const struct {
        struct sco_slice path;
        enum visit_route route;
    } table[] = {
        { SCO_SLICE_INIT("/score"), VISIT_SCORE },
        { SCO_SLICE_INIT("/"), VISIT_HEALTH },
        { SCO_SLICE_INIT("/metrics"), VISIT_METRICS },
        { SCO_SLICE_INIT("/swagger.json"), VISIT_SWAGGER },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (sco_slice_equal(path, table[i].path)) {
            return table[i].route;
        }
    }
    return VISIT_NOWHERE;
}

static void
open_visit(struct visit *visit, struct visit_host *host,
           struct sco_exchange *ex, const struct sco_http_head *head)
{
    visit->host = host;
    visit->ex = ex;
    visit->head = head;
    visit->begun_ns = sco_clock_now_ns();
    visit->is_v2 = sco_v2_path_is(head->path);
    visit->ids_refused =
        sco_identity_read(head->fields, head->field_count, &visit->ids);
}

/* ---- routes --------------------------------------------------------- */

void
visit_send_options(struct visit *visit, struct sco_slice allowed)
{
    struct sco_field allow = { SCO_SLICE("Allow"), allowed };
    struct visit_reply reply = {
        .status = 200,
        .type = html,
        .fields = &allow,
        .field_count = allowed.len > 0 ? 1 : 0,
    };

    visit_send(visit, &reply);
}

static void
send_health(struct visit *visit)
{
    struct visit_reply reply = { .status = 200,
                                 .type = html,
                                 .body = SCO_SLICE("Healthy") };
    enum sco_pool_health health =
        sco_pool_health(sco_deployment_pool(visit->host->deployment));

    switch (health) {
    case SCO_POOL_STARTING:
        visit_send_busy(visit, SCO_SLICE("The server is starting: the "
                                         "script's init() has not finished "
                                         "yet."));
        return;
    case SCO_POOL_FAILING:
        visit_send_busy(visit, SCO_SLICE("No worker is there: the script's "
                                         "workers end as soon as they are "
                                         "started. Check the logs for more "
                                         "info."));
        return;
    case SCO_POOL_EMPTY:
        visit_send_busy(visit, SCO_SLICE("No worker is there: none has come "
                                         "to this host."));
        return;
    case SCO_POOL_SERVING:
        visit_send(visit, &reply);
        return;
    }
}

static bool
is_raw(const struct visit *visit)
{
    return sco_slice_equal(
        sco_deployment_document(visit->host->deployment, SCO_SLICE("mode")),
        SCO_SLICE("raw"));
}

/* Refuses what the queue could not take before its body is sent. */
static enum sco_status
admit(struct visit *visit)
{
    struct visit_host *host = visit->host;
    enum sco_pool_health health =
        sco_pool_health(sco_deployment_pool(host->deployment));

    if (health == SCO_POOL_FAILING || health == SCO_POOL_EMPTY ||
        host->draining) {
        return SCO_CLOSED;
    }
    return visit_open_slot(visit);
}

/* Whether a line that may come often is due: once a second. */
static bool
is_line_due(const struct visit_host *host, uint64_t *logged_ns)
{
    uint64_t now_ns = sco_loop_now_ns(host->loop);

    if (*logged_ns != 0 && now_ns - *logged_ns < SCO_NS_PER_S) {
        return false;
    }
    *logged_ns = now_ns;
    return true;
}

static void
log_full(struct visit_host *host)
{
    if (is_line_due(host, &host->full_logged_ns)) {
        sco_log(SCO_EVENT_QUEUE_FULL, "requests are refused: %zu wait or run",
                sco_deployment_busy(host->deployment));
    }
}

/* Answers a request at once that could not be answered in time. */
static bool
is_hopeless(struct visit *visit)
{
    struct visit_host *host = visit->host;
    uint64_t late_ns =
        sco_deployment_late_ns(host->deployment, visit_deadline_ns(visit));

    if (late_ns == 0) {
        return false;
    }
    if (is_line_due(host, &host->hopeless_logged_ns)) {
        sco_log(SCO_EVENT_HOPELESS,
                "requests are refused: %llu ms are too short, with %zu that "
                "wait or run",
                (unsigned long long)visit->wait_ms,
                sco_deployment_busy(host->deployment));
    }
    visit_refused(visit, SCO_REFUSED_HOPELESS);
    visit_send_hopeless(visit, late_ns);
    return true;
}

/* Why a request is refused that could not be taken in. */
static enum sco_refused
reason_of(const struct visit *visit, enum sco_status status)
{
    if (status == SCO_TOO_LARGE) {
        return SCO_REFUSED_TOO_LARGE;
    }
    if (status == SCO_CLOSED) {
        return visit->host->draining ? SCO_REFUSED_DRAINING
                                     : SCO_REFUSED_NO_WORKER;
    }
    return status == SCO_NOMEM ? SCO_REFUSED_MEMORY : SCO_REFUSED_FULL;
}

static void
send_refusal(struct visit *visit, enum sco_status status)
{
    visit_refused(visit, reason_of(visit, status));
    if (status == SCO_TOO_LARGE) {
        visit_send_message(
            visit, sco_problem_http(status),
            SCO_SLICE("The data value transmitted exceeds the capacity "
                      "limit."));
    } else if (status == SCO_CLOSED) {
        visit_send_busy(visit, SCO_SLICE("No worker is there to score. Check "
                                         "the logs for more info."));
    } else {
        log_full(visit->host);
        visit_send_busy(visit, SCO_SLICE("Too many requests are waiting. Try "
                                         "again later."));
    }
}

static void
begin_score(struct visit *visit, enum method method)
{
    enum sco_status status;

    visit->is_general = method != METHOD_POST;
    if (visit->is_general && method != METHOD_GET && !is_raw(visit)) {
        if (method == METHOD_HEAD) {
            visit_send_message(visit, 405, SCO_SLICE("Method not allowed"));
        } else {
            visit_send_options(visit, SCO_SLICE(""));
        }
        return;
    }
    if (!visit_read_wait(visit)) {
        visit_refused(visit, SCO_REFUSED_INVALID);
        return;
    }
    if (is_hopeless(visit)) {
        return;
    }
    status = visit->head->body_bytes > visit_body_max(visit) ? SCO_TOO_LARGE
                                                             : admit(visit);
    if (status != SCO_OK) {
        send_refusal(visit, status);
        return;
    }
    visit->is_in_flight = true;
    visit->host->counts->in_flight[visit->route]++;
}

bool
visit_match(struct visit *visit)
{
    if (visit->ids.used_legacy) {
        sco_lines_warn(&visit->host->lines, deprecated);
    }
    if (visit->ids_refused != NULL) {
        if (visit->route == VISIT_SCORE) {
            visit_refused(visit, SCO_REFUSED_INVALID);
        }
        visit_send_message(visit, 431, sco_slice_of(visit->ids_refused));
        return false;
    }
    visit->is_matched = true;
    return true;
}

static bool
is_allowed(enum visit_route route, enum method method)
{
    return method != METHOD_OTHER &&
           (route == VISIT_SCORE || method != METHOD_POST);
}

static void
send_route(struct visit *visit, enum method method)
{
    if (method == METHOD_OPTIONS && visit->route != VISIT_SCORE) {
        visit->is_plumbing = true;
        visit_send_options(visit, pages);
        return;
    }
    switch (visit->route) {
    case VISIT_SCORE:
        begin_score(visit, method);
        return;
    case VISIT_METRICS:
        visit->is_plumbing = true;
        visit_send_metrics(visit);
        return;
    case VISIT_HEALTH:
        visit->is_plumbing = true;
        send_health(visit);
        return;
    case VISIT_SWAGGER:
        visit_send_swagger(visit);
        return;
    case VISIT_NOWHERE:
    case VISIT_INFER:
    case VISIT_V2:
    case VISIT_ROUTES:
        return;
    }
}

static void
pipeline_head(void *arg, struct sco_exchange *ex,
              const struct sco_http_head *head)
{
    struct visit *visit = sco_exchange_state(ex);
    enum method method = method_of(head->method);

    open_visit(visit, arg, ex, head);
    visit->route = route_of(head->path);
    if (visit->is_v2) {
        if (visit_begin_v2(visit)) {
            begin_score(visit, METHOD_POST);
        }
    } else if (visit->route != VISIT_NOWHERE &&
               !is_allowed(visit->route, method)) {
        visit_send_not_allowed(visit,
                               visit->route == VISIT_SCORE
                                   ? SCO_SLICE("HEAD, GET, POST, OPTIONS")
                                   : pages);
    } else if (visit->route == VISIT_NOWHERE) {
        visit_send_message(visit, 404, not_found);
    } else if (visit_match(visit)) {
        send_route(visit, method);
    }
}

/* ---- what follows the head ------------------------------------------ */

static void
on_answer(void *arg, struct sco_request *req, const struct sco_answer *answer)
{
    visit_send_answer(arg, req, answer);
}

static enum sco_status
pipeline_body(void *arg, struct sco_exchange *ex, struct sco_slice bytes)
{
    struct visit *visit = sco_exchange_state(ex);
    enum sco_status status;

    (void)arg;
    visit->host->counts->bytes_in += bytes.len;
    if (visit->replied) {
        return SCO_CANCELLED;
    }
    if (visit->is_general && !is_raw(visit)) {
        return SCO_OK; /* a GET's body is read and means nothing */
    }
    visit->is_too_large =
        visit->body_bytes + bytes.len > visit_body_max(visit);
    status =
        visit->is_too_large ? SCO_TOO_LARGE : visit_add_body(visit, bytes);
    if (status != SCO_OK) {
        visit_close_slot(visit);
    }
    return status;
}

/* Answers a request whose body took so long that the answer would come too
 * late. */
static bool
is_late(struct visit *visit)
{
    uint64_t deadline_ns = visit_deadline_ns(visit);

    if (deadline_ns == 0) {
        return false;
    }
    if (deadline_ns <= sco_clock_now_ns()) {
        visit_send_late(visit, VISIT_LATE_BODY);
        return true;
    }
    return is_hopeless(visit);
}

static void
pipeline_request(void *arg, struct sco_exchange *ex)
{
    struct visit *visit = sco_exchange_state(ex);
    enum sco_status status = visit->is_too_large ? SCO_TOO_LARGE : SCO_BUSY;

    (void)arg;
    if (visit->replied) {
        return;
    }
    if (is_late(visit)) {
        visit_close_slot(visit);
        return;
    }
    if (visit->slot.bytes > 0) {
        status = visit_submit(visit, on_answer);
    }
    if (status != SCO_OK) {
        visit_close_slot(visit);
        send_refusal(visit, status);
    }
}

static void
pipeline_refused(void *arg, struct sco_exchange *ex,
                 const struct sco_http_head *head, unsigned status,
                 const char *message)
{
    struct visit *visit = sco_exchange_state(ex);

    if (visit->host == NULL) {
        open_visit(visit, arg, ex, head);
    }
    visit_close_slot(visit);
    visit_refused(visit, status == sco_problem_http(SCO_TOO_LARGE)
                             ? SCO_REFUSED_TOO_LARGE
                             : SCO_REFUSED_INVALID);
    sco_log(SCO_EVENT_REQUEST_INVALID, "Invalid request from ip=%s: %s",
            head->peer_host, message);
    visit_send_message(visit, status, sco_slice_of(message));
}

/* Whether a streamed answer has broken off. */
static bool
has_failed(const struct visit *visit)
{
    const struct sco_request *req = visit->req;

    return req != NULL && req->stream != NULL &&
           sco_stream_has_failed(req->stream);
}

/* Where a request is that has no answer yet. */
static enum sco_stage
stage_of(const struct visit *visit)
{
    const struct sco_request *req = visit->req;

    if (req == NULL) {
        return SCO_STAGE_READ;
    }
    return req->ticket != 0 && sco_arena_started_ns(req->arena, req->slot) != 0
               ? SCO_STAGE_RUN
               : SCO_STAGE_QUEUE;
}

static void
pipeline_gone(void *arg, struct sco_exchange *ex, enum sco_gone how)
{
    struct visit *visit = sco_exchange_state(ex);
    struct sco_deployment *deployment = visit->host->deployment;

    (void)arg;
    if (visit->req == NULL || visit->replied) {
        if (how == SCO_GONE_ALL && visit->streams && visit->req != NULL) {
            visit->has_left = !has_failed(visit);
            sco_deployment_cancel(deployment, visit->req);
        }
        return;
    }
    if (how == SCO_GONE_ALL) {
        visit->host->counts->abandoned[stage_of(visit)]++;
        sco_deployment_cancel(deployment, visit->req);
    } else if (sco_deployment_half_closed(deployment, visit->req)) {
        struct visit_reply reply = {
            .status = sco_problem_http(SCO_CANCELLED),
            .close = true,
        };

        visit->host->counts->abandoned[SCO_STAGE_QUEUE]++;
        visit_send(visit, &reply);
    }
}

/* Counts what shows only at the end of a request that was to be scored. */
static void
count_done(const struct visit *visit, const struct sco_http_done *done)
{
    struct sco_counts *counts = visit->host->counts;

    counts->in_flight[visit->route]--;
    if (!visit->replied && visit->req == NULL) {
        counts->abandoned[SCO_STAGE_READ]++;
    }
    if (!visit->streams) {
        return;
    }
    counts->bytes_out += done->body_bytes;
    sco_histogram_observe(&counts->took[visit->route],
                          sco_clock_now_ns() - visit->begun_ns);
    if (!visit->has_left && has_failed(visit)) {
        counts->failed[SCO_FAILED_STREAM]++;
    } else if (!done->complete) {
        counts->abandoned[SCO_STAGE_WRITE]++;
    }
}

static void
pipeline_done(void *arg, struct sco_exchange *ex,
              const struct sco_http_done *done)
{
    struct visit *visit = sco_exchange_state(ex);
    struct sco_line_facts facts = {
        .head = visit->head,
        .status = visit->status,
        .body_bytes = done->body_bytes,
        .pid = visit->pid,
    };

    (void)arg;
    if (visit->host == NULL) {
        return;
    }
    if (visit->streams) {
        sco_lines_access(&visit->host->lines, &facts);
    }
    if (visit->is_in_flight) {
        count_done(visit, done);
    }
    visit_close_slot(visit);
    if (visit->req != NULL) {
        if (!visit->replied || (visit->streams && !done->complete)) {
            sco_deployment_cancel(visit->host->deployment, visit->req);
        }
        if (visit->req->stream != NULL) {
            sco_stream_listen(visit->req->stream, NULL, NULL);
        }
        sco_request_unref(visit->req);
    }
}

struct sco_http_app
sco_pipeline_app(struct visit_host *host)
{
    return (struct sco_http_app){
        .arg = host,
        .state_bytes = sizeof(struct visit),
        .on_head = pipeline_head,
        .on_body = pipeline_body,
        .on_request = pipeline_request,
        .on_refused = pipeline_refused,
        .on_gone = pipeline_gone,
        .on_done = pipeline_done,
    };
}
