#include "pybridge/serve.h"

#include "link/child.h"
#include "pybridge/batching.h"
#include "pybridge/call.h"
#include "pybridge/current.h"
#include "pybridge/errors.h"
#include "pybridge/interrupt.h"
#include "pybridge/term.h"

/* Runs the handlers of signals that came. No call is in hand, so what they
 * raise has no one to go to. */
static void
run_signal_handlers(void)
{
    if (PyErr_CheckSignals() < 0) {
        sco_report(NULL);
    }
}

/* Takes what comes next, and waits for it without the GIL. SCO_CHILD_NONE
 * says to ask again. What is taken is held until sco_term_let(). */
static enum sco_child_event
next_event(struct sco_child *child, struct sco_call *call,
           struct sco_child_line *line)
{
    enum sco_child_event event;

    sco_term_hold();
    event = sco_child_try_next(child, call, line);
    if (event == SCO_CHILD_NONE) {
        sco_term_let();
        Py_BEGIN_ALLOW_THREADS event = sco_child_wait(child);
        Py_END_ALLOW_THREADS
    }
    return event;
}

static void
serve_until_stop(struct sco_child *child, struct sco_scorer *scorer)
{
    struct sco_sink *sink = sco_child_sink(child);
    struct sco_call call;
    struct sco_child_line line;

    for (;;) {
        switch (next_event(child, &call, &line)) {
        case SCO_CHILD_CALL:
            sco_scorer_score(scorer, &call, sink);
            break;
        case SCO_CHILD_LINE:
            sco_scoring_log(scorer->scoring, &line);
            break;
        case SCO_CHILD_STOP:
            return;
        case SCO_CHILD_SIGNAL:
        case SCO_CHILD_NONE:
            break;
        }
        /* Also in a burst, where no wait is interrupted; without a signal
         * these are a few loads and compares. */
        run_signal_handlers();
        sco_term_let();
    }
}

int
sco_serve(struct sco_child *child, PyObject *object, PyTypeObject *call_type)
{
    struct sco_scoring scoring = { 0 };
    struct sco_scorer scorer = { .scoring = NULL };
    struct sco_error err = { .text = "" };
    PyObject *handler = NULL;
    enum sco_status status;
    int result = -1;

    if (sco_scoring_read(object, call_type, &scoring) < 0 ||
        sco_scorer_init(&scoring, &scorer) < 0) {
        goto done;
    }
    sco_current_be_alone();
    handler = sco_interrupt_install(&scorer);
    if (handler == NULL) {
        goto done;
    }
    status = sco_child_ready(child, scoring.documents, scoring.document_count,
                             &err);
    if (status == SCO_OK) {
        sco_term_install();
        if (sco_batching_is_on(&scorer)) {
            result = sco_batching_serve(&scorer, child);
        } else {
            serve_until_stop(child, &scorer);
            result = 0;
        }
        sco_term_remove();
    } else if (status == SCO_CLOSED) {
        result = 0; /* the host ended while the script was loading */
    } else {
        sco_raise(status, &err);
    }

done:
    sco_interrupt_remove(handler);
    sco_scorer_finish(&scorer);
    sco_scoring_finish(&scoring);
    return result;
}
