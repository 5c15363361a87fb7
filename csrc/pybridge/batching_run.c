/* Design notes
 *
 * A flight goes (its parts are decoded, run() is called), and lands (what came
 * of it is given). What fails in between, run() or the GPU, fails when it
 * lands at the latest, and is run again in halves then, one half after the
 * other and without any flight.
 *
 * The host counts calls of run(), and knows only replies. So each call is
 * noted when run() has returned, and the first reply that it gives tells of
 * it. One that gives none (it failed and is run again in halves, or all of
 * it are pieces of requests that are not whole yet) is told of by itself.
 */
#include "pybridge/batching_int.h"

#include "base/clock.h"
#include "batch/outcome.h"
#include "cuda/stage.h"
#include "pybridge/current.h"
#include "pybridge/device.h"
#include "pybridge/errors.h"
#include "pybridge/model.h"
#include "pybridge/reply.h"

/* ---- going ------------------------------------------------------------ */

static struct held_call *
call_of(struct sco_batch_entry *entry)
{
    return SCO_LIST_ENTRY(entry, struct held_call, entry);
}

/* The parts of the batch that are still wanted, as shares. */
static void
share_out(struct batching *all, struct flight *flight)
{
    const struct sco_batch *batch = flight->batch;

    flight->share_count = 0;
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
        flight->parts[flight->share_count] = (struct sco_part){
            .job = &call->job, .from = piece->from, .rows = piece->rows
        };
        flight->shares[flight->share_count++] = (struct share){ call, i };
    }
}

/* Decodes the shares' rows. Who cannot be decoded is refused and leaves. */
static enum sco_status
gather(struct batching *all, struct flight *flight, struct sco_error *err)
{
    size_t bytes = 0, kept = 0;
    enum sco_status status;

    for (size_t i = 0; i < flight->share_count; i++) {
        bytes += flight->shares[i].call->job.call.body.len;
    }
    SCO_CHECK(sco_pass_open(all->scorer, &flight->pass), "no slot for it");
    status = sco_pass_gather(all->scorer, &flight->pass, flight->parts,
                             flight->share_count, bytes, err);
    if (status != SCO_OK) {
        return status;
    }
    for (size_t i = 0; i < flight->share_count; i++) {
        if (flight->parts[i].status != SCO_OK) {
            batching_refuse(all, flight->shares[i].call,
                            &flight->parts[i].err);
            continue;
        }
        flight->parts[kept] = flight->parts[i];
        flight->shares[kept++] = flight->shares[i];
    }
    flight->share_count = kept;
    return SCO_OK;
}

static uint64_t
rows_of(const struct flight *flight, struct sco_batch_range range)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < range.count; i++) {
        rows += flight->parts[range.first + i].rows;
    }
    return rows;
}

/* Calls run() with some shares, and reads what it returned. -1 with an
 * exception. */
static int
call_tensors(struct batching *all, struct flight *flight,
             struct sco_batch_range range)
{
    uint64_t rows = rows_of(flight, range);

    return sco_pass_call(all->scorer, &flight->pass,
                         flight->parts[range.first].at, rows) < 0 ||
                   sco_pass_read(all->scorer, &flight->pass, rows) < 0
               ? -1
               : 0;
}

/* The same with a list of bodies: there is a list of as many results. */
static int
call_bodies(struct batching *all, struct flight *flight,
            struct sco_batch_range range)
{
    struct sco_scorer *scorer = all->scorer;
    PyObject *bodies = PyList_New((Py_ssize_t)range.count);
    PyObject *results;

    if (bodies == NULL) {
        return -1;
    }
    for (size_t i = 0; i < range.count; i++) {
        PyObject *body = flight->shares[range.first + i].call->body;

        PyList_SET_ITEM(bodies, (Py_ssize_t)i, Py_NewRef(body));
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
    flight->pass.result = results;
    return results == NULL ? -1 : 0;
}

static int
call_range(struct batching *all, struct flight *flight,
           struct sco_batch_range range)
{
    return all->model->is_bodies ? call_bodies(all, flight, range)
                                 : call_tensors(all, flight, range);
}

/* ---- giving ----------------------------------------------------------- */

/* One call's rows of what the batch gave; `at` is where they begin. -1 with
 * an exception. */
static int
give_rows(struct batching *all, struct flight *flight, size_t index,
          uint64_t at, uint64_t rows)
{
    struct sco_tensors *tensors = all->scorer->tensors;
    const struct sco_outputs *outputs = &flight->pass.outputs;
    const struct share *share = &flight->shares[index];
    const struct sco_part *part = &flight->parts[index];
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
        if (!sco_batch_former_done(flight->batch, share->part)) {
            return 0; /* more is to come */
        }
        whole = sco_gathered_outputs(&call->gathered);
    }
    given = sco_tensors_give(all->scorer, batching_sink(all, call), &call->job,
                             whole, outputs->count, outputs->bytes, rows);
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
fail_range(struct batching *all, struct flight *flight,
           struct sco_batch_range range)
{
    char text[256];
    PyObject *reply;

