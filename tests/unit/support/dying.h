/* dying.h - whether a call ends the program, as SCO_CHECK does */
#ifndef SCO_SUPPORT_DYING_H
#define SCO_SUPPORT_DYING_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls `body` in a child and says whether it aborted. What the child says
 * on stderr is not shown. Thread: a test that has no other one. */
static inline bool
dies(void (*body)(void))
{
    const struct rlimit no_core = { 0, 0 };
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

        if (nowhere < 0 || dup2(nowhere, STDERR_FILENO) < 0) {
            _exit(1);
        }
        (void)setrlimit(RLIMIT_CORE, &no_core);
        body();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        abort();
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
