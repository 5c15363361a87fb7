/* zmq_host.h - the host's end of remote workers
 *
 * One thread owns the socket to which remote workers come. For each of them
 * it plays what a local worker's end of a lane is (link/child.h): it takes
 * calls out of the lane and sends them away, and puts the replies that come
 * back into it. So to the loop a remote worker is a worker like any other.
 *
 * The loop is told when one has come, and answers with a lane or a refusal;
 * when it wants to leave; and when it has gone, after which its lane is
 * touched no more. A peer is the loop's from on_came to the return of
 * on_gone, which always comes.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_LINK_ZMQ_HOST_H
#define SCO_LINK_ZMQ_HOST_H

#include "base/status.h"

#include <stdint.h>
#include <sys/types.h>

struct sco_child;
struct sco_lane;
struct sco_loop;
struct sco_zmq_host;
struct sco_zmq_peer;

enum { SCO_BEAT_MS = 1000 }; /* as a rule; three missed ones are the end */

/* What it is made from; the texts are copied. All three functions are called
 * on the loop. */
struct sco_zmq_host_setup {
    struct sco_loop *loop;
    const char *endpoint; /* "tcp://ADDRESS:PORT" or "ipc://PATH" */
    const char *keys;     /* a folder, or "" for no keys */
    uint32_t beat_ms;     /* 0: SCO_BEAT_MS */

    void *arg;
    /* A worker has come: sco_zmq_peer_take() it, or it is sent away. */
    void (*on_came)(void *arg, struct sco_zmq_peer *peer);
    /* One that was taken wants nothing more: stop its lane. */
    void (*on_leaving)(void *arg, struct sco_zmq_peer *peer);
    /* It has gone; `why` is NULL when it was through with everything. */
    void (*on_gone)(void *arg, struct sco_zmq_peer *peer, const char *why);
};

/* What a worker says of itself. The texts hold as long as the peer. */
struct sco_zmq_info {
    const char *name;    /* and where from: "gpu-a (10.0.0.7)" */
    const char *machine; /* its host name */
    const char *gpu;     /* "" for none */
    const char *script;  /* the file's name */
    uint64_t script_hash;
    unsigned credits; /* calls that it may hold */
    pid_t pid;        /* on its machine */
};

/* Listens, and starts the thread.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_UNSUPPORTED without the library, SCO_INVALID for an endpoint
 *            or keys that will not do, SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_zmq_host_create(const struct sco_zmq_host_setup *setup,
                                    struct sco_zmq_host **out,
                                    struct sco_error *err);

/* Where it listens, with the port that the system chose. */
const char *sco_zmq_host_endpoint(const struct sco_zmq_host *host);

/* Says that the host is ending: a worker whose lane is stopped from now on
 * comes back when there is a host again, and is not started anew. */
void sco_zmq_host_ending(struct sco_zmq_host *host);

/* Ends the thread and closes the socket; no worker holds a lane any more.
 * NULL is allowed. Blocks: two seconds at most. */
void sco_zmq_host_destroy(struct sco_zmq_host *host);

/* What a worker says of itself. */
const struct sco_zmq_info *sco_zmq_peer_info(const struct sco_zmq_peer *peer);

/* Gives a worker that has come a lane, whose far end the thread plays from
 * now on. `owner` is the caller's, for sco_zmq_peer_owner().
 *
 * Ownership: lane and child are borrowed until on_gone. */
void sco_zmq_peer_take(struct sco_zmq_peer *peer, struct sco_lane *lane,
                       struct sco_child *child, void *owner);

/* What sco_zmq_peer_take() was given, or NULL. */
void *sco_zmq_peer_owner(const struct sco_zmq_peer *peer);

/* Has the thread look at its lane's marks: a request was cancelled. */
void sco_zmq_peer_nudge(struct sco_zmq_peer *peer);

/* Gives a worker up; it is told to end at once, and on_gone comes. */
void sco_zmq_peer_kill(struct sco_zmq_peer *peer);

#endif
