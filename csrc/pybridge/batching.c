/* Design notes
 *
 * A call that was taken is *held*: it has begun as far as the host knows, so
 * nobody takes it back, and its body stands where it was put. Its limit
 * counts from the moment at which a batch begins, for all that are held: they
 * are not late by what others needed.
 *
 * A batch is one call of the script, whatever it holds. So what interrupts it
 * is what all of its calls want: a timeout of one is a timeout of all, since
 * they began together; that a client has left matters when all have.
 *
 *     taken -> in the former -> a part of the batch -> replied -> free
 *
 * Whoever is cancelled before the batch goes leaves without a run().
 *
 * What comes while a batch runs is taken when its replies have been given: no
 * client waits for others to be read. The policy has to hear of them in the
 * order in which things happened, though, or it takes those who waited for
 * those who came back. So a batch that is over is *settled* only when all
 * that came before its replies has been taken.
 */
#include "pybridge/batching.h"

#include "base/clock.h"
#include "base/list.h"
#include "batch/former.h"
#include "batch/outcome.h"
#include "pybridge/current.h"
#include "pybridge/errors.h"
#include "pybridge/gathered.h"
#include "pybridge/model.h"
#include "pybridge/tensors.h"
#include "pybridge/term.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 256 };

/* A call that is held. */
struct held_call {
    struct sco_batch_entry entry;
    struct sco_list link; /* among the free, or those in hand */
    struct sco_child_held held;
    struct sco_call call;
    struct sco_job job;           /* of tensors */
    PyObject *body;               /* of bodies: a str */
    struct sco_gathered gathered; /* of one that is cut: its outputs */
    bool is_answered;
};

/* A part of the batch in hand. */
struct share {
    struct held_call *call;
    size_t part; /* in the former's batch */
};

struct batching {
    struct sco_sink sink; /* first: what the whole batch is told */
    struct sco_scorer *scorer;
    struct sco_child *child;
    const struct sco_tensor_model *model;
    struct sco_batch_former *former;
    struct sco_batch *batch; /* that runs, or is not settled yet; or NULL */
    enum sco_batch_end end;  /* how that ended */
    uint64_t end_ns;         /* and when */
    struct sco_list spare, in_hand;
    size_t in_hand_count;
    struct share shares[HELD_MAX];
    struct sco_part parts[HELD_MAX]; /* of tensors, as the shares */
    size_t share_count;
    struct held_call calls[HELD_MAX];
};

bool
sco_batching_is_on(const struct sco_scorer *scorer)
{
    const struct sco_tensor_model *model = scorer->scoring->model;

    return model != NULL && model->has_batching &&
           (model->is_bodies || model->has_tensors);
}

/* ---- what a batch is told --------------------------------------------- */

static struct batching *
batching_of(struct sco_sink *sink)
{
    return (struct batching *)(void *)sink;
}

/* The bits that all calls of the batch have, and those that any has. */
static void
look_at_marks(const struct batching *all, unsigned *each, unsigned *any)
{
    *each = all->share_count > 0 ? ~0U : 0;
    *any = 0;
    for (size_t i = 0; i < all->share_count; i++) {
        unsigned bits = sco_child_cancelled(&all->shares[i].call->held);

        *any |= bits;
        if (!all->shares[i].call->is_answered) {
            *each &= bits == 0 ? 0 : bits | SCO_CANCEL_GONE;
        }
    }
}

static bool
batch_cancelled(struct sco_sink *sink)
{
    unsigned each, any;

    look_at_marks(batching_of(sink), &each, &any);
    return each != 0;
}

static enum sco_stop
batch_stop(struct sco_sink *sink)
{
    unsigned each, any;

    look_at_marks(batching_of(sink), &each, &any);
    if ((any & SCO_CANCEL_TIMEOUT) != 0) {
        return SCO_STOP_TIMEOUT;
    }
    return (each & SCO_CANCEL_RAISE) != 0 ? SCO_STOP_CANCELLED : SCO_STOP_NOT;
}

/* Replies go to the sink of the call in hand, never to this. */
static const struct sco_sink_ops batch_sink_ops = {
    .cancelled = batch_cancelled,
    .stop = batch_stop,
};

