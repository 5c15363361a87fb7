/* test_remote.c - remote workers, with both ends in this process
 *
 * The host's end is the real one: sco_remote over a Unix socket, its thread,
 * and workers of kind remote. The other end is either the real worker's end,
 * whose script is the test itself, or a bare socket that says what it wants.
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/thread.h"
#include "link/child.h"
#include "link/zmq_frame.h"
#include "link/zmq_worker.h"
#include "support/heard.h"
#include "support/test.h"
#include "support/turner.h"
#include "worker/ran.h"
#include "worker/remote.h"
#include "worker/worker.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEARD = 4, TRIES = 20 * 1000 * 1000 };

static struct {
    struct turner turner;
    struct sco_arena *arena;
    struct sco_remote *remote;
    struct sco_worker_setup setup;
    struct sco_worker *worker; /* NULL: none is there */
    struct sco_watch doorbell;
    struct heard heard[HEARD];
    struct sco_request *returned[HEARD];
    size_t returned_count;
    unsigned ready, through, gone, ran_count;
    struct sco_ran ran; /* the last one */
    char reason[128];
    bool refuses;
    char folder[32], endpoint[64];
} place;

/* ---- the boss --------------------------------------------------------- */

static void
on_ready(void *arg, struct sco_worker *worker, struct sco_slice documents)
{
    (void)arg;
    (void)worker;
    assert_true(documents.len > 0);
    place.ready++;
}

static void
on_through(void *arg, struct sco_worker *worker, uint64_t run_ns)
{
    (void)arg;
    (void)worker;
    (void)run_ns;
    place.through++;
}

static void
on_ran(void *arg, struct sco_worker *worker, const struct sco_ran *ran)
{
    (void)arg;
    (void)worker;
    place.ran = *ran;
    place.ran_count++;
}

static void
on_return(void *arg, struct sco_worker *worker, struct sco_request *req)
{
    (void)arg;
    (void)worker;
    assert_true(place.returned_count < HEARD);
    place.returned[place.returned_count++] = req;
}

static void
on_gone(void *arg, struct sco_worker *worker, const struct sco_worker_end *end)
{
    (void)arg;
    place.gone++;
    (void)snprintf(place.reason, sizeof(place.reason), "%s",
                   end->reason != NULL ? end->reason : "");
    sco_worker_destroy(worker);
    place.worker = NULL;
}

static void
on_came(void *arg)
{
    const struct sco_worker_boss boss = {
        .on_ready = on_ready,
        .on_through = on_through,
        .on_ran = on_ran,
        .on_return = on_return,
        .on_gone = on_gone,
    };

    (void)arg;
    if (!place.refuses && place.worker == NULL) {
        assert_int_equal(sco_worker_create(&sco_remote_worker, &place.setup,
                                           &boss, &place.worker, NULL),
                         SCO_OK);
    }
}

static void
on_doorbell(void *arg, uint32_t events)
{
    (void)arg;
    (void)events;
}

static bool
on_turn(void *arg, uint64_t now_ns)
{
    bool heard = false;

    (void)arg;
    (void)now_ns;
    sco_arena_awake(place.arena);
    if (place.worker != NULL) {
        heard = sco_worker_poll(place.worker);
    }
    sco_arena_sleep(place.arena);
    return (place.worker != NULL && sco_worker_poll(place.worker)) || heard;
}

static int
open_place(void **state)
{
    (void)state;
    memset(&place, 0, sizeof(place));
    (void)snprintf(place.folder, sizeof(place.folder), "/tmp/remote.XXXXXX");
    assert_non_null(mkdtemp(place.folder));
    (void)snprintf(place.endpoint, sizeof(place.endpoint), "ipc://%s/line",
                   place.folder);
    turner_init(&place.turner);
    assert_int_equal(sco_arena_create(&place.arena, NULL), SCO_OK);
    assert_int_equal(sco_remote_create(place.turner.loop, place.endpoint, "",
                                       on_came, NULL, &place.remote, NULL),
                     SCO_OK);
    place.setup = (struct sco_worker_setup){
        .loop = place.turner.loop,
        .arena = place.arena,
        .remote = place.remote,
    };
    place.doorbell = (struct sco_watch){
        .fd = sco_arena_doorbell(place.arena),
        .on_ready = on_doorbell,
    };
    assert_int_equal(sco_loop_add(place.turner.loop, &place.doorbell,
                                  1u /* EPOLLIN */ | 1u << 31 /* EPOLLET */,
                                  NULL),
                     SCO_OK);
    sco_loop_hook(place.turner.loop, on_turn, NULL);
    return 0;
}

