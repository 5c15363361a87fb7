/* zmq_worker.c - the line from a remote worker to its host
 *
 * Design notes
 *
 * APART -> CONNECTING -> GREETING -> SERVING, and from each of them back to
 * APART, which is left when a moment has passed and the script has nothing in
 * hand: the next host must not believe that it starts at once what in truth
 * waits for an orphan. Each round has a socket of its own, so nothing of an
 * old one is ever sent or heard in a new one.
 *
 * The library connects by itself, again and again, but for when the two sides
 * disagree about keys; then we do, and say so in the log, once.
 */
#define _GNU_SOURCE
#include "link/zmq_worker_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "link/child.h"
#include "link/zmq_keys.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST_PAUSE_MS = 100, /* between two sockets; doubling ... */
    LONGEST_PAUSE_MS = 5000,
    PATIENCE_MS = 5000, /* for the answer to a hello, and before complaint */
    MESSAGES_PER_TURN = 64,
};

/* The slowest that an announced message may come, at a byte in this time. */
#define BYTE_NS 1000

enum line_state { LINE_APART, LINE_CONNECTING, LINE_GREETING, LINE_SERVING };

struct sco_zmq_worker {
    struct sco_zmq_worker_setup setup; /* its texts are ours */
    char host_name[SCO_FRAME_TEXT_MAX + 1];
    struct sco_child *child; /* the script's */
    pthread_t thread;
    bool started;
    atomic_bool stopping; /* asked to end when all is answered */
    atomic_bool quitting; /* ... at once */

    /* zmq's. */
    struct desk desk;
    struct sco_zmq *zmq;
    struct sco_zmq_socket *socket; /* NULL: APART */
    enum line_state state;
    uint64_t session;
    uint32_t beat_ms;
    uint64_t state_ns;    /* since when it is in this state */
    uint64_t patience_ns; /* SERVING: lost when nothing came before this */
    uint64_t beat_ns;     /* ... the next one is due */
    uint64_t pause_ms;    /* APART: how long */
    bool said_leaving;
    bool complained; /* about this host; cleared by a session */
    bool over;
    enum sco_zmq_worker_end end;
};

static void
enter(struct sco_zmq_worker *worker, enum line_state state)
{
    worker->state = state;
    worker->state_ns = sco_clock_now_ns();
}

static uint64_t
in_state_ms(const struct sco_zmq_worker *worker)
{
    return (sco_clock_now_ns() - worker->state_ns) / SCO_NS_PER_MS;
}

/* ---- sessions -------------------------------------------------------- */

static void
say(struct sco_zmq_worker *worker, struct sco_frame *frame,
    const struct sco_slice *parts)
{
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice all[1 + SCO_FRAME_PARTS_MAX] = { { head, 0 } };
    size_t count = parts != NULL ? sco_frame_parts(frame->kind) : 0;

    if (worker->socket == NULL) {
        return;
    }
    frame->session = worker->session;
    all[0].len = sco_frame_write(frame, head);
    for (size_t i = 0; i < count; i++) {
        all[1 + i] = parts[i];
    }
    /* Whom nothing reaches has lost the session, as the events will tell. */
    (void)sco_zmq_send(worker->socket, all, 1 + count);
}

static void
desk_says(void *arg, struct sco_frame *frame, const struct sco_slice *parts)
{
    say(arg, frame, parts);
}

static void
say_bye(struct sco_zmq_worker *worker, enum sco_frame_bye why)
{
    struct sco_frame frame = { .kind = SCO_FRAME_BYE, .number = why };

    say(worker, &frame, NULL);
}

/* Ends the round: the socket goes, and the next one is tried after a pause. */
static void
part(struct sco_zmq_worker *worker, uint64_t pause_ms)
{
    sco_zmq_socket_abandon(worker->socket);
    worker->socket = NULL;
    worker->session = 0;
    worker->pause_ms = pause_ms;
    desk_orphan(&worker->desk);
    enter(worker, LINE_APART);
}

static uint64_t
longer(uint64_t pause_ms)
{
    if (pause_ms < FIRST_PAUSE_MS) {
        return FIRST_PAUSE_MS;
    }
    return pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
}

