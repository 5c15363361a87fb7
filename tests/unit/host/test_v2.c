/* test_v2.c - what is asked for below /v2, and how it is answered
 *
 * Over loopback, from the whole host with a fake worker, which does with the
 * body of an infer request what support/tiny_script.h says.
 */
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INFER "/v2/models/iris/infer"

#define HUNDRED_AND_ONE                                 \
    "0123456789012345678901234567890123456789012345678" \
    "9012345678901234567890123456789012345678901234567" \
    "89x"

#define IRIS(batch)                                                 \
    SCO_SLICE_INIT("{\"name\": \"iris\", \"version\": \"1\", "      \
                   "\"max_batch_size\": 8, \"batch\": " batch ", "  \
                   "\"inputs\": [{\"name\": \"x\", "                \
                   "\"datatype\": \"FP32\", \"shape\": [-1, 4]}], " \
                   "\"outputs\": [{\"name\": \"y\", "               \
                   "\"datatype\": \"FP32\", \"shape\": [-1, 3]}]}")

static const struct sco_document documents[] = {
    { SCO_SLICE_INIT("mode"), SCO_SLICE_INIT("plain") },
    { SCO_SLICE_INIT("v2"), IRIS("false") },
};
static const struct sco_document batched[] = {
    { SCO_SLICE_INIT("mode"), SCO_SLICE_INIT("plain") },
    { SCO_SLICE_INIT("v2"), IRIS("true") },
    { SCO_SLICE_INIT("batch"), SCO_SLICE_INIT("8") },
};

static struct tiny_host *host;
static int fd;

static int
stop(void **state)
{
    (void)state;
    (void)close(fd);
    tiny_host_stop(host);
    return 0;
}

static void
start(struct tiny_host_options options)
{
    if (options.documents == NULL) {
        options.documents = documents;
        options.document_count = 2;
    }
    host = tiny_host_start(&options);
    fd = http_connect(tiny_host_port(host));
}

static void
start_plain(void)
{
    start((struct tiny_host_options){ .version = "v/1" });
}

/* Sends a request; a body of NULL is none. */
static void
say(const char *line, const char *fields, const char *body)
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

/* Whether a reply has this status and this text in its body; the rest of it
 * is the caller's to look at and to finish. */
static struct http_reply
expect(const char *line, const char *fields, const char *body, unsigned status,
       const char *has)
{
    struct http_reply reply;

    print_message("%s\n", line);
    say(line, fields, body);
    reply = http_read(fd);
    assert_int_equal(reply.status, status);
    if (strstr(reply.body, has) == NULL) {
        fail_msg("%s has no %s", reply.body, has);
    }
    return reply;
}

