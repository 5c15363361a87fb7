/* test_lines.c - the two lines of a request, to the letter */
#include "base/log.h"
#include "deploy/deployment.h"
#include "host/lines.h"
#include "support/fake_worker.h"
#include "support/test.h"
#include "support/turner.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PID = 4711, TEXT_MAX = 1024 };

static struct turner turner;
static struct sco_deployment *deployment;
static struct sco_lines lines;
static struct sco_field fields[3];
static struct sco_http_head head;

static void
nothing(void *arg)
{
    (void)arg;
}

static int
start(void **state)
{
    struct sco_deployment_setup setup = {
        .kind = &fake_worker_kind,
        .limits = { .max_requests = 1, .max_bytes = 1 },
        .workers = 1,
        .on_boot_failed = nothing,
        .on_empty = nothing,
    };

    (void)state;
    fake_crew_reset();
    turner_init(&turner);
    setup.loop = turner.loop;
    assert_int_equal(sco_deployment_create(&setup, &deployment, NULL), SCO_OK);
    sco_deployment_start(deployment);
    lines = (struct sco_lines){ .deployment = deployment, .on = true };
    head = (struct sco_http_head){
        .method = SCO_SLICE("POST"),
        .target = SCO_SLICE("/sc%6Fre?x=1"),
        .path = SCO_SLICE("/score"),
        .query = SCO_SLICE("x=1"),
        .version = SCO_SLICE("HTTP/1.1"),
        .fields = fields,
        .peer_host = "127.0.0.1",
        .server_host = "",
    };
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    sco_text_clear(&lines.burst); /* not to be written */
    sco_lines_finish(&lines);
    sco_deployment_kill(deployment);
    turner_turn(&turner);
    sco_deployment_destroy(deployment);
    turner_finish(&turner);
    return 0;
}

/* What was gathered: exactly one line, without its time, which is there. */
static const char *
gathered(void)
{
    static char text[TEXT_MAX];
    regex_t time;
    regmatch_t at;

    assert_true(lines.burst.len > 0);
    assert_true(lines.burst.len < TEXT_MAX);
    assert_int_equal(regcomp(&time,
                             "^[0-9]{4}-[0-9]{2}-[0-9]{2} "
                             "[0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3} ",
                             REG_EXTENDED),
                     0);
    assert_int_equal(regexec(&time, lines.burst.data, 1, &at, 0), 0);
    regfree(&time);
    memcpy(text, lines.burst.data + at.rm_eo,
           lines.burst.len - (size_t)at.rm_eo + 1);
    sco_text_clear(&lines.burst);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    return text;
}

static struct sco_line_facts
facts(void)
{
    return (struct sco_line_facts){ .head = &head,
                                    .status = 200,
                                    .took_ns = 672400,
                                    .body_bytes = 13,
                                    .pid = PID };
}

/* ---- the score line ------------------------------------------------- */

static void
test_the_score_line(void **state)
{
    struct sco_line_facts told = facts();

    (void)state;
    sco_lines_score(&lines, &told);
    assert_string_equal(
        gathered(), "I [4711] azmlinfsrv - POST /score?x=1 200 0.672ms 13\n");
    head.query = SCO_SLICE("a=%20\"&\xc5\xbc");
    sco_lines_score(&lines, &told);
    assert_string_equal(gathered(),
                        "I [4711] azmlinfsrv - POST "
                        "/score?a=%20\"&\xc5\xbc 200 0.672ms 13\n");
    head.query = SCO_SLICE("\xc5"); /* no UTF-8, but the line is */
    sco_lines_score(&lines, &told);
    assert_string_equal(gathered(), "I [4711] azmlinfsrv - POST "
                                    "/score?\xc3\x85 200 0.672ms 13\n");
    head.query = SCO_SLICE("");
    told.streamed = true;
    told.status = 500;
    told.took_ns = 12345678900;
    sco_lines_score(&lines, &told);
    assert_string_equal(
        gathered(), "I [4711] azmlinfsrv - POST /score 500 12345.679ms N/A\n");
}

