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
#include "cuda/stage.h"
#include "pybridge/batching_int.h"
#include "pybridge/device.h"
#include "pybridge/errors.h"
#include "pybridge/model.h"
#include "pybridge/term.h"

#include <stdlib.h>
#include <string.h>

/* Falling asleep and being woken takes about this long. */
#define AWAKE_NS UINT64_C(50000)

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
    const struct flight *flight = all->running;
    size_t count = flight == NULL ? 0 : flight->share_count;

    *each = count > 0 ? ~0U : 0;
    *any = 0;
    for (size_t i = 0; i < count; i++) {
        const struct held_call *call = flight->shares[i].call;
        unsigned bits = sco_child_cancelled(&call->held);

        *any |= bits;
        if (!call->is_answered) {
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

struct sco_sink *
batching_sink(struct batching *all, const struct held_call *call)
{
    sco_child_resume(all->child, &call->held);
    return sco_child_sink(all->child);
}

bool
batching_is_infer(const struct held_call *call)
{
    return call->call.way == SCO_CALL_INFER;
}

/* A call has its reply: nothing more is to be looked at. */
void
batching_release(struct batching *all, struct held_call *call)
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
bool
batching_drop_if_cancelled(struct batching *all, struct held_call *call)
{
    const struct sco_reply_head head = { .status = 499, .stream_bytes = -1 };
    unsigned bits = sco_child_cancelled(&call->held);

    if ((bits & ~(unsigned)SCO_CANCEL_SENDING) == 0) {
        return false;
    }
    sco_reply_plain(batching_sink(all, call), &head,
                    SCO_SLICE("{\"message\": \"Cancelled\"}"));
    batching_release(all, call);
    return true;
}

static void
drop_cancelled(struct batching *all)
{
    struct sco_list *link = all->in_hand.next;

    while (link != &all->in_hand) {
        struct held_call *call = SCO_LIST_ENTRY(link, struct held_call, link);

        link = link->next;
        if (!call->is_in_air) {
            (void)batching_drop_if_cancelled(all, call);
        }
    }
}

void
batching_refuse(struct batching *all, struct held_call *call,
                const struct sco_error *why)
{
    sco_tensors_refuse(all->scorer, batching_sink(all, call),
                       batching_is_infer(call), why);
    batching_release(all, call);
}

/* ---- taking ----------------------------------------------------------- */

/* Tells the former how the last batch ended, if that was before `by_ns`. */
static void
settle(struct batching *all, uint64_t by_ns)
{
    if (all->over != NULL && all->end_ns <= by_ns) {
        sco_batch_former_finish(all->over, all->end, all->end_ns);
        all->over = NULL;
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
        batching_refuse(all, call, &err);
        return;
    }
    /* The general road says it as the contract does. */
    sco_scorer_score(all->scorer, &call->call, batching_sink(all, call));
    batching_release(all, call);
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

/* ---- the loop --------------------------------------------------------- */

/* Waiting for the GPU: first awake, for a call takes no longer; then asleep,
 * until it is through or calls come. It looks now and then all the same, as a
 * GPU that failed wakes nobody. */
static uint64_t
look_again_ns(struct batching *all, uint64_t until_ns)
{
    uint64_t now_ns = sco_clock_now_ns();
    uint64_t awake_ns = now_ns + AWAKE_NS;

    while (now_ns < awake_ns) {
        if (batching_can_land(all)) {
            return now_ns;
        }
        now_ns = sco_clock_now_ns();
    }
    now_ns += SCO_NS_PER_S;
    return until_ns < now_ns ? until_ns : now_ns;
}

static void
wait_for_more(struct batching *all, uint64_t until_ns)
{
    Py_BEGIN_ALLOW_THREADS if (all->air_count > 0)
    {
        until_ns = look_again_ns(all, until_ns);
    }
    (void)sco_child_wait_until(all->child,
                               until_ns == SCO_BATCH_NO_TIME ? 0 : until_ns);
    Py_END_ALLOW_THREADS
}

/* Whether a batch may go beside one that is in the air: it waits there, so it
 * does not go for being small. */
static bool
is_full(enum sco_batch_reason reason)
{
    return reason == SCO_BATCH_FULL || reason == SCO_BATCH_PREFERRED;
}

/* What is to be run next and why, or NULL: nothing yet. */
static struct sco_batch *
choose(struct batching *all, bool stopping, enum sco_batch_reason *reason,
       uint64_t *until_ns)
{
    uint64_t now_ns = sco_clock_now_ns();
    struct sco_batch_group *group = NULL;
    struct sco_batch_decision decision;

    *until_ns = SCO_BATCH_NO_TIME;
    if (all->air_count == FLIGHTS) {
        return NULL;
    }
    decision = sco_batch_former_choose(all->former, 1, now_ns, &group);
    *reason = decision.reason;
    if (decision.rows > 0 && all->air_count > 0 && !is_full(*reason)) {
        return NULL;
    }
    *until_ns = decision.wait_until_ns;
    if (decision.rows == 0 && stopping) {
        group = sco_batch_former_first(all->former);
        decision.rows = all->model->batch.max_batch_size;
        *reason = SCO_BATCH_STOP;
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
        enum sco_batch_reason reason;
        struct sco_batch *batch;
        bool stopping;

        sco_term_hold();
        stopping = take_all(all);
        settle(all, UINT64_MAX);
        drop_cancelled(all);
        batch = choose(all, stopping, &reason, &until_ns);
        if (batch != NULL) {
            batching_run(all, batch, reason);
        } else if (batching_can_land(all)) {
            batching_land(all);
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
                                                  .slots = FLIGHTS + 1 };
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

static void
wake(void *child)
{
    sco_child_poke(child);
}

/* Whoever waits for calls hears of the GPU, too. */
static void
hear_of_gpu(struct batching *all, void (*wake_it)(void *arg))
{
    struct sco_tensors *tensors = all->scorer->tensors;

    if (tensors != NULL && tensors->device != NULL) {
        tensors->device->stage->wake = wake_it;
        tensors->device->stage->wake_arg = all->child;
    }
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
        hear_of_gpu(all, wake);
        serve(all);
        hear_of_gpu(all, NULL);
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
