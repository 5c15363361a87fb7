#include "support/tiny_script.h"

#include "base/clock.h"
#include "batch/policy.h"
#include "link/head.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct sco_slice none = { NULL, 0 };

/* ---- replies ---------------------------------------------------------- */

static void
reply(struct fake_worker *fake, unsigned status, uint32_t flags,
      struct sco_slice body)
{
    const struct sco_field own[] = {
        { SCO_SLICE("Content-Type"), SCO_SLICE("text/x-own") },
        { SCO_SLICE("X-Own"), SCO_SLICE("value") },
        { SCO_SLICE("Server"), SCO_SLICE("not to be sent") },
    };
    const struct sco_reply_head head = {
        .status = status,
        .flags = flags,
        .run_ns = 1234567,
        .begun_ns = sco_clock_now_ns(),
        .stream_bytes = -1,
    };
    struct sco_sink *sink = sco_child_sink(fake->child);
    struct sco_slice headers = none;
    char block[256];

    if ((flags & SCO_REPLY_OWN_TYPE) != 0) {
        headers = (struct sco_slice){ block, sco_fields_bytes(own, 3) };
        sco_fields_write(own, 3, block);
    }
    sink->ops->reply(sink, &head, headers, body);
}

/* Echoes a request of a batch, which this reply or another one tells of. */
static void
reply_of_batch(struct fake_worker *fake, uint16_t told)
{
    const struct sco_reply_head head = {
        .status = 200,
        .run_ns = 1000,
        .begun_ns = sco_clock_now_ns(),
        .rows = 1,
        .batch_rows = 3,
        .batch_told = told,
        .stream_bytes = -1,
    };
    struct sco_sink *sink = sco_child_sink(fake->child);

    sink->ops->reply(sink, &head, none, fake->call.body);
}

static void
tell_of_nonsense(struct fake_worker *fake)
{
    const struct sco_child_run run = { .told = SCO_BATCH_TOLD_FAILED | 0xff,
                                       .rows = 70000 };

    sco_child_note_run(fake->child, &run);
    sco_child_tell_run(fake->child);
}

static void
reply_big(struct fake_worker *fake)
{
    char *bytes = malloc(TINY_BIG_REPLY);

    SCO_CHECK(bytes != NULL, "memory");
    memset(bytes, 'b', TINY_BIG_REPLY);
    reply(fake, 200, 0, (struct sco_slice){ bytes, TINY_BIG_REPLY });
    free(bytes);
}

static void
reply_stream(struct fake_worker *fake, bool breaks)
{
    const struct sco_reply_head head = { .status = 200,
                                         .begun_ns = sco_clock_now_ns(),
                                         .stream_bytes = -1 };
    struct sco_sink *sink = sco_child_sink(fake->child);
    enum sco_status status = sink->ops->start(sink, &head, none);

    if (status == SCO_OK) {
        status = sink->ops->chunk(sink, SCO_SLICE("one"));
    }
    if (status == SCO_OK) {
        status =
            breaks ? SCO_SCRIPT : sink->ops->chunk(sink, SCO_SLICE("two"));
    }
    sink->ops->end(sink, status);
}

static bool
says(const struct fake_worker *fake, const char *word)
{
    return sco_slice_equal(fake->call.body, sco_slice_of(word));
}

static void
score(struct fake_worker *fake)
{
    struct sco_reader in = sco_reader_of(fake->call.head);
    struct sco_call_head head;

    if (says(fake, "die")) {
        fake_end(fake, 0, SIGSEGV);
    } else if (says(fake, "raise")) {
        reply(fake, 500, SCO_REPLY_FAILED, SCO_SLICE("{\"message\": \"x\"}"));
    } else if (says(fake, "big")) {
        reply_big(fake);
    } else if (says(fake, "made")) {
        reply(fake, 201, SCO_REPLY_OWN_TYPE | SCO_REPLY_NO_FAILED_HEADER,
              SCO_SLICE("made"));
    } else if (says(fake, "stream") || says(fake, "break")) {
        reply_stream(fake, says(fake, "break"));
    } else if (says(fake, "batch")) {
        reply_of_batch(fake, 1 + SCO_BATCH_IDLE);
    } else if (says(fake, "mate")) {
        reply_of_batch(fake, 0);
    } else if (says(fake, "nobody")) {
        tell_of_nonsense(fake);
        reply_of_batch(fake, 0);
    } else if (fake->call.way == SCO_CALL_GENERAL) {
        SCO_CHECK(sco_head_read(&in, &head) == SCO_OK, "a head");
        reply(fake, 200, SCO_REPLY_EXEC_MS, head.target);
    } else {
        reply(fake, 200, SCO_REPLY_EXEC_MS, fake->call.body);
    }
}

/* ---- the workers ------------------------------------------------------ */

/* Takes the next request, or the word to stop. */
static bool
take_next(struct tiny_script *script, size_t number)
{
    struct fake_worker *fake = fake_crew.members[number];

    switch (fake_take(fake)) {
    case SCO_CHILD_CALL:
        atomic_fetch_add(&script->scored, 1);
        script->is_holding[number] = says(fake, "hold");
        if (!script->is_holding[number]) {
            score(fake);
        }
        return true;
    case SCO_CHILD_STOP:
        fake_end(fake, 0, 0);
        return true;
    case SCO_CHILD_LINE:
    case SCO_CHILD_SIGNAL:
    case SCO_CHILD_NONE:
        break;
    }
    return false;
}

/* Goes on with a request that is held, if it may. */
static bool
go_on(struct tiny_script *script, size_t number)
{
    struct fake_worker *fake = fake_crew.members[number];
    struct sco_sink *sink = sco_child_sink(fake->child);

    if (sink->ops->cancelled(sink)) {
        atomic_fetch_add(&script->cancelled, 1);
    }
    script->is_holding[number] = !script->is_open;
    if (script->is_open) {
        score(fake);
    }
    return script->is_open;
}

/* One step of a worker; whether it did anything. */
static bool
work(struct tiny_script *script, size_t number)
{
    struct fake_worker *fake = fake_crew.members[number];

    if (fake == NULL || fake->is_ended) {
        return false;
    }
    if (script->is_failing) {
        fake_end(fake, 1, 0);
        return true;
    }
    if (fake->base.state != SCO_WORKER_STARTING) {
        return script->is_holding[number] ? go_on(script, number)
                                          : take_next(script, number);
    }
    if (!script->is_starting) {
        fake_ready(fake, script->documents, script->document_count);
    }
    return !script->is_starting;
}

bool
tiny_script_work(void *arg, uint64_t now_ns)
{
    struct tiny_script *script = arg;
    bool worked = false;

    (void)now_ns;
    for (size_t i = 0; i < fake_crew.count; i++) {
        worked = work(script, i) || worked;
    }
    return worked;
}