/* ---- held calls ------------------------------------------------------- */

static struct sco_sink *
sink_for(struct batching *all, const struct held_call *call)
{
    sco_child_resume(all->child, &call->held);
    return sco_child_sink(all->child);
}

static bool
is_infer(const struct held_call *call)
{
    return call->call.way == SCO_CALL_INFER;
}

/* A call has its reply: nothing more is to be looked at. */
static void
release(struct batching *all, struct held_call *call)
{
    sco_batch_former_leave(&call->entry);
    sco_list_remove(&call->link);
    sco_list_push(&all->spare, &call->link);
    all->in_hand_count--;
    call->is_answered = true;
    call->held.mark = NULL;
    Py_CLEAR(call->body);
    sco_gathered_finish(&call->gathered);
    if (all->model->has_tensors) {
        sco_job_clear(&call->job);
    }
}

/* What nobody waits for any more gets an answer that nobody reads. */
static bool
drop_if_cancelled(struct batching *all, struct held_call *call)
{
    const struct sco_reply_head head = { .status = 499, .stream_bytes = -1 };
    unsigned bits = sco_child_cancelled(&call->held);

    if ((bits & ~(unsigned)SCO_CANCEL_SENDING) == 0) {
        return false;
    }
    sco_reply_plain(sink_for(all, call), &head,
                    SCO_SLICE("{\"message\": \"Cancelled\"}"));
    release(all, call);
    return true;
}

static void
drop_cancelled(struct batching *all)
{
    struct sco_list *link = all->in_hand.next;

    while (link != &all->in_hand) {
        struct held_call *call = SCO_LIST_ENTRY(link, struct held_call, link);

        link = link->next;
        (void)drop_if_cancelled(all, call);
    }
}

static void
refuse(struct batching *all, struct held_call *call,
       const struct sco_error *why)
{
    sco_tensors_refuse(all->scorer, sink_for(all, call), is_infer(call), why);
    release(all, call);
}

/* Gives a failed call its reply: of the contract, or of v2. */
static void
give_failed(struct batching *all, struct held_call *call, PyObject *reply,
            const char *text)
{
    struct sco_sink *sink = sink_for(all, call);

    if (reply == NULL ||
        sco_tensors_give_failed(all->scorer, sink, is_infer(call), reply,
                                text) < 0) {
        sco_report(all->scorer->scoring->invoke);
        sco_reply_internal(sink);
    }
    release(all, call);
}

/* ---- taking ----------------------------------------------------------- */

/* Tells the former how the last batch ended, if that was before `by_ns`. */
static void
settle(struct batching *all, uint64_t by_ns)
{
    if (all->batch != NULL && all->end_ns <= by_ns) {
        sco_batch_former_finish(all->batch, all->end, all->end_ns);
        all->batch = NULL;
    }
}

/* Reads a call of tensors, and has it wait. */
static enum sco_status
add_tensors(struct batching *all, struct held_call *call,
            struct sco_error *err)
{
    uint64_t dims[SCO_JOB_GROUP_MAX];
    enum sco_status status =
        sco_tensors_read(all->scorer->tensors, &call->job, &call->call, err);
    size_t count;
    uint64_t key;

    if (status != SCO_OK) {
        return status;
    }
    key = sco_job_group(&call->job, dims, &count);
    call->entry.rows = call->job.request.rows;
    return sco_batch_former_add(
        all->former, &call->entry, key,
        (struct sco_slice){ (const char *)dims, count * sizeof(dims[0]) },
        call->call.given_ns, err);
}

static enum sco_status
add_body(struct batching *all, struct held_call *call, struct sco_error *err)
{
    call->body = PyUnicode_DecodeUTF8(
        call->call.body.data, (Py_ssize_t)call->call.body.len, "strict");
    if (call->body == NULL) {
        return sco_fail_from_python(err, SCO_INVALID);
    }
    call->entry.rows = 1;
    return sco_batch_former_add(all->former, &call->entry, 0, SCO_SLICE(""),
                                call->call.given_ns, err);
}

