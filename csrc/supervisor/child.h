/* child.h - a host process, as its supervisor sees it
 *
 * Thread: the supervisor's, main.
 */
#ifndef SCO_SUPERVISOR_CHILD_H
#define SCO_SUPERVISOR_CHILD_H

#include "supervisor/policy.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_text;

struct sco_child {
    pid_t pid; /* 0: none */
    int fd;    /* of its reports; -1: it has closed them */
    uint64_t begun_ns;
    uint64_t kill_at_ns; /* 0: it has all the time it wants */
    bool is_ready;
    bool is_retired;    /* another one serves, or will */
    bool is_in_the_way; /* retired, and no other can start beside it */
    bool is_leaving;    /* it said so, and with which code */
    bool is_killed;     /* by us: it did not end in time */
    int leaving_code;
};

/* Takes its place in a process that was just made: it ends with the
 * supervisor, and has a process group of its own, so that Ctrl-C in a
 * terminal is heard by the supervisor and passed on, not heard twice.
 *
 * Thread: the new process's. Ends the process when `supervisor` is gone. */
void sco_child_settle(pid_t supervisor);

/* Sends a signal; a child that is gone hears nothing. */
void sco_child_signal(const struct sco_child *child, int number);

/* Has it killed at `at_ns` if it is there still; an earlier time stays. */
void sco_child_limit(struct sco_child *child, uint64_t at_ns);

/* Lets go of a child that was reaped, and says how it ended: `status` is
 * waitpid()'s. */
struct sco_policy_end sco_child_bury(struct sco_child *child, int status,
                                     uint64_t now_ns);

/* Appends "was killed by SIGSEGV after 12.3 s", or "exited with code 7 after
 * 0.1 s". */
void sco_child_tell_end(const struct sco_policy_end *end,
                        struct sco_text *out);

#endif
