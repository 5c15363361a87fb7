/* test_reply.c - what the host adds to a script's own response */
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
start(const struct tiny_host_options *options)
{
    host = tiny_host_start(options);
    fd = http_connect(tiny_host_port(host));
}

/* Asks on the one connection; to be ended with http_reply_finish(). */
static struct http_reply
ask(const char *method, const char *fields, const char *body)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "%s /score HTTP/1.1\r\nHost: a\r\n%s"
                   "Content-Length: %zu\r\n\r\n%s",
                   method, fields, strlen(body), body);
    assert_true(http_say(fd, text));
    return http_read(fd);
}

/* How often a field stands in a head. */
static unsigned
count_of(const struct http_reply *reply, const char *field)
{
    const char *at = reply->head;
    unsigned count = 0;

    while ((at = strstr(at, field)) != NULL) {
        count++;
        at++;
    }
    return count;
}

/* Whether these stand in a head in this order, each on a line of its own. */
static void
assert_order(const struct http_reply *reply, const char *const *names,
             size_t count)
{
    const char *at = reply->head;

    for (size_t i = 0; i < count; i++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "\r\n%s: ", names[i]);
        at = strstr(at, line);
        if (at == NULL) {
            print_message("%s is not where it should be\n%s", names[i],
                          reply->head);
            fail();
            return;
        }
    }
}

static void
test_the_order_of_the_fields(void **state)
{
    static const char *const names[] = {
        "Server",
        "Content-Type",
        "x-ms-run-function-failed",
        "x-ms-run-fn-exec-ms",
        "Access-Control-Allow-Origin",
        "x-ms-server-version",
        "x-request-id",
        "x-ms-request-id",
        "x-ms-client-request-id",
        "TraceId",
    };
    const struct tiny_host_options options = { .cors = "http://a",
                                               .version = "v/1" };
    struct http_reply reply;

    (void)state;
    start(&options);
    reply = ask("POST",
                "traceid: T\r\nx-ms-client-request-id: C\r\n"
                "origin: http://a\r\n",
                "hello");
    assert_order(&reply, names, sizeof(names) / sizeof(names[0]));
    http_reply_finish(&reply);
}

static void
test_what_is_the_hosts_to_say_a_script_does_not(void **state)
{
    const struct tiny_host_options options = { .version = NULL };
    struct http_reply reply;

    (void)state;
    start(&options);
    reply = ask("POST", "", "made");
    assert_int_equal(count_of(&reply, "\r\nServer: "), 1);
    assert_int_equal(count_of(&reply, "\r\nContent-Type: "), 1);
    assert_int_equal(count_of(&reply, "\r\nX-Own: value\r\n"), 1);
    assert_int_equal(count_of(&reply, "x-ms-run-function-failed"), 0);
    assert_int_equal(count_of(&reply, "x-ms-run-fn-exec-ms"), 0);
    http_reply_finish(&reply);
}

static void
test_without_a_version_there_is_no_such_field(void **state)
{
    const struct tiny_host_options options = { .version = "" };
    struct http_reply reply;

    (void)state;
    start(&options);
    reply = ask("POST", "", "hello");
    assert_int_equal(count_of(&reply, "x-ms-server-version"), 0);
    assert_int_equal(count_of(&reply, "TraceId"), 0);
    assert_int_equal(count_of(&reply, "x-ms-client-request-id"), 0);
    http_reply_finish(&reply);
}

static void
test_an_origin_that_may_ask(void **state)
{
    const struct tiny_host_options options = { .cors = "http://a" };
    struct http_reply reply;

    (void)state;
    start(&options);
    reply =
        ask("OPTIONS",
            "Origin: http://a\r\nAccess-Control-Request-Method: POST\r\n", "");
    assert_int_equal(reply.status, 200);
    assert_int_equal(
        count_of(&reply, "Access-Control-Allow-Origin: http://a\r\n"), 1);
    assert_int_equal(
        count_of(&reply, "Access-Control-Allow-Methods: GET, POST\r\n"), 1);
    http_reply_finish(&reply);
    reply = ask("POST", "Origin: http://evil\r\n", "hello");
    assert_int_equal(reply.status, 200);
    assert_int_equal(count_of(&reply, "Access-Control"), 0);
    http_reply_finish(&reply);
}

