/* Design notes
 *
 * A handler in C, not Python's: it must not disturb run(), and what it does
 * has to happen between two requests, where the script's handlers run too.
 * What the script forks inherits it but is no worker, and ends at once.
 *
 * Where the script has a handler of its own, only sco_term_ask() ends the
 * process here. Where somebody ends the worker in another way (its replies
 * are still to be sent elsewhere), that does.
 */
#define _GNU_SOURCE
#include "pybridge/term.h"

#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

static volatile sig_atomic_t is_held, is_told;
static volatile pid_t worker_pid; /* 0: not installed */
static void (*end_by)(void *arg); /* NULL: a signal */
static void *end_by_arg;
static bool was_asked;

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

    if (end_by != NULL) {
        return;
    }
    is_held = 0;
    is_told = 0;
    worker_pid = getpid();
    if (is_handled_by(SIG_DFL)) {
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
sco_term_end_by(void (*end)(void *arg), void *arg)
{
    end_by = end;
    end_by_arg = arg;
}

void
sco_term_ask(void)
{
    was_asked = true;
    if (end_by != NULL) {
        end_by(end_by_arg);
    } else if (worker_pid != 0) {
        is_told = 1;
    }
}

bool
sco_term_was_asked(void)
{
    return was_asked;
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