/* clang-format off */
static const struct {
    const char *line;   /* method, target */
    const char *fields; /* of the request */
    const char *body;   /* of a POST, else NULL */
    unsigned    status;
    const char *reply;  /* stands in it */
    const char *has;    /* stands in the head */
} cases[] = {
    /* documents */
    { "GET /v2", "", NULL, 200, "{\"name\":\"scorehost\",\"version\":\"",
      "Content-Type: application/json" },
    { "GET /v2/", "", NULL, 200, "\"binary_tensor_data\"",
      "x-ms-server-version: v/1" },
    { "GET //v2?x=1", "", NULL, 200, "\"extensions\"", "x-ms-request-id: " },
    { "GET /%762", "x-request-id: A\r\n", NULL, 200, "\"extensions\"",
      "x-request-id: A\r\n" },
    { "GET /v2/health/live", "", NULL, 200, "{\"live\":true}",
      "x-request-id: " },
    { "GET /v2/health/ready", "", NULL, 200, "{\"ready\":true}",
      "Server: scorehost" },
    { "GET /v2/models/iris", "traceid: T\r\n", NULL, 200,
      "{\"name\":\"iris\",\"versions\":[\"1\"]", "TraceId: T" },
    { "GET /v2/models/%69ris/versions/1/", "", NULL, 200,
      "\"shape\":[-1,4]", "Content-Type: application/json" },
    { "GET /v2/models/iris/ready", "", NULL, 200,
      "{\"name\":\"iris\",\"ready\":true}", "" },
    { "GET /v2/models/iris/versions/1/ready", "", NULL, 200,
      "\"ready\":true", "" },
    { "GET /v2/models/iris/config", "", NULL, 200, "\"max_batch_size\":8",
      "" },
    { "GET /v2/models/iris/stats", "", NULL, 200, "\"inference_count\":0",
      "" },
    { "GET /v2/models/stats", "", NULL, 200, "{\"model_stats\":[{\"name\":",
      "" },
    { "GET /v2/models/iris/openapi.json", "", NULL, 200, "\"openapi\"", "" },

    /* what is not there */
    { "GET /v2/nothing", "", NULL, 404, "{\"error\":\"there is no ", "" },
    { "GET /v2/health", "", NULL, 404, "{\"error\":\"", "" },
    { "GET /v2/models/iris/", "", NULL, 200, "iris", "" },
    { "GET /v2/models/iris/nothing", "", NULL, 404, "{\"error\":\"", "" },
    { "GET /v2/models/%zz", "", NULL, 404, "{\"error\":\"", "" },
    { "GET /v2/models/rose", "", NULL, 404, "{\"error\":\"", "" },
    { "GET /v2/models/rose/ready", "", NULL, 404, "iris", "" },
    { "POST /v2/models/rose/infer", "", "{}", 404, "{\"error\":\"", "" },
    { "GET /v2/models/iris/versions/2", "", NULL, 404, "{\"error\":\"", "" },
    { "POST /v2/models/iris/versions/2/infer", "", "{}", 404,
      "{\"error\":\"", "" },
    { "GET /v22", "", NULL, 404, "{\"message\": \"", "" },

    /* methods */
    { "POST /v2", "", "{}", 405, "{\"error\":\"", "Allow: GET, HEAD" },
    { "PUT /v2/models/iris", "", NULL, 405, "{\"error\":\"",
      "Allow: GET, HEAD" },
    { "GET " INFER, "", NULL, 405, "{\"error\":\"", "Allow: POST" },
    { "DELETE " INFER, "", NULL, 405, "{\"error\":\"", "Allow: POST" },
    { "BREW /v2/models/iris/config", "", NULL, 405, "{\"error\":\"",
      "Allow: GET, HEAD" },
    { "OPTIONS " INFER, "", NULL, 200, "", "Allow: POST, OPTIONS" },

    /* infer */
    { "POST " INFER, "", "hello", 200, "hello",
      "Content-Type: application/json" },
    { "POST /v2/models/iris/versions/1/infer?a",
      "x-ms-client-request-id: C\r\n", "hello", 200, "hello",
      "x-ms-client-request-id: C\r\n" },
    { "POST " INFER, "Content-Encoding: identity\r\n", "hello", 200, "hello",
      "" },
    { "POST " INFER, "Content-Encoding: GZip \r\n", "hello", 200, "hello",
      "" },
    { "POST " INFER, "Content-Encoding: deflate\r\n", "hello", 200, "hello",
      "" },
    { "POST " INFER, "x-request-timeout-ms: 60000\r\n", "hello", 200,
      "hello", "" },
    { "POST " INFER, "", "made", 201, "made", "Content-Type: text/x-own" },
    { "POST " INFER, "", "made", 201, "made", "X-Own: value" },

    /* ... refused */
    { "POST " INFER, "Content-Encoding: br\r\n", "hello", 415,
      "{\"error\":\"bodies in Content-Encoding 'br' are not understood: send "
      "them in one of gzip, deflate, or as they are\"}",
      "Accept-Encoding: gzip, deflate\r\n" },
    { "POST " INFER, "Content-Encoding: gzip, gzip\r\n", "hello", 415,
      "'gzip, gzip'", "" },
    { "POST " INFER,
      "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", "hello", 415,
      "'(several)'", "" },
    { "POST " INFER, "x-request-timeout-ms: soon\r\n", "hello", 400,
      "{\"error\":\"x-request-timeout-ms must", "" },
    { "POST " INFER, "x-request-id: " HUNDRED_AND_ONE "\r\n", "hello", 431,
      "{\"error\":\"x-request-id must not exceed 100", "" },
};
/* clang-format on */

static void
test_each_gets_its_reply(void **state)
{
    (void)state;
    start_plain();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_reply reply =
            expect(cases[i].line, cases[i].fields, cases[i].body,
                   cases[i].status, cases[i].reply);

        assert_non_null(strstr(reply.head, cases[i].has));
        assert_null(strstr(reply.head, "x-ms-run-fn-exec-ms"));
        if (strncmp(cases[i].line, "GET /v22", 8) != 0) {
            assert_null(strstr(reply.head, "x-ms-run-function-failed"));
        }
        http_reply_finish(&reply);
    }
}

static void
test_head_has_no_body(void **state)
{
    struct http_reply reply;

    (void)state;
    start_plain();
    say("HEAD /v2/health/live", "", NULL);
    reply = http_read_head(fd);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "Content-Length: 13\r\n"));
    http_reply_finish(&reply);
    say("GET /v2/health/live", "", NULL);
    assert_int_equal(http_status(fd), 200);
}

