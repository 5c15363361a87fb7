#define _GNU_SOURCE /* pthread_setname_np() */
#include "base/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_BYTES = 8 * 1024 * 1024, NAME_MAX_CHARS = 15 };

static _Thread_local enum sco_role own_role = SCO_ROLE_NONE;

/* What a new thread is told. */
struct start {
    void (*body)(void *arg);
    void *arg;
    enum sco_role role;
    char name[NAME_MAX_CHARS + 1];
};

static void *
thread_main(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    (void)pthread_setname_np(pthread_self(), start.name);
    sco_thread_take_role(start.role);
    start.body(start.arg);
    return NULL;
}

/* All signals but those that a crash raises: while one of them is blocked the
 * kernel ends the process past any handler, which may show a stack. */
static sigset_t
to_be_blocked(void)
{
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    sigset_t set;

    (void)sigfillset(&set);
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        (void)sigdelset(&set, crashes[i]);
    }
    return set;
}

/* Starts the thread with signals blocked: the mask is inherited, so it is set
 * around the start, and there is no moment without it. */
static int
start_blocked(struct start *start, pthread_t *out)
{
    pthread_attr_t attr;
    const sigset_t blocked = to_be_blocked();
    sigset_t before;
    int error = pthread_attr_init(&attr);

    if (error != 0) {
        return error;
    }
    error = pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (error == 0) {
        (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
        error = pthread_create(out, &attr, thread_main, start);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attr);
    return error;
}

enum sco_status
sco_thread_start(const char *name, enum sco_role role, void (*body)(void *arg),
                 void *arg, pthread_t *out, struct sco_error *err)
{
    struct start *start = calloc(1, sizeof(*start));
    pthread_t thread;
    int error;

    if (start == NULL) {
        return sco_fail(err, SCO_NOMEM, "thread %s", name);
    }
    start->body = body;
    start->arg = arg;
    start->role = role;
    memcpy(start->name, name, strnlen(name, NAME_MAX_CHARS));
    error = start_blocked(start, &thread);
    if (error != 0) {
        free(start);
        return sco_fail(err, SCO_INTERNAL, "thread %s: error %d", name, error);
    }
    *out = thread;
    return SCO_OK;
}

void
sco_thread_take_role(enum sco_role role)
{
    own_role = role;
}

void
sco_thread_check(enum sco_role role)
{
    SCO_CHECK(own_role == role, "called on a thread of another role");
}
