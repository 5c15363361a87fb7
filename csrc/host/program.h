/* program.h - the whole of it: sockets, supervisor, host
 *
 * The process that was started keeps the listening sockets and, if it
 * may, becomes the supervisor (supervisor/supervisor.h) of a host in a process
 * of its own. Otherwise it is the host itself.
 *
 * Thread: main, before any other one.
 */
#ifndef SCO_HOST_PROGRAM_H
#define SCO_HOST_PROGRAM_H

#include "base/slice.h"

#include <stdbool.h>
#include <sys/types.h>

struct sco_runners;

/* How the program makes a process for the host: that is Python's business
 * too, where there is one. */
struct sco_process {
    void *arg;

    /* fork(), with what the program wants done before and after it. */
    pid_t (*fork)(void *arg);

    /* Remembers that the script is to be kept out of the host's process, for
     * the next start; false when that cannot be. In the host's process.
     * NULL: there is nobody who could. */
    bool (*remember_unfit)(void *arg);

    /* Ends the host's process with this exit code. Does not return. */
    void (*leave)(void *arg, int code);
};

/* Serves until told to stop by a signal, or until it cannot go on.
 *
 * `config` is the JSON text of config/schema.def's keys, `boot` the text that
 * each worker is given. `runners` call the script in the host's process for
 * the in-process kinds; NULL where there is no Python. With `process` NULL,
 * or the key "supervisor" false, all is one process.
 *
 * Blocks: until the end; the caller has let go of the GIL.
 * Returns the program's exit code as the contract has it: 0 after a signal,
 * 1 when an address cannot be had, 3 when a worker cannot boot; else the
 * supervisor's. Errors in `config` are logged and give 1. */
int sco_program_run(struct sco_slice config, struct sco_slice boot,
                    const struct sco_runners *runners,
                    const struct sco_process *process);

#endif
