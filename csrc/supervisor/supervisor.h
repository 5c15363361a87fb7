/* supervisor.h - the process that keeps a host running
 *
 * It never runs the script. It holds what must outlive a host (the listening
 * sockets, the files of Unix sockets), starts the host in a process made by
 * fork(), starts another when that one crashes, passes signals on, and ends
 * with the host's exit code. It is fit to be PID 1: it buries whatever child
 * it is given, and no signal is lost on it.
 *
 * Thread: main, and the program has no other one: processes are made by
 * fork(), and a host ends with the *thread* that made it.
 */
#ifndef SCO_SUPERVISOR_SUPERVISOR_H
#define SCO_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a new host is told. */
struct sco_stand {
    int report_fd;    /* for sco_report_send() and sco_report_take() */
    bool kind_unfit;  /* its script crashed hosts: keep it out of this one */
    pid_t supervisor; /* what users send signals to */
    unsigned before;  /* how many hosts were started before this one */
};

/* What is supervised. */
struct sco_supervision {
    void *arg;

    /* How long a host that was told to end may take before it is killed. */
    uint64_t patience_ns;

    /* fork(), and what the program wants done before and after it. */
    pid_t (*fork)(void *arg);

    /* Runs a host in the new process, which has the signal mask that the
     * caller of sco_supervise() had, and ends that process.
     *
     * Ownership: takes stand->report_fd. Does not return. */
    void (*host)(void *arg, const struct sco_stand *stand);

    /* The end has begun: no further host is started, and whatever clients
     * wait at is closed. Called once. */
    void (*on_end)(void *arg);
};

/* Runs a host, again and again if need be, until one ends as planned, a
 * signal says so, or there is no hope.
 *
 * The caller has blocked the signals that a host obeys (TERM, INT, QUIT, HUP,
 * TTIN, TTOU, USR1, WINCH), so that none is lost before and after.
 *
 * Blocks: until then.
 * Returns the exit code: the host's own; 0 after a signal when no host was
 * there; 128 and the signal's number, or the host's code, after the last one
 * of too many crashes; 1 when this process cannot supervise at all. */
int sco_supervise(const struct sco_supervision *what);

#endif