/* Says once for each host why there is no session. */
static void
complain(struct sco_zmq_worker *worker, const char *why)
{
    if (!worker->complained) {
        worker->complained = true;
        sco_log(SCO_EVENT_REMOTE_APART, "not with the host at %s yet: %s",
                worker->setup.endpoint, why);
    }
}

static void
lose(struct sco_zmq_worker *worker, const char *why)
{
    sco_log(SCO_EVENT_REMOTE_APART, "the host at %s is lost: %s",
            worker->setup.endpoint, why);
    part(worker, FIRST_PAUSE_MS);
}

static void
open_line(struct sco_zmq_worker *worker)
{
    const struct sco_zmq_worker_setup *setup = &worker->setup;
    struct sco_error err = { .text = "" };

    if (sco_zmq_socket_create(worker->zmq, SCO_ZMQ_DEALER, &worker->socket,
                              &err) != SCO_OK ||
        sco_zmq_connect(worker->socket, setup->endpoint, &setup->secret,
                        &setup->server, &err) != SCO_OK) {
        complain(worker, err.text);
        part(worker, longer(worker->pause_ms));
        return;
    }
    enter(worker, LINE_CONNECTING);
}

/* Says hello: there is somebody who hears it. */
static void
greet(struct sco_zmq_worker *worker)
{
    const struct sco_zmq_worker_setup *setup = &worker->setup;
    const struct sco_frame frame = {
        .kind = SCO_FRAME_HELLO,
        .name = sco_slice_of(setup->name),
        .machine = sco_slice_of(worker->host_name),
        .gpu = sco_slice_of(setup->gpu),
        .script = sco_slice_of(setup->script),
        .script_hash = setup->script_hash,
        .pid = (uint32_t)getpid(),
        .credits = setup->credits,
    };
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice parts[2] = {
        { head, sco_frame_write(&frame, head) },
        sco_text_slice(&worker->desk.documents),
    };

    if (sco_zmq_send(worker->socket, parts, 2) == SCO_OK) {
        enter(worker, LINE_GREETING);
    }
}

/* ---- what the host says ---------------------------------------------- */

static void
finish(struct sco_zmq_worker *worker, enum sco_zmq_worker_end end)
{
    worker->over = true;
    worker->end = end;
}

/* The host was heard, and the next that it says has so many bytes. */
static void
be_patient(struct sco_zmq_worker *worker, uint64_t bytes)
{
    worker->patience_ns = sco_clock_now_ns() + (bytes & UINT32_MAX) * BYTE_NS +
                          3 * SCO_NS_PER_MS * (uint64_t)worker->beat_ms;
}

static void
hear_welcome(struct sco_zmq_worker *worker, const struct sco_frame *frame)
{
    if (worker->state != LINE_GREETING) {
        return;
    }
    worker->session = frame->session;
    worker->beat_ms = frame->beat_ms;
    worker->beat_ns = sco_clock_now_ns();
    be_patient(worker, 0);
    worker->pause_ms = 0;
    worker->complained = false;
    worker->said_leaving = false;
    enter(worker, LINE_SERVING);
    sco_log(SCO_EVENT_REMOTE_JOINED, "serving the host at %s",
            worker->setup.endpoint);
}

static void
hear_refusal(struct sco_zmq_worker *worker, const struct sco_frame *frame)
{
    char text[SCO_FRAME_TEXT_MAX + 1];

    (void)snprintf(text, sizeof(text), "%.*s", (int)frame->text.len,
                   frame->text.len > 0 ? frame->text.data : "");
    complain(worker, text);
    if (frame->number == SCO_REFUSED_NEVER) {
        finish(worker, SCO_WORKER_REFUSED);
        return;
    }
    part(worker, longer(worker->pause_ms));
}

static void
hear_bye(struct sco_zmq_worker *worker, const struct sco_frame *frame)
{
    switch ((enum sco_frame_bye)frame->number) {
    case SCO_BYE_DONE:
        finish(worker, SCO_WORKER_ENDED);
        return;
    case SCO_BYE_RENEW:
        finish(worker, SCO_WORKER_RENEW);
        return;
    case SCO_BYE_KILLED:
        sco_log(SCO_EVENT_REMOTE_KILLED,
                "the host at %s gave this worker up (%.*s), and it ends",
                worker->setup.endpoint, (int)frame->text.len,
                frame->text.len > 0 ? frame->text.data : "");
        kill(getpid(), SIGKILL);
        return;
    case SCO_BYE_ENDING:
    case SCO_BYE_SILENT:
    case SCO_BYE_LEAVING:
    case SCO_BYE_GONE:
    case SCO_BYE_REASONS:
        break;
    }
    lose(worker, frame->number == SCO_BYE_ENDING
                     ? "it ends"
                     : "it has not heard from this worker");
}

