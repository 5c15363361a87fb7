/* test_pipeline.c - what a client gets, from the first byte to the last
 *
 * Over loopback, from the whole host with a fake worker.
 */
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_host.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOT_FOUND                                                        \
    "{\"message\": \"The requested URL was not found on the server. If " \
    "you entered the URL manually please check your spelling and try "   \
    "again.\"}"

#define HUNDRED_AND_ONE                                 \
    "0123456789012345678901234567890123456789012345678" \
    "9012345678901234567890123456789012345678901234567" \
    "89x"

static struct tiny_host *host;

static int
stop(void **state)
{
    (void)state;
    tiny_host_stop(host);
    return 0;
}

static void
start(void)
{
    const struct tiny_host_options options = { .version = "azmlinfsrv/1.5.1" };

    host = tiny_host_start(&options);
}

/* ---- one request, one reply ----------------------------------------- */

/* clang-format off */
static const struct {
    const char *why;
    const char *line;   /* method, target */
    const char *fields; /* of the request */
    const char *body;   /* of a POST, else NULL */
    unsigned    status;
    const char *reply;  /* NULL: whatever */
    const char *has;    /* a field of the reply */
    const char *has_no; /* one that it must not have */
} cases[] = {
    { "a body is scored",
      "POST /score", "", "hello", 200, "hello",
      "Content-Type: application/json", "Retry-After" },
    { "an empty one too",
      "POST /score", "", "", 200, "", "x-ms-run-function-failed: False",
      NULL },
    { "a query changes nothing",
      "POST /score?x=1", "", "hello", 200, "hello", NULL, NULL },
    { "the path is decoded",
      "POST /sc%6Fre", "", "hello", 200, "hello", NULL, NULL },
    { "a GET goes the general way",
      "GET /score?a=1", "", NULL, 200, "/score?a=1", NULL, NULL },
    { "time inside of run()",
      "POST /score", "", "hello", 200, NULL, "x-ms-run-fn-exec-ms: 1.235",
      NULL },
    { "the version and the ids",
      "POST /score", "x-request-id: A\r\n", "x", 200, NULL,
      "x-ms-server-version: azmlinfsrv/1.5.1", "x-ms-client-request-id" },
    { "an id goes back",
      "POST /score", "X-Request-ID: A\r\n", "x", 200, NULL,
      "x-request-id: A", NULL },
    { "... under its other name too",
      "POST /score", "X-Request-ID: A\r\n", "x", 200, NULL,
      "x-ms-request-id: A", NULL },
    { "a trace id too",
      "POST /score", "traceid: T\r\n", "x", 200, NULL, "TraceId: T", NULL },
    { "healthy",
      "GET /", "", NULL, 200, "Healthy",
      "Content-Type: text/html; charset=utf-8", NULL },
    { "... however many slashes", "GET ///", "", NULL, 200, "Healthy", NULL,
      NULL },
    { "an unknown path", "GET /nowhere", "", NULL, 404, NOT_FOUND,
      "Content-Type: application/json", NULL },
    { "no slash too many", "POST /score/", "", "x", 404, NOT_FOUND, NULL,
      NULL },
    { "paths have their case", "POST /Score", "", "x", 404, NOT_FOUND, NULL,
      NULL },
    { "a method that the route has not", "PUT /score", "", NULL, 405,
      "{\"message\": \"The method is not allowed for the requested URL.\"}",
      "Allow: HEAD, GET, POST, OPTIONS", "Retry-After" },
    { "... nor this one", "POST /", "", "x", 405, NULL,
      "Allow: HEAD, GET, OPTIONS", NULL },
    { "a method that nobody knows", "BREW /score", "", NULL, 405, NULL, NULL,
      NULL },
    { "... at a path that nobody knows", "BREW /coffee", "", NULL, 404,
      NOT_FOUND, NULL, NULL },
    { "OPTIONS of /score", "OPTIONS /score", "", NULL, 200, "",
      "Content-Type: text/html; charset=utf-8", "Allow" },
    { "OPTIONS of /", "OPTIONS /", "", NULL, 200, "",
      "Allow: HEAD, GET, OPTIONS", NULL },
    { "an id that is too long", "POST /score",
      "x-request-id: " HUNDRED_AND_ONE "\r\n", "x", 431,
      "{\"message\": \"x-request-id must not exceed 100 characters\"}", NULL,
      "x-request-id" },
    { "... even for a probe", "GET /",
      "x-ms-request-id: " HUNDRED_AND_ONE "\r\nx-request-id: A\r\n", NULL, 431,
      "{\"message\": \"x-ms-request-id and x-ms-client-request-id must not "
      "exceed 100 characters\"}", "x-request-id: A", "x-ms-request-id" },
    { "... but for no path that is not there", "GET /nowhere",
      "x-ms-request-id: " HUNDRED_AND_ONE "\r\n", NULL, 404, NULL, NULL,
      NULL },
    { "a script that raises", "POST /score", "", "raise", 500,
      "{\"message\": \"x\"}", "x-ms-run-function-failed: True",
      "x-ms-run-fn-exec-ms" },
    { "a response of the script's own", "POST /score", "", "made", 201,
      "made", "Content-Type: text/x-own", "x-ms-run-function-failed" },
    { "... with its headers", "POST /score", "", "made", 201, "made",
      "X-Own: value", "not to be sent" },
    { "a stream", "POST /score", "", "stream", 200, "onetwo",
      "Transfer-Encoding: chunked", "Content-Length" },
    { "a caller that waits long enough", "POST /score",
      "x-request-timeout-ms: 60000\r\n", "x", 200, "x", NULL, NULL },
    { "... for ever", "POST /score",
      "x-request-timeout-ms: 99999999999999999999\r\n", "x", 200, "x", NULL,
      NULL },
    { "... and does not say how long", "POST /score",
      "x-request-timeout-ms: 5s\r\n", "x", 400,
      "{\"message\": \"x-request-timeout-ms must be sent once and be a whole "
      "number of milliseconds, 1 or more, not '5s'\"}",
      "x-ms-run-function-failed: False", NULL },
    { "... or says it twice", "POST /score",
      "x-request-timeout-ms: 5\r\nx-request-timeout-ms: 5\r\n", "x", 400,
      NULL, NULL, NULL },
    { "... or says so to a probe, which does not care", "GET /",
      "x-request-timeout-ms: 5s\r\n", NULL, 200, "Healthy", NULL, NULL },
    { "without CORS there is no field of it", "POST /score",
      "Origin: http://a\r\n", "x", 200, NULL, NULL, "Access-Control" },
};
/* clang-format on */

