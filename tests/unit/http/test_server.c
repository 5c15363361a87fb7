/* test_server.c - what a client gets from the front end on a good day */
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tiny *tiny;

static int
start(void **state)
{
    struct sco_http_limits limits = tiny_limits();

    (void)state;
    tiny = tiny_start(&limits);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    tiny_stop(tiny);
    return 0;
}

/* ---- heads and bodies ------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *why;
    const char *sent;
    unsigned    status;
    const char *body;
} cases[] = {
    { "no body",
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "GET|/||HTTP/1.1|1|0" },
    { "a body",
      "POST /score?a=1&b=%20 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
      "\r\nhello",
      200, "POST|/score|a=1&b=%20|HTTP/1.1|2|5" },
    { "a body comes back",
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      200, "hello" },
    { "an empty body with a length",
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      200, "" },
    { "chunks and a trailer",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n",
      200, "abcde" },
    { "chunks and nothing in them",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "0\r\n\r\n",
      200, "" },
    { "GET with a body",
      "GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
      200, "hi" },
    { "HTTP/1.0 without Host",
      "GET /x HTTP/1.0\r\n\r\n",
      200, "GET|/x||HTTP/1.0|0|0" },
    { "slashes in front are one",
      "GET ///score HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "GET|/score||HTTP/1.1|1|0" },
    { "escapes are decoded, a plus is none",
      "GET /sc%6Fre+%zz?%41 HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "GET|/score+%zz|%41|HTTP/1.1|1|0" },
    { "a fragment is dropped",
      "GET /score?a#b HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "GET|/score|a|HTTP/1.1|1|0" },
    { "absolute form",
      "GET http://b/score?q HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "GET|/score|q|HTTP/1.1|1|0" },
    { "OPTIONS *",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "OPTIONS|*||HTTP/1.1|1|0" },
    { "a method that nobody knows",
      "FROBNICATE /x HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "FROBNICATE|/x||HTTP/1.1|1|0" },
    { "blanks around values and empty values",
      "GET /x HTTP/1.1\r\nHost:\ta \r\nA:\r\nB: \r\nC:c\r\n\r\n",
      200, "GET|/x||HTTP/1.1|4|0" },
    { "no reply body where none may be",
      "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
      204, "" },
    { "a reply from the head, with a small body behind it",
      "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      200, "early" },
    { "a body that the app does not want",
      "POST /dropped HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      200, "POST|/dropped||HTTP/1.1|2|0" },
    { "a stream of unknown length",
      "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "onetwothree" },
    { "a stream of known length",
      "GET /sized HTTP/1.1\r\nHost: a\r\n\r\n",
      200, "hello world" },
};
/* clang-format on */

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* Reads one reply and compares it. */
static void
expect_reply(int fd, unsigned status, const char *body)
{
    struct http_reply reply = http_read(fd);

    assert_int_equal(reply.status, status);
    assert_string_equal(reply.body, body);
    assert_true(reply.is_whole);
    http_reply_finish(&reply);
}

static void
test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        int fd = http_connect(tiny_port(tiny));

        print_message("%s\n", cases[i].why);
        assert_true(http_say(fd, cases[i].sent));
        expect_reply(fd, cases[i].status, cases[i].body);
        (void)close(fd);
    }
}

/* The same, a byte at a time: each is a read of its own on the other side,
 * as far as the machine has it. */
static void
test_answers_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        int fd = http_connect(tiny_port(tiny));

        print_message("%s\n", cases[i].why);
        for (const char *at = cases[i].sent; *at != '\0'; at++) {
            assert_true(http_send(fd, at, 1));
        }
        expect_reply(fd, cases[i].status, cases[i].body);
        (void)close(fd);
    }
}

/* All of them on one connection, sent together and answered in order. */
static void
test_pipelined(void **state)
{
    char all[8192] = "";
    int fd = http_connect(tiny_port(tiny));

    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        if (strstr(cases[i].sent, "HTTP/1.0") == NULL) {
            strncat(all, cases[i].sent, sizeof(all) - strlen(all) - 1);
        }
    }
    assert_true(http_say(fd, all));
    for (size_t i = 0; i < CASES; i++) {
        if (strstr(cases[i].sent, "HTTP/1.0") == NULL) {
            print_message("%s\n", cases[i].why);
            expect_reply(fd, cases[i].status, cases[i].body);
        }
    }
    (void)close(fd);
}