static void
hear_call(struct sco_zmq_worker *worker, const struct sco_frame *frame,
          const struct sco_slice *parts)
{
    static const char full[] =
        "{\"message\": \"The worker has no room for this request.\"}";
    struct sco_frame refusal = {
        .kind = SCO_FRAME_WHOLE,
        .id = frame->id,
        .head = { .status = 503, .stream_bytes = -1 },
    };
    const struct sco_slice body[2] = { { NULL, 0 },
                                       { full, sizeof(full) - 1 } };

    if (worker->desk.calls >= worker->setup.credits) {
        lose(worker, "it sent more than it may");
    } else if (!desk_put(&worker->desk, frame, parts)) {
        say(worker, &refusal, body);
    }
}

/* A message of the session that stands. */
static void
hear_in_session(struct sco_zmq_worker *worker, const struct sco_frame *frame,
                const struct sco_slice *parts)
{
    switch (frame->kind) {
    case SCO_FRAME_CALL:
        hear_call(worker, frame, parts);
        return;
    case SCO_FRAME_LINE:
        (void)desk_put(&worker->desk, frame, parts);
        return;
    case SCO_FRAME_CANCEL:
        desk_cancel(&worker->desk, frame->id, (unsigned)frame->number);
        return;
    case SCO_FRAME_ACK:
        desk_ack(&worker->desk, frame->id, frame->number);
        return;
    case SCO_FRAME_BYE:
        hear_bye(worker, frame);
        return;
    case SCO_FRAME_BEAT:
        return;
    case SCO_FRAME_HELLO:
    case SCO_FRAME_WELCOME:
    case SCO_FRAME_REFUSED:
    case SCO_FRAME_WHOLE:
    case SCO_FRAME_START:
    case SCO_FRAME_CHUNK:
    case SCO_FRAME_END:
    case SCO_FRAME_RAN:
    case SCO_FRAME_KINDS:
        break;
    }
    lose(worker, "it sent what it must not");
}

static void
hear(struct sco_zmq_worker *worker, const struct sco_zmq_message *message)
{
    struct sco_frame frame;

    if (message->count > 1 + SCO_FRAME_PARTS_MAX ||
        sco_frame_read(message->parts[0], message->count - 1, &frame) !=
            SCO_OK) {
        complain(worker, "what answers there is no host of this version");
        part(worker, longer(worker->pause_ms));
    } else if (frame.kind == SCO_FRAME_WELCOME) {
        hear_welcome(worker, &frame);
    } else if (frame.kind == SCO_FRAME_REFUSED) {
        hear_refusal(worker, &frame);
    } else if (worker->state == LINE_SERVING &&
               frame.session == worker->session) {
        be_patient(worker, frame.kind == SCO_FRAME_BEAT ? frame.number : 0);
        hear_in_session(worker, &frame, message->parts + 1);
    }
}

static void
hear_disconnected(struct sco_zmq_worker *worker)
{
    if (worker->state == LINE_SERVING) {
        lose(worker, "the connection broke");
    } else if (worker->state == LINE_GREETING) {
        part(worker, longer(worker->pause_ms)); /* the hello went with it */
    }
}

/* What came before a connection broke is heard first: it may be a farewell.
 * So the events are taken before the messages, and heeded after them. */