static bool
is_gone(void *arg)
{
    (void)arg;
    return place.worker == NULL;
}

static int
close_place(void **state)
{
    char path[64];

    (void)state;
    if (place.worker != NULL) {
        sco_worker_kill(place.worker);
        assert_true(turner_until(&place.turner, is_gone, NULL));
    }
    sco_remote_destroy(place.remote);
    for (size_t i = 0; i < place.returned_count; i++) {
        sco_request_unref(place.returned[i]);
    }
    for (size_t i = 0; i < HEARD; i++) {
        heard_finish(&place.heard[i]);
    }
    sco_loop_remove(place.turner.loop, &place.doorbell);
    sco_arena_destroy(place.arena);
    turner_finish(&place.turner);
    (void)snprintf(path, sizeof(path), "%s/line", place.folder);
    (void)unlink(path);
    return rmdir(place.folder);
}

static bool
is_ready(void *arg)
{
    unsigned times = *(unsigned *)arg;

    return place.ready >= times && place.worker != NULL;
}

static void
wait_ready(unsigned times)
{
    assert_true(turner_until(&place.turner, is_ready, &times));
}

static bool
is_answered(void *arg)
{
    return ((struct heard *)arg)->count > 0;
}

static bool
has_told_of_one(void *arg)
{
    (void)arg;
    return place.ran_count == 1;
}

static void
wait_answer(size_t i)
{
    assert_true(turner_until(&place.turner, is_answered, &place.heard[i]));
}

static void
give(size_t i, const char *body)
{
    struct sco_request *req =
        heard_request(place.arena, body, &place.heard[i]);

    assert_true(sco_worker_give(place.worker, req));
    sco_worker_flush(place.worker);
}

/* ---- a worker with a script of the test's ------------------------------ */

static struct sco_zmq_worker *
start_worker(unsigned credits)
{
    const struct sco_zmq_worker_setup setup = {
        .endpoint = place.endpoint,
        .name = "alpha",
        .gpu = "1",
        .script = "score.py",
        .script_hash = 1,
        .credits = credits,
    };
    const struct sco_document document = { SCO_SLICE("2"), SCO_SLICE("{}") };
    struct sco_zmq_worker *worker = NULL;

    assert_int_equal(sco_zmq_worker_create(&setup, &worker, NULL), SCO_OK);
    assert_int_equal(
        sco_child_ready(sco_zmq_worker_child(worker), &document, 1, NULL),
        SCO_OK);
    return worker;
}

struct script {
    struct sco_child *child;
    struct sco_call call;
    struct sco_child_line line;
    enum sco_child_event event;
};

static bool
has_event(void *arg)
{
    struct script *script = arg;

    script->event =
        sco_child_try_next(script->child, &script->call, &script->line);
    return script->event != SCO_CHILD_NONE;
}

/* The script takes what comes next; the host's loop runs meanwhile. */
static enum sco_child_event
take_next(struct sco_zmq_worker *worker, struct script *script)
{
    unsigned tries = 0;

    script->child = sco_zmq_worker_child(worker);
    while (!has_event(script)) {
        turner_turn(&place.turner);
        sched_yield();
        assert_true(++tries < TRIES);
    }
    return script->event;
}

static void
reply(struct sco_zmq_worker *worker, const char *body)
{
    const struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct sco_sink *sink = sco_child_sink(sco_zmq_worker_child(worker));

    sink->ops->reply(sink, &head, (struct sco_slice){ NULL, 0 },
                     sco_slice_of(body));
}

static void
test_a_request_goes_there_and_back(void **state)
{
    struct sco_zmq_worker *worker = start_worker(1);
    struct script script;

    (void)state;
    wait_ready(1);
    assert_string_equal(place.worker->name, "alpha");
    assert_int_equal(place.worker->pid, getpid());
    give(0, "question");
    assert_int_equal(take_next(worker, &script), SCO_CHILD_CALL);
    assert_true(sco_slice_equal(script.call.body, SCO_SLICE("question")));
    reply(worker, "answer");
    wait_answer(0);
    assert_int_equal(place.heard[0].status, 200);
    assert_string_equal(place.heard[0].body, "answer");
    assert_int_equal(place.through, 1);
    assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_ENDED);
    assert_true(turner_until(&place.turner, is_gone, NULL));
    assert_string_equal(place.reason, "");
}