/* Pairs of requests, cut at each byte of the pair. */
static void
test_split_anywhere(void **state)
{
    static const char pair[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "\r\n3\r\ndef\r\n0\r\n\r\n";
    int fd = http_connect(tiny_port(tiny));

    (void)state;
    for (size_t cut = 1; cut + 1 < sizeof(pair); cut++) {
        assert_true(http_send(fd, pair, cut));
        /* Another connection's reply comes after the first part was read. */
        assert_int_equal(
            http_ask(tiny_port(tiny), "GET / HTTP/1.0\r\n\r\n", NULL, 0), 200);
        assert_true(http_send(fd, pair + cut, sizeof(pair) - 1 - cut));
        expect_reply(fd, 200, "abc");
        expect_reply(fd, 200, "def");
    }
    (void)close(fd);
}

static void
test_head_has_no_body(void **state)
{
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    assert_true(http_say(fd, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"
                             "HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n"));
    reply = http_read_head(fd);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "Content-Length: 21\r\n"));
    http_reply_finish(&reply);
    reply = http_read_head(fd);
    assert_int_equal(reply.status, 200);
    assert_null(strstr(reply.head, "Content-Length"));
    if (strstr(reply.head, "Connection: close\r\n") == NULL) {
        assert_true(http_say(fd, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
        expect_reply(fd, 200, "");
    } else {
        assert_true(http_is_closed(fd));
    }
    http_reply_finish(&reply);
    (void)close(fd);
}

/* ---- large things ----------------------------------------------------- */

static void
test_large_bodies(void **state)
{
    size_t length = (size_t)3 * 1024 * 1024 + 17;
    char *bytes = malloc(length);
    char head[128];
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (char)(i * 7 + i / 251);
    }
    (void)snprintf(head, sizeof(head),
                   "POST /echo HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   length);
    for (int i = 0; i < 3; i++) {
        assert_true(http_say(fd, head));
        assert_true(http_send(fd, bytes, length));
        reply = http_read(fd);
        assert_int_equal(reply.status, 200);
        assert_int_equal(reply.body_len, length);
        assert_memory_equal(reply.body, bytes, length);
        http_reply_finish(&reply);
    }
    free(bytes);
    (void)close(fd);
}

static void
test_large_reply(void **state)
{
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    assert_true(http_say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
                             "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    reply = http_read(fd);
    assert_int_equal(reply.body_len, TINY_BIG_BYTES);
    assert_true(reply.is_whole);
    http_reply_finish(&reply);
    expect_reply(fd, 200, "");
    (void)close(fd);
}

/* As many and as large fields as are allowed, together 24 KiB. */
static void
test_large_head(void **state)
{
    char *text = calloc(32, 1024);
    size_t at;
    char body[64];

    (void)state;
    at = (size_t)sprintf(text, "GET /x HTTP/1.1\r\nHost: a\r\nLong: ");
    memset(text + at, 'v', 8190 - 8);
    at = strlen(text);
    at += (size_t)sprintf(text + at, "\r\n");
    for (int i = 0; i < 98; i++) {
        at += (size_t)sprintf(text + at, "Field-%02d: %0140d\r\n", i, i);
    }
    (void)sprintf(text + at, "\r\n");
    assert_int_equal(http_ask(tiny_port(tiny), text, body, sizeof(body)), 200);
    assert_string_equal(body, "GET|/x||HTTP/1.1|100|0");
    free(text);
}

/* ---- connections ------------------------------------------------------ */

static void
test_continue(void **state)
{
    int fd = http_connect(tiny_port(tiny));

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(http_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                                 "Expect: 100-continue\r\n"
                                 "Content-Length: 3\r\n\r\n"));
        expect_reply(fd, 100, "");
        assert_true(http_say(fd, "abc"));
        expect_reply(fd, 200, "abc");
    }
    assert_true(http_say(fd, "POST /early HTTP/1.1\r\nHost: a\r\n"
                             "Expect: 100-continue\r\n"
                             "Content-Length: 3\r\n\r\n"));
    expect_reply(fd, 200, "early");
    assert_true(http_is_closed(fd));
    (void)close(fd);
}

static void
test_keep_alive(void **state)
{
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    assert_true(http_say(fd, "GET /x HTTP/1.0\r\n"
                             "Connection: Keep-Alive\r\n\r\n"));
    reply = http_read(fd);
    assert_non_null(strstr(reply.head, "Connection: Keep-Alive\r\n"));
    http_reply_finish(&reply);
    assert_true(http_say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n"
                             "Connection: close\r\n\r\n"));
    reply = http_read(fd);
    assert_non_null(strstr(reply.head, "Connection: close\r\n"));
    http_reply_finish(&reply);
    assert_true(http_is_closed(fd));
    (void)close(fd);

    fd = http_connect(tiny_port(tiny));
    assert_true(http_say(fd, "GET /pieces HTTP/1.0\r\n\r\n"));
    expect_reply(fd, 200, "onetwothree");
    assert_true(http_is_closed(fd));
    (void)close(fd);
}

