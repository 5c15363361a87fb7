/* Design notes
 *
 * A call that runs over its limit is interrupted in one of two ways. On the
 * main thread a signal's Python handler raises (interrupt.c). On any other
 * thread only PyThreadState_SetAsyncExc() can, from outside, and what it
 * leaves behind would hit whatever Python code the thread runs next. So
 * `run` says whether an exception may be left now:
 *
 *     IDLE -> ACTIVE      the owner, before the script is called
 *     ACTIVE -> STRIKING  another thread, which is about to leave one
 *     STRIKING -> STRUCK  it has; or back, there is nothing to raise
 *     STRIKING -> WARNED  it has left Cancelled; STRIKING may follow once
 *                         more, when the script's time is over too
 *     ACTIVE -> IDLE      the owner, after the script; the common case
 *     STRUCK -> IDLE      the owner, after it has taken away what may be
 *                         left; also from WARNED
 *
 * With a GIL the owner never meets STRIKING, which begins and ends under it;
 * without one it waits these few instructions.
 */
#include "pybridge/call.h"

#include "base/clock.h"
#include "pybridge/call_object.h"
#include "pybridge/current.h"
#include "pybridge/errors.h"
#include "pybridge/forked.h"
#include "pybridge/json.h"
#include "pybridge/model.h"
#include "pybridge/reply.h"
#include "pybridge/tensors.h"

#include <sched.h>

enum run_state {
    RUN_IDLE,
    RUN_ACTIVE,
    RUN_STRIKING,
    RUN_WARNED,
    RUN_STRUCK,
};

int
sco_scorer_init(const struct sco_scoring *scoring, struct sco_scorer *out)
{
    out->scoring = NULL;
    out->sink = NULL;
    /* Not atomic_init(): a late interrupt may still look at a used one. */
    atomic_store(&out->run, RUN_IDLE);
    if (sco_encoder_init(&out->encoder) < 0) {
        return -1;
    }
    sco_forked_watch();
    out->thread_id = PyThread_get_thread_ident();
    out->tensors = NULL;
    if (scoring->model != NULL && scoring->model->has_tensors &&
        sco_tensors_create(scoring->model, &out->tensors) < 0) {
        sco_encoder_finish(&out->encoder);
        return -1;
    }
    out->scoring = scoring;
    return 0;
}

void
sco_scorer_finish(struct sco_scorer *scorer)
{
    sco_encoder_finish(&scorer->encoder);
    sco_tensors_destroy(scorer->tensors);
    scorer->tensors = NULL;
    scorer->scoring = NULL;
}

PyObject *
sco_scorer_stop(const struct sco_scorer *scorer)
{
    if (atomic_load(&scorer->run) == RUN_IDLE) {
        return NULL;
    }
    switch (scorer->sink->ops->stop(scorer->sink)) {
    case SCO_STOP_TIMEOUT:
        return scorer->scoring->timeout;
    case SCO_STOP_CANCELLED:
        return scorer->scoring->cancelled;
    case SCO_STOP_NOT:
        break;
    }
    return NULL;
}

/* A thread that waits in an event loop runs no Python code, and would see
 * the exception when it is woken for something else. */
static void
wake(const struct sco_scorer *scorer)
{
    PyObject *done;

    if (scorer->scoring->wake != NULL) {
        done = PyObject_CallFunction(scorer->scoring->wake, "k",
                                     scorer->thread_id);
        sco_report(scorer->scoring->wake);
        Py_XDECREF(done);
    }
}

void
sco_scorer_strike(struct sco_scorer *scorer)
{
    int before = RUN_ACTIVE;
    PyObject *why; /* borrowed */

    if (!atomic_compare_exchange_strong(&scorer->run, &before, RUN_STRIKING) &&
        (before != RUN_WARNED || !atomic_compare_exchange_strong(
                                     &scorer->run, &before, RUN_STRIKING))) {
        return;
    }
    why = sco_scorer_stop(scorer);
    if (why == NULL ||
        (before == RUN_WARNED && why != scorer->scoring->timeout)) {
        atomic_store(&scorer->run, before);
        return;
    }
    PyThreadState_SetAsyncExc(scorer->thread_id, why);
    atomic_store(&scorer->run,
                 why == scorer->scoring->timeout ? RUN_STRUCK : RUN_WARNED);
    wake(scorer);
}

