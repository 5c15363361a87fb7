/* test_swagger.c - /swagger.json, in the versions that the script has */
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UNSUPPORTED(version)                                          \
    "{\"message\": \"Swagger version [" version "] is not supported " \
    "for the scoring script. Supported swagger versions: [2, 3].\"}"
#define NOT_VALID(version)                                         \
    "{\"message\": \"Swagger version [" version "] is not valid. " \
    "Supported versions: [2, 3].\"}"

static const struct sco_document documents[] = {
    { SCO_SLICE_INIT("2"), SCO_SLICE_INIT("{\"swagger\": \"2.0\"}") },
    { SCO_SLICE_INIT("3"), SCO_SLICE_INIT("{\"openapi\": \"3.0.3\"}") },
    { SCO_SLICE_INIT("mode"), SCO_SLICE_INIT("plain") },
};

/* clang-format off */
static const struct {
    const char *why, *query;
    unsigned    status;
    const char *body;
} cases[] = {
    { "version 2 unless asked", "", 200, "{\"swagger\": \"2.0\"}" },
    { "version 2",   "?version=2",   200, "{\"swagger\": \"2.0\"}" },
    { "version 2.0", "?version=2.0", 200, "{\"swagger\": \"2.0\"}" },
    { "version 3",   "?version=3",   200, "{\"openapi\": \"3.0.3\"}" },
    { "version 3.0", "?version=3.0", 200, "{\"openapi\": \"3.0.3\"}" },
    { "one that the script has not", "?version=3.1", 404,
      UNSUPPORTED("3.1") },
    { "one that nobody has", "?version=4", 404, NOT_VALID("4") },
    { "none at all", "?version=", 404, NOT_VALID("") },
    { "not even a sign", "?version", 404, NOT_VALID("") },
    { "the first one counts", "?version=3&version=2", 200,
      "{\"openapi\": \"3.0.3\"}" },
    { "behind others", "?a=1&&version=3&b", 200, "{\"openapi\": \"3.0.3\"}" },
    { "a longer name is another", "?versions=3", 200,
      "{\"swagger\": \"2.0\"}" },
    { "a shorter one too", "?versio=3", 200, "{\"swagger\": \"2.0\"}" },
    { "escapes are undone", "?version=%33%2E0", 200,
      "{\"openapi\": \"3.0.3\"}" },
    { "half an escape is none", "?version=%3", 404, NOT_VALID("%3") },
    { "nor is this", "?version=%3g", 404, NOT_VALID("%3g") },
    { "a plus is a space", "?version=+3", 404, NOT_VALID(" 3") },
    { "not a document of ours", "?version=mode", 404, NOT_VALID("mode") },
    { "what breaks a message does not", "?version=%22%5C", 404,
      NOT_VALID("\\\"\\\\") },
};
/* clang-format on */

static struct tiny_host *host;

static int
stop(void **state)
{
    (void)state;
    tiny_host_stop(host);
    return 0;
}

static void
test_the_versions(void **state)
{
    const struct tiny_host_options options = { .documents = documents,
                                               .document_count = 3 };
    int fd;

    (void)state;
    host = tiny_host_start(&options);
    fd = http_connect(tiny_host_port(host));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_reply reply;
        char text[256];

        print_message("%s\n", cases[i].why);
        (void)snprintf(text, sizeof(text),
                       "GET /swagger.json%s HTTP/1.1\r\nHost: a\r\n\r\n",
                       cases[i].query);
        assert_true(http_say(fd, text));
        reply = http_read(fd);
        assert_int_equal(reply.status, cases[i].status);
        assert_string_equal(reply.body, cases[i].body);
        assert_non_null(
            strstr(reply.head, "\r\nContent-Type: application/json\r\n"));
        http_reply_finish(&reply);
    }
    (void)close(fd);
}

static void
test_a_script_without_any(void **state)
{
    const struct tiny_host_options options = { .documents = documents + 2,
                                               .document_count = 1 };
    char body[256];

    (void)state;
    host = tiny_host_start(&options);
    assert_int_equal(http_ask(tiny_host_port(host),
                              "GET /swagger.json HTTP/1.1\r\nHost: a\r\n\r\n",
                              body, sizeof(body)),
                     404);
    assert_string_equal(body, "{\"message\": \"Swagger version [2] is not "
                              "supported for the scoring script. Supported "
                              "swagger versions: [].\"}");
}

static void
test_before_the_script_is_loaded_nobody_knows(void **state)
{
    const struct tiny_host_options options = { .is_starting = true };

    (void)state;
    host = tiny_host_start(&options);
    assert_int_equal(http_ask(tiny_host_port(host),
                              "GET /swagger.json HTTP/1.1\r\nHost: a\r\n\r\n",
                              NULL, 0),
                     503);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_the_versions),
        STOPPED(test_a_script_without_any),
        STOPPED(test_before_the_script_is_loaded_nobody_knows),
    };

    return cmocka_run_group_tests_name("swagger", tests, NULL, NULL);
}