/* Bytes are sent from where the worker wrote them, while it writes others. */
static void
test_many_replies_of_all_sizes_do_not_mix(void **state)
{
    static const char *const bodies[] = { "a", "big", "raise", "big",
                                          "stream" };
    const struct tiny_host_options options = { .version = NULL };

    (void)state;
    start(&options);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 5; i++) {
            struct http_reply reply = ask("POST", "", bodies[i]);

            assert_true(reply.is_whole);
            if (strcmp(bodies[i], "big") == 0) {
                assert_int_equal(reply.body_len, 1024 * 1024);
                assert_int_equal(strspn(reply.body, "b"), reply.body_len);
            } else if (i == 0) {
                assert_string_equal(reply.body, "a");
            } else if (i == 4) {
                assert_string_equal(reply.body, "onetwo");
            }
            http_reply_finish(&reply);
        }
    }
}

/* ---- where the time went -------------------------------------------- */

/* How many stages a reply tells of; 0 without the field. */
static unsigned
stages_of(const struct http_reply *reply)
{
    return count_of(reply, "\r\nServer-Timing: read;dur=") == 1
               ? count_of(reply, ";dur=")
               : 0;
}

/* clang-format off */
static const struct {
    const char *method, *fields, *body;
    unsigned    stages;
} timings[] = {
    { "POST", "", "hello", 5 },
    { "GET", "", "", 5 },
    { "POST", "", "stream", 5 },
    { "POST", "", "raise", 5 },
    { "POST", "", "die", 3 },
    { "POST", "x-request-timeout-ms: 1s\r\n", "hello", 1 },
    { "PUT", "", "", 0 },
};
/* clang-format on */

static void
test_the_stages_are_told_where_they_are_asked_for(void **state)
{
    const struct tiny_host_options options = { .server_timing = true };

    (void)state;
    start(&options);
    for (size_t i = 0; i < sizeof(timings) / sizeof(timings[0]); i++) {
        struct http_reply reply =
            ask(timings[i].method, timings[i].fields, timings[i].body);

        print_message("%s %s\n", timings[i].method, timings[i].body);
        assert_int_equal(stages_of(&reply), timings[i].stages);
        http_reply_finish(&reply);
    }
}

static void
test_the_stages_of_who_waited_in_vain(void **state)
{
    const struct tiny_host_options options = { .server_timing = true };
    struct http_reply reply;
    int running;

    (void)state;
    start(&options);
    running = http_connect(tiny_host_port(host));
    assert_true(http_say(running, "POST /score HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Length: 4\r\n\r\nhold"));
    assert_true(tiny_host_wait_busy(host, 1));
    reply = ask("POST", "x-request-timeout-ms: 20\r\n", "late");
    assert_int_equal(reply.status, 504);
    assert_int_equal(stages_of(&reply), 2);
    assert_int_equal(count_of(&reply, ", queue;dur="), 1);
    http_reply_finish(&reply);
    tiny_host_open(host);
    (void)close(running);
}

static void
test_otherwise_nothing_is_said_of_them(void **state)
{
    const struct tiny_host_options options = { .version = NULL };
    struct http_reply reply;

    (void)state;
    start(&options);
    reply = ask("POST", "", "hello");
    assert_int_equal(count_of(&reply, "Server-Timing"), 0);
    http_reply_finish(&reply);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_the_order_of_the_fields),
        STOPPED(test_what_is_the_hosts_to_say_a_script_does_not),
        STOPPED(test_without_a_version_there_is_no_such_field),
        STOPPED(test_an_origin_that_may_ask),
        STOPPED(test_many_replies_of_all_sizes_do_not_mix),
        STOPPED(test_the_stages_are_told_where_they_are_asked_for),
        STOPPED(test_the_stages_of_who_waited_in_vain),
        STOPPED(test_otherwise_nothing_is_said_of_them),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