void
sco_scorer_begin_run(struct sco_scorer *scorer)
{
    atomic_store_explicit(&scorer->run, RUN_ACTIVE, memory_order_release);
}

void
sco_scorer_end_run(struct sco_scorer *scorer)
{
    int active = RUN_ACTIVE;

    sco_forked_check();
    if (atomic_compare_exchange_strong(&scorer->run, &active, RUN_IDLE)) {
        return;
    }
    while (atomic_load(&scorer->run) == RUN_STRIKING) {
        sched_yield();
    }
    PyThreadState_SetAsyncExc(scorer->thread_id, NULL);
    atomic_store(&scorer->run, RUN_IDLE);
}

/* Gives the reply that a method of Scoring returned, and lets go of it. NULL
 * stands for one that raised. A stream is the script's code again, which may
 * be silent for too long. */
static int
give_returned(struct sco_scorer *scorer, PyObject *reply)
{
    int result = -1;

    if (reply != NULL) {
        sco_scorer_begin_run(scorer);
        result = sco_reply_give(scorer->scoring, scorer->sink, reply,
                                &scorer->time);
        sco_scorer_end_run(scorer);
        Py_DECREF(reply);
    }
    return result;
}

static Py_ssize_t
refused_count(const struct sco_scoring *scoring)
{
    return scoring->refusals != NULL && scoring->unfit != NULL
               ? PyList_GET_SIZE(scoring->refusals)
               : 0;
}

/* A failed request, whatever was raised. SystemExit ends no worker. */
PyObject *
sco_scorer_failed(struct sco_scorer *scorer)
{
    const struct sco_scoring *scoring = scorer->scoring;
    PyObject *raised = PyErr_GetRaisedException(); /* new */
    PyObject *reply;

    if (refused_count(scoring) > scorer->refused) {
        reply = PyObject_CallFunction(scoring->unfit, "On", raised,
                                      scorer->refused);
    } else {
        reply = PyObject_CallOneArg(scoring->failed, raised);
    }
    Py_DECREF(raised);
    return reply;
}

static int
give_failed(struct sco_scorer *scorer)
{
    return give_returned(scorer, sco_scorer_failed(scorer));
}

/* A result that is not JSON by itself. A coroutine behind a decorator and the
 * first item of a stream are the script's code again; finish() answers for
 * what they raise, but for an interrupt that came beside it. */
static int
give_finished(struct sco_scorer *scorer, PyObject *result, uint64_t run_ns)
{
    const struct sco_scoring *scoring = scorer->scoring;
    PyObject *reply;

    sco_scorer_begin_run(scorer);
    reply = PyObject_CallFunction(scoring->finish, "OK", result,
                                  (unsigned long long)run_ns);
    sco_scorer_end_run(scorer);
    if (reply == NULL && (PyErr_ExceptionMatches(scoring->timeout) ||
                          PyErr_ExceptionMatches(scoring->cancelled))) {
        return give_failed(scorer);
    }
    return give_returned(scorer, reply);
}

int
sco_scorer_give_result(struct sco_scorer *scorer, PyObject *result,
                       uint64_t run_ns)
{
    const struct sco_reply_head head = {
        .status = 200,
        .flags = SCO_REPLY_EXEC_MS,
        .run_ns = run_ns,
        .begun_ns = scorer->time.begun_ns,
        .stream_bytes = -1,
    };
    struct sco_slice body = SCO_SLICE("{}");

    if (result != Py_None && !sco_encode(&scorer->encoder, result, &body)) {
        return give_finished(scorer, result, run_ns);
    }
    sco_reply_plain(scorer->sink, &head, body);
    sco_encoder_clear(&scorer->encoder);
    return 0;
}

/* Gives {"message": ...}. */
static int
give_message(struct sco_scorer *scorer, const struct sco_reply_head *head,
             PyObject *message)
{
    struct sco_text *text = &scorer->encoder.text;
    bool whole;

    sco_text_add(text, SCO_SLICE("{\"message\": "));
    whole = sco_json_write(text, message);
    sco_text_add_char(text, '}');
    if (whole && !text->failed) {
        sco_reply_plain(scorer->sink, head, sco_text_slice(text));
    } else {
        PyErr_NoMemory();
    }
    sco_encoder_clear(&scorer->encoder);
    return PyErr_Occurred() != NULL ? -1 : 0;
}