static void
say(int fd, const char *line, const char *fields, const char *body)
{
    char text[2048];

    if (body != NULL) {
        (void)snprintf(text, sizeof(text),
                       "%s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n"
                       "\r\n%s",
                       line, fields, strlen(body), body);
    } else {
        (void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: a\r\n%s\r\n",
                       line, fields);
    }
    assert_true(http_say(fd, text));
}

/* Whether a text stands in a head, in either case. */
static bool
head_has(const char *head, const char *text)
{
    size_t len = strlen(text);

    for (; *head != '\0'; head++) {
        if (strncasecmp(head, text, len) == 0) {
            return true;
        }
    }
    return false;
}

static void
test_each_gets_its_reply(void **state)
{
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_reply reply;

        print_message("%s\n", cases[i].why);
        say(fd, cases[i].line, cases[i].fields, cases[i].body);
        reply = http_read(fd);
        assert_int_equal(reply.status, cases[i].status);
        assert_true(reply.is_whole);
        if (cases[i].reply != NULL) {
            assert_string_equal(reply.body, cases[i].reply);
        }
        if (cases[i].has != NULL) {
            assert_true(head_has(reply.head, cases[i].has));
        }
        if (cases[i].has_no != NULL) {
            assert_false(head_has(reply.head, cases[i].has_no));
        }
        assert_true(head_has(reply.head, "\r\nServer: scorehost\r\n"));
        http_reply_finish(&reply);
    }
    (void)close(fd);
}