static void
test_its_batches_are_told_of(void **state)
{
    const struct sco_child_run cut = { .told = 1, .rows = 64, .run_ns = 1 };
    const struct sco_child_run last = { .told = 0x103, .rows = 6 };
    struct sco_zmq_worker *worker = start_worker(1);
    struct script script;

    (void)state;
    wait_ready(1);
    give(0, "question");
    assert_int_equal(take_next(worker, &script), SCO_CHILD_CALL);
    sco_child_note_run(script.child, &cut);
    sco_child_tell_run(script.child);
    assert_true(turner_until(&place.turner, has_told_of_one, NULL));
    assert_int_equal(place.ran.reason, 0);
    assert_int_equal(place.ran.rows, 64);
    assert_false(place.ran.has_failed);
    assert_int_equal(place.heard[0].count, 0);
    sco_child_note_run(script.child, &last);
    reply(worker, "answer");
    wait_answer(0);
    assert_int_equal(place.ran_count, 2);
    assert_int_equal(place.ran.reason, 2);
    assert_int_equal(place.ran.rows, 6);
    assert_true(place.ran.has_failed);
    assert_string_equal(place.heard[0].body, "answer");
    assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_ENDED);
    assert_true(turner_until(&place.turner, is_gone, NULL));
}

static void
test_no_more_is_sent_than_there_is_credit_for(void **state)
{
    struct sco_zmq_worker *worker = start_worker(2);
    struct script script;

    (void)state;
    wait_ready(1);
    for (size_t i = 0; i < 3; i++) {
        give(i, "x");
    }
    assert_int_equal(take_next(worker, &script), SCO_CHILD_CALL);
    assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_ENDED);
    assert_true(turner_until(&place.turner, is_gone, NULL));
    assert_string_equal(place.reason, "it ended");
    assert_int_equal(place.returned_count, 1);
    assert_int_equal(place.heard[0].failure, SCO_WORKER_LOST);
    assert_int_equal(place.heard[1].failure, SCO_WORKER_LOST);
    assert_int_equal(place.heard[2].count, 0);
    assert_string_equal(place.heard[0].detail,
                        "remote worker alpha was lost (it ended)");
}

static void
test_a_worker_that_is_told_to_leave_answers_first(void **state)
{
    struct sco_zmq_worker *worker = start_worker(1);
    struct script script;

    (void)state;
    wait_ready(1);
    give(0, "x");
    assert_int_equal(take_next(worker, &script), SCO_CHILD_CALL);
    sco_worker_leave(place.worker);
    reply(worker, "last");
    wait_answer(0);
    assert_string_equal(place.heard[0].body, "last");
    assert_int_equal(take_next(worker, &script), SCO_CHILD_STOP);
    assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_RENEW);
    assert_true(turner_until(&place.turner, is_gone, NULL));
    assert_string_equal(place.reason, "");
}

static void
test_a_worker_that_wants_to_end_answers_first(void **state)
{
    struct sco_zmq_worker *worker = start_worker(1);
    struct script script;

    (void)state;
    wait_ready(1);
    give(0, "x");
    assert_int_equal(take_next(worker, &script), SCO_CHILD_CALL);
    sco_zmq_worker_stop(worker);
    turner_turn(&place.turner);
    reply(worker, "last");
    wait_answer(0);
    assert_int_equal(take_next(worker, &script), SCO_CHILD_STOP);
    assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_ENDED);
    assert_true(turner_until(&place.turner, is_gone, NULL));
}

