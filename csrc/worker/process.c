/* process.c - the worker that is a process of its own: the main road
 *
 * Design notes
 *
 * The host spawns it, sends it a hello over a socket, and then speaks through
 * the lane. Its end is noticed by a pidfd, so no signal handler and no wait
 * for all children is needed, and strays of other parents do not matter. The
 * worker asks the kernel to be killed with the host (link/child.c). Ending
 * it waits for nothing: SIGKILL goes to its process group, so that what the
 * script started goes with it.
 *
 * With preloading it is forked by another process (worker/zygote.h), which
 * alone can wait for it. So that one says how it ended, and clears its process
 * group away; the pid is not known before it says so either.
 */
#define _GNU_SOURCE
#include "worker/gpus.h"
#include "worker/spawn.h"
#include "worker/worker.h"
#include "worker/zygote.h"

#include "base/log.h"
#include "link/child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct process_worker {
    struct sco_worker base;
    struct sco_watch watch; /* the pidfd; fd 0 before the spawn */
    struct sco_fork fork;   /* in use when it was forked */
    int socket;             /* the host's end; kept open as a sign of life */
    bool ended;             /* its number may be another process's now */
    const char *gpu;        /* that it sees; NULL: as the host does */
    size_t place;           /* of that GPU */
};

static void
send_signal(struct sco_worker *worker, int number)
{
    const struct process_worker *process =
        (const struct process_worker *)worker;

    if (worker->setup->zygote != NULL) {
        sco_fork_signal(&process->fork, number);
    } else if (!process->ended) {
        kill(worker->pid, number);
    }
}

static void
process_interrupt(struct sco_worker *worker)
{
    send_signal(worker, SCO_INTERRUPT_SIGNAL);
}

static void
process_dump(struct sco_worker *worker)
{
    send_signal(worker, SCO_DUMP_SIGNAL);
}

static void
process_kill(struct sco_worker *worker)
{
    struct process_worker *process = (struct process_worker *)worker;

    if (worker->setup->zygote != NULL) {
        sco_fork_kill(&process->fork);
    } else if (!process->ended) {
        kill(-worker->pid, SIGKILL);
        kill(worker->pid, SIGKILL);
    }
}

static void
on_end(void *arg, uint32_t events)
{
    struct process_worker *process = arg;
    struct sco_worker_end end = { 0 };
    pid_t pid = process->base.pid;

    (void)events;
    if (!sco_spawn_has_ended(pid, &end.exit_code, &end.signal)) {
        return;
    }
    /* What the script left running must not hold its ports and files. The
     * process is waited for after that: until then its number is its own. */
    process_kill(&process->base);
    process->ended = true;
    (void)waitpid(pid, NULL, WNOHANG);
    sco_loop_remove(process->base.setup->loop, &process->watch);
    sco_worker_gone(&process->base, &end);
}

static enum sco_status
watch_process(struct process_worker *process, struct sco_error *err)
{
    process->watch.on_ready = on_end;
    process->watch.arg = process;
    return sco_loop_add(process->base.setup->loop, &process->watch, EPOLLIN,
                        err);
}

static bool
has_gpu(const struct process_worker *process)
{
    return process->gpu != NULL && process->gpu[0] != '\0';
}

static void
log_booting(const struct process_worker *process)
{
    sco_log(SCO_EVENT_WORKER_BOOTING, "Booting worker with pid: %d%s%s",
            (int)process->base.pid, has_gpu(process) ? " on GPU " : "",
            has_gpu(process) ? process->gpu : "");
}

/* ---- forked --------------------------------------------------------- */

static void
on_forked(void *arg, pid_t pid)
{
    struct process_worker *process = arg;

    process->base.pid = pid;
    log_booting(process);
}

static void
on_fork_ended(void *arg, pid_t pid, const struct sco_worker_end *end)
{
    struct process_worker *process = arg;

    process->base.pid = pid;
    process->ended = true;
    sco_worker_gone(&process->base, end);
}

static enum sco_status
start_forked(struct process_worker *process, int socket, struct sco_error *err)
{
    struct sco_worker *worker = &process->base;
    enum sco_status status;

    process->fork.arg = process;
    process->fork.on_forked = on_forked;
    process->fork.on_ended = on_fork_ended;
    /* What the boot text would tell has been read where it is forked. */
    status = sco_lane_hello(worker->lane, process->socket, SCO_SLICE(""), err);
    if (status == SCO_OK) {
        status = sco_zygote_fork(worker->setup->zygote, &process->fork, socket,
                                 err);
    }
    if (status != SCO_OK) {
        close(socket);
    }
    return status;
}

/* ---- spawned -------------------------------------------------------- */

static enum sco_status
start_spawned(struct process_worker *process, int socket,
              struct sco_error *err)
{
    struct sco_worker *worker = &process->base;
    const struct sco_worker_setup *setup = worker->setup;
    enum sco_status status =
        sco_lane_hello(worker->lane, process->socket, setup->boot, err);

    if (status == SCO_OK) {
        if (setup->gpus != NULL) {
            process->gpu = sco_gpus_take(setup->gpus, &process->place);
        }
        status = sco_spawn_worker(setup->python, socket, setup->threads_each,
                                  process->gpu, &worker->pid,
                                  &process->watch.fd, err);
    }
    close(socket);
    if (status != SCO_OK) {
        return status;
    }
    log_booting(process);
    status = watch_process(process, err);
    if (status != SCO_OK) {
        kill(worker->pid, SIGKILL);
        waitpid(worker->pid, NULL, 0);
    }
    return status;
}

/* ---- either --------------------------------------------------------- */

static enum sco_status
process_start(struct sco_worker *worker, struct sco_error *err)
{
    struct process_worker *process = (struct process_worker *)worker;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return sco_fail(err, SCO_INTERNAL, "socketpair: %s", strerror(errno));
    }
    process->socket = pair[0];
    return worker->setup->zygote != NULL
               ? start_forked(process, pair[1], err)
               : start_spawned(process, pair[1], err);
}

static void
process_finish(struct sco_worker *worker)
{
    struct process_worker *process = (struct process_worker *)worker;

    if (process->gpu != NULL) {
        sco_gpus_give(worker->setup->gpus, process->place);
    }
    sco_fork_finish(&process->fork);
    if (process->watch.fd > 0) {
        sco_loop_remove(worker->setup->loop, &process->watch);
        close(process->watch.fd);
    }
    if (process->socket > 0) {
        close(process->socket);
    }
}

const struct sco_worker_ops sco_process_worker = {
    .name = "process",
    .bytes = sizeof(struct process_worker),
    .is_replaceable = true,
    .start = process_start,
    .dump = process_dump,
    .interrupt = process_interrupt,
    .kill = process_kill,
    .finish = process_finish,
};