static void
test_a_warning(void **state)
{
    char wanted[64];

    (void)state;
    sco_lines_warn(&lines, SCO_SLICE("text"));
    (void)snprintf(wanted, sizeof(wanted), "W [%d] azmlinfsrv - text\n",
                   (int)getpid()); /* no worker is ready */
    assert_string_equal(gathered(), wanted);
    fake_ready(fake_crew.members[0], NULL, 0);
    (void)sco_deployment_turn(deployment);
    sco_lines_warn(&lines, SCO_SLICE("text"));
    assert_string_equal(gathered(), "W [1000] azmlinfsrv - text\n");
}

/* ---- the access line ------------------------------------------------ */

/* The access line with its date taken out, which is there. */
static const char *
access_line(const struct sco_line_facts *told)
{
    static char text[TEXT_MAX];
    char line[TEXT_MAX];
    regex_t date;
    regmatch_t at;

    sco_lines_access(&lines, told);
    (void)snprintf(line, sizeof(line), "%s", gathered());
    assert_int_equal(regcomp(&date,
                             "\\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}"
                             "(:[0-9]{2}){3} [+-][0-9]{4}\\]",
                             REG_EXTENDED),
                     0);
    assert_int_equal(regexec(&date, line, 1, &at, 0), 0);
    regfree(&date);
    (void)snprintf(text, sizeof(text), "%.*s[]%s", (int)at.rm_so, line,
                   line + at.rm_eo);
    return text;
}

static void
test_the_access_line(void **state)
{
    struct sco_line_facts told = facts();

    (void)state;
    assert_string_equal(access_line(&told),
                        "I [4711] gunicorn.access - 127.0.0.1 - - [] "
                        "\"POST /sc%6Fre?x=1 HTTP/1.1\" 200 13 \"-\" "
                        "\"-\"\n");
}

static void
test_what_the_client_says_of_itself(void **state)
{
    struct sco_line_facts told = facts();

    (void)state;
    fields[0] =
        (struct sco_field){ SCO_SLICE("Referer"), SCO_SLICE("http://a\"b") };
    fields[1] =
        (struct sco_field){ SCO_SLICE("user-agent"), SCO_SLICE("curl/8") };
    /* "user:secret" */
    fields[2] = (struct sco_field){ SCO_SLICE("Authorization"),
                                    SCO_SLICE("Basic dXNlcjpzZWNyZXQ=") };
    head.field_count = 3;
    head.peer_host = "";
    assert_string_equal(access_line(&told),
                        "I [4711] gunicorn.access - - - user [] "
                        "\"POST /sc%6Fre?x=1 HTTP/1.1\" 200 13 "
                        "\"http://a\\\"b\" \"curl/8\"\n");
}

/* clang-format off */
static const struct {
    const char *why, *sent, *user;
} users[] = {
    { "a name and a password",  "Basic dXNlcjpzZWNyZXQ=", "user" },
    { "in either case",         "bAsIc dXNlcjpzZWNyZXQ=", "user" },
    { "no password",            "Basic dXNlcg==",         "user" },
    { "no name",                "Basic OnNlY3JldA==",     "-" },
    { "another way",            "Bearer dXNlcjpzZWNyZXQ=", "-" },
    { "nothing",                "Basic ",                 "-" },
    { "no base64",              "Basic ?",                "-" },
    { "a line break in the name", "Basic YQpiOmM=",       "a?b" },
};
/* clang-format on */

static void
test_the_users_name_and_never_the_password(void **state)
{
    struct sco_line_facts told = facts();

    (void)state;
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        char wanted[64];
        const char *line;

        print_message("%s\n", users[i].why);
        fields[0] = (struct sco_field){ SCO_SLICE("authorization"),
                                        sco_slice_of(users[i].sent) };
        head.field_count = 1;
        (void)snprintf(wanted, sizeof(wanted), " - 127.0.0.1 - %s []",
                       users[i].user);
        line = access_line(&told);
        assert_non_null(strstr(line, wanted));
        assert_null(strstr(line, "secret"));
    }
}

