/* test_clients.c - clients that are slow, that leave, or that are too many */
#include "base/clock.h"
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ASK   "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
#define LATER "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
#define DRIP  "GET /drip HTTP/1.1\r\nHost: a\r\n\r\n"

/* Longer than any test may take, and what is to be seen to end. */
enum { NEVER_MS = 60000, SOON_MS = 300 };

static struct tiny *tiny;

/* Starts with every limit out of the way but those that are given. */
static struct tiny_counts *
start(uint32_t head_ms, uint32_t body_ms, uint32_t keepalive_ms,
      uint32_t least)
{
    struct sco_http_limits limits = tiny_limits();

    limits.head_timeout_ms = head_ms;
    limits.body_timeout_ms = body_ms;
    limits.keepalive_timeout_ms = keepalive_ms;
    limits.body_min_bytes_per_s = least;
    tiny = tiny_start(&limits);
    return tiny_counts(tiny);
}

static int
stop(void **state)
{
    (void)state;
    tiny_stop(tiny);
    return 0;
}

/* Whether a connection answers. */
static bool
answers(int fd)
{
    (void)http_say(fd, ASK);
    return http_status(fd) == 200;
}

/* Sends `bytes` one by one until the other side has had enough, at most for
 * five seconds; false when it never has. */
static bool
drip_until_cut(int fd, const char *bytes)
{
    const struct timespec step = { .tv_nsec = 20 * 1000000L };
    uint64_t begin_ns = sco_clock_now_ns();

    while (sco_clock_now_ns() - begin_ns < 5 * SCO_NS_PER_S) {
        if (!http_send(fd, bytes, 1)) {
            return true;
        }
        bytes += bytes[1] != '\0' ? 1 : 0;
        (void)nanosleep(&step, NULL);
    }
    return false;
}

/* ---- slow clients ----------------------------------------------------- */

static void
test_slow_head(void **state)
{
    struct tiny_counts *counts = start(SOON_MS, NEVER_MS, NEVER_MS, 0);
    int fresh = http_connect(tiny_port(tiny));
    int used = http_connect(tiny_port(tiny));
    int other = http_connect(tiny_port(tiny));

    (void)state;
    assert_true(answers(used));
    assert_true(answers(other));
    /* One drips for ever, one stops within its request line. */
    assert_true(http_say(used, "GET /ec"));
    assert_true(drip_until_cut(fresh, "GET / HTTP/1.1\r\nHost: a\r\nA: aaaa"));
    assert_true(http_is_closed(used));
    assert_true(answers(other));
    assert_int_equal(atomic_load(&counts->heads), 3);
    (void)close(fresh);
    (void)close(used);
    (void)close(other);
}

static void
test_slow_body(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, SOON_MS, NEVER_MS, 1000);
    int silent = http_connect(tiny_port(tiny));
    int slow = http_connect(tiny_port(tiny));
    int other = http_connect(tiny_port(tiny));

    (void)state;
    assert_true(http_say(silent, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                                 "Content-Length: 5\r\n\r\nhel"));
    assert_true(http_say(slow, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 5000\r\n\r\n"));
    assert_true(drip_until_cut(slow, "x"));
    assert_true(http_is_closed(silent));
    assert_true(answers(other));
    assert_int_equal(atomic_load(&counts->requests), 1);
    assert_true(tiny_wait(&counts->dones, 3));
    (void)close(silent);
    (void)close(slow);
    (void)close(other);
}

static void
test_idle(void **state)
{
    int fresh, used, busy;
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, SOON_MS, 0);

    (void)state;
    fresh = http_connect(tiny_port(tiny));
    used = http_connect(tiny_port(tiny));
    busy = http_connect(tiny_port(tiny));
    assert_true(answers(used));
    assert_true(http_say(busy, LATER));
    assert_true(tiny_wait(&counts->held, 1));
    assert_true(http_is_closed(fresh));
    assert_true(http_is_closed(used));
    tiny_open(tiny);
    assert_int_equal(http_status(busy), 200);
    assert_true(http_is_closed(busy));
    (void)close(fresh);
    (void)close(used);
    (void)close(busy);
}