static void
test_it_is_ready_when_a_worker_is(void **state)
{
    struct http_reply reply;

    (void)state;
    start((struct tiny_host_options){ .is_starting = true });
    reply = expect("GET /v2/health/live", "", NULL, 200, "true");
    http_reply_finish(&reply);
    reply = expect("GET /v2/health/ready", "", NULL, 503, "{\"ready\":false}");
    http_reply_finish(&reply);
    reply = expect("GET /v2/models/iris/ready", "", NULL, 503, "false");
    http_reply_finish(&reply);
    reply = expect("GET /v2/models/iris", "", NULL, 503,
                   "{\"error\":\"The server is starting");
    assert_non_null(strstr(reply.head, "Retry-After: "));
    http_reply_finish(&reply);
    reply = expect("POST " INFER, "", "{}", 503,
                   "{\"error\":\"The server is starting");
    http_reply_finish(&reply);
    tiny_host_ready(host);
    do {
        say("GET /v2/models/iris/ready", "", NULL);
    } while (http_status(fd) != 200);
    reply = expect("GET /v2/health/ready", "", NULL, 200, "{\"ready\":true}");
    http_reply_finish(&reply);
}

static void
test_a_script_without_tensors_is_no_model(void **state)
{
    const struct tiny_host_options options = { .documents = documents,
                                               .document_count = 1 };
    struct http_reply reply;

    (void)state;
    host = tiny_host_start(&options);
    fd = http_connect(tiny_host_port(host));
    reply = expect("GET /v2", "", NULL, 200, "scorehost");
    http_reply_finish(&reply);
    reply = expect("GET /v2/health/ready", "", NULL, 200, "true");
    http_reply_finish(&reply);
    reply =
        expect("GET /v2/models/stats", "", NULL, 200, "{\"model_stats\":[]}");
    http_reply_finish(&reply);
    reply = expect("GET /v2/models/iris/ready", "", NULL, 404,
                   "{\"error\":\"the script declares no tensors");
    http_reply_finish(&reply);
    reply = expect("POST " INFER, "", "hello", 404, "@scorehost.tensor(");
    http_reply_finish(&reply);
    assert_int_equal(tiny_host_scored(host), 0);
}

/* ---- infer requests --------------------------------------------------- */

static void
test_a_body_over_the_limit_is_not_read(void **state)
{
    (void)state;
    start((struct tiny_host_options){ .max_body = 100 * 1024 * 1024 });
    assert_true(http_say(fd, "POST " INFER " HTTP/1.1\r\nHost: a\r\n"
                             "Content-Length: 33554433\r\n\r\n"));
    assert_int_equal(http_status(fd), 413);
    assert_int_equal(tiny_host_scored(host), 0);
}

static void
test_a_limit_of_the_hosts_own_is_there_too(void **state)
{
    struct http_reply reply;

    (void)state;
    start((struct tiny_host_options){ .max_body = 10 });
    reply = expect("POST " INFER, "", "0123456789", 200, "0123456789");
    http_reply_finish(&reply);
    reply = expect("POST " INFER, "", "01234567890", 413, "{\"error\":\"");
    http_reply_finish(&reply);
}

static void
test_a_body_of_unknown_length_that_grows_over_it(void **state)
{
    enum { PIECES = 33, PIECE = 1024 * 1024 };
    char *piece = calloc(1, PIECE);
    struct http_reply reply;

    (void)state;
    assert_non_null(piece);
    start((struct tiny_host_options){ .max_body = 100 * 1024 * 1024 });
    assert_true(http_say(fd, "POST " INFER " HTTP/1.1\r\nHost: a\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < PIECES; i++) {
        assert_true(http_say(fd, "100000\r\n"));
        assert_true(http_send(fd, piece, PIECE));
        assert_true(http_say(fd, "\r\n"));
    }
    assert_true(http_say(fd, "0\r\n\r\n"));
    reply = http_read(fd);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.body, "{\"error\":\""));
    assert_int_equal(tiny_host_scored(host), 0);
    http_reply_finish(&reply);
    free(piece);
}

static void
test_a_worker_that_dies_is_told_in_the_protocols_form(void **state)
{
    struct http_reply reply;

    (void)state;
    start_plain();
    reply = expect("POST " INFER, "", "die", 502,
                   "{\"error\":\"The worker process was killed by SIGSEGV");
    http_reply_finish(&reply);
}

static void
test_a_limit_of_time_too(void **state)
{
    struct http_reply reply;

    (void)state;
    start((struct tiny_host_options){ .limit_ms = 50 });
    reply = expect("POST " INFER, "", "hold", 500,
                   "{\"error\":\"Scoring timeout after 50 ms\"}");
    http_reply_finish(&reply);
    tiny_host_open(host);
}