/* Whether a call is one that can have company. */
static bool
is_batched(const struct batching *all, const struct sco_call *call)
{
    return all->model->has_tensors ? call->way != SCO_CALL_GENERAL
                                   : call->way == SCO_CALL_PLAIN;
}

static void
take_call(struct batching *all, const struct sco_call *taken)
{
    struct held_call *call =
        SCO_LIST_ENTRY(all->spare.next, struct held_call, link);
    struct sco_error err = { .text = "" };

    settle(all, taken->given_ns);
    sco_list_remove(&call->link);
    sco_list_push(&all->in_hand, &call->link);
    all->in_hand_count++;
    call->entry =
        (struct sco_batch_entry){ .urgent_ns = taken->given_ns,
                                  .deadline_ns = taken->deadline_ns };
    call->held = sco_child_hold(all->child);
    call->call = *taken;
    call->is_answered = false;
    err.status = all->model->has_tensors ? add_tensors(all, call, &err)
                                         : add_body(all, call, &err);
    if (err.status == SCO_OK) {
        return;
    }
    if (all->model->has_tensors) {
        refuse(all, call, &err);
        return;
    }
    /* The general road says it as the contract does. */
    sco_scorer_score(all->scorer, &call->call, sink_for(all, call));
    release(all, call);
}

/* Takes all that waits in the lane. True: the host says stop. */
static bool
take_all(struct batching *all)
{
    struct sco_child_line line;
    struct sco_call call;

    while (all->in_hand_count < HELD_MAX) {
        switch (sco_child_try_next(all->child, &call, &line)) {
        case SCO_CHILD_CALL:
            if (is_batched(all, &call)) {
                take_call(all, &call);
            } else {
                sco_scorer_score(all->scorer, &call,
                                 sco_child_sink(all->child));
            }
            break;
        case SCO_CHILD_LINE:
            sco_scoring_log(all->scorer->scoring, &line);
            break;
        case SCO_CHILD_STOP:
            return true;
        case SCO_CHILD_SIGNAL:
        case SCO_CHILD_NONE:
            return false;
        }
    }
    return false;
}

/* ---- running ---------------------------------------------------------- */

static struct held_call *
call_of(struct sco_batch_entry *entry)
{
    return SCO_LIST_ENTRY(entry, struct held_call, entry);
}

/* The parts of the batch that are still wanted, as shares. */
static void
share_out(struct batching *all, struct sco_batch *batch)
{
    all->share_count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct sco_batch_piece *piece = batch->parts[i].piece;
        struct held_call *call;

        if (piece == NULL) {
            continue;
        }
        call = call_of(piece->entry);
        if (drop_if_cancelled(all, call)) {
            continue;
        }
        all->parts[all->share_count] = (struct sco_part){
            .job = &call->job, .from = piece->from, .rows = piece->rows
        };
        all->shares[all->share_count++] = (struct share){ call, i };
    }
}

/* Decodes the shares' rows. Who cannot be decoded is refused and leaves. */
static enum sco_status
gather(struct batching *all, struct sco_error *err)
{
    size_t bytes = 0, kept = 0;
    enum sco_status status;

    for (size_t i = 0; i < all->share_count; i++) {
        bytes += all->shares[i].call->call.body.len;
    }
    status = sco_tensors_gather(all->scorer->tensors, all->parts,
                                all->share_count, bytes, err);
    if (status != SCO_OK) {
        return status;
    }
    for (size_t i = 0; i < all->share_count; i++) {
        if (all->parts[i].status != SCO_OK) {
            refuse(all, all->shares[i].call, &all->parts[i].err);
            continue;
        }
        all->parts[kept] = all->parts[i];
        all->shares[kept++] = all->shares[i];
    }
    all->share_count = kept;
    return SCO_OK;
}

/* Calls run() with some shares: what it returned, or NULL with an exception.
 * Of tensors: the outputs are read, too. */