static void
test_probes_leave_no_access_line(void **state)
{
    struct sco_line_facts told = facts();

    (void)state;
    head.target = SCO_SLICE("/");
    head.method = SCO_SLICE("GET");
    sco_lines_access(&lines, &told);
    head.method = SCO_SLICE("HEAD");
    sco_lines_access(&lines, &told);
    head.target = SCO_SLICE("/metrics");
    sco_lines_access(&lines, &told);
    head.target = SCO_SLICE("/v2/health/ready");
    sco_lines_access(&lines, &told);
    head.target = SCO_SLICE("/v2/health/live");
    sco_lines_access(&lines, &told);
    assert_int_equal(lines.burst.len, 0);
    head.target = SCO_SLICE("/");
    head.method = SCO_SLICE("OPTIONS");
    sco_lines_access(&lines, &told);
    assert_true(lines.burst.len > 0);
    sco_text_clear(&lines.burst);
    head.method = SCO_SLICE("GET");
    head.target = SCO_SLICE("/?probe");
    sco_lines_access(&lines, &told);
    assert_true(lines.burst.len > 0);
}

static void
test_what_was_no_request_leaves_no_access_line(void **state)
{
    struct sco_line_facts told = facts();

    (void)state;
    head.method = SCO_SLICE("");
    sco_lines_access(&lines, &told);
    assert_int_equal(lines.burst.len, 0);
}

/* ---- where they go -------------------------------------------------- */

static void
test_switched_off_only_warnings_are_left(void **state)
{
    struct sco_line_facts told = facts();

    (void)state;
    lines.on = false;
    sco_lines_score(&lines, &told);
    sco_lines_access(&lines, &told);
    assert_int_equal(lines.burst.len, 0);
    sco_lines_warn(&lines, SCO_SLICE("text"));
    assert_true(lines.burst.len > 0);
}

static void
test_a_users_logging_gets_the_bare_line(void **state)
{
    struct sco_line_facts told = facts();
    struct fake_worker *fake = fake_crew.members[0];

    (void)state;
    lines.to_worker = true;
    sco_lines_score(&lines, &told); /* no worker is ready: written here */
    assert_true(lines.burst.len > 0);
    sco_text_clear(&lines.burst);
    fake_ready(fake, NULL, 0);
    (void)sco_deployment_turn(deployment);
    sco_lines_score(&lines, &told);
    assert_int_equal(lines.burst.len, 0);
    (void)sco_deployment_turn(deployment);
    assert_int_equal(fake_take(fake), SCO_CHILD_LINE);
    assert_true(sco_slice_equal(fake->line.logger, SCO_SLICE("azmlinfsrv")));
    assert_true(sco_slice_equal(fake->line.message,
                                SCO_SLICE("POST /score?x=1 200 0.672ms 13")));
}

static void
test_a_burst_is_written_in_one_piece(void **state)
{
    struct sco_line_facts told = facts();
    char read_back[TEXT_MAX];
    int kept = dup(STDOUT_FILENO);
    int pair[2];
    ssize_t count;

    (void)state;
    assert_int_equal(pipe(pair), 0);
    sco_lines_score(&lines, &told);
    sco_lines_access(&lines, &told);
    assert_int_equal(dup2(pair[1], STDOUT_FILENO), STDOUT_FILENO);
    sco_lines_flush(&lines);
    (void)dup2(kept, STDOUT_FILENO);
    (void)close(pair[1]);
    count = read(pair[0], read_back, sizeof(read_back) - 1);
    assert_true(count > 0);
    read_back[count] = '\0';
    assert_non_null(strstr(read_back, "13\n2")); /* the next line's year */
    assert_int_equal(lines.burst.len, 0);
    (void)close(pair[0]);
    (void)close(kept);
}

#define STARTED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STARTED(test_the_score_line),
        STARTED(test_a_warning),
        STARTED(test_the_access_line),
        STARTED(test_what_the_client_says_of_itself),
        STARTED(test_the_users_name_and_never_the_password),
        STARTED(test_probes_leave_no_access_line),
        STARTED(test_what_was_no_request_leaves_no_access_line),
        STARTED(test_switched_off_only_warnings_are_left),
        STARTED(test_a_users_logging_gets_the_bare_line),
        STARTED(test_a_burst_is_written_in_one_piece),
    };

    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
