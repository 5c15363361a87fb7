#include "worker/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "link/call.h"
#include "request/stream.h"
#include "worker/ran.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a script has to obey an interrupt in. */
#define MERCY_NS SCO_NS_PER_S

/* At most so many replies of one worker in a turn, so that no worker keeps
 * the loop from the others. */
enum { REPLIES_PER_TURN = 256 };

void
sco_worker_tell_end(const struct sco_worker_end *end, char *text,
                    size_t text_bytes)
{
    if (end->lost) {
        snprintf(text, text_bytes, "is stuck and was left behind");
    } else if (end->with_parent) {
        snprintf(text, text_bytes, "ended with the one it was forked from");
    } else if (end->signal != 0) {
        snprintf(text, text_bytes, "was killed by %s",
                 sco_signal_name(end->signal));
    } else {
        snprintf(text, text_bytes, "exited with code %d", end->exit_code);
    }
}

static struct sco_request *
oldest_held(const struct sco_worker *worker)
{
    struct sco_list *first = sco_list_first(&worker->held);

    return first == NULL ? NULL
                         : SCO_LIST_ENTRY(first, struct sco_request, link);
}

static bool
is_ready(const struct sco_worker *worker)
{
    return worker->state == SCO_WORKER_READY && !worker->killed;
}

/* The one place where a worker becomes something else, so that its boss's
 * tally is right. */
static void
become(struct sco_worker *worker, enum sco_worker_state state, bool killed)
{
    bool was = is_ready(worker);

    worker->state = state;
    worker->killed = killed;
    if (worker->boss.tally != NULL) {
        worker->boss.tally->ready += is_ready(worker);
        worker->boss.tally->ready -= was;
    }
}

static void
take_on(struct sco_worker *worker, struct sco_request *req)
{
    req->worker = worker;
    sco_list_push(&worker->held, &req->link);
    worker->held_count++;
    if (worker->boss.tally != NULL) {
        worker->boss.tally->held++;
    }
}

static void
let_go(struct sco_worker *worker, struct sco_request *req)
{
    sco_list_remove(&req->link);
    worker->held_count--;
    if (worker->boss.tally != NULL) {
        worker->boss.tally->held--;
    }
    req->worker = NULL;
    req->ticket = 0;
}

/* The request that the script runs now, or NULL. */
static struct sco_request *
running(const struct sco_worker *worker)
{
    struct sco_request *req = oldest_held(worker);

    if (req == NULL || sco_arena_started_ns(req->arena, req->slot) == 0) {
        return NULL;
    }
    return req;
}

/* ---- time ----------------------------------------------------------- */

void
sco_worker_return(struct sco_worker *worker)
{
    struct sco_request *req;

    while ((req = sco_worker_spare(worker)) != NULL &&
           sco_worker_take_back(worker, req)) {
        worker->boss.on_return(worker->boss.arg, worker, req);
    }
}

/* When the request in hand is over time: 0 for never. */
static uint64_t
over_at_ns(const struct sco_worker *worker, const struct sco_request *req)
{
    const struct sco_worker_setup *setup = worker->setup;

    if (req->stream != NULL) {
        return setup->stream_limit_ns == 0
                   ? 0
                   : req->progress_ns + setup->stream_limit_ns;
    }
    if (setup->limit_ns == 0 || req->kind == SCO_LANE_LINE) {
        return 0;
    }
    return sco_arena_started_ns(req->arena, req->slot) + setup->limit_ns;
}

/* The script is interrupted in the next turn only: at the end of this one the
 * client's answer and its lines in the log go out, before what the script has
 * to say to it. */
static void
overrun(struct sco_worker *worker, struct sco_request *req, uint64_t now_ns)
{
    worker->overdue_ticket = req->ticket;
    worker->overdue_told = false;
    sco_arena_cancel(req->arena, req->slot, SCO_CANCEL_TIMEOUT);
    if (req->stream != NULL) {
        sco_stream_end(req->stream, SCO_TIMEOUT);
    }
    sco_request_fail(req, SCO_TIMEOUT, NULL, worker->pid);
    sco_worker_return(worker);
    sco_log(SCO_EVENT_RUN_TIMEOUT,
            "worker %u (pid:%d) is over its limit after %.1f s in run(): its "
            "client is answered, its stack follows, and it is interrupted",
            worker->number, (int)worker->pid,
            (double)(now_ns - sco_arena_started_ns(req->arena, req->slot)) /
                1e9);
    sco_loop_timer_set(worker->setup->loop, &worker->limit, now_ns + 1);
}