/* An idle connection outlives the time that a head may take. */
static void
test_idle_is_no_head(void **state)
{
    int idle, chunked, dripping;

    (void)state;
    (void)start(SOON_MS, NEVER_MS, NEVER_MS, 0);
    idle = http_connect(tiny_port(tiny));
    chunked = http_connect(tiny_port(tiny));
    dripping = http_connect(tiny_port(tiny));
    assert_true(answers(idle));
    assert_true(http_say(chunked, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n0\r\n\r\n"));
    assert_int_equal(http_status(chunked), 200);
    assert_true(drip_until_cut(dripping, "GET"));
    assert_true(answers(idle));
    assert_true(answers(chunked));
    (void)close(idle);
    (void)close(chunked);
    (void)close(dripping);
}

/* A client that does not read its reply holds it for a while only. */
static void
test_slow_reader(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, SOON_MS, NEVER_MS, 0);
    int fd = http_connect(tiny_port(tiny));

    (void)state;
    for (int i = 0; i < 8; i++) {
        assert_true(http_say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    assert_true(tiny_wait(&counts->requests, 1));
    assert_true(tiny_wait_connections(tiny, 0));
    assert_true(atomic_load(&counts->requests) >= 1);
    assert_true(atomic_load(&counts->requests) <= 8);
    assert_int_equal(atomic_load(&counts->dones),
                     atomic_load(&counts->requests));
    (void)close(fd);
}

/* ---- clients that leave ----------------------------------------------- */

/* Its request is out when it closes its sending side: at once, or later. */
static void
test_half_closed(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    assert_true(http_say(fd, ASK LATER));
    (void)shutdown(fd, SHUT_WR);
    assert_true(tiny_wait(&counts->gone_sending, 1));
    tiny_open(tiny);
    for (int i = 0; i < 2; i++) {
        reply = http_read(fd);
        assert_int_equal(reply.status, 200);
        assert_true(reply.is_whole);
        http_reply_finish(&reply);
    }
    assert_true(http_is_closed(fd));
    (void)close(fd);
    assert_int_equal(atomic_load(&counts->gone_all), 0);
    assert_int_equal(atomic_load(&counts->completes), 2);
}

static void
test_half_closed_late(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    const struct timespec asleep = { .tv_nsec = 60 * 1000000L };
    int fd = http_connect(tiny_port(tiny));

    (void)state;
    assert_true(http_say(fd, LATER));
    assert_true(tiny_wait(&counts->held, 1));
    (void)nanosleep(&asleep, NULL); /* it is suspended by now */
    (void)shutdown(fd, SHUT_WR);
    assert_true(tiny_wait(&counts->gone_sending, 1));
    tiny_open(tiny);
    assert_int_equal(http_status(fd), 200);
    assert_true(http_is_closed(fd));
    (void)close(fd);
}

/* The app answers from on_gone: the client leaves together with its request,
 * while it is awake, or when it has been suspended. */
static void
test_answered_leaving(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    const struct timespec asleep = { .tv_nsec = 60 * 1000000L };

    (void)state;
    for (int i = 0; i < 30; i++) {
        int fd = http_connect(tiny_port(tiny));

        assert_true(http_say(fd, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
        if (i % 10 != 0) {
            assert_true(tiny_wait(&counts->held, 1));
        }
        if (i % 10 == 5) {
            (void)nanosleep(&asleep, NULL);
        }
        (void)shutdown(fd, SHUT_WR);
        assert_int_equal(http_status(fd), 499);
        assert_true(http_is_closed(fd));
        (void)close(fd);
    }
    assert_true(tiny_wait(&counts->completes, 30));
    assert_true(tiny_wait_connections(tiny, 0));
}

/* Nothing is outstanding: the connection ends with its client. */
static void
test_half_closed_idle(void **state)
{
    int fd;

    (void)state;
    (void)start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    fd = http_connect(tiny_port(tiny));
    assert_true(answers(fd));
    (void)shutdown(fd, SHUT_WR);
    assert_true(http_is_closed(fd));
    (void)close(fd);
    assert_true(tiny_wait_connections(tiny, 0));
}

/* Resets a connection. */
static void
reset(int fd)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)close(fd);
}

/* It dies while it waits: soon after, or when it has been suspended. */
static void
test_dead(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    const struct timespec asleep = { .tv_nsec = 60 * 1000000L };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        int fd = http_connect(tiny_port(tiny));

        assert_true(http_say(fd, LATER));
        assert_true(tiny_wait(&counts->held, 1));
        if (i == 1) {
            (void)nanosleep(&asleep, NULL);
        }
        reset(fd);
        assert_true(tiny_wait(&counts->gone_all, i + 1));
        assert_true(tiny_wait(&counts->dones, i + 1));
        assert_int_equal(atomic_load(&counts->held), 0);
    }
    assert_true(tiny_wait_connections(tiny, 0));
}

static void
test_dead_stream(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    int fd = http_connect(tiny_port(tiny));

    (void)state;
    assert_true(http_say(fd, DRIP));
    assert_true(tiny_wait(&counts->pieces, 1));
    tiny_more(tiny, "tick");
    assert_true(tiny_wait(&counts->pieces, 1));
    reset(fd);
    assert_true(tiny_wait(&counts->gone_all, 1));
    assert_true(tiny_wait(&counts->dones, 1));
    assert_int_equal(atomic_load(&counts->completes), 0);
}

/* It leaves at every stage of its request. */
static void
test_leaves_anywhere(void **state)
{
    static const char whole[] = "POST /later HTTP/1.1\r\nHost: a\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"
                                "3\r\nabc\r\n0\r\n\r\n";
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);

    (void)state;
    for (size_t cut = 0; cut < sizeof(whole); cut++) {
        int fd = http_connect(tiny_port(tiny));

        assert_true(http_send(fd, whole, cut));
        if (cut % 2 == 0) {
            reset(fd);
        } else {
            (void)close(fd);
        }
    }
    assert_true(tiny_wait_connections(tiny, atomic_load(&counts->held)));
    tiny_open(tiny);
    assert_true(tiny_wait_connections(tiny, 0));
    assert_int_equal(atomic_load(&counts->dones), atomic_load(&counts->heads));
}

/* ---- clients that are too many ---------------------------------------- */

static void
test_connection_limit(void **state)
{
    struct sco_http_limits limits = tiny_limits();
    int fds[6];

    (void)state;
    limits.max_connections = 4;
    tiny = tiny_start(&limits);
    for (int i = 0; i < 6; i++) {
        fds[i] = http_connect(tiny_port(tiny));
        assert_true(http_say(fds[i], ASK));
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(http_status(fds[i]), 200);
    }
    assert_true(tiny_wait_connections(tiny, 4));
    for (int i = 4; i < 6; i++) {
        (void)close(fds[i - 4]);
        assert_int_equal(http_status(fds[i]), 200);
    }
    for (int i = 2; i < 6; i++) {
        (void)close(fds[i]);
    }
    assert_true(tiny_wait_connections(tiny, 0));
}

static void
test_address_limit(void **state)
{
    struct sco_http_limits limits = tiny_limits();
    char path[64];
    int first, second, third, local;

    (void)state;
    limits.max_connections_per_address = 2;
    tiny = tiny_start(&limits);
    first = http_connect(tiny_port(tiny));
    second = http_connect(tiny_port(tiny));
    assert_true(answers(first) && answers(second));
    third = http_connect(tiny_port(tiny));
    assert_true(http_is_closed(third));
    (void)snprintf(path, sizeof(path), "/tmp/sco-limit-%d.sock",
                   (int)getpid());
    tiny_listen_unix(tiny, path);
    local = http_connect_unix(path);
    assert_true(answers(local)); /* which has no address */
    (void)close(first);
    assert_true(tiny_wait_connections(tiny, 2));
    (void)close(third);
    third = http_connect(tiny_port(tiny));
    assert_true(answers(third));
    (void)close(second);
    (void)close(third);
    (void)close(local);
    (void)unlink(path);
}

/* ---- the end ---------------------------------------------------------- */

static void
test_drain(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    int idle = http_connect(tiny_port(tiny));
    int busy = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    assert_true(answers(idle));
    assert_true(http_say(busy, LATER));
    assert_true(tiny_wait(&counts->held, 1));
    tiny_drain(tiny);
    assert_true(http_is_closed(idle));
    tiny_open(tiny);
    reply = http_read(busy);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "Connection: close\r\n"));
    http_reply_finish(&reply);
    assert_true(http_is_closed(busy));
    assert_true(tiny_wait_connections(tiny, 0));
    (void)close(idle);
    (void)close(busy);
}

