/* visit.h - one exchange as the pipeline sees it
 *
 * Lives in the exchange's own bytes (sco_exchange_state), from the head to
 * on_done. Private to host/.
 *
 * Thread: the loop's, everywhere.
 */
#ifndef SCO_HOST_VISIT_H
#define SCO_HOST_VISIT_H

#include "base/slice.h"
#include "host/cors.h"
#include "host/counts.h"
#include "host/identity.h"
#include "host/lines.h"
#include "host/stages.h"
#include "http/http.h"
#include "link/slots.h"
#include "request/request.h"

#include <stdbool.h>
#include <stdint.h>

struct sco_deployment;

/* What all exchanges of a host share. Constant but for `lines` and the
 * counters. */
struct visit_host {
    struct sco_deployment *deployment;
    struct sco_cors *cors;
    const char *server_version;  /* "" : no such header */
    uint64_t timeout_ms;         /* of one run(), as clients are told */
    uint64_t request_timeout_ms; /* of callers who say nothing; 0: none */
    uint64_t max_waiting_bytes;
    uint64_t upload_bytes; /* in slots that still fill */
    struct sco_lines lines;
    struct sco_counts *counts;
    const struct sco_http *http; /* for its own counters */
    const char *python_version;
    unsigned hosts_before; /* this one, since the program's start */
    uint64_t full_logged_ns, hopeless_logged_ns;
    struct sco_loop *loop;
    bool draining;
    bool server_timing; /* the header is sent */
};

struct visit {
    struct visit_host *host;
    struct sco_exchange *ex;
    const struct sco_http_head *head;
    enum visit_route route;
    bool is_v2;        /* /v2 or below: refusals have that protocol's form */
    bool is_matched;   /* route and method have a handler: ids, CORS, lines */
    bool is_general;   /* not a plain POST */
    bool is_plumbing;  /* a probe or an automatic OPTIONS: nothing was run */
    bool is_too_large; /* the body, for this route */
    bool is_in_flight; /* it counts as such until it is done */
    bool has_left;     /* in the middle of a stream that went well */
    bool replied;
    bool streams;
    unsigned status;
    pid_t pid;
    uint64_t begun_ns;
    uint64_t body_ns;        /* when the body was whole; of requests that were
                              * submitted */
    uint64_t wait_ms;        /* how long the caller waits; 0: for ever */
    bool wait_is_own;        /* the caller says so, not the configuration */
    const char *ids_refused; /* why; NULL: they are sound */
    struct sco_identity ids;

    /* A request in the making, then the request. */
    struct sco_slot slot;
    uint32_t head_bytes;
    uint64_t body_bytes;
    struct sco_request *req;
};

/* A reply in the making: who sends what, before the ids and the rest are
 * added. */
struct visit_reply {
    unsigned status;
    struct sco_slice type; /* Content-Type; empty: none */
    struct sco_slice body;
    void (*release)(void *arg); /* as in struct sco_http_reply */
    void *release_arg;
    const struct sco_http_stream *stream;
    int64_t stream_bytes;
    const struct sco_field *fields; /* of the script, or of the route */
    size_t field_count;
    uint64_t run_ns;
    uint64_t run_begun_ns; /* when run() was called; 0: unknown */
    uint64_t rows;         /* of an infer request */
    bool failed;           /* x-ms-run-function-failed: True */
    bool no_failed;        /* ... is not sent at all */
    bool has_exec_ms;      /* x-ms-run-fn-exec-ms: run_ns */
    bool close;
};

/* Sends a reply, with all that the contract adds to it, and writes the
 * lines. Ownership: takes the body and the stream. */
void visit_send(struct visit *visit, const struct visit_reply *reply);

/* Sends {"message": "..."}; {"error":"..."} to clients of /v2. */
void visit_send_message(struct visit *visit, unsigned status,
                        struct sco_slice message);

/* The same as a reply that has a status already, and perhaps fields. */
void visit_send_text(struct visit *visit, struct visit_reply *reply,
                     struct sco_slice message);

/* Counts a request that is refused. */
static inline void
visit_refused(struct visit *visit, enum sco_refused why)
{
    visit->host->counts->refused[why]++;
}

/* Sends what the worker answered, or why it did not. */
void visit_send_answer(struct visit *visit, struct sco_request *req,
                       const struct sco_answer *answer);

/* Refuses a method with 405, and tells which there are. */
void visit_send_not_allowed(struct visit *visit, struct sco_slice allowed);

/* Answers OPTIONS: the methods that there are, unless the slice is empty. */
void visit_send_options(struct visit *visit, struct sco_slice allowed);

/* The request is for somebody who answers it. False: it was refused all the
 * same, for its ids. */
bool visit_match(struct visit *visit);

/* Answers what is asked for below /v2. True: it is an infer request that is
 * to be scored, as one to /score is. */
bool visit_begin_v2(struct visit *visit);

/* The largest body that the route takes, beside the front end's limit. */
uint64_t visit_body_max(const struct visit *visit);

/* Counts a reply to an infer request in the statistics of its model. */
void visit_count_inference(struct visit *visit,
                           const struct visit_reply *reply, uint64_t now_ns,
                           const struct sco_stage_times *times);

/* Refuses with 503 and Retry-After. */
void visit_send_busy(struct visit *visit, struct sco_slice message);

/* Reads how long the caller waits. False: it has been told that it says no
 * such thing. */
bool visit_read_wait(struct visit *visit);

/* When the caller stops waiting, on the monotonic clock; 0: never. */
uint64_t visit_deadline_ns(const struct visit *visit);

/* Refuses with 503 what would come `late_ns` after the caller's time. */
void visit_send_hopeless(struct visit *visit, uint64_t late_ns);

/* Where a request was when its caller's time was over. */
enum visit_late { VISIT_LATE_BODY, VISIT_LATE_WAITING, VISIT_LATE_RUNNING };

/* Answers 504, and says which limit it was. */
void visit_send_late(struct visit *visit, enum visit_late where);

/* Answers GET and HEAD of /swagger.json. */
void visit_send_swagger(struct visit *visit);

/* Answers GET and HEAD of /metrics. */
void visit_send_metrics(struct visit *visit);

/* Takes a slot for a request whose head is in, and writes the head block
 * there. Errors: SCO_NOMEM, SCO_TOO_LARGE, SCO_BUSY. */
SCO_NODISCARD
enum sco_status visit_open_slot(struct visit *visit);

/* Appends to the body. Errors: as visit_open_slot(). */
SCO_NODISCARD
enum sco_status visit_add_body(struct visit *visit, struct sco_slice bytes);

/* Makes the request out of the slot and submits it. Errors: SCO_BUSY,
 * SCO_CLOSED, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status visit_submit(struct visit *visit, sco_answer_fn on_answer);

/* Gives back a slot that did not become a request. */
void visit_close_slot(struct visit *visit);

#endif
