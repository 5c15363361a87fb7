#include "support/c_runner.h"

#include <pthread.h>
#include <unistd.h>

struct c_runner c_runner_state;

/* Where held calls wait. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_open;
    bool is_interrupted;
} gate = { .mutex = PTHREAD_MUTEX_INITIALIZER,
           .changed = PTHREAD_COND_INITIALIZER };

void
c_runner_reset(void)
{
    struct c_runner *state = &c_runner_state;

    state->load_fails = state->enter_is_stubborn = false;
    state->entering = SCO_OK;
    atomic_store(&state->loads, 0);
    atomic_store(&state->unloads, 0);
    atomic_store(&state->entered, 0);
    atomic_store(&state->left, 0);
    atomic_store(&state->scored, 0);
    atomic_store(&state->held, 0);
    atomic_store(&state->lines, 0);
    atomic_store(&state->interrupts, 0);
    atomic_store(&state->dumps, 0);
    gate.is_open = false;
    gate.is_interrupted = false;
}

void
c_runner_open(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

/* Waits for the gate, or for an interrupt; whether it was that. */
static bool
wait_at_gate(bool is_stubborn)
{
    static const char said[] = "a call is held\n";
    bool was_interrupted;

    atomic_fetch_add(&c_runner_state.held, 1);
    if (write(STDERR_FILENO, said, sizeof(said) - 1) < 0) {
        return false;
    }
    pthread_mutex_lock(&gate.mutex);
    while (!gate.is_open && (is_stubborn || !gate.is_interrupted)) {
        pthread_cond_wait(&gate.changed, &gate.mutex);
    }
    was_interrupted = !gate.is_open;
    gate.is_interrupted = false;
    pthread_mutex_unlock(&gate.mutex);
    return was_interrupted;
}

static enum sco_status
run_load(void *arg, struct sco_error *err)
{
    (void)arg;
    atomic_fetch_add(&c_runner_state.loads, 1);
    return c_runner_state.load_fails ? sco_fail(err, SCO_SCRIPT, "no script")
                                     : SCO_OK;
}

static void
run_documents(void *arg, void *thread,
              const struct sco_document **documents_out, size_t *count_out)
{
    static const struct sco_document documents[] = {
        { SCO_SLICE_INIT("2"), SCO_SLICE_INIT("{\"swagger\": \"2.0\"}") },
        { SCO_SLICE_INIT("mode"), SCO_SLICE_INIT("plain") },
    };

    (void)arg;
    (void)thread;
    *documents_out = documents;
    *count_out = 2;
}

static enum sco_status
run_enter(void *arg, void **thread_out, struct sco_error *err)
{
    (void)arg;
    (void)err;
    if (c_runner_state.enter_is_stubborn) {
        (void)wait_at_gate(true);
    }
    if (c_runner_state.entering != SCO_OK) {
        return c_runner_state.entering;
    }
    atomic_fetch_add(&c_runner_state.entered, 1);
    *thread_out = &c_runner_state;
    return SCO_OK;
}

static void
run_leave(void *arg, void *thread)
{
    (void)arg;
    SCO_CHECK(thread == &c_runner_state, "not what enter() gave");
    atomic_fetch_add(&c_runner_state.left, 1);
}

static void
reply(struct sco_sink *sink, struct sco_slice body)
{
    const struct sco_reply_head head = { .status = 200,
                                         .flags = SCO_REPLY_EXEC_MS,
                                         .run_ns = 1000,
                                         .stream_bytes = -1 };

    sink->ops->reply(sink, &head, (struct sco_slice){ NULL, 0 }, body);
}

static void
reply_stream(struct sco_sink *sink)
{
    const struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    enum sco_status status =
        sink->ops->start(sink, &head, (struct sco_slice){ NULL, 0 });

    status =
        status != SCO_OK ? status : sink->ops->chunk(sink, SCO_SLICE("one"));
    status =
        status != SCO_OK ? status : sink->ops->chunk(sink, SCO_SLICE("two"));
    sink->ops->end(sink, status);
}

static void
run_score(void *arg, void *thread, const struct sco_call *call,
          struct sco_sink *sink)
{
    bool is_stubborn = sco_slice_equal(call->body, SCO_SLICE("stubborn"));

    (void)arg;
    (void)thread;
    atomic_fetch_add(&c_runner_state.scored, 1);
    if (sco_slice_equal(call->body, SCO_SLICE("stream"))) {
        reply_stream(sink);
    } else if ((is_stubborn ||
                sco_slice_equal(call->body, SCO_SLICE("hold"))) &&
               wait_at_gate(is_stubborn)) {
        reply(sink, SCO_SLICE("interrupted"));
    } else {
        reply(sink, call->body);
    }
}

static void
run_line(void *arg, void *thread, const struct sco_child_line *line)
{
    (void)arg;
    (void)thread;
    (void)line;
    atomic_fetch_add(&c_runner_state.lines, 1);
}

static void
run_dump(void *arg, void *thread)
{
    (void)arg;
    (void)thread;
    atomic_fetch_add(&c_runner_state.dumps, 1);
}

static void
run_interrupt(void *arg, void *thread)
{
    (void)arg;
    (void)thread;
    atomic_fetch_add(&c_runner_state.interrupts, 1);
    pthread_mutex_lock(&gate.mutex);
    gate.is_interrupted = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static void
run_signals(void *arg, void *thread)
{
    (void)arg;
    (void)thread;
}

static void
run_unload(void *arg)
{
    (void)arg;
    atomic_fetch_add(&c_runner_state.unloads, 1);
}

const struct sco_runner c_runner = {
    .load = run_load,
    .documents = run_documents,
    .enter = run_enter,
    .leave = run_leave,
    .score = run_score,
    .line = run_line,
    .dump = run_dump,
    .interrupt = run_interrupt,
    .signals = run_signals,
    .unload = run_unload,
};
