#define _GNU_SOURCE /* pipe2() */
#include "support/program.h"

#include "support/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

void
program_start(struct program *program, int (*body)(void *arg), void *arg)
{
    int pair[2];

    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    program->pid = fork();
    assert_true(program->pid >= 0);
    if (program->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if this test fails */
        (void)dup2(pair[1], STDERR_FILENO);
        (void)close(pair[0]);
        (void)close(pair[1]);
        _exit(body(arg));
    }
    (void)close(pair[1]);
    program->log = pair[0];
    program->seen[0] = '\0';
}

bool
program_says(struct program *program, const char *text)
{
    struct pollfd polled = { .fd = program->log, .events = POLLIN };
    size_t length = 0;

    while (length + 1 < sizeof(program->seen) &&
           poll(&polled, 1, PATIENCE_MS) > 0 &&
           read(program->log, program->seen + length, 1) == 1) {
        program->seen[++length] = '\0';
        if (strstr(program->seen, text) != NULL) {
            return true;
        }
    }
    print_message("did not say %s, but:\n%s\n", text, program->seen);
    return false;
}

int
program_end(struct program *program)
{
    char rest[512];
    int status = 0;

    while (read(program->log, rest, sizeof(rest)) > 0) {
    }
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    (void)close(program->log);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