static void
test_head_has_no_body(void **state)
{
    struct http_reply reply;
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    say(fd, "HEAD /", "", NULL);
    reply = http_read_head(fd);
    assert_int_equal(reply.status, 200);
    assert_true(head_has(reply.head, "Content-Length: 7\r\n"));
    http_reply_finish(&reply);
    say(fd, "HEAD /score", "", NULL);
    reply = http_read_head(fd);
    assert_int_equal(reply.status, 405);
    http_reply_finish(&reply);
    say(fd, "GET /", "", NULL); /* and the next reply follows at once */
    assert_int_equal(http_status(fd), 200);
    (void)close(fd);
}

static void
test_a_large_reply_arrives_whole(void **state)
{
    struct http_reply reply;
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    for (int i = 0; i < 3; i++) {
        say(fd, "POST /score", "", "big");
        reply = http_read(fd);
        assert_int_equal(reply.status, 200);
        assert_int_equal(reply.body_len, 1024 * 1024);
        assert_null(memchr(reply.body, 0, reply.body_len));
        http_reply_finish(&reply);
    }
    (void)close(fd);
}

static void
test_a_body_in_pieces_is_put_together(void **state)
{
    enum { PIECES = 40, PIECE = 5000 };
    static char piece[PIECE];
    struct http_reply reply;
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    assert_true(http_say(fd, "POST /score HTTP/1.1\r\nHost: a\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < PIECES; i++) {
        char size[16];

        memset(piece, 'a' + i % 26, sizeof(piece));
        (void)snprintf(size, sizeof(size), "%x\r\n", PIECE);
        assert_true(http_say(fd, size));
        assert_true(http_send(fd, piece, sizeof(piece)));
        assert_true(http_say(fd, "\r\n"));
    }
    assert_true(http_say(fd, "0\r\n\r\n"));
    reply = http_read(fd);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_len, PIECES * PIECE);
    for (size_t i = 0; i < PIECES * PIECE; i++) {
        assert_int_equal(reply.body[i], 'a' + (int)(i / PIECE) % 26);
    }
    http_reply_finish(&reply);
    (void)close(fd);
}

static void
test_a_stream_that_breaks_is_cut(void **state)
{
    struct http_reply reply;
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    say(fd, "POST /score", "", "break");
    reply = http_read(fd);
    assert_int_equal(reply.status, 200);
    assert_false(reply.is_whole);
    assert_true(http_is_closed(fd));
    http_reply_finish(&reply);
    (void)close(fd);
}

/* ---- refusals ------------------------------------------------------- */

/* Sends a POST and compares status and, if not NULL, body. */
static void
expect(const char *body, unsigned status, const char *wanted)
{
    int fd = http_connect(tiny_host_port(host));
    struct http_reply reply;

    say(fd, "POST /score", "", body);
    reply = http_read(fd);
    assert_int_equal(reply.status, status);
    if (wanted != NULL) {
        assert_string_equal(reply.body, wanted);
    }
    if (status == 503) {
        assert_true(head_has(reply.head, "\r\nRetry-After: 1\r\n"));
    }
    http_reply_finish(&reply);
    (void)close(fd);
}

static void
test_a_worker_that_dies_is_named(void **state)
{
    (void)state;
    start();
    expect("die", 502,
           "{\"message\": \"The worker process was killed by SIGSEGV while "
           "it scored this request. Check the logs for more info.\"}");
    expect("hello", 200, "hello");
}

static void
test_what_takes_too_long_is_told_so(void **state)
{
    const struct tiny_host_options options = { .limit_ms = 50 };

    (void)state;
    host = tiny_host_start(&options);
    expect("hold", 500, "{\"message\": \"Scoring timeout after 50 ms\"}");
    tiny_host_open(host);
    expect("hello", 200, "hello");
}