static void
test_and_a_full_house(void **state)
{
    struct http_reply reply;
    int waiting[2];

    (void)state;
    start((struct tiny_host_options){ .max_requests = 1 });
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = http_connect(tiny_host_port(host));
        assert_true(http_say(waiting[i],
                             "POST " INFER " HTTP/1.1\r\nHost: a\r\n"
                             "Content-Length: 4\r\n\r\nhold"));
        assert_true(tiny_host_wait_busy(host, i + 1));
    }
    reply = expect("POST " INFER, "", "x", 503,
                   "{\"error\":\"Too many requests are waiting.");
    assert_non_null(strstr(reply.head, "Retry-After: "));
    http_reply_finish(&reply);
    reply = expect("POST " INFER, "x-request-timeout-ms: 1\r\n", "x", 503,
                   "{\"error\":\"");
    http_reply_finish(&reply);
    tiny_host_open(host);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(http_status(waiting[i]), 200);
        (void)close(waiting[i]);
    }
}

static void
test_what_is_no_http_is_refused_in_the_form_too(void **state)
{
    struct http_reply reply;

    (void)state;
    start_plain();
    /* Nothing that a library of HTTP refuses by itself. */
    assert_true(http_say(fd, "POST " INFER " HTTP/1.1\r\nHost: a\r\n"
                             "Expect: nothing\r\n"
                             "Content-Length: 0\r\n\r\n"));
    reply = http_read(fd);
    assert_int_equal(reply.status, 417);
    assert_memory_equal(reply.body, "{\"error\":\"", 10);
    http_reply_finish(&reply);
}

static void
test_statistics(void **state)
{
    static const char *const bodies[] = { "a", "b", "raise" };
    struct http_reply reply;

    (void)state;
    start((struct tiny_host_options){ .server_timing = true });
    for (size_t i = 0; i < 3; i++) {
        reply = expect("POST " INFER, "", bodies[i], i < 2 ? 200 : 500, "");
        assert_non_null(strstr(reply.head, "Server-Timing: read;dur="));
        http_reply_finish(&reply);
    }
    reply = expect("POST /v2/models/rose/infer", "", "a", 404, "");
    http_reply_finish(&reply);
    reply = expect("GET /v2/models/iris/stats", "", NULL, 200,
                   "\"inference_count\":2,\"execution_count\":2,"
                   "\"inference_stats\":{\"success\":{\"count\":2,");
    assert_non_null(strstr(reply.body, "\"fail\":{\"count\":1,"));
    assert_non_null(strstr(reply.body, "\"queue\":{\"count\":2,"));
    assert_non_null(strstr(reply.body, "\"compute_infer\":{\"count\":2,"));
    assert_non_null(strstr(reply.body, "\"batch_stats\":[{\"batch_size\":1,"));
    assert_null(strstr(reply.body, "\"last_inference\":0,"));
    assert_null(strstr(reply.body, "batch_reasons"));
    http_reply_finish(&reply);
}

static void
test_statistics_of_batches(void **state)
{
    static const char *const bodies[] = { "batch", "mate", "mate", "nobody" };
    struct http_reply reply;

    (void)state;
    start((struct tiny_host_options){ .documents = batched,
                                      .document_count = 3 });
    for (size_t i = 0; i < 4; i++) {
        reply = expect("POST " INFER, "", bodies[i], 200, bodies[i]);
        http_reply_finish(&reply);
    }
    reply = expect("POST /score", "", "batch", 200, "batch"); /* no infer */
    http_reply_finish(&reply);
    reply = expect("GET /v2/models/iris/stats", "", NULL, 200,
                   "\"inference_count\":4,\"execution_count\":1,");
    assert_non_null(strstr(reply.body, "\"batch_stats\":[{\"batch_size\":3,"
                                       "\"compute_input\":{\"count\":1,"));
    assert_non_null(strstr(reply.body, ",\"batch_reasons\":{\"full\":0,"));
    assert_non_null(strstr(reply.body, ",\"idle\":2,"));
    assert_non_null(strstr(reply.body, ",\"other\":1}}]}"));
    http_reply_finish(&reply);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_each_gets_its_reply),
        STOPPED(test_head_has_no_body),
        STOPPED(test_it_is_ready_when_a_worker_is),
        STOPPED(test_a_script_without_tensors_is_no_model),
        STOPPED(test_a_body_over_the_limit_is_not_read),
        STOPPED(test_a_limit_of_the_hosts_own_is_there_too),
        STOPPED(test_a_body_of_unknown_length_that_grows_over_it),
        STOPPED(test_a_worker_that_dies_is_told_in_the_protocols_form),
        STOPPED(test_a_limit_of_time_too),
        STOPPED(test_and_a_full_house),
        STOPPED(test_what_is_no_http_is_refused_in_the_form_too),
        STOPPED(test_statistics),
        STOPPED(test_statistics_of_batches),
    };

    return cmocka_run_group_tests_name("v2", tests, NULL, NULL);
}