static void
tell_overdue(struct sco_worker *worker, uint64_t now_ns)
{
    worker->overdue_told = true;
    worker->ops->dump(worker);
    worker->ops->interrupt(worker);
    sco_loop_timer_set(worker->setup->loop, &worker->limit, now_ns + MERCY_NS);
}

/* Has the timer ring at `at_ns` (0: never), but not later than a request that
 * begins now would be over time: the next one may begin at any moment. */
static void
look_again(struct sco_worker *worker, uint64_t at_ns, uint64_t now_ns)
{
    uint64_t limit_ns = worker->setup->limit_ns;

    if (limit_ns != 0 && (at_ns == 0 || at_ns > now_ns + limit_ns)) {
        at_ns = now_ns + limit_ns;
    }
    if (at_ns != 0) {
        sco_loop_timer_set(worker->setup->loop, &worker->limit, at_ns);
    }
}

static void
on_limit(void *arg, uint64_t now_ns)
{
    struct sco_worker *worker = arg;
    struct sco_request *req = running(worker);
    uint64_t over_ns;

    if (worker->held_count == 0 || worker->state == SCO_WORKER_GONE) {
        return;
    }
    if (req == NULL) {
        look_again(worker, 0, now_ns);
        return;
    }
    if (worker->overdue_ticket == req->ticket && !worker->overdue_told) {
        tell_overdue(worker, now_ns);
        return;
    }
    if (worker->overdue_ticket == req->ticket) {
        sco_log(SCO_EVENT_WORKER_TIMEOUT, "WORKER TIMEOUT (pid:%d)",
                (int)worker->pid);
        sco_worker_kill(worker);
        return;
    }
    over_ns = over_at_ns(worker, req);
    if (over_ns == 0 || over_ns > now_ns) {
        look_again(worker, over_ns, now_ns);
        return;
    }
    overrun(worker, req, now_ns);
}

/* The timer is set once for many requests: it rings at the first one's limit
 * and looks what is running then. */
static void
watch_time(struct sco_worker *worker)
{
    if (worker->limit.place == 0) {
        look_again(worker, 0, sco_loop_now_ns(worker->setup->loop));
    }
}

/* ---- giving and taking back ----------------------------------------- */

bool
sco_worker_give(struct sco_worker *worker, struct sco_request *req)
{
    struct sco_lane_call call = {
        .offset = req->slot.offset,
        .slot_bytes = req->slot.bytes,
        .body_bytes = req->body_bytes,
        .head_bytes = req->head_bytes,
        .kind = req->kind,
        .timeout_ms = worker->setup->timeout_ms,
        .deadline_ns = req->deadline_ns,
    };

    call.ticket = sco_arena_mark(req->arena, req->slot);
    if (req->half_closed) {
        sco_arena_cancel(req->arena, req->slot, SCO_CANCEL_SENDING);
    }
    if (!sco_lane_send(worker->lane, &call)) {
        return false;
    }
    req->ticket = call.ticket;
    take_on(worker, req);
    worker->rung = true;
    watch_time(worker);
    return true;
}

void
sco_worker_flush(struct sco_worker *worker)
{
    if (worker->rung) {
        worker->rung = false;
        sco_lane_ring(worker->lane);
    }
}

bool
sco_worker_take_back(struct sco_worker *worker, struct sco_request *req)
{
    if (!sco_arena_revoke(req->arena, req->slot, req->ticket)) {
        return false;
    }
    let_go(worker, req);
    return true;
}

struct sco_request *
sco_worker_spare(struct sco_worker *worker)
{
    struct sco_request *newest;

    if (sco_list_empty(&worker->held)) {
        return NULL;
    }
    newest = SCO_LIST_ENTRY(worker->held.prev, struct sco_request, link);
    return sco_arena_started_ns(newest->arena, newest->slot) == 0 ? newest
                                                                  : NULL;
}

void
sco_worker_cancel(struct sco_worker *worker, struct sco_request *req,
                  enum sco_cancel why)
{
    bool raises = worker->setup->raise_cancelled &&
                  why != SCO_CANCEL_SENDING && !req->interrupted;

    sco_arena_cancel(req->arena, req->slot,
                     (unsigned)why | (raises ? SCO_CANCEL_RAISE : 0U));
    /* It may be waiting for room that nobody will make. */
    sco_lane_ring(worker->lane);
    if (raises) {
        req->interrupted = true; /* a second one would hit its clean-up */
        worker->ops->interrupt(worker);
    }
}