static PyObject *
run_tensors(struct batching *all, struct sco_batch_range range, uint64_t rows)
{
    struct sco_tensors *tensors = all->scorer->tensors;
    PyObject *result =
        sco_tensors_run(all->scorer, all->parts[range.first].at, rows);

    if (result != NULL &&
        sco_outputs_read(&tensors->outputs, all->model, result, rows) < 0) {
        sco_outputs_clear(&tensors->outputs);
        Py_CLEAR(result);
    }
    return result;
}

static PyObject *
run_bodies(struct batching *all, struct sco_batch_range range)
{
    struct sco_scorer *scorer = all->scorer;
    PyObject *bodies = PyList_New((Py_ssize_t)range.count);
    PyObject *results;

    if (bodies == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < range.count; i++) {
        PyList_SET_ITEM(bodies, (Py_ssize_t)i,
                        Py_NewRef(all->shares[range.first + i].call->body));
    }
    scorer->time.begun_ns = sco_clock_now_ns();
    sco_scorer_begin_run(scorer);
    results = PyObject_CallOneArg(all->model->bodies, bodies);
    sco_scorer_end_run(scorer);
    scorer->time.run_ns = sco_clock_now_ns() - scorer->time.begun_ns;
    Py_DECREF(bodies);
    if (results != NULL &&
        (!PyList_Check(results) ||
         PyList_GET_SIZE(results) != (Py_ssize_t)range.count)) {
        PyErr_SetString(PyExc_TypeError, "not a result for each body");
        Py_CLEAR(results);
    }
    return results;
}

/* One call's rows of what the batch gave; `at` is where they begin. -1 with
 * an exception. */
static int
give_rows(struct batching *all, struct share *share,
          const struct sco_part *part, uint64_t at, uint64_t rows)
{
    struct sco_tensors *tensors = all->scorer->tensors;
    const struct sco_outputs *outputs = &tensors->outputs;
    struct held_call *call = share->call;
    const struct sco_v2_output *whole = tensors->shares;
    struct sco_error err = { .text = "" };
    int given;

    for (size_t i = 0; i < outputs->count; i++) {
        tensors->shares[i].name = outputs->items[i].name;
        sco_v2_array_rows(&outputs->items[i].array, at, part->rows,
                          &tensors->shares[i].array);
    }
    if (part->rows < call->job.request.rows) {
        if (sco_gathered_add(&call->gathered, call->job.request.rows,
                             part->from, part->rows, tensors->shares,
                             outputs->count, &err) != SCO_OK) {
            PyErr_SetString(PyExc_ValueError, err.text);
            return -1;
        }
        if (!sco_batch_former_done(all->batch, share->part)) {
            return 0; /* more is to come */
        }
        whole = sco_gathered_outputs(&call->gathered);
    }
    given = sco_tensors_give(all->scorer, sink_for(all, call), &call->job,
                             whole, outputs->count, rows);
    if (given == 0) {
        release(all, call);
    }
    return given;
}

/* Gives one call its result of a batch of bodies. */
static void
give_body(struct batching *all, struct held_call *call, PyObject *result)
{
    struct sco_scorer *scorer = all->scorer;

    scorer->sink = sink_for(all, call);
    if (sco_scorer_give_result(scorer, result, scorer->time.run_ns) < 0) {
        sco_report(scorer->scoring->invoke);
        sco_reply_internal(scorer->sink);
    }
    scorer->sink = &all->sink;
    release(all, call);
}

static void
fail_range(struct batching *all, struct sco_batch_range range)
{
    char text[256];
    PyObject *reply;

    sco_tensors_tell(text, sizeof(text));
    reply = sco_scorer_failed(all->scorer);
    for (size_t i = 0; i < range.count; i++) {
        struct held_call *call = all->shares[range.first + i].call;

        if (!call->is_answered) {
            give_failed(all, call, reply, text);
        }
    }
    Py_XDECREF(reply);
}

static void
give_range(struct batching *all, struct sco_batch_range range,
           PyObject *result, uint64_t rows)
{
    uint64_t begin = all->parts[range.first].at;

    for (size_t i = 0; i < range.count; i++) {
        struct share *share = &all->shares[range.first + i];
        const struct sco_part *part = &all->parts[range.first + i];

        if (share->call->is_answered) {
            continue;
        }
        if (all->model->is_bodies) {
            give_body(all, share->call,
                      PyList_GET_ITEM(result, (Py_ssize_t)i));
        } else if (give_rows(all, share, part, part->at - begin, rows) < 0) {
            fail_range(all, (struct sco_batch_range){ range.first + i, 1 });
        }
    }
}

