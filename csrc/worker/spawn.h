/* spawn.h - a child process that keeps nothing of ours but one socket
 *
 * Thread: one that lives as long as the host: the kernel ends the child with
 * the *thread* that made it (PR_SET_PDEATHSIG, set by the child).
 */
#ifndef SCO_WORKER_SPAWN_H
#define SCO_WORKER_SPAWN_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SCO_SPAWN_FD = 3 }; /* where the child finds its socket */

/* Starts `python -m MODULE 3` in a process group of its own, with default
 * signals, nothing blocked, and every descriptor closed but the three
 * standard ones and `socket`, which is 3 there.
 *
 * The variables that tell numeric libraries how many threads to start
 * (OMP_NUM_THREADS and kin) are `threads_each`, where the user set none.
 * CUDA_VISIBLE_DEVICES is `gpu`; NULL leaves it as it is.
 *
 * Blocks: until the program is loaded, about a millisecond.
 * Errors: SCO_NOMEM, SCO_INTERNAL with the system's reason. */
SCO_NODISCARD
enum sco_status sco_spawn_module(const char *python, const char *module,
                                 int socket, unsigned threads_each,
                                 const char *gpu, pid_t *pid_out,
                                 int *pidfd_out, struct sco_error *err);

/* The same with the worker's module, scorehost.worker. */
SCO_NODISCARD
enum sco_status sco_spawn_worker(const char *python, int socket,
                                 unsigned threads_each, const char *gpu,
                                 pid_t *pid_out, int *pidfd_out,
                                 struct sco_error *err);

/* Whether a child of ours has ended, and how: `signal_out` is 0 when it exited
 * with a code. It is not reaped, so its number is still its own. */
bool sco_spawn_has_ended(pid_t pid, int *exit_code_out, int *signal_out);

/* The CPUs that this process may use: its affinity and its cgroup's quota,
 * the smaller, at least 1. Thread: any. */
unsigned sco_spawn_cpus(void);

/* The first of the variables that sco_spawn_worker() sets because they are not
 * set; NULL when the user has set them all. */
const char *sco_spawn_sets_threads(void);

#endif