static void
test_a_cancelled_request_is_seen_to_be(void **state)
{
    struct sco_zmq_worker *worker = start_worker(1);
    struct sco_sink *sink = sco_child_sink(sco_zmq_worker_child(worker));
    struct script script;
    struct sco_request *req;
    unsigned tries = 0;

    (void)state;
    wait_ready(1);
    req = heard_request(place.arena, "x", &place.heard[0]);
    assert_true(sco_worker_give(place.worker, req));
    sco_worker_flush(place.worker);
    assert_int_equal(take_next(worker, &script), SCO_CHILD_CALL);
    req->on_answer = NULL;
    sco_worker_cancel(place.worker, req, SCO_CANCEL_GONE);
    while (!sink->ops->cancelled(sink)) {
        sched_yield();
        assert_true(++tries < TRIES);
    }
    assert_int_equal(sink->ops->stop(sink), SCO_STOP_NOT);
    reply(worker, "for nobody");
    assert_int_equal(sco_zmq_worker_destroy(worker), SCO_WORKER_ENDED);
    assert_true(turner_until(&place.turner, is_gone, NULL));
}

static void
test_a_setup_that_will_not_do(void **state)
{
    struct sco_zmq_worker_setup setup = { .endpoint = "tcp://10.0.0.1:1",
                                          .name = "alpha",
                                          .gpu = "",
                                          .script = "",
                                          .credits = 1 };
    struct sco_zmq_worker *worker = NULL;
    struct sco_remote *remote = NULL;
    struct sco_error err = { .text = "" };

    (void)state;
    assert_int_equal(sco_zmq_worker_create(&setup, &worker, &err),
                     SCO_INVALID);
    assert_non_null(strstr(err.text, "needs keys"));
    setup.endpoint = place.endpoint;
    setup.credits = 5;
    assert_int_equal(sco_zmq_worker_create(&setup, &worker, &err),
                     SCO_INVALID);
    setup.credits = 1;
    memset(setup.secret.text, 'x', SCO_ZMQ_KEY_CHARS);
    assert_int_equal(sco_zmq_worker_create(&setup, &worker, &err),
                     SCO_INVALID);
    assert_null(worker);
    assert_int_equal(sco_remote_create(place.turner.loop, "tcp://0.0.0.0:1",
                                       "", on_came, NULL, &remote, &err),
                     SCO_INVALID);
    assert_int_equal(sco_remote_create(place.turner.loop, "tcp://0.0.0.0:1",
                                       "/no/such/keys", on_came, NULL, &remote,
                                       &err),
                     SCO_INVALID);
    assert_int_equal(sco_remote_create(place.turner.loop,
                                       "ipc:///no/such/folder/line", "",
                                       on_came, NULL, &remote, &err),
                     SCO_INVALID);
    assert_null(remote);
}

/* ---- a peer that says what it wants ------------------------------------ */

static struct {
    struct sco_zmq *zmq;
    struct sco_zmq_socket *socket;
    uint64_t session;
    struct sco_frame last; /* its texts do not hold */
} peer;

static void
peer_open(void)
{
    assert_int_equal(sco_zmq_open(&peer.zmq, NULL), SCO_OK);
    assert_int_equal(
        sco_zmq_socket_create(peer.zmq, SCO_ZMQ_DEALER, &peer.socket, NULL),
        SCO_OK);
    assert_int_equal(
        sco_zmq_connect(peer.socket, place.endpoint, NULL, NULL, NULL),
        SCO_OK);
}

static void
peer_close(void)
{
    sco_zmq_socket_close(peer.socket);
    sco_zmq_close(peer.zmq);
}

static void
peer_send(const struct sco_slice *parts, size_t count)
{
    unsigned tries = 0;

    while (sco_zmq_send(peer.socket, parts, count) != SCO_OK) {
        sched_yield();
        assert_true(++tries < TRIES);
    }
}

static void
peer_say(struct sco_frame frame, const char *part)
{
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice parts[3] = { { head, 0 },
                                  sco_slice_of(part),
                                  sco_slice_of(part) };

    if (frame.session == 0) {
        frame.session = peer.session;
    }
    parts[0].len = sco_frame_write(&frame, head);
    peer_send(parts, 1 + sco_frame_parts(frame.kind));
}

/* Waits for a message of this kind; the host's loop runs meanwhile. */
static void
peer_hear(enum sco_frame_kind kind)
{
    struct sco_zmq_message message;
    unsigned tries = 0;

    do {
        turner_turn(&place.turner);
        while (sco_zmq_receive(peer.socket, &message) != SCO_OK) {
            turner_turn(&place.turner);
            sched_yield();
            assert_true(++tries < TRIES);
        }
        assert_int_equal(
            sco_frame_read(message.parts[0], message.count - 1, &peer.last),
            SCO_OK);
        sco_zmq_drop(&message);
    } while (peer.last.kind != kind);
}

