/* test_serve.c - a worker over a real link: ready, calls, lines, the stop
 *
 * The worker is the main thread; a thread plays the host's loop at the other
 * end of the lane.
 */
#include "embedded.h"
#include "fake_sink.h"

#include "link/child.h"
#include "link/lane.h"
#include "pybridge/serve.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

/* What the host's thread was told, checked when it has ended: cmocka's
 * asserts belong to the main thread. */
struct host {
    struct sco_arena *arena;
    struct sco_lane *lane;
    void (*play)(struct host *host);
    char texts[16][64]; /* a reply's body each */
    unsigned statuses[16];
    size_t reply_count;
    size_t documents_bytes;
};

static void
short_sleep(void)
{
    const struct timespec moment = { .tv_nsec = 200000 };

    nanosleep(&moment, NULL);
}

static void
take_reply(struct host *host, struct sco_lane_reply *reply)
{
    while (sco_lane_take(host->lane, reply) != SCO_OK) {
        short_sleep();
    }
}

static void
send_call(struct host *host, enum sco_lane_call_kind kind,
          struct sco_slot slot, struct sco_slice head, struct sco_slice body)
{
    struct sco_lane_call call = {
        .kind = kind,
        .offset = slot.offset,
        .slot_bytes = slot.bytes,
        .head_bytes = (uint32_t)head.len,
        .body_bytes = body.len,
        .ticket = sco_arena_mark(host->arena, slot),
    };
    char *at = sco_arena_bytes(host->arena, slot);

    if (head.len > 0) {
        memcpy(at, head.data, head.len);
    }
    memcpy(at + head.len, body.data, body.len);
    while (!sco_lane_send(host->lane, &call)) {
        short_sleep();
    }
    sco_lane_ring(host->lane);
}

/* Sends one request and keeps what comes back. */
static void
ask(struct host *host, enum sco_lane_call_kind kind, const char *body)
{
    struct sco_lane_reply reply;
    struct sco_slot slot;
    const char *at;

    if (sco_slots_take(sco_arena_slots(host->arena), 4096, &slot) != SCO_OK) {
        return;
    }
    send_call(host, kind, slot, fake_head("/score"), sco_slice_of(body));
    take_reply(host, &reply);
    at = reply.place == SCO_LANE_IN_SLOT
             ? sco_arena_bytes(host->arena, slot) - SCO_SLOT_MARK_BYTES +
                   reply.offset
             : sco_lane_bytes(host->lane, reply.offset);
    (void)snprintf(host->texts[host->reply_count],
                   sizeof(host->texts[host->reply_count]), "%.*s",
                   (int)reply.body_bytes, at + reply.headers_bytes);
    host->statuses[host->reply_count] = reply.status;
    if (reply.place == SCO_LANE_IN_BLOCK) {
        sco_lane_release(host->lane, reply.offset);
    }
    sco_slots_give(sco_arena_slots(host->arena), slot);
    host->reply_count++;
}

static void
say_line(struct host *host, const char *text)
{
    struct sco_lane_reply reply;
    struct sco_slot slot;

    if (sco_slots_take(sco_arena_slots(host->arena), 4096, &slot) != SCO_OK) {
        return;
    }
    send_call(host, SCO_LANE_LINE, slot, SCO_SLICE("azmlinfsrv"),
              sco_slice_of(text));
    take_reply(host, &reply); /* SCO_LANE_SKIPPED: the slot is free */
    sco_slots_give(sco_arena_slots(host->arena), slot);
}

static void *
host_body(void *arg)
{
    struct host *host = arg;
    struct sco_lane_reply reply;

    take_reply(host, &reply);
    if (reply.kind == SCO_LANE_READY) {
        host->documents_bytes = reply.headers_bytes;
        sco_lane_release(host->lane, reply.offset);
        host->play(host);
    }
    sco_lane_stop(host->lane);
    return NULL;
}

