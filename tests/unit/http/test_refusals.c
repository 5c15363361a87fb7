/* test_refusals.c - what never reaches a script
 *
 * Each case says which statuses are right; 0 is a connection closed without
 * an answer. Where the library refuses by itself the answer is its own, and
 * differs with its version; that no request gets through does not.
 */
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BODY_LIMIT = 64 * 1024,
    MIB = 1024 * 1024,
    TAKEN_BY_0_9 = 1, /* for a status: libmicrohttpd 0.9 lets it through */
};

static struct tiny *tiny;

static int
start(void **state)
{
    struct sco_http_limits limits = tiny_limits();

    (void)state;
    limits.max_body_bytes = BODY_LIMIT;
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

#define LINE   "POST /echo HTTP/1.1\r\n"
#define HOST   "Host: a\r\n"
#define POST   LINE HOST
#define LEN2   "Content-Length: 2\r\n"
#define CHUNKS "Transfer-Encoding: chunked\r\n"

/* clang-format off */
static const struct {
    const char *why;
    const char *sent;
    size_t      length; /* 0: as long as the text */
    unsigned    statuses[3];
} cases[] = {
    /* Where the body ends. */
    { "two lengths that differ",
      POST LEN2 "Content-Length: 3\r\n\r\nabc", 0, { 400 } },
    { "two lengths that agree",
      POST LEN2 LEN2 "\r\nab", 0, { 400 } },
    { "a list of lengths",
      POST "Content-Length: 2, 2\r\n\r\nab", 0, { 400 } },
    { "a length with a sign",
      POST "Content-Length: +2\r\n\r\nab", 0, { 400 } },
    { "a negative length",
      POST "Content-Length: -2\r\n\r\nab", 0, { 400 } },
    { "a length that is no number",
      POST "Content-Length: two\r\n\r\nab", 0, { 400 } },
    { "no length",
      POST "Content-Length: \r\n\r\nab", 0, { 400 } },
    { "a length beyond any",
      POST "Content-Length: 99999999999999999999999\r\n\r\nab",
      0, { 413, 400 } },
    { "a length over the limit",
      POST "Content-Length: 65537\r\n\r\nab", 0, { 413 } },
    { "a length and chunks",
      POST LEN2 CHUNKS "\r\n2\r\nab\r\n0\r\n\r\n", 0, { 400 } },
    { "chunks and a length",
      POST CHUNKS LEN2 "\r\n2\r\nab\r\n0\r\n\r\n", 0, { 400 } },
    { "an unknown coding",
      POST "Transfer-Encoding: bogus\r\n\r\nab", 0, { 501, 400 } },
    { "two codings",
      POST "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
      0, { 501, 400 } },
    { "identity",
      POST "Transfer-Encoding: identity\r\n" LEN2 "\r\nab", 0, { 400, 501 } },
    { "the coding twice",
      POST CHUNKS CHUNKS "\r\n2\r\nab\r\n0\r\n\r\n", 0, { 400 } },
    { "a coding with a blank inside",
      POST "Transfer-Encoding: chunked x\r\n\r\n2\r\nab\r\n0\r\n\r\n",
      0, { 501, 400 } },
    { "chunks in HTTP/1.0",
      "POST /echo HTTP/1.0\r\n" CHUNKS "\r\n2\r\nab\r\n0\r\n\r\n",
      0, { 400 } },
    /* Chunks. */
    { "a chunk without a length",
      POST CHUNKS "\r\n\r\nab\r\n0\r\n\r\n", 0, { 400, 0 } },
    { "a chunk's length that is no number",
      POST CHUNKS "\r\nzz\r\nab\r\n0\r\n\r\n", 0, { 400, 0 } },
    { "a chunk's length with a sign",
      POST CHUNKS "\r\n+2\r\nab\r\n0\r\n\r\n", 0, { 400, 0 } },
    { "a chunk's length with 0x",
      POST CHUNKS "\r\n0x2\r\nab\r\n0\r\n\r\n", 0, { 400, 0 } },
    { "a chunk that is longer than it says",
      POST CHUNKS "\r\n2\r\nabc\r\n0\r\n\r\n", 0, { 400, 0 } },
    { "a chunk that is shorter than it says",
      POST CHUNKS "\r\n3\r\nab\r\n0\r\n\r\n", 0, { 400, 0, TAKEN_BY_0_9 } },
    { "the same behind an extension",
      POST CHUNKS "\r\n3;x\r\nab\r\n0\r\n\r\n", 0, { 400, 0, TAKEN_BY_0_9 } },
    { "a bare LF behind a chunk's length",
      POST CHUNKS "\r\n2\nab\r\n0\r\n\r\n", 0, { 400, 0, TAKEN_BY_0_9 } },
    { "a bare LF behind a chunk",
      POST CHUNKS "\r\n2\r\nab\n0\r\n\r\n", 0, { 400, 0, TAKEN_BY_0_9 } },
    { "a chunk's length beyond any",
      POST CHUNKS "\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n",
      0, { 413, 400, 0 } },
    { "a trailer without a colon",
      POST CHUNKS "\r\n2\r\nab\r\n0\r\nnonsense\r\n\r\n", 0, { 400, 0 } },
    /* Host. */
    { "no Host",
      LINE LEN2 "\r\nab", 0, { 400 } },
    { "two Hosts",
      POST HOST LEN2 "\r\nab", 0, { 400 } },
    { "two Hosts in HTTP/1.0",
      "POST /echo HTTP/1.0\r\n" HOST HOST "\r\n", 0, { 400 } },
    /* Fields. */
    { "a control byte in a value",
      POST "A: \001\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "an escape in a value",
      POST "A: \033[0m\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "a DEL in a value",
      POST "A: \177\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "a NUL in a value",
      POST "A: b\0c\r\n" LEN2 "\r\nab",
      sizeof(POST "A: b\0c\r\n" LEN2 "\r\nab") - 1, { 400, 0 } },
    { "a NUL at the end of a value",
      POST "A: b\0\r\n" LEN2 "\r\nab",
      sizeof(POST "A: b\0\r\n" LEN2 "\r\nab") - 1, { 400, 0 } },
    { "a NUL in a name",
      POST "A\0: b\r\n" LEN2 "\r\nab",
      sizeof(POST "A\0: b\r\n" LEN2 "\r\nab") - 1, { 400, 0 } },
    { "a CR in a value",
      POST "A: b\rc\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "a bare LF between fields",
      POST "A: b\nB: c\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "a bare LF behind the last field",
      POST "A: b\r\nContent-Length: 2\n\r\nab", 0, { 400, 0 } },
    { "a bare LF behind the request line",
      "POST /echo HTTP/1.1\n" HOST LEN2 "\r\nab", 0, { 400, 0 } },
    { "a bare LF for the empty line",
      POST LEN2 "\nab", 0, { 400, 0 } },
    { "a folded field",
      POST "A: b\r\n c\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "a folded field at the end",
      POST LEN2 "A: b\r\n\tc\r\n\r\nab", 0, { 400, 0 } },
    { "a first field that is folded",
      LINE " " HOST LEN2 "\r\nab", 0, { 400, 0 } },
    { "a blank before the colon",
      POST "Content-Length : 2\r\n\r\nab", 0, { 400, 0 } },
    { "a blank in a name",
      POST "A B: c\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "no name",
      POST ": c\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "no colon",
      POST "nonsense\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "a separator in a name",
      POST "A(b): c\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    { "an umlaut in a name",
      POST "\303\274: c\r\n" LEN2 "\r\nab", 0, { 400, 0 } },
    /* The request line. */
    { "a method in lower case",
      "post /echo HTTP/1.1\r\n" HOST LEN2 "\r\nab", 0, { 400 } },
    { "a method that is too short",
      "GO /echo HTTP/1.1\r\n" HOST "\r\n", 0, { 400 } },
    { "a method that is too long",
      "ABCDEFGHIJKLMNOPQRSTU /echo HTTP/1.1\r\n" HOST "\r\n", 0, { 400 } },
    { "a method with an odd byte",
      "GE#T /echo HTTP/1.1\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "two blanks",
      "GET  /echo HTTP/1.1\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "two blanks before the version",
      "GET /echo  HTTP/1.1\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "a blank behind the version",
      "GET /echo HTTP/1.1 \r\n" HOST "\r\n", 0, { 400, 0 } },
    { "a tab",
      "GET\t/echo HTTP/1.1\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "a blank in the target",
      "GET /echo x HTTP/1.1\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "a control byte in the target",
      "GET /echo\001 HTTP/1.1\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "a NUL in the target",
      "GET /ec\0ho HTTP/1.1\r\n" HOST "\r\n",
      sizeof("GET /ec\0ho HTTP/1.1\r\n" HOST "\r\n") - 1, { 400, 0 } },
    { "a target that is no path",
      "GET echo HTTP/1.1\r\n" HOST "\r\n", 0, { 400 } },
    { "no target",
      "GET HTTP/1.1\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "no version",
      "GET /echo\r\n" HOST "\r\n", 0, { 400, 0 } },
    { "HTTP/0.9",
      "GET /echo HTTP/0.9\r\n" HOST "\r\n", 0, { 505, 400, 0 } },
    { "HTTP/2",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, { 505, 400, 0 } },
    { "a version in lower case",
      "GET /echo http/1.1\r\n" HOST "\r\n", 0, { 400, 505, 0 } },
    { "TLS",
      "\026\003\001\002\000\001\000\001\374\003\003\r\n\r\n",
      15, { 400, 0 } },
    { "an expectation that we do not know",
      POST "Expect: magic\r\n" LEN2 "\r\nab", 0, { 417 } },
};
/* clang-format on */

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* Whether a status is one of those. 0 only where it is named: lists end with
 * zeros, so it is looked for behind the first. */
static bool
is_right(size_t i, unsigned status)
{
    for (size_t k = 0; k < 3; k++) {
        if (cases[i].statuses[k] == status) {
            return true;
        }
    }
    return false;
}

/* Nothing got through: none was whole before the app. */
static void
expect_none(void)
{
    assert_int_equal(atomic_load(&tiny_counts(tiny)->requests), 0);
}

/* Sends one, and says whether all is right. */
static bool
is_refused(size_t i)
{
    size_t length =
        cases[i].length != 0 ? cases[i].length : strlen(cases[i].sent);
    unsigned through = atomic_load(&tiny_counts(tiny)->requests);
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;
    bool right;

    (void)http_send(fd, cases[i].sent, length);
    (void)shutdown(fd, SHUT_WR);
    reply = http_read(fd);
    (void)http_read_to_end(fd);
    (void)close(fd);
    right = is_right(i, reply.status) &&
            atomic_load(&tiny_counts(tiny)->requests) == through;
    print_message("%s%s: %u %s\n", right ? "" : "WRONG: ", cases[i].why,
                  reply.status, reply.body);
    http_reply_finish(&reply);
    return right;
}

static void
test_refused(void **state)
{
    bool is_lenient = strstr(sco_http_library(), "microhttpd 0.") != NULL;
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        if (!(is_lenient && cases[i].statuses[2] == TAKEN_BY_0_9) &&
            !is_refused(i)) {
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Cut at any byte, a request that is cut off there is never scored. */
static void
test_cut_off(void **state)
{
    static const char *const wholes[] = {
        POST "Content-Length: 5\r\n\r\nhello",
        POST CHUNKS "\r\n5\r\nhello\r\n0\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t cut = 1; cut < strlen(wholes[i]); cut++) {
            int fd = http_connect(tiny_port(tiny));

            assert_true(http_send(fd, wholes[i], cut));
            (void)shutdown(fd, SHUT_WR);
            assert_int_equal(http_read_to_end(fd), 0);
            (void)close(fd);
        }
    }
    expect_none();
}

/* ---- what is too much ------------------------------------------------- */

/* Sends a request line and a field of some lengths. */
static unsigned
ask_sized(size_t target_len, size_t value_len, int fields)
{
    char *text = calloc(1, target_len + value_len + 20000);
    size_t at;
    unsigned status;

    at = (size_t)sprintf(text, "GET /");
    memset(text + at, 't', target_len);
    at = strlen(text);
    at += (size_t)sprintf(text + at, " HTTP/1.1\r\nHost: a\r\nLong: ");
    memset(text + at, 'v', value_len);
    at = strlen(text);
    at += (size_t)sprintf(text + at, "\r\n");
    for (int i = 0; i < fields; i++) {
        at += (size_t)sprintf(text + at, "F%d: x\r\n", i);
    }
    (void)sprintf(text + at, "\r\n");
    status = http_ask(tiny_port(tiny), text, NULL, 0);
    free(text);
    return status;
}

static void
test_sizes(void **state)
{
    size_t line = strlen("GET / HTTP/1.1");

    (void)state;
    assert_int_equal(ask_sized(4094 - line, 1, 0), 200);
    assert_int_equal(ask_sized(4095 - line, 1, 0), 400);
    assert_int_equal(ask_sized(20000, 1, 0), 400);
    assert_int_equal(ask_sized(40000, 1, 0), 414);
    assert_int_equal(ask_sized(1, 8190 - 8, 0), 200);
    assert_int_equal(ask_sized(1, 8191 - 8, 0), 431);
    assert_int_equal(ask_sized(1, 40000, 0), 431);
    assert_int_equal(ask_sized(1, 1, 98), 200);
    assert_int_equal(ask_sized(1, 1, 99), 431);
    assert_int_equal(ask_sized(1, 1, 300), 431);
}

/* A body over the limit is answered, whether its length was told or not, also
 * when the client sends all of it before it reads. */
static void
test_too_large(void **state)
{
    static const char *const heads[] = {
        POST "Content-Length: 1000000\r\n\r\n",
        POST CHUNKS "\r\nF4240\r\n",
    };
    char *bytes = calloc(1, 1000000);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int fd = http_connect(tiny_port(tiny));
        struct http_reply reply;

        assert_true(http_say(fd, heads[i]));
        (void)http_send(fd, bytes, 1000000);
        (void)http_say(fd, i == 1 ? "\r\n0\r\n\r\n" : "");
        reply = http_read(fd);
        assert_int_equal(reply.status, 413);
        assert_true(reply.is_whole);
        http_reply_finish(&reply);
        (void)close(fd);
    }
    expect_none();
    free(bytes);
}

/* A chunked body without an end is cut off. */
static void
test_endless(void **state)
{
    char *bytes = calloc(1, MIB);
    int fd = http_connect(tiny_port(tiny));
    size_t count = 0;

    (void)state;
    assert_true(http_say(fd, POST CHUNKS "\r\n7fffffff\r\n"));
    while (count < 64 && http_send(fd, bytes, MIB)) {
        count++;
    }
    assert_true(count >= 7 && count <= 30);
    expect_none();
    free(bytes);
    (void)close(fd);
}

/* A refusal before a large body, without and with "Expect". */
static void
test_early_refusal(void **state)
{
    int fd = http_connect(tiny_port(tiny));
    struct http_reply reply;

    (void)state;
    assert_true(http_say(fd, POST "Expect: 100-continue\r\n"
                                  "Content-Length: 1000000\r\n\r\n"));
    reply = http_read(fd);
    assert_int_equal(reply.status, 413);
    http_reply_finish(&reply);
    assert_true(http_is_closed(fd));
    (void)close(fd);
    expect_none();
}

/* An extension of a chunk may be refused (1.0.1), but never be taken for
 * data. */
static void
test_chunk_extension(void **state)
{
    char body[64] = "";
    unsigned status =
        http_ask(tiny_port(tiny),
                 POST CHUNKS "\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0;z\r\n\r\n",
                 body, sizeof(body));

    (void)state;
    if (status == 200) {
        assert_string_equal(body, "abcde");
    } else {
        assert_int_equal(status, 400);
        expect_none();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, start, stop),
        cmocka_unit_test_setup_teardown(test_cut_off, start, stop),
        cmocka_unit_test_setup_teardown(test_sizes, start, stop),
        cmocka_unit_test_setup_teardown(test_too_large, start, stop),
        cmocka_unit_test_setup_teardown(test_endless, start, stop),
        cmocka_unit_test_setup_teardown(test_early_refusal, start, stop),
        cmocka_unit_test_setup_teardown(test_chunk_extension, start, stop),
    };

    return cmocka_run_group_tests_name("http refusals", tests, NULL, NULL);
}