static void
peer_join(const char *documents, size_t bytes)
{
    const struct sco_frame hello = { .kind = SCO_FRAME_HELLO,
                                     .name = SCO_SLICE("mallory"),
                                     .pid = 99,
                                     .credits = 1 };
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice parts[2] = { { head, sco_frame_write(&hello, head) },
                                  { documents, bytes } };

    peer.session = 0;
    peer_open();
    peer_send(parts, 2);
}

static void
test_who_says_no_hello_is_told_to(void **state)
{
    (void)state;
    peer.session = 5;
    peer_open();
    peer_say((struct sco_frame){ .kind = SCO_FRAME_BEAT }, NULL);
    peer_hear(SCO_FRAME_REFUSED);
    assert_int_equal(peer.last.number, SCO_REFUSED_UNKNOWN);
    peer_close();
    assert_int_equal(place.ready, 0);
}

static void
test_another_version_is_refused_for_good(void **state)
{
    const struct sco_frame beat = { .kind = SCO_FRAME_BEAT };
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice part = { head, sco_frame_write(&beat, head) };

    (void)state;
    head[4] = SCO_FRAME_VERSION + 1;
    peer_open();
    peer_send(&part, 1);
    peer_hear(SCO_FRAME_REFUSED);
    assert_int_equal(peer.last.number, SCO_REFUSED_NEVER);
    peer_close();
}

static void
test_nonsense_is_not_answered(void **state)
{
    struct sco_slice nonsense[4] = { SCO_SLICE("GET / HTTP/1.1"),
                                     SCO_SLICE(""), SCO_SLICE("x"),
                                     SCO_SLICE("y") };

    (void)state;
    peer.session = 5;
    peer_open();
    for (size_t count = 1; count <= 4; count++) {
        peer_send(nonsense, count);
    }
    peer_say((struct sco_frame){ .kind = SCO_FRAME_BEAT }, NULL);
    peer_hear(SCO_FRAME_REFUSED); /* the only answer */
    assert_int_equal(peer.last.number, SCO_REFUSED_UNKNOWN);
    peer_close();
}

static void
test_a_host_may_want_nobody(void **state)
{
    (void)state;
    place.refuses = true;
    peer_join("\0\0", 2);
    peer_hear(SCO_FRAME_REFUSED);
    assert_int_equal(peer.last.number, SCO_REFUSED_LATER);
    peer_close();
}

/* What a peer must not say once it has a request, and what becomes of it. */
static const struct sco_frame forbidden[] = {
    { .kind = SCO_FRAME_CHUNK },
    { .kind = SCO_FRAME_END, .number = SCO_OK },
    { .kind = SCO_FRAME_CALL, .way = SCO_CALL_PLAIN },
    { .kind = SCO_FRAME_ACK, .number = 1 },
    { .kind = SCO_FRAME_WELCOME, .beat_ms = 1 },
};

static void
test_who_breaks_the_rules_is_given_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        struct sco_frame frame = forbidden[i];

        peer_join("\0\0", 2);
        peer_hear(SCO_FRAME_WELCOME);
        peer.session = peer.last.session;
        wait_ready((unsigned)i + 1);
        give(0, "x");
        peer_hear(SCO_FRAME_CALL);
        frame.id = peer.last.id;
        peer_say(frame, "bytes");
        peer_hear(SCO_FRAME_BYE);
        assert_int_equal(peer.last.number, SCO_BYE_KILLED);
        assert_true(turner_until(&place.turner, is_gone, NULL));
        assert_string_equal(place.reason, "it sent what it must not");
        assert_int_equal(place.heard[0].failure, SCO_WORKER_LOST);
        heard_finish(&place.heard[0]);
        memset(&place.heard[0], 0, sizeof(place.heard[0]));
        peer_close();
    }
}

static void
test_documents_that_are_none_are_no_hello(void **state)
{
    (void)state;
    peer_join("\x07\0only seven", 12);
    peer_hear(SCO_FRAME_BYE);
    assert_int_equal(peer.last.number, SCO_BYE_KILLED);
    assert_true(turner_until(&place.turner, is_gone, NULL));
    peer_close();
}