/* Has a request wait and compares what it is answered with at its time. */
static void
expect_late(const char *fields, const char *body, const char *wanted)
{
    int fd = http_connect(tiny_host_port(host));
    struct http_reply reply;

    say(fd, "POST /score", fields, body);
    reply = http_read(fd);
    assert_int_equal(reply.status, 504);
    assert_string_equal(reply.body, wanted);
    http_reply_finish(&reply);
    (void)close(fd);
}

static void
test_at_its_time_a_caller_is_told_where_its_request_was(void **state)
{
    const struct tiny_host_options options = { .request_ms = 70 };

    (void)state;
    host = tiny_host_start(&options);
    expect_late("x-request-timeout-ms: 60\r\n", "hold",
                "{\"message\": \"Request timeout after 60 ms "
                "(x-request-timeout-ms): the script was running.\"}");
    assert_true(tiny_host_wait_busy(host, 1)); /* it still is */
    assert_true(tiny_host_wait_cancelled(host));
    expect_late("", "waits",
                "{\"message\": \"Request timeout after 70 ms "
                "(request_timeout_ms): it was waiting for a worker.\"}");
    assert_int_equal(tiny_host_scored(host), 1);
    tiny_host_open(host);
    expect("hello", 200, "hello");
    assert_true(tiny_host_wait_busy(host, 0));
}

static void
test_a_body_that_comes_too_late_is_not_scored(void **state)
{
    struct http_reply reply;
    int fd, other;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    assert_true(http_say(fd, "POST /score HTTP/1.1\r\nHost: a\r\n"
                             "x-request-timeout-ms: 1\r\n"
                             "Content-Length: 2\r\n\r\n1"));
    other = http_connect(tiny_host_port(host));
    for (int i = 0; i < 50; i++) { /* well over a millisecond */
        say(other, "POST /score", "", "big");
        assert_int_equal(http_status(other), 200);
    }
    assert_true(http_say(fd, "2"));
    reply = http_read(fd);
    assert_int_equal(reply.status, 504);
    assert_string_equal(reply.body,
                        "{\"message\": \"Request timeout after 1 ms "
                        "(x-request-timeout-ms): its body was still coming "
                        "in.\"}");
    assert_int_equal(tiny_host_scored(host), 50);
    http_reply_finish(&reply);
    (void)close(other);
    (void)close(fd);
}

/* A run() takes 1.2 ms, so sixteen that are ahead take 19. */
static void
test_what_has_no_hope_is_refused_at_once(void **state)
{
    enum { AHEAD = 16 };
    int ahead[AHEAD];
    struct http_reply reply;
    int fd;

    (void)state;
    start();
    for (int i = 0; i < 50; i++) {
        expect("learn", 200, NULL);
    }
    for (size_t i = 0; i < AHEAD; i++) {
        ahead[i] = http_connect(tiny_host_port(host));
        say(ahead[i], "POST /score", "", "hold");
        assert_true(tiny_host_wait_busy(host, i + 1));
    }
    fd = http_connect(tiny_host_port(host));
    /* It would overtake all but the one that runs: one before it, 2.4 ms. */
    say(fd, "POST /score", "x-request-timeout-ms: 1\r\n", "hopeless");
    reply = http_read(fd);
    assert_int_equal(reply.status, 503);
    assert_true(head_has(reply.head, "\r\nRetry-After: 1\r\n"));
    assert_non_null(strstr(reply.body, "within 1 ms (x-request-timeout-ms)"));
    http_reply_finish(&reply);
    assert_int_equal(tiny_host_scored(host), 51);
    tiny_host_open(host);
    say(fd, "POST /score", "x-request-timeout-ms: 60000\r\n", "hopeful");
    assert_int_equal(http_status(fd), 200);
    for (size_t i = 0; i < AHEAD; i++) {
        assert_int_equal(http_status(ahead[i]), 200);
        (void)close(ahead[i]);
    }
    (void)close(fd);
}

