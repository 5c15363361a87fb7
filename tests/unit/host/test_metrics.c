/* test_metrics.c - what is counted when, as GET /metrics tells it
 *
 * Over loopback, from the whole host with a fake worker.
 */
#include "base/clock.h"
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_host.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS (10 * SCO_NS_PER_S)

enum { PAGE_ROOM = 64 * 1024 };

static struct tiny_host *host;
static char page[PAGE_ROOM];

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
    const struct tiny_host_options options = { .limit_ms = 0 };

    host = tiny_host_start(&options);
}

/* ---- asking ------------------------------------------------------------ */

static void
scrape(void)
{
    assert_int_equal(http_ask(tiny_host_port(host),
                              "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", page,
                              sizeof(page)),
                     200);
}

/* Whether a line stands in the page that was scraped last. */
static bool
has(const char *line)
{
    char whole[256];

    (void)snprintf(whole, sizeof(whole), "\n%s\n", line);
    return strstr(page, whole) != NULL;
}

/* Scrapes, and looks for a line. */
static void
assert_tells(const char *line)
{
    scrape();
    if (!has(line)) {
        fail_msg("there is no %s in\n%s", line, page);
    }
}

/* The same, as soon as it is there. */
static void
assert_comes_to_tell(const char *line)
{
    uint64_t begin_ns = sco_clock_now_ns();

    scrape();
    while (!has(line) && sco_clock_now_ns() - begin_ns < PATIENCE_NS) {
        (void)sched_yield();
        scrape();
    }
    assert_tells(line);
}

/* Sends a request to /score; the connection. */
static int
send_score(const char *fields, const char *body)
{
    int fd = http_connect(tiny_host_port(host));
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "POST /score HTTP/1.1\r\nHost: a\r\n%s"
                   "Content-Length: %zu\r\n\r\n%s",
                   fields, strlen(body), body);
    assert_true(http_say(fd, text));
    return fd;
}

static void
score_with(const char *fields, const char *body, unsigned status)
{
    int fd = send_score(fields, body);

    assert_int_equal(http_status(fd), status);
    (void)close(fd);
}

static void
score(const char *body, unsigned status)
{
    score_with("", body, status);
}

/* Leaves as a client does that was killed: it reads no more either. */
static void
leave(int fd)
{
    const struct linger at_once = { .l_onoff = 1 };

    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    (void)close(fd);
}

/* ---- requests that go well --------------------------------------------- */

static void
test_a_request_is_counted_before_it_is_answered(void **state)
{
    (void)state;
    start();
    assert_tells("scorehost_requests_total{route=\"score\",code=\"200\"} 0");
    score("hello", 200);
    score("made", 201);
    assert_tells("scorehost_requests_total{route=\"score\",code=\"200\"} 1");
    assert_true(has("scorehost_requests_total{route=\"score\",code=\"201\"} "
                    "1"));
    assert_true(has("scorehost_request_duration_seconds_bucket{"
                    "route=\"score\",le=\"+Inf\"} 2"));
    assert_true(has("scorehost_request_duration_seconds_count{"
                    "route=\"score\"} 2"));
    assert_true(has("scorehost_request_duration_seconds_count{"
                    "route=\"infer\"} 0"));
    assert_true(has("scorehost_request_body_bytes_total 9"));
    assert_true(has("scorehost_requests_in_flight{route=\"score\"} 0"));
    assert_true(has("scorehost_requests_refused_total{reason=\"invalid\"} "
                    "0"));
    assert_true(has("scorehost_requests_failed_total{reason=\"script\"} 0"));
}

static void
test_each_stage_is_counted(void **state)
{
    static const char *const stages[] = { "read", "queue", "wait", "run",
                                          "write" };
    char line[128];

    (void)state;
    start();
    score("hello", 200);
    scrape();
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(line, sizeof(line),
                       "scorehost_request_stage_seconds_count{stage=\"%s\"} 1",
                       stages[i]);
        assert_true(has(line));
    }
    assert_null(strstr(
        page, "scorehost_request_stage_seconds_sum{stage=\"run\"} 0\n"));
}