/* Runs some shares, and answers them if that went well. False: it did not,
 * and an exception says why. */
static bool
run_range(struct batching *all, struct sco_batch_range range)
{
    uint64_t rows = 0;
    PyObject *result;

    for (size_t i = 0; i < range.count; i++) {
        rows += all->parts[range.first + i].rows;
    }
    result = all->model->is_bodies ? run_bodies(all, range)
                                   : run_tensors(all, range, rows);
    if (result == NULL) {
        return false;
    }
    give_range(all, range, result, rows);
    if (!all->model->is_bodies) {
        sco_outputs_clear(&all->scorer->tensors->outputs);
    }
    Py_DECREF(result);
    return true;
}

static bool
is_wanted(void *arg, size_t share)
{
    struct batching *all = arg;
    struct held_call *call = all->shares[share].call;

    return !call->is_answered && !drop_if_cancelled(all, call);
}

/* An interrupt is nobody's fault in the batch, and what a kind of worker
 * cannot run it cannot run in halves. */
static bool
is_for_all(const struct batching *all)
{
    const struct sco_scoring *scoring = all->scorer->scoring;

    return PyErr_ExceptionMatches(scoring->timeout) ||
           PyErr_ExceptionMatches(scoring->cancelled) ||
           (scoring->refusals != NULL &&
            PyList_GET_SIZE(scoring->refusals) > all->scorer->refused);
}

/* Runs all shares, and again in halves if that fails. */
static enum sco_batch_end
run_shares(struct batching *all)
{
    struct sco_batch_range range = { 0, all->share_count };
    struct sco_batch_bisect bisect;
    bool is_over;

    if (run_range(all, range)) {
        return SCO_BATCH_ANSWERED;
    }
    if (is_for_all(all) || !sco_batch_bisect_init(&bisect, all->share_count,
                                                  all->model->runs_most)) {
        fail_range(all, range);
        return SCO_BATCH_FAILED;
    }
    while (sco_batch_bisect_next(&bisect, is_wanted, all, &range, &is_over)) {
        if (is_over) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the batch failed, and not all of it could be "
                            "tried alone");
            fail_range(all, range);
            continue;
        }
        PyErr_Clear();
        if (!run_range(all, range) &&
            (is_for_all(all) || sco_batch_bisect_failed(&bisect))) {
            fail_range(all, range);
        }
    }
    PyErr_Clear();
    return SCO_BATCH_FAILED;
}

/* When the time of the last of them is over; 0: never. */
static uint64_t
last_deadline_ns(const struct batching *all)
{
    uint64_t last_ns = 0;

    for (size_t i = 0; i < all->share_count; i++) {
        uint64_t deadline_ns = all->shares[i].call->call.deadline_ns;

        if (deadline_ns == 0) {
            return 0;
        }
        last_ns = deadline_ns > last_ns ? deadline_ns : last_ns;
    }
    return last_ns;
}

/* All that is held has its time from now on: what came before, others
 * needed. */
static void
begin_all(struct batching *all, uint64_t now_ns)
{
    for (struct sco_list *link = all->in_hand.next; link != &all->in_hand;
         link = link->next) {
        sco_child_begin(&SCO_LIST_ENTRY(link, struct held_call, link)->held,
                        now_ns);
    }
}

static void
run_batch(struct batching *all, struct sco_batch *batch)
{
    struct sco_error err = { .text = "" };
    struct sco_call whole = { .way = SCO_CALL_PLAIN };

    all->batch = batch;
    all->end = SCO_BATCH_FAILED;
    share_out(all, batch);
    if (all->share_count > 0 && !all->model->is_bodies) {
        err.status = gather(all, &err);
    }
    if (err.status != SCO_OK) {
        for (size_t i = 0; i < all->share_count; i++) {
            refuse(all, all->shares[i].call, &err);
        }
        all->share_count = 0;
    }
    if (all->share_count > 0) {
        begin_all(all, sco_clock_now_ns());
        whole.deadline_ns = last_deadline_ns(all);
        sco_scorer_begin(all->scorer, &whole, &all->sink);
        all->end = run_shares(all);
        sco_current_end();
    }
    all->share_count = 0;
    if (!all->model->is_bodies) {
        sco_rows_clear(&all->scorer->tensors->rows);
    }
    all->end_ns = sco_clock_now_ns();
}