static void
test_too_many_are_refused(void **state)
{
    const struct tiny_host_options options = { .max_requests = 1 };
    int waiting[2];
    size_t count = 0;
    unsigned scored;

    (void)state;
    host = tiny_host_start(&options);
    /* One runs, and one may wait. */
    for (; count < 2; count++) {
        waiting[count] = http_connect(tiny_host_port(host));
        say(waiting[count], "POST /score", "", "hold");
        assert_true(tiny_host_wait_busy(host, count + 1));
    }
    scored = tiny_host_scored(host);
    expect("hello", 503,
           "{\"message\": \"Too many requests are waiting. Try again "
           "later.\"}");
    assert_int_equal(tiny_host_scored(host), scored);
    tiny_host_open(host);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(http_status(waiting[i]), 200);
        (void)close(waiting[i]);
    }
}

static void
test_a_body_over_the_limit_is_not_read(void **state)
{
    const struct tiny_host_options options = { .max_body = 10 };
    int fd;

    (void)state;
    host = tiny_host_start(&options);
    expect("0123456789", 200, "0123456789");
    fd = http_connect(tiny_host_port(host));
    assert_true(http_say(fd, "POST /score HTTP/1.1\r\nHost: a\r\n"
                             "Content-Length: 11\r\n\r\n"));
    assert_int_equal(http_status(fd), 413);
    assert_int_equal(tiny_host_scored(host), 1);
    (void)close(fd);
}

static void
test_what_is_no_http_is_refused_with_an_id(void **state)
{
    struct http_reply reply;
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    /* What is repeated or no name some versions of the library refuse. */
    assert_true(http_say(fd, "POST /score HTTP/1.1\r\nHost: a\r\n"
                             "Expect: b\r\nContent-Length: 0\r\n\r\n"));
    reply = http_read(fd);
    assert_int_equal(reply.status, 417);
    assert_true(head_has(reply.head, "\r\nx-request-id: "));
    assert_memory_equal(reply.body, "{\"message\": \"", 13);
    assert_true(http_is_closed(fd));
    http_reply_finish(&reply);
    (void)close(fd);
    assert_int_equal(tiny_host_scored(host), 0);
}

/* ---- health --------------------------------------------------------- */

static void
test_it_is_not_healthy_before_it_is_ready(void **state)
{
    const struct tiny_host_options options = { .is_starting = true };
    char body[256];
    int fd;

    (void)state;
    host = tiny_host_start(&options);
    fd = http_connect(tiny_host_port(host));
    say(fd, "POST /score", "", "early");
    assert_true(tiny_host_wait_busy(host, 1));
    assert_int_equal(http_ask(tiny_host_port(host),
                              "GET / HTTP/1.1\r\nHost: a\r\n\r\n", body,
                              sizeof(body)),
                     503);
    tiny_host_ready(host);
    assert_int_equal(http_status(fd), 200); /* who came early has waited */
    assert_int_equal(http_ask(tiny_host_port(host),
                              "GET / HTTP/1.1\r\nHost: a\r\n\r\n", body,
                              sizeof(body)),
                     200);
    (void)close(fd);
}