/* Serves `script` while `play` runs at the other end. */
static void
serve(const char *script, void (*play)(struct host *host), struct host *host)
{
    PyTypeObject *type = embedded_call_type();
    struct sco_child *child;
    struct sco_error err;
    PyObject *object;
    pthread_t thread;

    *host = (struct host){ .play = play };
    assert_int_equal(sco_arena_create(&host->arena, &err), SCO_OK);
    assert_int_equal(sco_lane_create(host->arena, &host->lane, &err), SCO_OK);
    assert_int_equal(sco_child_join(host->lane, &child, &err), SCO_OK);
    py_run(script);
    py_run("unraised.clear()\n"
           "scoring = Scoring(run)\n");
    object = py_eval("scoring");
    assert_int_equal(pthread_create(&thread, NULL, host_body, host), 0);
    assert_int_equal(sco_serve(child, object, type), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    Py_DECREF(object);
    Py_DECREF(type);
    sco_child_destroy(child);
    sco_lane_unref(host->lane);
    sco_arena_destroy(host->arena);
}

static void
play_calls(struct host *host)
{
    ask(host, SCO_LANE_PLAIN, "one");
    ask(host, SCO_LANE_GENERAL, "two");
    ask(host, SCO_LANE_PLAIN, "raise");
    ask(host, SCO_LANE_PLAIN, "exit");
    say_line(host, "a line");
    ask(host, SCO_LANE_PLAIN, "last");
}

static void
test_serves(void **state)
{
    static const struct {
        unsigned status;
        const char *text;
    } expected[] = {
        { 200, "\"one!\"" },          { 202, "general two" },
        { 500, "failed ValueError" }, { 500, "failed SystemExit" },
        { 200, "\"last!\"" },
    };
    struct host host;

    (void)state;
    serve("def run(data):\n"
          "    if not isinstance(data, str):\n"
          "        return 202, [], b'general ' + data.body, 0, 0\n"
          "    if data == 'raise': raise ValueError\n"
          "    if data == 'exit': raise SystemExit\n"
          "    return data + '!'\n",
          play_calls, &host);
    assert_true(host.documents_bytes > 2);
    assert_int_equal(host.reply_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(host.statuses[i], expected[i].status);
        assert_string_equal(host.texts[i], expected[i].text);
    }
    py_assert("scoring.lines == [('azmlinfsrv', 20, 'a line')]");
    py_assert("unraised == []");
}

static pthread_t main_thread;

/* A user's handler raises between two calls: it hits neither. */
static void
play_signal(struct host *host)
{
    ask(host, SCO_LANE_PLAIN, "one");
    for (int i = 0; i < 50; i++) {
        pthread_kill(main_thread, SIGUSR1);
        short_sleep();
    }
    ask(host, SCO_LANE_PLAIN, "two");
}

static void
test_signal_between_calls(void **state)
{
    struct host host;

    (void)state;
    main_thread = pthread_self();
    serve("import signal\n"
          "def handler(*_): raise SystemExit(9)\n"
          "before = signal.signal(signal.SIGUSR1, handler)\n"
          "run = lambda data: data\n",
          play_signal, &host);
    py_run("signal.signal(signal.SIGUSR1, before)\n");
    assert_int_equal(host.reply_count, 2);
    assert_string_equal(host.texts[1], "\"two\"");
    py_assert("set(unraised) == {'SystemExit'}");
}

/* The script's own threads run while nobody calls. */
static void
play_patience(struct host *host)
{
    for (int i = 0; i < 10000 && host->statuses[0] != 200; i++) {
        host->reply_count = 0;
        ask(host, SCO_LANE_PLAIN, "");
        short_sleep();
    }
}

static void
test_lets_threads_run(void **state)
{
    struct host host;

    (void)state;
    serve("import threading, time\n"
          "done = threading.Event()\n"
          "def work():\n"
          "    time.sleep(0.02)\n"
          "    done.set()\n"
          "threading.Thread(target=work).start()\n"
          "def run(data):\n"
          "    if not done.is_set(): raise ValueError\n",
          play_patience, &host);
    assert_string_equal(host.texts[0], "{}");
}

static void
play_nothing(struct host *host)
{
    (void)host;
}

static void
test_refuses_what_is_no_scoring(void **state)
{
    PyTypeObject *type = embedded_call_type();
    struct sco_arena *arena;
    struct sco_lane *lane;
    struct sco_child *child;
    struct sco_lane_reply reply;
    struct sco_error err;

    (void)state;
    assert_int_equal(sco_arena_create(&arena, &err), SCO_OK);
    assert_int_equal(sco_lane_create(arena, &lane, &err), SCO_OK);
    assert_int_equal(sco_child_join(lane, &child, &err), SCO_OK);
    assert_int_equal(sco_serve(child, Py_None, type), -1);
    assert_true(PyErr_ExceptionMatches(PyExc_AttributeError));
    PyErr_Clear();
    assert_int_equal(sco_lane_take(lane, &reply), SCO_NOT_FOUND);
    Py_DECREF(type);
    sco_child_destroy(child);
    sco_lane_unref(lane);
    sco_arena_destroy(arena);
}

static void
test_stops_at_once(void **state)
{
    struct host host;

    (void)state;
    serve("run = lambda data: data", play_nothing, &host);
    assert_int_equal(host.reply_count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serves),
        cmocka_unit_test(test_signal_between_calls),
        cmocka_unit_test(test_lets_threads_run),
        cmocka_unit_test(test_refuses_what_is_no_scoring),
        cmocka_unit_test(test_stops_at_once),
    };

    return cmocka_run_group_tests_name("serve", tests, embedded_start,
                                       embedded_stop);
}
