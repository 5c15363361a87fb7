/* remote.c - the worker that came by itself, over ZeroMQ
 *
 * Design notes
 *
 * The thread of link/zmq_host.c says that a worker has come, and later that
 * it has gone; on_gone is the only place where one ends, so a kill too waits
 * for it. Interrupting is no more than having the thread look at the marks:
 * the worker does the rest on its own machine, and writes the stack there.
 */
#include "worker/remote.h"
#include "worker/worker.h"

#include "base/log.h"
#include "link/child.h"
#include "link/zmq_host.h"

#include <stdlib.h>

struct sco_remote {
    struct sco_zmq_host *host;
    void (*on_came)(void *arg);
    void *arg;
    struct sco_zmq_peer *coming; /* while on_came runs */
    uint64_t script_hash;        /* of the first that came; 0: none yet */
};

struct remote_worker {
    struct sco_worker base;
    struct sco_zmq_peer *peer;
    struct sco_child *child;
};

/* ---- the kind -------------------------------------------------------- */

static enum sco_status
remote_start(struct sco_worker *worker, struct sco_error *err)
{
    struct remote_worker *self = (struct remote_worker *)worker;
    struct sco_remote *remote = worker->setup->remote;
    const struct sco_zmq_info *info;
    enum sco_status status;

    if (remote == NULL || remote->coming == NULL) {
        return sco_fail(err, SCO_INTERNAL,
                        "remote workers come by themselves");
    }
    status = sco_child_join(worker->lane, &self->child, err);
    if (status != SCO_OK) {
        return status;
    }
    self->peer = remote->coming;
    remote->coming = NULL;
    info = sco_zmq_peer_info(self->peer);
    worker->name = info->name;
    worker->pid = info->pid;
    worker->credits = info->credits;
    sco_zmq_peer_take(self->peer, worker->lane, self->child, worker);
    return SCO_OK;
}

static void
remote_nudge(struct sco_worker *worker)
{
    sco_zmq_peer_nudge(((struct remote_worker *)worker)->peer);
}

static void
remote_dump(struct sco_worker *worker)
{
    /* The worker does it before it interrupts. */
    (void)worker;
}

static void
remote_kill(struct sco_worker *worker)
{
    sco_zmq_peer_kill(((struct remote_worker *)worker)->peer);
}

static void
remote_finish(struct sco_worker *worker)
{
    sco_child_destroy(((struct remote_worker *)worker)->child);
}

const struct sco_worker_ops sco_remote_worker = {
    .name = "remote",
    .bytes = sizeof(struct remote_worker),
    .start = remote_start,
    .dump = remote_dump,
    .interrupt = remote_nudge,
    .kill = remote_kill,
    .finish = remote_finish,
};

/* ---- coming and going ------------------------------------------------ */

/* Warns of a worker whose script is not that of the others. */
static void
compare_script(struct sco_remote *remote, const struct sco_zmq_info *info)
{
    if (remote->script_hash == 0) {
        remote->script_hash = info->script_hash;
    } else if (remote->script_hash != info->script_hash) {
        sco_log(SCO_EVENT_REMOTE_SCRIPT,
                "remote worker %s runs another %s than the first that came",
                info->name, info->script);
    }
}

static void
on_came(void *arg, struct sco_zmq_peer *peer)
{
    struct sco_remote *remote = arg;
    const struct sco_zmq_info *info = sco_zmq_peer_info(peer);

    remote->coming = peer;
    remote->on_came(remote->arg);
    remote->coming = NULL;
    if (sco_zmq_peer_owner(peer) == NULL) {
        sco_log(SCO_EVENT_REMOTE_REFUSED, "remote worker %s is sent away",
                info->name);
        return;
    }
    sco_log(SCO_EVENT_REMOTE_CAME,
            "remote worker %s has come: pid %d on %s, %s%s, %s", info->name,
            (int)info->pid, info->machine,
            info->gpu[0] != '\0' ? "GPU " : "no GPU named", info->gpu,
            info->script);
    compare_script(remote, info);
}

static void
on_leaving(void *arg, struct sco_zmq_peer *peer)
{
    (void)arg;
    sco_worker_leave(sco_zmq_peer_owner(peer));
}

static void
on_gone(void *arg, struct sco_zmq_peer *peer, const char *why)
{
    const struct sco_zmq_info *info = sco_zmq_peer_info(peer);

    (void)arg;
    if (why != NULL) {
        sco_log(SCO_EVENT_REMOTE_LOST, "remote worker %s is lost: %s",
                info->name, why);
    } else {
        sco_log(SCO_EVENT_REMOTE_LEFT, "remote worker %s has left",
                info->name);
    }
    sco_worker_gone(sco_zmq_peer_owner(peer),
                    &(struct sco_worker_end){ .reason = why });
}

enum sco_status
sco_remote_create(struct sco_loop *loop, const char *endpoint,
                  const char *keys, void (*came)(void *arg), void *arg,
                  struct sco_remote **out, struct sco_error *err)
{
    struct sco_remote *remote = sco_alloc(1, sizeof(*remote));
    const struct sco_zmq_host_setup setup = {
        .loop = loop,
        .endpoint = endpoint,
        .keys = keys,
        .arg = remote,
        .on_came = on_came,
        .on_leaving = on_leaving,
        .on_gone = on_gone,
    };
    enum sco_status status;

    remote->on_came = came;
    remote->arg = arg;
    status = sco_zmq_host_create(&setup, &remote->host, err);
    if (status != SCO_OK) {
        free(remote);
        return status;
    }
    sco_log(SCO_EVENT_REMOTE_LISTENING, "remote workers come to %s",
            sco_zmq_host_endpoint(remote->host));
    *out = remote;
    return SCO_OK;
}

void
sco_remote_ending(struct sco_remote *remote)
{
    if (remote != NULL) {
        sco_zmq_host_ending(remote->host);
    }
}

void
sco_remote_destroy(struct sco_remote *remote)
{
    if (remote != NULL) {
        sco_zmq_host_destroy(remote->host);
        free(remote);
    }
}