/* The front end ends with exchanges at every stage. */
static void
test_destroy(void **state)
{
    struct tiny_counts *counts = start(NEVER_MS, NEVER_MS, NEVER_MS, 0);
    const struct timespec asleep = { .tv_nsec = 60 * 1000000L };
    static const char *const sent[] = {
        LATER,
        DRIP,
        ASK,
        "GET /ec",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
        "GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    int fds[6];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        fds[i] = http_connect(tiny_port(tiny));
        assert_true(http_say(fds[i], sent[i]));
    }
    assert_true(tiny_wait(&counts->heads, 5));
    assert_true(tiny_wait(&counts->held, 1));
    assert_true(tiny_wait(&counts->pieces, 1));
    (void)nanosleep(&asleep, NULL);
    tiny_stop(tiny);
    for (size_t i = 0; i < 6; i++) {
        (void)http_read_to_end(fds[i]);
        (void)close(fds[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_slow_head, stop),
        cmocka_unit_test_teardown(test_slow_body, stop),
        cmocka_unit_test_teardown(test_idle, stop),
        cmocka_unit_test_teardown(test_idle_is_no_head, stop),
        cmocka_unit_test_teardown(test_slow_reader, stop),
        cmocka_unit_test_teardown(test_half_closed, stop),
        cmocka_unit_test_teardown(test_half_closed_late, stop),
        cmocka_unit_test_teardown(test_answered_leaving, stop),
        cmocka_unit_test_teardown(test_half_closed_idle, stop),
        cmocka_unit_test_teardown(test_dead, stop),
        cmocka_unit_test_teardown(test_dead_stream, stop),
        cmocka_unit_test_teardown(test_leaves_anywhere, stop),
        cmocka_unit_test_teardown(test_connection_limit, stop),
        cmocka_unit_test_teardown(test_address_limit, stop),
        cmocka_unit_test_teardown(test_drain, stop),
        cmocka_unit_test(test_destroy),
    };

    return cmocka_run_group_tests_name("http clients", tests, NULL, NULL);
}