static void
hear_all(struct sco_zmq_worker *worker)
{
    unsigned events = sco_zmq_events(worker->socket);
    struct sco_zmq_message message;

    for (int i = 0; i < MESSAGES_PER_TURN && worker->socket != NULL; i++) {
        if (sco_zmq_receive(worker->socket, &message) != SCO_OK) {
            break;
        }
        hear(worker, &message);
        sco_zmq_drop(&message);
    }
    if (worker->socket == NULL || worker->over) {
        return;
    }
    if ((events & SCO_ZMQ_REFUSED) != 0) {
        complain(worker, "it does not know this worker's key; put its .pub "
                         "file into the host's folder of keys");
        part(worker, longer(worker->pause_ms));
    } else if ((events & SCO_ZMQ_DISAGREED) != 0) {
        complain(worker, "the two do not agree about keys: is --server_key "
                         "the host's own, and has the host --remote_keys?");
        part(worker, longer(worker->pause_ms));
    } else if ((events & SCO_ZMQ_DISCONNECTED) != 0) {
        hear_disconnected(worker);
    }
    if ((events & SCO_ZMQ_CONNECTED) != 0 &&
        worker->state == LINE_CONNECTING) {
        greet(worker);
    }
}

/* ---- time ------------------------------------------------------------ */

static void
keep_session(struct sco_zmq_worker *worker)
{
    struct sco_frame beat = { .kind = SCO_FRAME_BEAT };
    uint64_t now_ns = sco_clock_now_ns();

    if (now_ns > worker->patience_ns) {
        lose(worker, "nothing was heard of it");
    } else if (now_ns >= worker->beat_ns) {
        worker->beat_ns = now_ns + worker->beat_ms * (uint64_t)SCO_NS_PER_MS;
        say(worker, &beat, NULL);
    }
}

/* Does what is due, and returns how long may be slept; -1 for ever. */
static long
keep_time(struct sco_zmq_worker *worker)
{
    bool idle = worker->desk.ready && worker->desk.calls == 0;
    bool again = desk_watch_orphans(&worker->desk);
    uint64_t spent_ms = in_state_ms(worker);

    switch (worker->state) {
    case LINE_APART:
        if (!idle) {
            return again ? FIRST_PAUSE_MS : -1;
        }
        if (spent_ms < worker->pause_ms) {
            return (long)(worker->pause_ms - spent_ms);
        }
        open_line(worker);
        return 0;
    case LINE_CONNECTING:
        if (spent_ms > PATIENCE_MS) {
            complain(worker, "nobody answers there; trying on");
        }
        return PATIENCE_MS;
    case LINE_GREETING:
        if (spent_ms > PATIENCE_MS) {
            part(worker, longer(worker->pause_ms));
            return 0;
        }
        return PATIENCE_MS;
    case LINE_SERVING:
        keep_session(worker);
        return worker->beat_ms;
    }
    return -1;
}

/* ---- the thread ------------------------------------------------------ */

/* Was it asked to end? */
static void
heed_stop(struct sco_zmq_worker *worker)
{
    if (atomic_load(&worker->quitting)) {
        say_bye(worker, SCO_BYE_GONE);
        finish(worker, worker->end);
    } else if (atomic_load(&worker->stopping)) {
        if (worker->state != LINE_SERVING) {
            finish(worker, SCO_WORKER_ENDED);
        } else if (!worker->said_leaving) {
            worker->said_leaving = true;
            say_bye(worker, SCO_BYE_LEAVING);
        }
    }
}

static void
turn(struct sco_zmq_worker *worker)
{
    struct desk *desk = &worker->desk;
    struct sco_zmq_wait waits[2] = {
        { .fd = sco_arena_doorbell(desk->arena) },
    };
    long timeout_ms;
    uint64_t rung;

    sco_arena_awake(desk->arena);
    desk_answer(desk);
    heed_stop(worker);
    timeout_ms = worker->over ? 0 : keep_time(worker);
    sco_arena_sleep(desk->arena);
    if (desk_has_answers(desk)) {
        timeout_ms = 0;
    }
    waits[1].socket = worker->socket;
    sco_zmq_wait(waits, worker->socket != NULL ? 2 : 1, timeout_ms);
    while (read(waits[0].fd, &rung, sizeof(rung)) < 0 && errno == EINTR) {
    }
    if (worker->socket != NULL) {
        hear_all(worker);
    }
}

static void
line_body(void *arg)
{
    struct sco_zmq_worker *worker = arg;

    while (!worker->over) {
        turn(worker);
    }
    sco_zmq_socket_close(worker->socket);
    worker->socket = NULL;
    sco_lane_stop(worker->desk.lane);
}

/* ---- beginning and end ----------------------------------------------- */