/* ---- the loop --------------------------------------------------------- */

static void
wait_for_more(struct batching *all, uint64_t until_ns)
{
    Py_BEGIN_ALLOW_THREADS(void) sco_child_wait_until(
        all->child, until_ns == SCO_BATCH_NO_TIME ? 0 : until_ns);
    Py_END_ALLOW_THREADS
}

/* What is to be run next, or NULL: nothing yet. */
static struct sco_batch *
choose(struct batching *all, bool stopping, uint64_t *until_ns)
{
    uint64_t now_ns = sco_clock_now_ns();
    struct sco_batch_group *group = NULL;
    struct sco_batch_decision decision =
        sco_batch_former_choose(all->former, 1, now_ns, &group);

    *until_ns = decision.wait_until_ns;
    if (decision.rows == 0 && stopping) {
        group = sco_batch_former_first(all->former);
        decision.rows = all->model->batch.max_batch_size;
    }
    return group == NULL || decision.rows == 0
               ? NULL
               : sco_batch_former_take(group, decision.rows, now_ns);
}

/* SIGTERM ends the worker when it holds nothing. */
static void
let_term_if_empty(const struct batching *all)
{
    if (all->in_hand_count == 0) {
        sco_term_let();
    }
}

static void
serve(struct batching *all)
{
    for (;;) {
        uint64_t until_ns = SCO_BATCH_NO_TIME;
        struct sco_batch *batch;
        bool stopping;

        sco_term_hold();
        stopping = take_all(all);
        settle(all, UINT64_MAX);
        drop_cancelled(all);
        batch = choose(all, stopping, &until_ns);
        if (batch != NULL) {
            run_batch(all, batch);
        } else if (stopping && all->in_hand_count == 0) {
            return;
        } else {
            let_term_if_empty(all);
            wait_for_more(all, until_ns);
        }
        if (PyErr_CheckSignals() < 0) {
            sco_report(NULL);
        }
        let_term_if_empty(all);
    }
}

/* Rows of the batch move up in no buffer of ours: they are gathered when it
 * goes. */
static enum sco_status
open_batching(struct batching *all, struct sco_error *err)
{
    const struct sco_batch_former_setup setup = { .policy = all->model->batch,
                                                  .slots = 2 };
    enum sco_status status =
        sco_batch_former_create(&setup, &all->former, err);

    sco_list_init(&all->spare);
    sco_list_init(&all->in_hand);
    for (size_t i = 0; i < HELD_MAX && status == SCO_OK; i++) {
        if (all->model->has_tensors) {
            status =
                sco_job_init(&all->calls[i].job, &all->model->signature, err);
        }
        if (status == SCO_OK) {
            sco_list_push(&all->spare, &all->calls[i].link);
        }
    }
    return status;
}

int
sco_batching_serve(struct sco_scorer *scorer, struct sco_child *child)
{
    struct batching *all = calloc(1, sizeof(*all));
    struct sco_error err = { .text = "" };
    enum sco_status status = SCO_NOMEM;

    if (all != NULL) {
        all->sink.ops = &batch_sink_ops;
        all->scorer = scorer;
        all->child = child;
        all->model = scorer->scoring->model;
        status = open_batching(all, &err);
    }
    if (status == SCO_OK) {
        serve(all);
    }
    if (all != NULL) {
        sco_batch_former_destroy(all->former);
        for (size_t i = 0; i < HELD_MAX; i++) {
            sco_job_finish(&all->calls[i].job);
        }
        free(all);
    }
    if (status != SCO_OK) {
        sco_raise(status, &err);
        return -1;
    }
    return 0;
}
