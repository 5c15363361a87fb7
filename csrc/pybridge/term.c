/* Design notes
 *
 * A handler in C, not Python's: it must not disturb run(), and what it does
 * has to happen between two requests, where the script's handlers run too.
 * What the script forks inherits it but is no worker, and ends at once.
 */
#define _GNU_SOURCE
#include "pybridge/term.h"

#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

static volatile sig_atomic_t is_held, is_told;
static volatile pid_t worker_pid; /* 0: not installed */

/* Ends this process by the signal, as soon as it is not blocked. */
static void
end_by_signal(void)
{
    (void)signal(SIGTERM, SIG_DFL);
    (void)raise(SIGTERM);
}

static void
on_term(int number)
{
    (void)number;
    if (!is_held || is_told || getpid() != worker_pid) {
        end_by_signal();
    }
    is_told = 1;
}

static bool
is_handled_by(void (*handler)(int))
{
    struct sigaction action;

    return sigaction(SIGTERM, NULL, &action) == 0 &&
           (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == handler;
}

void
sco_term_install(void)
{
    const struct sigaction ours = { .sa_handler = on_term,
                                    .sa_flags = SA_RESTART };

    if (is_handled_by(SIG_DFL)) {
        is_held = 0;
        is_told = 0;
        worker_pid = getpid();
        (void)sigaction(SIGTERM, &ours, NULL);
    }
}

void
sco_term_remove(void)
{
    if (worker_pid == 0) {
        return;
    }
    sco_term_let();
    if (is_handled_by(on_term)) {
        (void)signal(SIGTERM, SIG_DFL);
    }
    worker_pid = 0;
}

void
sco_term_ask(void)
{
    if (worker_pid != 0) {
        is_told = 1;
    }
}

void
sco_term_hold(void)
{
    if (worker_pid != 0) {
        is_held = 1;
    }
}

void
sco_term_let(void)
{
    if (worker_pid != 0) {
        is_held = 0;
        if (is_told) {
            end_by_signal();
        }
    }
}
