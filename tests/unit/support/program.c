#define _GNU_SOURCE /* pipe2() */
#include "support/program.h"

#include "base/clock.h"
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
    uint64_t until_ns = sco_clock_now_ns() + PATIENCE_MS * SCO_NS_PER_MS;
    size_t length = 0;

    while (length + 1 < sizeof(program->seen) &&
           sco_clock_now_ns() < until_ns &&
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
    size_t length = 0;
    ssize_t got;
    int status = 0;

    do {
        size_t room = sizeof(program->seen) - 1 - length;

        got = read(program->log, program->seen + length, room);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    program->seen[length] = '\0';
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    (void)close(program->log);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