static void
test_it_is_healthy_while_every_worker_is_busy(void **state)
{
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    say(fd, "POST /score", "", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    assert_int_equal(http_ask(tiny_host_port(host),
                              "GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 0),
                     200);
    tiny_host_open(host);
    assert_int_equal(http_status(fd), 200);
    (void)close(fd);
}

static void
test_without_any_worker_everything_is_refused(void **state)
{
    static const char probe[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    unsigned status;

    (void)state;
    start();
    do {
        status = http_ask(tiny_host_port(host), probe, NULL, 0);
    } while (status == 503); /* until the first one is ready */
    tiny_host_fail(host);
    do {
        status = http_ask(tiny_host_port(host), probe, NULL, 0);
    } while (status == 200); /* until the second one has died */
    assert_int_equal(status, 503);
    expect("hello", 503, NULL);
    assert_int_equal(tiny_host_scored(host), 0);
}

/* ---- clients that leave --------------------------------------------- */

static void
test_a_client_that_leaves_is_not_scored(void **state)
{
    int running, waiting;

    (void)state;
    start();
    running = http_connect(tiny_host_port(host));
    say(running, "POST /score", "", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    waiting = http_connect(tiny_host_port(host));
    say(waiting, "POST /score", "", "never");
    assert_true(tiny_host_wait_busy(host, 2));
    (void)close(waiting);
    assert_true(tiny_host_wait_busy(host, 1));
    tiny_host_open(host);
    assert_int_equal(http_status(running), 200);
    assert_int_equal(tiny_host_scored(host), 1);
    (void)close(running);
}

static void
test_a_client_that_sends_no_more_has_its_answer_once_it_runs(void **state)
{
    int running, waiting;

    (void)state;
    start();
    running = http_connect(tiny_host_port(host));
    say(running, "POST /score", "", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    waiting = http_connect(tiny_host_port(host));
    say(waiting, "POST /score", "", "never");
    assert_true(tiny_host_wait_busy(host, 2));
    (void)shutdown(running, SHUT_WR);
    (void)shutdown(waiting, SHUT_WR);
    assert_true(tiny_host_wait_busy(host, 1)); /* the one that waited */
    assert_true(tiny_host_wait_cancelled(host));
    tiny_host_open(host);
    assert_int_equal(http_status(running), 200);
    assert_int_equal(tiny_host_scored(host), 1);
    (void)close(running);
    (void)close(waiting);
}

static void
test_a_running_script_sees_that_its_client_left(void **state)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    say(fd, "POST /score", "", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    /* Closed like this, the connection is dead at once: no reply can reach
     * the client, which a FIN alone would not say. */
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)close(fd);
    assert_true(tiny_host_wait_cancelled(host));
    tiny_host_open(host);
    assert_true(tiny_host_wait_busy(host, 0));
}

/* ---- draining ------------------------------------------------------- */

static void
test_draining_what_runs_is_answered_and_then_closed(void **state)
{
    struct http_reply reply;
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    say(fd, "POST /score", "", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    tiny_host_drain(host);
    tiny_host_open(host);
    reply = http_read(fd);
    assert_int_equal(reply.status, 200);
    assert_true(head_has(reply.head, "\r\nConnection: close\r\n"));
    assert_true(http_is_closed(fd));
    http_reply_finish(&reply);
    (void)close(fd);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_each_gets_its_reply),
        STOPPED(test_head_has_no_body),
        STOPPED(test_a_large_reply_arrives_whole),
        STOPPED(test_a_body_in_pieces_is_put_together),
        STOPPED(test_a_stream_that_breaks_is_cut),
        STOPPED(test_a_worker_that_dies_is_named),
        STOPPED(test_what_takes_too_long_is_told_so),
        STOPPED(test_at_its_time_a_caller_is_told_where_its_request_was),
        STOPPED(test_a_body_that_comes_too_late_is_not_scored),
        STOPPED(test_what_has_no_hope_is_refused_at_once),
        STOPPED(test_too_many_are_refused),
        STOPPED(test_a_body_over_the_limit_is_not_read),
        STOPPED(test_what_is_no_http_is_refused_with_an_id),
        STOPPED(test_it_is_not_healthy_before_it_is_ready),
        STOPPED(test_it_is_healthy_while_every_worker_is_busy),
        STOPPED(test_without_any_worker_everything_is_refused),
        STOPPED(test_a_client_that_leaves_is_not_scored),
        STOPPED(test_a_client_that_sends_no_more_has_its_answer_once_it_runs),
        STOPPED(test_a_running_script_sees_that_its_client_left),
        STOPPED(test_draining_what_runs_is_answered_and_then_closed),
    };

    return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