static void
test_what_others_ask_for_is_counted_by_its_route(void **state)
{
    (void)state;
    start();
    (void)http_ask(tiny_host_port(host), "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                   NULL, 0);
    (void)http_ask(tiny_host_port(host),
                   "GET /secret/path HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 0);
    (void)http_ask(tiny_host_port(host),
                   "BREW /coffee HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 0);
    (void)http_ask(tiny_host_port(host), "GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
                   NULL, 0);
    assert_tells("scorehost_requests_total{route=\"health\",code=\"200\"} 1");
    assert_true(has("scorehost_requests_total{route=\"other\",code=\"404\"} "
                    "2"));
    assert_true(has("scorehost_requests_total{route=\"v2\",code=\"200\"} 1"));
    assert_null(strstr(page, "secret"));
    assert_null(strstr(page, "BREW"));
    assert_tells("scorehost_requests_total{route=\"metrics\",code=\"200\"} 1");
    assert_true(has("scorehost_request_duration_seconds_count{"
                    "route=\"score\"} 0"));
}

/* ---- in flight ---------------------------------------------------------- */

static void
test_what_is_under_way(void **state)
{
    int first, second;

    (void)state;
    start();
    first = send_score("", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    second = send_score("", "hold");
    assert_true(tiny_host_wait_busy(host, 2));
    assert_tells("scorehost_requests_in_flight{route=\"score\"} 2");
    assert_true(has("scorehost_requests_waiting 1"));
    assert_true(has("scorehost_workers_busy 1"));
    assert_true(has("scorehost_workers_ready 1"));
    assert_true(has("scorehost_workers_wanted 1"));
    tiny_host_open(host);
    assert_int_equal(http_status(first), 200);
    assert_int_equal(http_status(second), 200);
    assert_comes_to_tell("scorehost_requests_in_flight{route=\"score\"} 0");
    assert_tells("scorehost_requests_waiting 0");
    assert_true(has("scorehost_workers_busy 0"));
    (void)close(first);
    (void)close(second);
}

static void
test_nothing_is_in_flight_when_clients_have_left(void **state)
{
    int first, second, third;

    (void)state;
    start();
    first = send_score("", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    second = send_score("", "hold");
    assert_true(tiny_host_wait_busy(host, 2));
    third = http_connect(tiny_host_port(host));
    assert_true(http_say(third, "POST /score HTTP/1.1\r\nHost: a\r\n"
                                "Content-Length: 5\r\n\r\nhel"));
    assert_comes_to_tell("scorehost_requests_in_flight{route=\"score\"} 3");
    leave(third);
    assert_comes_to_tell("scorehost_requests_abandoned_total{"
                         "stage=\"read\"} 1");
    leave(second);
    assert_comes_to_tell("scorehost_requests_abandoned_total{"
                         "stage=\"queue\"} 1");
    leave(first);
    assert_comes_to_tell("scorehost_requests_abandoned_total{"
                         "stage=\"run\"} 1");
    assert_comes_to_tell("scorehost_requests_in_flight{route=\"score\"} 0");
    assert_true(has("scorehost_workers_busy 1")); /* it does not know yet */
    assert_true(has("scorehost_requests_total{route=\"score\",code=\"200\"} "
                    "0"));
    tiny_host_open(host);
    assert_comes_to_tell("scorehost_workers_busy 0");
}

static void
test_a_client_that_sends_no_more_is_dropped_from_the_queue(void **state)
{
    int first, second;

    (void)state;
    start();
    first = send_score("", "hold");
    assert_true(tiny_host_wait_busy(host, 1));
    second = send_score("", "x");
    assert_true(tiny_host_wait_busy(host, 2));
    assert_int_equal(shutdown(second, SHUT_WR), 0);
    assert_int_equal(http_status(second), 499);
    assert_tells("scorehost_requests_abandoned_total{stage=\"queue\"} 1");
    assert_true(has("scorehost_requests_total{route=\"score\",code=\"499\"} "
                    "1"));
    tiny_host_open(host);
    assert_int_equal(http_status(first), 200);
    (void)close(first);
    (void)close(second);
}

static void
test_a_stream_is_over_at_its_end(void **state)
{
    int fd;

    (void)state;
    start();
    fd = send_score("", "stream");
    assert_int_equal(http_status(fd), 200);
    assert_true(http_say(fd, "POST /score HTTP/1.1\r\nHost: a\r\n"
                             "Content-Length: 5\r\n\r\nhello"));
    assert_int_equal(http_status(fd), 200); /* and so the stream is over */
    (void)close(fd);
    assert_tells("scorehost_response_body_bytes_total 11");
    assert_true(has("scorehost_request_duration_seconds_count{"
                    "route=\"score\"} 2"));
    score("break", 0);
    assert_comes_to_tell("scorehost_requests_failed_total{"
                         "reason=\"stream\"} 1");
    assert_true(has("scorehost_requests_abandoned_total{stage=\"write\"} 0"));
    assert_true(has("scorehost_requests_total{route=\"score\",code=\"200\"} "
                    "3"));
    assert_true(has("scorehost_requests_in_flight{route=\"score\"} 0"));
}

/* ---- what goes wrong ---------------------------------------------------- */

static void
test_failures_by_reason(void **state)
{
    const struct tiny_host_options options = { .limit_ms = 50 };

    (void)state;
    host = tiny_host_start(&options);
    score("raise", 500);
    assert_tells("scorehost_requests_failed_total{reason=\"script\"} 1");
    score("die", 502);
    assert_tells("scorehost_requests_failed_total{reason=\"worker_lost\"} 1");
    assert_true(has("scorehost_workers_lost_total{reason=\"signal\"} 1"));
    score("hold", 500);
    assert_tells("scorehost_requests_failed_total{reason=\"timeout\"} 1");
    tiny_host_open(host);
    score("hello", 200);
    assert_true(has("scorehost_requests_failed_total{reason=\"internal\"} 0"));
    assert_tells("scorehost_workers_started_total 2");
}

static void
test_times_that_are_over(void **state)
{
    (void)state;
    start();
    score_with("x-request-timeout-ms: 30\r\n", "hold", 504);
    assert_tells("scorehost_requests_failed_total{reason=\"deadline\"} 1");
    assert_true(has("scorehost_requests_refused_total{reason=\"deadline\"} "
                    "0"));
    score_with("x-request-timeout-ms: 30\r\n", "waits", 504);
    assert_tells("scorehost_requests_refused_total{reason=\"deadline\"} 1");
    assert_true(has("scorehost_requests_failed_total{reason=\"deadline\"} 1"));
    tiny_host_open(host);
}

static void
test_refusals_by_reason(void **state)
{
    const struct tiny_host_options options = { .max_requests = 1,
                                               .max_body = 10 };
    int waiting[2];

    (void)state;
    host = tiny_host_start(&options);
    score("0123456789x", 413);
    assert_tells("scorehost_requests_refused_total{reason=\"too_large\"} 1");
    score_with("x-request-timeout-ms: soon\r\n", "x", 400);
    score_with("Expect: b\r\n", "", 417);
    assert_tells("scorehost_requests_refused_total{reason=\"invalid\"} 2");
    assert_true(has("scorehost_requests_total{route=\"score\",code=\"400\"} "
                    "1"));
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = send_score("", "hold");
        assert_true(tiny_host_wait_busy(host, i + 1));
    }
    score("x", 503);
    assert_tells("scorehost_requests_refused_total{reason=\"queue_full\"} 1");
    assert_true(has("scorehost_request_duration_seconds_count{"
                    "route=\"score\"} 0")); /* none of these was let in */
    tiny_host_open(host);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(http_status(waiting[i]), 200);
        (void)close(waiting[i]);
    }
}

static void
test_no_worker_is_there(void **state)
{
    (void)state;
    start();
    tiny_host_fail(host);
    assert_comes_to_tell("scorehost_workers_lost_total{reason=\"exit\"} 2");
    assert_true(has("scorehost_workers_ready 0"));
    score("x", 503);
    assert_tells("scorehost_requests_refused_total{reason=\"no_worker\"} 1");
}

static void
test_no_more_clients_are_wanted(void **state)
{
    struct http_reply reply;
    int late, asking;

    (void)state;
    start();
    late = http_connect(tiny_host_port(host));
    assert_true(http_say(late, "POST /score HTTP/1.1\r\nHost: a\r\n"));
    asking = http_connect(tiny_host_port(host));
    assert_true(http_say(asking, "GET /metrics HTTP/1.1\r\nHost: a\r\n"));
    assert_tells("scorehost_connections_accepted_total 3");
    tiny_host_drain(host);
    assert_true(http_say(late, "Content-Length: 1\r\n\r\nx"));
    assert_int_equal(http_status(late), 503);
    assert_true(http_say(asking, "\r\n"));
    reply = http_read(asking);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "{reason=\"draining\"} 1\n"));
    http_reply_finish(&reply);
    (void)close(late);
    (void)close(asking);
}

/* ---- batches and the rest ------------------------------------------------
 */

static void
test_batches_count_once(void **state)
{
    (void)state;
    start();
    score("batch", 200);
    score("mate", 200);
    score("mate", 200);
    assert_tells("scorehost_batches_total{reason=\"idle\"} 1");
    assert_true(has("scorehost_batch_rows_bucket{le=\"2\"} 0"));
    assert_true(has("scorehost_batch_rows_bucket{le=\"4\"} 1"));
    assert_true(has("scorehost_batch_rows_sum 3"));
    assert_true(has("scorehost_batches_failed_total 0"));
    score("nobody", 200); /* which tells of nonsense */
    assert_tells("scorehost_batches_total{reason=\"other\"} 1");
    assert_true(has("scorehost_batches_failed_total 1"));
    assert_true(has("scorehost_batch_rows_bucket{le=\"65536\"} 1"));
    assert_true(has("scorehost_batch_rows_bucket{le=\"+Inf\"} 2"));
}

static void
test_the_host_itself(void **state)
{
    (void)state;
    start();
    assert_tells("scorehost_host_restarts_total 2");
    assert_true(has("scorehost_connections_open 1"));
    assert_true(has("scorehost_connections_accepted_total 1"));
    assert_non_null(strstr(page,
                           "\nscorehost_build_info{version=\"" SCO_VERSION
                           "\",python=\"3.13.0\",libmicrohttpd=\""));
    assert_null(strstr(page, "\nscorehost_host_resident_memory_bytes 0\n"));
    assert_true(has("scorehost_workers_resident_memory_bytes 0"));
    assert_non_null(strstr(page, "\nscorehost_start_time_seconds 1"));
}

/* ---- the page ----------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *line;
    unsigned    status;
    const char *has, *has_no;
} methods[] = {
    { "GET /metrics", 200,
      "Content-Type: text/plain; version=0.0.4; charset=utf-8",
      "x-ms-run-function-failed" },
    { "GET /metrics?name=x", 200, "x-ms-request-id: ", NULL },
    { "GET //metrics", 200, "Content-Length: ", NULL },
    { "OPTIONS /metrics", 200, "Allow: HEAD, GET, OPTIONS",
      "x-ms-run-function-failed" },
    { "POST /metrics", 405, "Allow: HEAD, GET, OPTIONS", NULL },
    { "DELETE /metrics", 405, "Allow: HEAD, GET, OPTIONS", NULL },
    { "GET /metrics/", 404, "application/json", NULL },
    { "GET /Metrics", 404, "application/json", NULL },
};
/* clang-format on */

static void
test_methods_and_headers(void **state)
{
    int fd;

    (void)state;
    start();
    fd = http_connect(tiny_host_port(host));
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct http_reply reply;
        char text[256];

        print_message("%s\n", methods[i].line);
        (void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: a\r\n\r\n",
                       methods[i].line);
        assert_true(http_say(fd, text));
        reply = http_read(fd);
        assert_int_equal(reply.status, methods[i].status);
        assert_true(reply.is_whole);
        assert_non_null(strstr(reply.head, methods[i].has));
        if (methods[i].has_no != NULL) {
            assert_null(strstr(reply.head, methods[i].has_no));
        }
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
    assert_true(http_say(fd, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
    reply = http_read_head(fd);
    assert_int_equal(reply.status, 200);
    assert_null(strstr(reply.head, "Content-Length: 0\r\n"));
    http_reply_finish(&reply);
    assert_true(http_say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(http_status(fd), 200);
    (void)close(fd);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_a_request_is_counted_before_it_is_answered),
        STOPPED(test_each_stage_is_counted),
        STOPPED(test_what_others_ask_for_is_counted_by_its_route),
        STOPPED(test_what_is_under_way),
        STOPPED(test_nothing_is_in_flight_when_clients_have_left),
        STOPPED(test_a_client_that_sends_no_more_is_dropped_from_the_queue),
        STOPPED(test_a_stream_is_over_at_its_end),
        STOPPED(test_failures_by_reason),
        STOPPED(test_times_that_are_over),
        STOPPED(test_refusals_by_reason),
        STOPPED(test_no_worker_is_there),
        STOPPED(test_no_more_clients_are_wanted),
        STOPPED(test_batches_count_once),
        STOPPED(test_the_host_itself),
        STOPPED(test_methods_and_headers),
        STOPPED(test_head_has_no_body),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
