#define _GNU_SOURCE
#include "support/serving.h"

#include "host/program.h"
#include "support/c_runner.h"
#include "support/http_client.h"
#include "support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the program's process is told. */
struct start {
    char config[512];
    const struct sco_runner *runner;
    enum serving_how how;
};

int
serving_init(struct serving *serving)
{
    (void)snprintf(serving->folder, sizeof(serving->folder), "%s",
                   "/tmp/sco-serving-XXXXXX");
    if (mkdtemp(serving->folder) == NULL) {
        return -1;
    }
    (void)snprintf(serving->path, sizeof(serving->path), "%s/socket",
                   serving->folder);
    return 0;
}

int
serving_finish(struct serving *serving)
{
    return rmdir(serving->folder);
}

static pid_t
plain_fork(void *arg)
{
    (void)arg;
    return fork();
}

static void
plain_leave(void *arg, int code)
{
    (void)arg;
    _exit(code);
}

/* As if there were somebody who remembers it. */
static bool
note_unfit(void *arg)
{
    (void)arg;
    return true;
}

static int
run(void *arg)
{
    const struct start *start = arg;
    const struct sco_runners runners = { .thread = start->runner,
                                         .interpreter = start->runner };
    const struct sco_process process = { .fork = plain_fork,
                                         .remember_unfit = note_unfit,
                                         .leave = plain_leave };

    return sco_program_run(sco_slice_of(start->config), SCO_SLICE("{}"),
                           &runners,
                           start->how == SERVING_SUPERVISED ? &process : NULL);
}

void
serving_start(struct serving *serving, enum serving_how how, const char *more,
              const struct sco_runner *runner)
{
    struct start start = { .runner = runner, .how = how };

    (void)snprintf(start.config, sizeof(start.config),
                   "{\"listen\": [\"unix:%s\"], \"access_log\": false%s%s}",
                   serving->path,
                   strstr(more, "worker_kind") == NULL
                       ? ", \"worker_kind\": \"thread\""
                       : "",
                   more);
    program_start(&serving->program, run, &start);
}

int
serving_post(const struct serving *serving, const char *body)
{
    char text[256];
    int fd = http_connect_unix(serving->path);

    (void)snprintf(text, sizeof(text),
                   "POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: %zu"
                   "\r\n\r\n%s",
                   strlen(body), body);
    assert_true(http_say(fd, text));
    return fd;
}

void
serving_assert_scores(const struct serving *serving, const char *body)
{
    int fd = serving_post(serving, body);
    struct http_reply reply = http_read(fd);

    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, body);
    http_reply_finish(&reply);
    (void)close(fd);
}

void
serving_assert_says(struct serving *serving, const char *text)
{
    assert_true(program_says(&serving->program, text));
}

void
serving_stop(struct serving *serving)
{
    (void)kill(serving->program.pid, SIGTERM);
    assert_int_equal(program_end(&serving->program), 0);
}