static void
test_other_families(void **state)
{
    char path[64];
    uint16_t port = tiny_listen_v6(tiny);
    int fd;

    (void)state;
    if (port != 0) {
        fd = http_connect_v6(port);
        assert_true(http_say(fd, cases[0].sent));
        expect_reply(fd, 200, cases[0].body);
        (void)close(fd);
    }
    (void)snprintf(path, sizeof(path), "/tmp/sco-test-%d.sock", (int)getpid());
    tiny_listen_unix(tiny, path);
    fd = http_connect_unix(path);
    assert_true(http_say(fd, cases[1].sent));
    expect_reply(fd, 200, cases[1].body);
    (void)close(fd);
    (void)unlink(path);
}

/* ---- replies that come later ------------------------------------------ */

static void
test_later(void **state)
{
    struct tiny_counts *counts = tiny_counts(tiny);
    int fds[8];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) {
            fds[i] = http_connect(tiny_port(tiny));
            assert_true(http_say(fds[i],
                                 "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
        assert_true(tiny_wait(&counts->held, 8));
        tiny_open(tiny);
        for (int i = 0; i < 8; i++) {
            expect_reply(fds[i], 200, "GET|/later||HTTP/1.1|1|0");
            expect_reply(fds[i], 200, "");
            (void)close(fds[i]);
        }
    }
}

/* More of what is sent while a reply is outstanding is read after it. */
static void
test_later_and_more(void **state)
{
    struct tiny_counts *counts = tiny_counts(tiny);
    int fd = http_connect(tiny_port(tiny));
    int other = http_connect(tiny_port(tiny));

    (void)state;
    assert_true(http_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(tiny_wait(&counts->held, 1));
    assert_true(http_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\n"
                             "Content-Length: 2\r\n\r\nhi"));
    assert_int_equal(
        http_ask(tiny_port(tiny), "GET / HTTP/1.0\r\n\r\n", NULL, 0), 200);
    tiny_open(tiny);
    expect_reply(fd, 200, "GET|/later||HTTP/1.1|1|0");
    expect_reply(fd, 200, "hi");
    (void)close(other);
    (void)close(fd);
}

static void
test_drip(void **state)
{
    struct tiny_counts *counts = tiny_counts(tiny);
    int fd = http_connect(tiny_port(tiny));

    (void)state;
    assert_true(http_say(fd, "GET /drip HTTP/1.1\r\nHost: a\r\n\r\n"
                             "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 20; i++) {
        assert_true(tiny_wait(&counts->pieces, 1));
        tiny_more(tiny, i % 2 == 0 ? "tick" : "tock");
    }
    assert_true(tiny_wait(&counts->pieces, 1));
    tiny_more(tiny, "end");
    expect_reply(fd, 200,
                 "ticktockticktockticktockticktockticktock"
                 "ticktockticktockticktockticktockticktock");
    expect_reply(fd, 200, "");
    (void)close(fd);
}

static void
test_broken_stream(void **state)
{
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    assert_true(http_say(fd, "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n"));
    reply = http_read(fd);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "one");
    assert_false(reply.is_whole);
    http_reply_finish(&reply);
    assert_true(http_is_closed(fd));
    (void)close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, start, stop),
        cmocka_unit_test_setup_teardown(test_answers_bytes, start, stop),
        cmocka_unit_test_setup_teardown(test_pipelined, start, stop),
        cmocka_unit_test_setup_teardown(test_split_anywhere, start, stop),
        cmocka_unit_test_setup_teardown(test_head_has_no_body, start, stop),
        cmocka_unit_test_setup_teardown(test_large_bodies, start, stop),
        cmocka_unit_test_setup_teardown(test_large_reply, start, stop),
        cmocka_unit_test_setup_teardown(test_large_head, start, stop),
        cmocka_unit_test_setup_teardown(test_continue, start, stop),
        cmocka_unit_test_setup_teardown(test_keep_alive, start, stop),
        cmocka_unit_test_setup_teardown(test_other_families, start, stop),
        cmocka_unit_test_setup_teardown(test_later, start, stop),
        cmocka_unit_test_setup_teardown(test_later_and_more, start, stop),
        cmocka_unit_test_setup_teardown(test_drip, start, stop),
        cmocka_unit_test_setup_teardown(test_broken_stream, start, stop),
    };

    return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