/* The body is no UTF-8: the client is told what Python says to that. */
static int
give_undecodable(struct sco_scorer *scorer)
{
    const struct sco_reply_head head = { .status = 400, .stream_bytes = -1 };
    PyObject *raised = PyErr_GetRaisedException(); /* new */
    PyObject *message;
    int result = -1;

    if (!PyErr_GivenExceptionMatches(raised, PyExc_UnicodeDecodeError)) {
        PyErr_SetRaisedException(raised);
        return -1;
    }
    message =
        PyUnicode_FromFormat("Input cannot be decoded as UTF-8: %S", raised);
    if (message != NULL) {
        result = give_message(scorer, &head, message);
        Py_DECREF(message);
    }
    Py_DECREF(raised);
    return result;
}

/* A plain POST. -1 with an exception when no reply has been given. */
static int
score_plain(struct sco_scorer *scorer, const struct sco_call *call)
{
    const struct sco_scoring *scoring = scorer->scoring;
    /* The first place is the callee's to use (vectorcall). */
    PyObject *args[2] = { NULL, NULL };
    PyObject *result;
    uint64_t run_ns;
    int given;

    args[1] = PyUnicode_DecodeUTF8(call->body.data, (Py_ssize_t)call->body.len,
                                   "strict");
    if (args[1] == NULL) {
        return give_undecodable(scorer);
    }
    scorer->time.begun_ns = sco_clock_now_ns();
    sco_scorer_begin_run(scorer);
    result =
        PyObject_Vectorcall(scoring->run, args + 1,
                            PY_VECTORCALL_ARGUMENTS_OFFSET, scoring->keywords);
    sco_scorer_end_run(scorer);
    run_ns = sco_clock_now_ns() - scorer->time.begun_ns;
    scorer->time.run_ns = run_ns;

    /* The reply first: what letting go of these costs is nobody's wait. */
    given = result != NULL ? sco_scorer_give_result(scorer, result, run_ns)
                           : give_failed(scorer);
    Py_XDECREF(result);
    Py_DECREF(args[1]);
    return given;
}

/* Any other request. -1 with an exception when no reply has been given. */
static int
score_general(struct sco_scorer *scorer, const struct sco_call *call)
{
    PyObject *object =
        sco_call_object_create(scorer->scoring->call_type, call);
    PyObject *reply;

    if (object == NULL) {
        return -1;
    }
    sco_scorer_begin_run(scorer);
    reply = PyObject_CallOneArg(scorer->scoring->invoke, object);
    sco_scorer_end_run(scorer);
    scorer->time.begun_ns = sco_call_object_begun_ns(object);
    if (scorer->time.begun_ns != 0) {
        scorer->time.run_ns = sco_clock_now_ns() - scorer->time.begun_ns;
    }
    sco_call_object_detach(object);
    /* invoke() answers for the script itself; what it raises is a timeout
     * that came after run(). */
    return reply != NULL ? give_returned(scorer, reply) : give_failed(scorer);
}

void
sco_scorer_begin(struct sco_scorer *scorer, const struct sco_call *call,
                 struct sco_sink *sink)
{
    scorer->sink = sink;
    scorer->refused = refused_count(scorer->scoring);
    scorer->time = (struct sco_run_time){ .begun_ns = 0 };
    sco_current_begin(call, sink);
}

/* A request of tensors, or what may be one: what is none goes on. */
static int
score_tensors(struct sco_scorer *scorer, const struct sco_call *call)
{
    int given;

    if (call->way == SCO_CALL_PLAIN && scorer->scoring->model->is_schema &&
        sco_scoring_has_flask(scorer->scoring)) {
        return score_general(scorer, call);
    }
    given = sco_tensors_score(scorer, call);
    return given > 0 ? score_general(scorer, call) : given;
}

void
sco_scorer_score(struct sco_scorer *scorer, const struct sco_call *call,
                 struct sco_sink *sink)
{
    const struct sco_scoring *scoring = scorer->scoring;
    int given;

    sco_scorer_begin(scorer, call, sink);
    if (scorer->tensors != NULL && call->way != SCO_CALL_GENERAL) {
        given = score_tensors(scorer, call);
    } else if (call->way == SCO_CALL_PLAIN && scoring->fast &&
               !sco_scoring_has_flask(scoring)) {
        given = score_plain(scorer, call);
    } else {
        given = score_general(scorer, call);
    }
    if (given < 0) {
        sco_report(scoring->invoke);
        sco_reply_internal(sink);
    }
    sco_current_end();
}