/* ---- hearing -------------------------------------------------------- */

static struct sco_request *
held_with(const struct sco_worker *worker, uint64_t ticket)
{
    struct sco_list *link = worker->held.next;

    for (; link != &worker->held; link = link->next) {
        struct sco_request *req =
            SCO_LIST_ENTRY(link, struct sco_request, link);

        if (req->ticket == ticket) {
            return req;
        }
    }
    return NULL;
}

static const char *
reply_bytes(const struct sco_worker *worker, const struct sco_request *req,
            const struct sco_lane_reply *reply)
{
    if (reply->place == SCO_LANE_IN_SLOT) {
        return sco_arena_bytes(req->arena, req->slot) + reply->offset -
               SCO_SLOT_MARK_BYTES;
    }
    if (reply->place == SCO_LANE_IN_BLOCK) {
        return sco_lane_bytes(worker->lane, reply->offset);
    }
    return "";
}

static struct sco_answer
answer_from(const struct sco_worker *worker, const struct sco_request *req,
            const struct sco_lane_reply *reply)
{
    const char *bytes = reply_bytes(worker, req, reply);
    struct sco_answer answer = {
        .failure = SCO_OK,
        .status = reply->status,
        .flags = reply->flags,
        .run_ns = reply->run_ns,
        .begun_ns = reply->begun_ns,
        .rows = reply->rows,
        .stream_bytes = reply->stream_bytes,
        .has_reason = reply->has_reason != 0,
        .headers = { bytes, reply->headers_bytes },
        .body = { bytes + reply->headers_bytes, reply->body_bytes },
        .pid = worker->pid,
    };

    if (reply->place == SCO_LANE_IN_BLOCK) {
        answer.lane = sco_lane_ref(worker->lane);
        answer.block = reply->offset;
    }
    return answer;
}

/* The worker is through with the request: the work ends here. */
static void
through(struct sco_worker *worker, struct sco_request *req, uint64_t run_ns)
{
    if (worker->overdue_ticket == req->ticket) {
        /* The timer was set to end the worker's mercy. */
        worker->overdue_ticket = 0;
        sco_log(SCO_EVENT_RUN_RETURNED,
                "worker %u (pid:%d) is back from run() and goes on",
                worker->number, (int)worker->pid);
        look_again(worker, 0, sco_loop_now_ns(worker->setup->loop));
    }
    let_go(worker, req);
    if (req->kind != SCO_LANE_LINE) {
        worker->served++;
        worker->boss.on_through(worker->boss.arg, worker, run_ns);
    }
    sco_request_unref(req);
}

static void
hear_start(struct sco_worker *worker, struct sco_request *req,
           struct sco_answer *answer)
{
    req->stream = sco_stream_create();
    req->progress_ns = sco_loop_now_ns(worker->setup->loop);
    if (req->stream == NULL || sco_request_is_answered(req)) {
        if (req->stream != NULL) {
            sco_stream_drop(req->stream);
        }
        sco_worker_cancel(worker, req, SCO_CANCEL_GONE);
        sco_answer_release(answer);
        sco_request_fail(req, SCO_NOMEM, NULL, worker->pid);
        return;
    }
    answer->stream = sco_stream_ref(req->stream);
    sco_request_answer(req, answer);
    look_again(worker, over_at_ns(worker, req), req->progress_ns);
}

static void
hear_chunk(struct sco_worker *worker, struct sco_request *req,
           const struct sco_lane_reply *reply)
{
    enum sco_status status;

    req->progress_ns = sco_loop_now_ns(worker->setup->loop);
    if (reply->place != SCO_LANE_IN_BLOCK) {
        return;
    }
    status = sco_stream_push(req->stream, worker->lane, reply->offset,
                             reply->body_bytes);
    if (status != SCO_OK) {
        sco_stream_end(req->stream, status);
        sco_worker_cancel(worker, req, SCO_CANCEL_GONE);
    }
}

/* How long a stream kept its worker. */
static uint64_t
streamed_ns(const struct sco_worker *worker, const struct sco_request *req)
{
    uint64_t now_ns = sco_loop_now_ns(worker->setup->loop);
    uint64_t begun_ns = sco_arena_started_ns(req->arena, req->slot);

    return now_ns > begun_ns ? now_ns - begun_ns : 0;
}

