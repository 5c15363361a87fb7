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
 */
#define _GNU_SOURCE
#include "worker/gpus.h"
#include "worker/spawn.h"
#include "worker/worker.h"

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
    int socket;             /* the host's end; kept open as a sign of life */
    bool ended;             /* its number may be another process's now */
    const char *gpu;        /* that it sees; NULL: as the host does */
    size_t place;           /* of that GPU */
};

static void
process_interrupt(struct sco_worker *worker)
{
    const struct process_worker *process =
        (const struct process_worker *)worker;

    if (!process->ended) {
        kill(worker->pid, SCO_INTERRUPT_SIGNAL);
    }
}

static void
process_dump(struct sco_worker *worker)
{
    const struct process_worker *process =
        (const struct process_worker *)worker;

    if (!process->ended) {
        kill(worker->pid, SCO_DUMP_SIGNAL);
    }
}

static void
process_kill(struct sco_worker *worker)
{
    const struct process_worker *process =
        (const struct process_worker *)worker;

    if (!process->ended) {
        kill(-worker->pid, SIGKILL);
        kill(worker->pid, SIGKILL);
    }
}

static void
on_end(void *arg, uint32_t events)
{
    struct process_worker *process = arg;
    struct sco_worker_end end = { 0 };
    id_t pid = (id_t)process->base.pid;
    siginfo_t info = { 0 };

    (void)events;
    if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
        return;
    }
    if (info.si_code == CLD_EXITED) {
        end.exit_code = info.si_status;
    } else {
        end.signal = info.si_status;
    }
    /* What the script left running must not hold its ports and files. The
     * process is waited for after that: until then its number is its own. */
    process_kill(&process->base);
    process->ended = true;
    (void)waitid(P_PID, pid, &info, WEXITED | WNOHANG);
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

static enum sco_status
process_start(struct sco_worker *worker, struct sco_error *err)
{
    struct process_worker *process = (struct process_worker *)worker;
    const struct sco_worker_setup *setup = worker->setup;
    enum sco_status status;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return sco_fail(err, SCO_INTERNAL, "socketpair: %s", strerror(errno));
    }
    process->socket = pair[0];
    status = sco_lane_hello(worker->lane, process->socket, setup->boot, err);
    if (status == SCO_OK) {
        if (setup->gpus != NULL) {
            process->gpu = sco_gpus_take(setup->gpus, &process->place);
        }
        status = sco_spawn_worker(setup->python, pair[1], setup->threads_each,
                                  process->gpu, &worker->pid,
                                  &process->watch.fd, err);
    }
    close(pair[1]);
    if (status != SCO_OK) {
        return status;
    }
    sco_log(SCO_EVENT_WORKER_BOOTING, "Booting worker with pid: %d%s%s",
            (int)worker->pid, has_gpu(process) ? " on GPU " : "",
            has_gpu(process) ? process->gpu : "");
    status = watch_process(process, err);
    if (status != SCO_OK) {
        kill(worker->pid, SIGKILL);
        waitpid(worker->pid, NULL, 0);
    }
    return status;
}

static void
process_finish(struct sco_worker *worker)
{
    struct process_worker *process = (struct process_worker *)worker;

    if (process->gpu != NULL) {
        sco_gpus_give(worker->setup->gpus, process->place);
    }
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