/* Late answers, of another request or another session, go nowhere. */
static void
test_what_is_late_goes_nowhere(void **state)
{
    struct sco_frame whole = { .kind = SCO_FRAME_WHOLE,
                               .head = { .status = 200, .stream_bytes = -1 } };
    uint64_t id;

    (void)state;
    peer_join("\0\0", 2);
    peer_hear(SCO_FRAME_WELCOME);
    peer.session = peer.last.session;
    wait_ready(1);
    give(0, "x");
    peer_hear(SCO_FRAME_CALL);
    id = peer.last.id;
    whole.id = id + 1;
    peer_say(whole, "of another request");
    whole.id = id;
    whole.session = peer.session + 1;
    peer_say(whole, "of another session");
    whole.session = 0;
    peer_say(whole, "ok");
    wait_answer(0);
    assert_string_equal(place.heard[0].body, "ok");
    peer_say(whole, "twice");
    peer_say(
        (struct sco_frame){ .kind = SCO_FRAME_BYE, .number = SCO_BYE_GONE },
        NULL);
    assert_true(turner_until(&place.turner, is_gone, NULL));
    assert_int_equal(place.heard[0].count, 1);
    peer_close();
}

/* More pieces than were asked for are more than there is room for. */
static void
test_a_stream_keeps_to_its_window(void **state)
{
    struct sco_frame start = { .kind = SCO_FRAME_START,
                               .head = { .status = 200, .stream_bytes = -1 } };

    (void)state;
    peer_join("\0\0", 2);
    peer_hear(SCO_FRAME_WELCOME);
    peer.session = peer.last.session;
    wait_ready(1);
    give(0, "x");
    peer_hear(SCO_FRAME_CALL);
    start.id = peer.last.id;
    peer_say(start, NULL);
    for (int i = 0; i <= SCO_FRAME_WINDOW; i++) {
        peer_say((struct sco_frame){ .kind = SCO_FRAME_CHUNK, .id = start.id },
                 "piece");
    }
    peer_hear(SCO_FRAME_BYE);
    assert_int_equal(peer.last.number, SCO_BYE_KILLED);
    assert_true(turner_until(&place.turner, is_gone, NULL));
    assert_int_equal(place.heard[0].status, 200); /* its begin was heard */
    peer_close();
}

static void
test_silence_is_the_end(void **state)
{
    uint64_t begun_ns = sco_clock_now_ns();

    (void)state;
    peer_join("\0\0", 2);
    peer_hear(SCO_FRAME_WELCOME);
    wait_ready(1);
    give(0, "x");
    wait_answer(0);
    assert_true(sco_clock_now_ns() - begun_ns >= 2900 * SCO_NS_PER_MS);
    assert_int_equal(place.heard[0].failure, SCO_WORKER_LOST);
    assert_string_equal(place.heard[0].detail,
                        "remote worker mallory was lost (no heartbeat for "
                        "3 s)");
    peer_close();
}

#define AT_PLACE(test) \
    cmocka_unit_test_setup_teardown(test, open_place, close_place)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AT_PLACE(test_a_request_goes_there_and_back),
        AT_PLACE(test_its_batches_are_told_of),
        AT_PLACE(test_no_more_is_sent_than_there_is_credit_for),
        AT_PLACE(test_a_worker_that_is_told_to_leave_answers_first),
        AT_PLACE(test_a_worker_that_wants_to_end_answers_first),
        AT_PLACE(test_a_cancelled_request_is_seen_to_be),
        AT_PLACE(test_a_setup_that_will_not_do),
        AT_PLACE(test_who_says_no_hello_is_told_to),
        AT_PLACE(test_another_version_is_refused_for_good),
        AT_PLACE(test_nonsense_is_not_answered),
        AT_PLACE(test_a_host_may_want_nobody),
        AT_PLACE(test_who_breaks_the_rules_is_given_up),
        AT_PLACE(test_documents_that_are_none_are_no_hello),
        AT_PLACE(test_what_is_late_goes_nowhere),
        AT_PLACE(test_a_stream_keeps_to_its_window),
        AT_PLACE(test_silence_is_the_end),
    };
    struct sco_zmq *zmq = NULL;

    if (sco_zmq_open(&zmq, NULL) != SCO_OK) {
        print_message("ZeroMQ is not here: left out\n");
        return 0;
    }
    sco_zmq_close(zmq);
    sco_thread_take_role(SCO_ROLE_LOOP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