/* Whether a reply of this kind may come for the request now: pieces only after
 * a start, everything else only before, and to a line nothing but that it was
 * logged. A stream that nobody waits for any more may end without a start. */
static bool
may_come(const struct sco_request *req, const struct sco_lane_reply *reply)
{
    bool of_stream =
        reply->kind == SCO_LANE_CHUNK || reply->kind == SCO_LANE_END;
    bool of_line = reply->kind == SCO_LANE_SKIPPED;

    if (reply->kind == SCO_LANE_RAN && reply->place != SCO_LANE_NOWHERE) {
        return false;
    }
    if (req != NULL && reply->kind == SCO_LANE_END &&
        sco_request_is_answered(req)) {
        return req->kind != SCO_LANE_LINE;
    }
    return req != NULL && of_stream == (req->stream != NULL) &&
           of_line == (req->kind == SCO_LANE_LINE) &&
           (of_stream || of_line ||
            (reply->status >= 100 && reply->status < 1000)) &&
           sco_lane_reply_fits(reply, req->slot.bytes);
}

/* Tells the boss of a run() that was called for a batch. */
static void
tell_ran(struct sco_worker *worker, const struct sco_request *req,
         const struct sco_lane_reply *reply)
{
    struct sco_ran ran;

    if (worker->boss.on_ran != NULL &&
        sco_ran_read(reply, req->kind,
                     sco_arena_started_ns(req->arena, req->slot),
                     sco_loop_now_ns(worker->setup->loop), &ran)) {
        worker->boss.on_ran(worker->boss.arg, worker, &ran);
    }
}

/* What a request cost its worker: its share of a run() that it had with
 * others. */
static uint64_t
share_ns(const struct sco_lane_reply *reply)
{
    if (reply->rows == 0 || reply->batch_rows <= reply->rows) {
        return reply->run_ns;
    }
    return (uint64_t)((double)reply->run_ns * reply->rows / reply->batch_rows);
}

/* A reply to a request in hand. False when it is none that may come now. */
static bool
hear_reply(struct sco_worker *worker, const struct sco_lane_reply *reply)
{
    struct sco_request *req = held_with(worker, reply->ticket);
    struct sco_answer answer;

    if (!may_come(req, reply)) {
        return false;
    }
    if (reply->batch_told != 0) {
        tell_ran(worker, req, reply);
    }
    switch ((enum sco_lane_reply_kind)reply->kind) {
    case SCO_LANE_WHOLE:
        answer = answer_from(worker, req, reply);
        sco_request_answer(req, &answer);
        if ((reply->flags & SCO_REPLY_UNFIT) != 0 &&
            worker->boss.on_unfit != NULL) {
            worker->boss.on_unfit(worker->boss.arg, worker);
        }
        through(worker, req, share_ns(reply));
        return true;
    case SCO_LANE_START:
        answer = answer_from(worker, req, reply);
        hear_start(worker, req, &answer);
        return true;
    case SCO_LANE_CHUNK:
        hear_chunk(worker, req, reply);
        return true;
    case SCO_LANE_END:
        if (req->stream != NULL) {
            sco_stream_end(req->stream, (enum sco_status)reply->status);
        }
        through(worker, req, streamed_ns(worker, req));
        return true;
    case SCO_LANE_SKIPPED:
        through(worker, req, 0);
        return true;
    case SCO_LANE_RAN:
        return true;
    case SCO_LANE_READY:
    case SCO_LANE_KINDS:
        break;
    }
    return false;
}

static bool
hear_ready(struct sco_worker *worker, const struct sco_lane_reply *reply)
{
    struct sco_slice documents;

    if (worker->state != SCO_WORKER_STARTING ||
        reply->place != SCO_LANE_IN_BLOCK) {
        return false;
    }
    if (worker->asked_to_leave) {
        become(worker, SCO_WORKER_LEAVING, worker->killed);
        sco_lane_release(worker->lane, reply->offset);
        return true;
    }
    become(worker, SCO_WORKER_READY, worker->killed);
    worker->was_ready = true;
    documents.data = sco_lane_bytes(worker->lane, reply->offset);
    documents.len = reply->headers_bytes;
    worker->boss.on_ready(worker->boss.arg, worker, documents);
    sco_lane_release(worker->lane, reply->offset);
    return true;
}

