/* thread.h - who am I
 *
 * A thread is named as `ps -T` shows it and proves its role where a function
 * says "loop only". The role is a thread-local number: the check costs a load
 * and a compare, and stays in every build.
 */
#ifndef SCO_BASE_THREAD_H
#define SCO_BASE_THREAD_H

#include "base/status.h"

#include <pthread.h>

enum sco_role {
    SCO_ROLE_NONE,
    SCO_ROLE_MAIN,
    SCO_ROLE_LOOP,
    SCO_ROLE_WORK,
    SCO_ROLE_LOG,
    SCO_ROLE_ZMQ,
};

/* Starts a thread with a name (15 characters at most) and a role, all signals
 * blocked but those of a crash, an 8 MiB stack.
 *
 * Ownership: the caller joins *out.
 * Errors:    SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_thread_start(const char *name, enum sco_role role,
                                 void (*body)(void *arg), void *arg,
                                 pthread_t *out, struct sco_error *err);

/* Gives the calling thread a role; for threads that somebody else started,
 * and for tests. */
void sco_thread_take_role(enum sco_role role);

/* Dies unless the calling thread has this role. */
void sco_thread_check(enum sco_role role);

#endif