    sco_tensors_tell(text, sizeof(text));
    reply = sco_scorer_failed(all->scorer);
    for (size_t i = 0; i < range.count; i++) {
        struct held_call *call = flight->shares[range.first + i].call;

        if (!call->is_answered) {
            give_failed(all, call, reply, text);
        }
    }
    Py_XDECREF(reply);
}

/* Gives each share its rows, or its result. */
static void
give_range(struct batching *all, struct flight *flight,
           struct sco_batch_range range)
{
    uint64_t begin = flight->parts[range.first].at;
    uint64_t rows = rows_of(flight, range);

    for (size_t i = range.first; i < range.first + range.count; i++) {
        struct held_call *call = flight->shares[i].call;

        if (call->is_answered) {
            continue;
        }
        if (all->model->is_bodies) {
            give_body(all, call,
                      PyList_GET_ITEM(flight->pass.result,
                                      (Py_ssize_t)(i - range.first)));
        } else if (give_rows(all, flight, i, flight->parts[i].at - begin,
                             rows) < 0) {
            fail_range(all, flight, (struct sco_batch_range){ i, 1 });
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
tell_run(struct batching *all, const struct flight *flight,
         struct sco_batch_range range)
{
    for (size_t i = range.first; i < range.first + range.count; i++) {
        struct held_call *call = flight->shares[i].call;

        if (!call->is_answered) {
            (void)batching_sink(all, call);
            sco_child_tell_run(all->child);
            return;
        }
    }
}

/* Run() was called for some shares, and it went well so far or did not. Those
 * that it went well for are answered. False: it did not, and an exception
 * says why; the run is noted and not told of. */
static bool
finish_range(struct batching *all, struct flight *flight,
             struct sco_batch_range range, enum sco_batch_reason reason,
             bool went_well)
{
    if (went_well && !all->model->is_bodies) {
        went_well = sco_pass_wait(all->scorer, &flight->pass) == 0;
    }
    note_run(all, reason, rows_of(flight, range), !went_well);
    if (went_well) {
        give_range(all, flight, range);
        tell_run(all, flight, range);
    }
    sco_pass_clear(all->scorer, &flight->pass);
    return went_well;
}

/* ---- what failed ------------------------------------------------------ */

static bool
is_wanted(void *arg, size_t share)
{
    struct batching *all = arg;
    struct held_call *call = all->running->shares[share].call;

    return !call->is_answered && !batching_drop_if_cancelled(all, call);
}

static bool
is_gpu_broken(const struct batching *all)
{
    const struct sco_tensors *tensors = all->scorer->tensors;

    return tensors != NULL && tensors->device != NULL &&
           tensors->device->is_broken;
}

/* An interrupt is nobody's fault in the batch, and what a kind of worker
 * cannot run it cannot run in halves; neither can a GPU that is broken. */
static bool
is_for_all(const struct batching *all)
{
    const struct sco_scoring *scoring = all->scorer->scoring;

    return PyErr_ExceptionMatches(scoring->timeout) ||
           PyErr_ExceptionMatches(scoring->cancelled) || is_gpu_broken(all) ||
           (scoring->refusals != NULL &&
            PyList_GET_SIZE(scoring->refusals) > all->scorer->refused);
}

/* Runs some shares once more. What run() may have written to is decoded anew;
 * to a GPU it is sent anew, from where nobody writes. False: as above. */
static bool
run_again(struct batching *all, struct flight *flight,
          struct sco_batch_range range)
{
    struct sco_error err = { .text = "" };
    bool went_well = true;

    if (all->model->has_tensors && all->model->is_writable &&
        flight->pass.rows.slot == NULL &&
        sco_pass_gather(all->scorer, &flight->pass,
                        &flight->parts[range.first], range.count,
                        SCO_WITHOUT_GIL_BYTES, &err) != SCO_OK) {
        PyErr_NoMemory();
        went_well = false;
    }
    went_well = went_well && call_range(all, flight, range) == 0;
    return finish_range(all, flight, range, SCO_BATCH_SPLIT, went_well);
}

/* Runs the shares again in halves, since all of them together failed. */
static void
run_halves(struct batching *all, struct flight *flight,
           struct sco_batch_bisect *bisect)
{
    struct sco_batch_range range;
    bool is_over;

    while (sco_batch_bisect_next(bisect, is_wanted, all, &range, &is_over)) {
        if (is_over) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the batch failed, and not all of it could be "
                            "tried alone");
            fail_range(all, flight, range);
            continue;
        }
        PyErr_Clear();
        if (run_again(all, flight, range)) {
            continue;
        }
        if (is_for_all(all) || sco_batch_bisect_failed(bisect)) {
            fail_range(all, flight, range);
        }
        tell_run(all, flight, range);
    }
    PyErr_Clear();
}

/* All shares together failed, with the pending exception. */
static void
fail_shares(struct batching *all, struct flight *flight)
{
    struct sco_batch_range range = { 0, flight->share_count };
    struct sco_batch_bisect bisect;

    if (is_for_all(all) || !sco_batch_bisect_init(&bisect, flight->share_count,
                                                  all->model->runs_most)) {
        fail_range(all, flight, range);
        return;
    }
    tell_run(all, flight, range);
    run_halves(all, flight, &bisect);
}

/* ---- flights ---------------------------------------------------------- */

/* When the time of the last of them is over; 0: never. */
static uint64_t
last_deadline_ns(const struct flight *flight)
{
    uint64_t last_ns = 0;

    for (size_t i = 0; i < flight->share_count; i++) {
        uint64_t deadline_ns = flight->shares[i].call->call.deadline_ns;

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
        struct held_call *call = SCO_LIST_ENTRY(link, struct held_call, link);

        if (!call->is_in_air) {
            sco_child_begin(&call->held, now_ns);
        }
    }
}

/* The script may be called for a flight from now on. */
static void
begin_flight(struct batching *all, struct flight *flight)
{
    const struct sco_call whole = { .way = SCO_CALL_PLAIN,
                                    .deadline_ns = last_deadline_ns(flight) };

    all->running = flight;
    sco_scorer_begin(all->scorer, &whole, &all->sink);
}

/* A flight is over; the former hears of it when the batch is settled. */
static void
end_flight(struct batching *all, struct flight *flight, enum sco_batch_end how)
{
    sco_pass_close(all->scorer, &flight->pass);
    all->over = flight->batch;
    all->end = how;
    all->end_ns = sco_clock_now_ns();
    flight->batch = NULL;
    flight->share_count = 0;
    if (all->air_count > 0) {
        /* The GPU has begun with it just now. */
        sco_batch_former_begin(all->flights[all->first].batch, all->end_ns);
    }
}

static void
be_in_air(struct batching *all, struct flight *flight, bool is_in_air)
{
    flight->is_in_air = is_in_air;
    for (size_t i = 0; i < flight->share_count; i++) {
        flight->shares[i].call->is_in_air = is_in_air;
    }
    if (is_in_air) {
        all->air_count++;
    } else {
        all->air_count--;
        all->first = (all->first + 1) % FLIGHTS;
    }
}

/* Gives what came of a flight. */
static void
land(struct batching *all, struct flight *flight, bool went_well)
{
    const struct sco_batch_range range = { 0, flight->share_count };
    enum sco_batch_end how = SCO_BATCH_ANSWERED;

    if (!finish_range(all, flight, range, flight->reason, went_well)) {
        how = SCO_BATCH_FAILED;
        fail_shares(all, flight);
    }
    sco_current_end();
    all->running = NULL;
    end_flight(all, flight, how);
}

/* Calls run() with a flight that has shares. */
static void
go(struct batching *all, struct flight *flight)
{
    const struct sco_batch_range range = { 0, flight->share_count };
    bool went_well;

    begin_all(all, sco_clock_now_ns());
    begin_flight(all, flight);
    went_well = call_range(all, flight, range) == 0;
    if (went_well && flight->pass.rows.slot != NULL) {
        sco_current_end();
        all->running = NULL;
        be_in_air(all, flight, true);
        return;
    }
    land(all, flight, went_well);
}

void
batching_run(struct batching *all, struct sco_batch *batch,
             enum sco_batch_reason reason)
{
    struct flight *flight =
        &all->flights[(all->first + all->air_count) % FLIGHTS];
    struct sco_error err = { .text = "" };

    flight->batch = batch;
    flight->reason = reason;
    share_out(all, flight);
    if (flight->share_count > 0 && !all->model->is_bodies) {
        err.status = gather(all, flight, &err);
    }
    if (err.status != SCO_OK) {
        for (size_t i = 0; i < flight->share_count; i++) {
            batching_refuse(all, flight->shares[i].call, &err);
        }
        flight->share_count = 0;
    }
    if (flight->share_count > 0) {
        go(all, flight);
    } else {
        end_flight(all, flight, SCO_BATCH_FAILED);
    }
}

bool
batching_can_land(struct batching *all)
{
    const struct flight *flight = &all->flights[all->first];

    return all->air_count > 0 &&
           sco_stage_is_done(flight->pass.rows.slot, NULL) != SCO_BUSY;
}

void
batching_land(struct batching *all)
{
    struct flight *flight = &all->flights[all->first];

    be_in_air(all, flight, false);
    begin_flight(all, flight);
    land(all, flight, /* went_well */ true);
}