bool
sco_worker_poll(struct sco_worker *worker)
{
    struct sco_lane_reply reply;
    enum sco_status status;
    bool sound = true;
    int heard = 0;

    for (; sound && heard < REPLIES_PER_TURN; heard++) {
        status = sco_lane_take(worker->lane, &reply);
        if (status == SCO_NOT_FOUND) {
            return heard > 0;
        }
        sound = status == SCO_OK &&
                (reply.kind == SCO_LANE_READY ? hear_ready(worker, &reply)
                                              : hear_reply(worker, &reply));
    }
    if (!sound && !worker->killed) {
        sco_log(SCO_EVENT_WORKER_PROTOCOL,
                "worker (pid:%d) sent what it must not and is killed",
                (int)worker->pid);
        sco_worker_kill(worker);
    }
    return sound && heard > 0;
}

/* ---- beginning and end ---------------------------------------------- */

enum sco_status
sco_worker_create(const struct sco_worker_ops *ops,
                  const struct sco_worker_setup *setup,
                  const struct sco_worker_boss *boss, struct sco_worker **out,
                  struct sco_error *err)
{
    struct sco_worker *worker = calloc(1, ops->bytes);
    enum sco_status status;

    if (worker == NULL) {
        return sco_fail(err, SCO_NOMEM, "a worker");
    }
    worker->ops = ops;
    worker->setup = setup;
    worker->boss = *boss;
    worker->limit = (struct sco_timer){ .on_time = on_limit, .arg = worker };
    worker->begun_ns = sco_loop_now_ns(setup->loop);
    sco_list_init(&worker->held);
    sco_list_init(&worker->link);
    status = sco_lane_create(setup->arena, &worker->lane, err);
    if (status != SCO_OK) {
        goto fail;
    }
    status = ops->start(worker, err);
    if (status != SCO_OK) {
        goto fail;
    }
    *out = worker;
    return SCO_OK;

fail:
    worker->state = SCO_WORKER_GONE;
    sco_worker_destroy(worker);
    return status;
}

void
sco_worker_leave(struct sco_worker *worker)
{
    worker->asked_to_leave = true;
    if (worker->state == SCO_WORKER_STARTING && worker->ops->is_inside) {
        /* It cannot be ended while it loads: it leaves when it is ready. */
        sco_lane_stop(worker->lane);
    } else if (worker->state == SCO_WORKER_STARTING) {
        sco_worker_kill(worker);
    }
    if (worker->state == SCO_WORKER_READY) {
        become(worker, SCO_WORKER_LEAVING, worker->killed);
        sco_lane_stop(worker->lane);
    }
}

void
sco_worker_kill(struct sco_worker *worker)
{
    become(worker, worker->state, /* killed */ true);
    worker->ops->kill(worker);
}

/* Answers or returns what a worker held that is no more. */
static void
settle_held(struct sco_worker *worker, const char *how)
{
    struct sco_request *req;

    sco_worker_return(worker);
    while ((req = oldest_held(worker)) != NULL) {
        if (req->stream != NULL) {
            sco_stream_end(req->stream, SCO_WORKER_LOST);
        }
        sco_request_fail(req, SCO_WORKER_LOST, how, worker->pid);
        worker->served++; /* the request may be the cause: not a bad start */
        let_go(worker, req);
        sco_request_unref(req);
    }
}

/* Who ended and how, as in "The ... while it scored this request." */
static void
describe_end(const struct sco_worker *worker, const struct sco_worker_end *end,
             char *how, size_t room)
{
    char it[64];

    if (worker->name != NULL) {
        snprintf(how, room, "remote worker %s was lost (%s)", worker->name,
                 end->reason != NULL ? end->reason : "it left");
    } else {
        sco_worker_tell_end(end, it, sizeof(it));
        snprintf(how, room, "%s %s", end->lost ? "worker" : "worker process",
                 it);
    }
}

void
sco_worker_gone(struct sco_worker *worker, const struct sco_worker_end *end)
{
    char how[512];

    while (sco_worker_poll(worker)) {
    }
    describe_end(worker, end, how, sizeof(how));
    become(worker, SCO_WORKER_GONE, worker->killed);
    sco_loop_timer_clear(worker->setup->loop, &worker->limit);
    settle_held(worker, how);
    worker->boss.on_gone(worker->boss.arg, worker, end);
}

void
sco_worker_destroy(struct sco_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    SCO_CHECK(worker->state == SCO_WORKER_GONE, "a worker still runs");
    sco_loop_timer_clear(worker->setup->loop, &worker->limit);
    sco_list_remove(&worker->link);
    worker->ops->finish(worker);
    sco_lane_unref(worker->lane);
    free(worker);
}