static void
free_texts(struct sco_zmq_worker_setup *setup)
{
    free((char *)(uintptr_t)setup->endpoint);
    free((char *)(uintptr_t)setup->name);
    free((char *)(uintptr_t)setup->gpu);
    free((char *)(uintptr_t)setup->script);
}

static enum sco_status
copy_setup(struct sco_zmq_worker *worker,
           const struct sco_zmq_worker_setup *setup)
{
    struct sco_zmq_worker_setup *own = &worker->setup;

    *own = *setup;
    own->endpoint = strdup(setup->endpoint);
    own->name = strdup(setup->name);
    own->gpu = strdup(setup->gpu);
    own->script = strdup(setup->script);
    if (gethostname(worker->host_name, sizeof(worker->host_name)) != 0) {
        worker->host_name[0] = '\0';
    }
    worker->host_name[sizeof(worker->host_name) - 1] = '\0';
    return own->endpoint != NULL && own->name != NULL && own->gpu != NULL &&
                   own->script != NULL
               ? SCO_OK
               : SCO_NOMEM;
}

/* Has a signal that nobody wants yet do nothing. */
static void
ignore_default(int number)
{
    struct sigaction now;

    if (sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        (void)signal(number, SIG_IGN);
    }
}

static enum sco_status
check(const struct sco_zmq_worker_setup *setup, struct sco_error *err)
{
    if (setup->credits < 1 || setup->credits > SCO_FRAME_CREDITS_MAX) {
        return sco_fail(err, SCO_INVALID, "credits are 1 to %d, not %u",
                        SCO_FRAME_CREDITS_MAX, setup->credits);
    }
    if (setup->name[0] == '\0') {
        return sco_fail(err, SCO_INVALID, "a remote worker needs a name");
    }
    if ((setup->secret.text[0] == '\0') != (setup->server.text[0] == '\0')) {
        return sco_fail(err, SCO_INVALID,
                        "--key_file and --server_key go together");
    }
    return sco_zmq_check(setup->endpoint, setup->secret.text[0] != '\0', err);
}

enum sco_status
sco_zmq_worker_create(const struct sco_zmq_worker_setup *setup,
                      struct sco_zmq_worker **out, struct sco_error *err)
{
    enum sco_status status = check(setup, err);
    struct sco_zmq_worker *worker;

    if (status != SCO_OK) {
        return status;
    }
    worker = sco_alloc(1, sizeof(*worker));
    worker->desk.arg = worker;
    worker->desk.send = desk_says;
    ignore_default(SCO_DUMP_SIGNAL);
    ignore_default(SCO_INTERRUPT_SIGNAL);
    status = copy_setup(worker, setup);
    if (status == SCO_OK) {
        status = desk_init(&worker->desk, err);
    }
    if (status == SCO_OK) {
        status = sco_child_join(worker->desk.lane, &worker->child, err);
    }
    if (status == SCO_OK) {
        status = sco_zmq_open(&worker->zmq, err);
    }
    if (status == SCO_OK) {
        enter(worker, LINE_APART);
        status = sco_thread_start("zmq", SCO_ROLE_ZMQ, line_body, worker,
                                  &worker->thread, err);
        worker->started = status == SCO_OK;
    }
    if (status != SCO_OK) {
        (void)sco_zmq_worker_destroy(worker);
        return status;
    }
    *out = worker;
    return SCO_OK;
}

struct sco_child *
sco_zmq_worker_child(struct sco_zmq_worker *worker)
{
    return worker->child;
}

void
sco_zmq_worker_stop(struct sco_zmq_worker *worker)
{
    atomic_store(&worker->stopping, true);
    shared_ring(sco_arena_doorbell(worker->desk.arena));
}

enum sco_zmq_worker_end
sco_zmq_worker_destroy(struct sco_zmq_worker *worker)
{
    enum sco_zmq_worker_end end;

    if (worker == NULL) {
        return SCO_WORKER_ENDED;
    }
    if (worker->started) {
        atomic_store(&worker->quitting, true);
        shared_ring(sco_arena_doorbell(worker->desk.arena));
        pthread_join(worker->thread, NULL);
    }
    end = worker->end;
    sco_zmq_close(worker->zmq);
    sco_child_destroy(worker->child);
    desk_finish(&worker->desk);
    free_texts(&worker->setup);
    free(worker);
    return end;
}
