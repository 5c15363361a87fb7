/* Design notes
 *
 * The host counts calls of run(), and knows only replies. So each call is
 * noted when run() has returned, and the first reply that it gives tells of
 * it. One that gives none (it failed and is run again in halves, or all of
 * it are pieces of requests that are not whole yet) is told of by itself.
 */
#include "pybridge/batching_int.h"

#include "base/clock.h"
#include "batch/outcome.h"
#include "pybridge/current.h"
#include "pybridge/errors.h"
#include "pybridge/model.h"
#include "pybridge/reply.h"

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
        if (batching_drop_if_cancelled(all, call)) {
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
        bytes += all->shares[i].call->job.call.body.len;
    }
    status = sco_tensors_gather(all->scorer->tensors, all->parts,
                                all->share_count, bytes, err);
    if (status != SCO_OK) {
        return status;
    }
    for (size_t i = 0; i < all->share_count; i++) {
        if (all->parts[i].status != SCO_OK) {
            batching_refuse(all, all->shares[i].call, &all->parts[i].err);
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
    given = sco_tensors_give(all->scorer, batching_sink(all, call), &call->job,
                             whole, outputs->count, rows);
    if (given == 0) {
        batching_release(all, call);
    }
    return given;
}

/* Gives one call its result of a batch of bodies. */
static void
give_body(struct batching *all, struct held_call *call, PyObject *result)
{
    struct sco_scorer *scorer = all->scorer;

    scorer->sink = batching_sink(all, call);
    if (sco_scorer_give_result(scorer, result, scorer->time.run_ns) < 0) {
        sco_report(scorer->scoring->invoke);
        sco_reply_internal(scorer->sink);
    }
    scorer->sink = &all->sink;
    batching_release(all, call);
}

/* Gives a failed call its reply: of the contract, or of v2. */
static void
give_failed(struct batching *all, struct held_call *call, PyObject *reply,
            const char *text)
{
    struct sco_sink *sink = batching_sink(all, call);

    if (reply == NULL ||
        sco_tensors_give_failed(all->scorer, sink, batching_is_infer(call),
                                reply, text) < 0) {
        sco_report(all->scorer->scoring->invoke);
        sco_reply_internal(sink);
    }
    batching_release(all, call);
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

/* Notes that run() was called, for the first reply that it gives. */
static void
note_run(struct batching *all, enum sco_batch_reason reason, uint64_t rows,
         bool has_failed)
{
    const struct sco_run_time *time = &all->scorer->time;
    const struct sco_child_run run = {
        .told = (uint16_t)(((unsigned)reason + 1) |
                           (has_failed ? SCO_BATCH_TOLD_FAILED : 0U)),
        .rows = (uint32_t)rows,
        .begun_ns = time->begun_ns,
        .run_ns = time->run_ns,
    };

    sco_child_note_run(all->child, &run);
}

/* Tells of it if no reply has. */
static void
tell_run(struct batching *all, struct sco_batch_range range)
{
    for (size_t i = range.first; i < range.first + range.count; i++) {
        struct held_call *call = all->shares[i].call;

        if (!call->is_answered) {
            (void)batching_sink(all, call);
            sco_child_tell_run(all->child);
            return;
        }
    }
}

/* Runs some shares, and answers them if that went well. False: it did not,
 * and an exception says why; the run is noted and not told of. */
static bool
run_range(struct batching *all, struct sco_batch_range range,
          enum sco_batch_reason reason)
{
    uint64_t rows = 0;
    PyObject *result;

    for (size_t i = 0; i < range.count; i++) {
        rows += all->parts[range.first + i].rows;
    }
    result = all->model->is_bodies ? run_bodies(all, range)
                                   : run_tensors(all, range, rows);
    note_run(all, reason, rows, result == NULL);
    if (result == NULL) {
        return false;
    }
    give_range(all, range, result, rows);
    tell_run(all, range);
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

    return !call->is_answered && !batching_drop_if_cancelled(all, call);
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

/* Runs the shares again in halves, since all of them together failed. */
static void
run_halves(struct batching *all, struct sco_batch_bisect *bisect)
{
    struct sco_batch_range range;
    bool is_over;

    while (sco_batch_bisect_next(bisect, is_wanted, all, &range, &is_over)) {
        if (is_over) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the batch failed, and not all of it could be "
                            "tried alone");
            fail_range(all, range);
            continue;
        }
        PyErr_Clear();
        if (run_range(all, range, SCO_BATCH_SPLIT)) {
            continue;
        }
        if (is_for_all(all) || sco_batch_bisect_failed(bisect)) {
            fail_range(all, range);
        }
        tell_run(all, range);
    }
    PyErr_Clear();
}

/* Runs all shares, and again in halves if that fails. */
static enum sco_batch_end
run_shares(struct batching *all, enum sco_batch_reason reason)
{
    struct sco_batch_range range = { 0, all->share_count };
    struct sco_batch_bisect bisect;

    if (run_range(all, range, reason)) {
        return SCO_BATCH_ANSWERED;
    }
    if (is_for_all(all) || !sco_batch_bisect_init(&bisect, all->share_count,
                                                  all->model->runs_most)) {
        fail_range(all, range);
        return SCO_BATCH_FAILED;
    }
    tell_run(all, range);
    run_halves(all, &bisect);
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

void
batching_run(struct batching *all, struct sco_batch *batch,
             enum sco_batch_reason reason)
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
            batching_refuse(all, all->shares[i].call, &err);
        }
        all->share_count = 0;
    }
    if (all->share_count > 0) {
        begin_all(all, sco_clock_now_ns());
        whole.deadline_ns = last_deadline_ns(all);
        sco_scorer_begin(all->scorer, &whole, &all->sink);
        all->end = run_shares(all, reason);
        sco_current_end();
    }
    all->share_count = 0;
    if (!all->model->is_bodies) {
        sco_rows_clear(&all->scorer->tensors->rows);
    }
    all->end_ns = sco_clock_now_ns();
}
