/* zmq_host.c - the thread that owns the socket to which remote workers come
 *
 * Design notes
 *
 * The socket is a ROUTER: it names each connection, so a worker that comes
 * again over a new one is a new peer with a new session. It tells us
 * (ROUTER_MANDATORY) when something is for a connection that is gone; so when
 * the library says that some connection ended, every peer is sent a beat, and
 * the ones that cannot be had are lost at once. A machine that goes silent is
 * found out by beats that do not come. Both are asked again for a moment: the
 * library tells of the end a little before it forgets the name.
 *
 * The thread sleeps in one place. What wakes it are the sockets and an
 * eventfd, which lanes and the loop write to. Without a peer it has no timer.
 *
 * A peer is in one of three lists. `peers` and `ended` are the thread's own;
 * at the end of a turn, when nothing here looks at them any more, those that
 * ended go to `locked.gone`, until the loop has heard of it.
 */
#define _GNU_SOURCE
#include "link/zmq_host_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "link/zmq.h"
#include "link/zmq_keys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    MESSAGES_PER_TURN = 256,
    PROBES = 4,    /* beats after a connection ended ... */
    PROBE_MS = 10, /* ... so far apart, doubling */
    PEERS_MAX = 1024,
    ENDPOINT_BYTES = 1024,
    GUARD_PARTS = 9, /* of the question whether a key is allowed */
};

struct sco_zmq_host {
    struct sco_zmq_host_setup setup;
    char endpoint[ENDPOINT_BYTES];
    int wake_fd;
    pthread_t thread;
    bool started;
    atomic_bool stop, ending;

    /* zmq's. */
    struct sco_zmq *zmq;
    struct sco_zmq_socket *router, *guard;
    struct sco_keyring *ring;
    struct sco_list peers; /* of sco_zmq_peer.link */
    struct sco_list ended; /* ... of this turn */
    size_t peer_count;
    uint64_t next_session;
    uint64_t beat_ns; /* the next ones */
    unsigned probes;  /* still to be made */
    uint64_t probe_ns;
    uint64_t told_ns; /* a stranger was logged */

    struct {
        pthread_mutex_t mutex;
        struct sco_list gone; /* of sco_zmq_peer.link */
    } locked;
};

static struct sco_zmq_peer *
peer_at(struct sco_list *link)
{
    return SCO_LIST_ENTRY(link, struct sco_zmq_peer, link);
}

/* ---- for peers ------------------------------------------------------- */

enum sco_status
host_send(struct sco_zmq_host *host, const struct sco_slice *parts,
          size_t count)
{
    return sco_zmq_send(host->router, parts, count);
}

void
host_post(struct sco_zmq_host *host, struct sco_post *post)
{
    sco_loop_post(host->setup.loop, post);
}

bool
host_is_ending(const struct sco_zmq_host *host)
{
    return atomic_load(&host->ending);
}

uint32_t
host_beat_ms(const struct sco_zmq_host *host)
{
    return host->setup.beat_ms;
}

void
host_let_go(struct sco_zmq_peer *peer)
{
    struct sco_zmq_host *host = peer->host;

    sco_list_remove(&peer->link);
    host->peer_count--;
    sco_list_push(&host->ended, &peer->link);
}

/* Hands those that ended to the loop, which may free them at once. */
static void
hand_over(struct sco_zmq_host *host)
{
    struct sco_list *link;

    while ((link = sco_list_first(&host->ended)) != NULL) {
        sco_list_remove(link);
        pthread_mutex_lock(&host->locked.mutex);
        sco_list_push(&host->locked.gone, link);
        pthread_mutex_unlock(&host->locked.mutex);
        sco_loop_post(host->setup.loop, &peer_at(link)->gone);
    }
}

/* ---- on the loop ----------------------------------------------------- */

static void
free_peer(struct sco_zmq_peer *peer)
{
    sco_text_finish(&peer->documents);
    free(peer);
}

static void
wake(struct sco_zmq_host *host)
{
    shared_ring(host->wake_fd);
}

static void
order(struct sco_zmq_peer *peer, enum peer_order what)
{
    atomic_store(&peer->order, (int)what);
    wake(peer->host);
}

static void
on_came(void *arg)
{
    struct sco_zmq_peer *peer = arg;

    peer->host->setup.on_came(peer->host->setup.arg, peer);
    if (peer->owner == NULL) {
        order(peer, ORDER_REFUSE);
    }
}

static void
on_left(void *arg)
{
    struct sco_zmq_peer *peer = arg;

    if (peer->owner != NULL) {
        peer->host->setup.on_leaving(peer->host->setup.arg, peer);
    }
}

static void
on_gone(void *arg)
{
    struct sco_zmq_peer *peer = arg;
    struct sco_zmq_host *host = peer->host;

    if (peer->owner != NULL) {
        host->setup.on_gone(host->setup.arg, peer,
                            peer->why[0] != '\0' ? peer->why : NULL);
    }
    pthread_mutex_lock(&host->locked.mutex);
    sco_list_remove(&peer->link);
    pthread_mutex_unlock(&host->locked.mutex);
    free_peer(peer);
}

const struct sco_zmq_info *
sco_zmq_peer_info(const struct sco_zmq_peer *peer)
{
    return &peer->info;
}

void
sco_zmq_peer_take(struct sco_zmq_peer *peer, struct sco_lane *lane,
                  struct sco_child *child, void *owner)
{
    sco_lane_wake_by(lane, peer->host->wake_fd);
    peer->owner = owner;
    atomic_store(&peer->child, child);
    wake(peer->host);
}

void *
sco_zmq_peer_owner(const struct sco_zmq_peer *peer)
{
    return peer->owner;
}

void
sco_zmq_peer_nudge(struct sco_zmq_peer *peer)
{
    wake(peer->host);
}

void
sco_zmq_peer_kill(struct sco_zmq_peer *peer)
{
    order(peer, ORDER_KILL);
}

const char *
sco_zmq_host_endpoint(const struct sco_zmq_host *host)
{
    return host->endpoint;
}

void
sco_zmq_host_ending(struct sco_zmq_host *host)
{
    atomic_store(&host->ending, true);
}

/* ---- newcomers ------------------------------------------------------- */

static struct sco_zmq_peer *
find_peer(struct sco_zmq_host *host, struct sco_slice identity)
{
    struct sco_list *link = host->peers.next;

    for (; link != &host->peers; link = link->next) {
        struct sco_zmq_peer *peer = peer_at(link);

        if (sco_slice_equal(
                identity,
                (struct sco_slice){ peer->identity, peer->identity_bytes })) {
            return peer;
        }
    }
    return NULL;
}

/* Answers who has no session. */
static void
turn_away(struct sco_zmq_host *host, struct sco_slice identity,
          enum sco_frame_refusal reason, struct sco_slice text)
{
    const struct sco_frame frame = { .kind = SCO_FRAME_REFUSED,
                                     .number = reason,
                                     .text = text };
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice parts[2] = { identity, { head, 0 } };

    parts[1].len = sco_frame_write(&frame, head);
    (void)sco_zmq_send(host->router, parts, 2);
}

static void
copy_text(char *into, size_t room, struct sco_slice text)
{
    (void)snprintf(into, room, "%.*s", (int)text.len,
                   text.len > 0 ? text.data : "");
}

static void
fill_in(struct sco_zmq_peer *peer, const struct sco_frame *hello,
        const char *address)
{
    (void)snprintf(peer->name, sizeof(peer->name), "%.*s%s%s%s",
                   (int)hello->name.len, hello->name.data,
                   address[0] != '\0' ? " (" : "", address,
                   address[0] != '\0' ? ")" : "");
    copy_text(peer->machine, sizeof(peer->machine), hello->machine);
    copy_text(peer->gpu, sizeof(peer->gpu), hello->gpu);
    copy_text(peer->script, sizeof(peer->script), hello->script);
    peer->info = (struct sco_zmq_info){
        .name = peer->name,
        .machine = peer->machine,
        .gpu = peer->gpu,
        .script = peer->script,
        .script_hash = hello->script_hash,
        .credits = hello->credits,
        .pid = (pid_t)hello->pid,
    };
}

static void
greet(struct sco_zmq_host *host, struct sco_slice identity,
      const struct sco_frame *hello, struct sco_slice documents,
      const char *address)
{
    struct sco_zmq_peer *peer = calloc(1, sizeof(*peer));

    if (peer == NULL || identity.len > PEER_IDENTITY_MAX ||
        host->peer_count >= PEERS_MAX) {
        free(peer);
        turn_away(host, identity, SCO_REFUSED_LATER,
                  SCO_SLICE("the host has no room for one more"));
        return;
    }
    peer->host = host;
    memcpy(peer->identity, identity.data, identity.len);
    peer->identity_bytes = identity.len;
    peer->session = ++host->next_session;
    fill_in(peer, hello, address);
    sco_text_add(&peer->documents, documents);
    peer->came = (struct sco_post){ .run = on_came, .arg = peer };
    peer->left = (struct sco_post){ .run = on_left, .arg = peer };
    peer->gone = (struct sco_post){ .run = on_gone, .arg = peer };
    peer->patience_ns =
        sco_clock_now_ns() + 3 * SCO_NS_PER_MS * (uint64_t)host_beat_ms(host);
    sco_list_push(&host->peers, &peer->link);
    if (host->peer_count++ == 0) {
        host->beat_ns = sco_clock_now_ns();
    }
    sco_loop_post(host->setup.loop, &peer->came);
}

/* Something came from a connection that has no session. */
static void
hear_stranger(struct sco_zmq_host *host, const struct sco_zmq_message *message,
              enum sco_status status, const struct sco_frame *frame)
{
    struct sco_slice identity = message->parts[0];

    if (status == SCO_UNSUPPORTED) {
        turn_away(host, identity, SCO_REFUSED_NEVER,
                  SCO_SLICE("the host is of another version: install the "
                            "same scorehost on both"));
    } else if (status == SCO_OK && frame->kind == SCO_FRAME_HELLO) {
        /* A Unix socket's peer has no address, but the library makes one. */
        greet(host, identity, frame, message->parts[2],
              strncmp(host->endpoint, "tcp:", 4) == 0 ? message->address : "");
    } else if (status == SCO_OK && frame->kind != SCO_FRAME_BYE) {
        turn_away(host, identity, SCO_REFUSED_UNKNOWN,
                  SCO_SLICE("say hello first"));
    }
}

static void
hear(struct sco_zmq_host *host, const struct sco_zmq_message *message)
{
    struct sco_zmq_peer *peer;
    struct sco_frame frame = { .session = 0 };
    enum sco_status status = SCO_INVALID;

    if (message->count >= 2 && message->count <= 2 + SCO_FRAME_PARTS_MAX) {
        status = sco_frame_read(message->parts[1], message->count - 2, &frame);
    }
    peer = find_peer(host, message->parts[0]);
    if (peer == NULL) {
        hear_stranger(host, message, status, &frame);
    } else if (status != SCO_OK) {
        peer_end(peer, SCO_BYE_KILLED, "it sent what it must not");
    } else if (frame.session == peer->session || frame.session == 0) {
        peer_hear(peer, &frame, message->parts + 2);
    }
}

/* ---- keys ------------------------------------------------------------ */

/* Says at most once a second that somebody was not let in. */
static void
tell_of_stranger(struct sco_zmq_host *host, struct sco_slice address)
{
    uint64_t now_ns = sco_clock_now_ns();

    if (host->told_ns == 0 || now_ns - host->told_ns > SCO_NS_PER_S) {
        host->told_ns = now_ns;
        sco_log(SCO_EVENT_REMOTE_REFUSED,
                "a worker from %.*s has a key that is not in %s",
                (int)address.len, address.len > 0 ? address.data : "",
                host->setup.keys);
    }
}

/* The library asks whether a key is allowed: RFC 27. */
static void
answer_guard(struct sco_zmq_host *host, const struct sco_zmq_message *asked)
{
    const struct sco_slice *in = asked->parts;
    const char *name = NULL;
    struct sco_zmq_key key;
    struct sco_slice out[8];

    if (asked->count < GUARD_PARTS - 1) {
        return;
    }
    if (asked->count == GUARD_PARTS && in[8].len == 32) {
        sco_zmq_key_text((const unsigned char *)in[8].data, &key);
        name = sco_keyring_find(host->ring, &key);
    }
    if (name == NULL) {
        tell_of_stranger(host, in[5]);
    }
    out[0] = in[0];
    out[1] = in[1];
    out[2] = in[2];
    out[3] = in[3];
    out[4] = name != NULL ? SCO_SLICE("200") : SCO_SLICE("400");
    out[5] = name != NULL ? SCO_SLICE("OK") : SCO_SLICE("unknown key");
    out[6] = sco_slice_of(name);
    out[7] = SCO_SLICE("");
    (void)sco_zmq_send(host->guard, out, 8);
}

/* ---- the thread ------------------------------------------------------ */

/* Calls `look` on each peer, which may end it. */
static void
for_each(struct sco_zmq_host *host, void (*look)(struct sco_zmq_peer *peer))
{
    struct sco_list *link = host->peers.next;

    while (link != &host->peers) {
        struct sco_list *next = link->next;

        look(peer_at(link));
        link = next;
    }
}

static void
send_beat(struct sco_zmq_peer *peer)
{
    struct sco_frame frame = { .kind = SCO_FRAME_BEAT };
    char why[64];

    if (sco_clock_now_ns() > peer->patience_ns) {
        (void)snprintf(why, sizeof(why), "no heartbeat for %.3g s",
                       3.0 * host_beat_ms(peer->host) / 1000.0);
        peer_end(peer, SCO_BYE_SILENT, why);
        return;
    }
    peer_send(peer, &frame, NULL);
}

/* Sends what is due; returns how long may be slept, -1 for ever. */
static long
keep_time(struct sco_zmq_host *host)
{
    uint64_t now_ns = sco_clock_now_ns();
    uint64_t next_ns;

    if (host->peer_count == 0) {
        host->probes = 0;
        return -1;
    }
    if (host->probes > 0 && now_ns >= host->probe_ns) {
        host->probes--;
        host->probe_ns =
            now_ns +
            ((uint64_t)PROBE_MS << (PROBES - host->probes)) * SCO_NS_PER_MS;
        for_each(host, send_beat);
    } else if (now_ns >= host->beat_ns) {
        host->beat_ns = now_ns + host_beat_ms(host) * (uint64_t)SCO_NS_PER_MS;
        for_each(host, send_beat);
    }
    next_ns = host->beat_ns;
    if (host->probes > 0 && host->probe_ns < next_ns) {
        next_ns = host->probe_ns;
    }
    now_ns = sco_clock_now_ns();
    return next_ns <= now_ns ? 0
                             : (long)((next_ns - now_ns) / SCO_NS_PER_MS) + 1;
}

/* Hears what came. True when there may be more. */
static bool
hear_all(struct sco_zmq_host *host)
{
    struct sco_zmq_message message;
    int heard = 0;

    if ((sco_zmq_events(host->router) & SCO_ZMQ_DISCONNECTED) != 0) {
        host->probes = PROBES;
        host->probe_ns = sco_clock_now_ns();
    }
    while (heard < MESSAGES_PER_TURN &&
           sco_zmq_receive(host->router, &message) == SCO_OK) {
        hear(host, &message);
        sco_zmq_drop(&message);
        heard++;
    }
    while (host->guard != NULL &&
           sco_zmq_receive(host->guard, &message) == SCO_OK) {
        answer_guard(host, &message);
        sco_zmq_drop(&message);
        heard++;
    }
    return heard > 0;
}

static bool
all_may_sleep(struct sco_zmq_host *host)
{
    struct sco_list *link = host->peers.next;
    bool may = true;

    for (; link != &host->peers; link = link->next) {
        may = peer_may_sleep(peer_at(link)) && may;
    }
    return may && !atomic_load(&host->stop);
}

static void
drain_wakes(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

static void
zmq_body(void *arg)
{
    struct sco_zmq_host *host = arg;
    struct sco_zmq_wait waits[3] = {
        { .fd = host->wake_fd },
        { .socket = host->router },
        { .socket = host->guard },
    };
    size_t count = host->guard != NULL ? 3 : 2;
    bool more = false;

    while (!atomic_load(&host->stop)) {
        long timeout_ms;

        for_each(host, peer_pump);
        timeout_ms = keep_time(host);
        hand_over(host);
        if (more || !all_may_sleep(host)) {
            timeout_ms = 0;
        }
        sco_zmq_wait(waits, count, timeout_ms);
        drain_wakes(host->wake_fd);
        more = hear_all(host);
        hand_over(host);
    }
}

/* ---- beginning and end ----------------------------------------------- */

static enum sco_status
open_sockets(struct sco_zmq_host *host, struct sco_error *err)
{
    const struct sco_zmq_host_setup *setup = &host->setup;
    bool has_keys = setup->keys[0] != '\0';
    struct sco_zmq_key secret = { .text = "" };
    enum sco_status status = sco_zmq_check(setup->endpoint, has_keys, err);

    if (status == SCO_OK && has_keys) {
        status = sco_keyring_open(setup->keys, &host->ring, &secret, err);
    }
    if (status == SCO_OK) {
        status = sco_zmq_open(&host->zmq, err);
    }
    /* The guard first: without one, the library lets everybody in. */
    if (status == SCO_OK && has_keys) {
        status =
            sco_zmq_socket_create(host->zmq, SCO_ZMQ_GUARD, &host->guard, err);
        if (status == SCO_OK) {
            status = sco_zmq_listen(host->guard, NULL, NULL, err);
        }
    }
    if (status == SCO_OK) {
        status = sco_zmq_socket_create(host->zmq, SCO_ZMQ_ROUTER,
                                       &host->router, err);
    }
    if (status == SCO_OK) {
        status = sco_zmq_listen(host->router, setup->endpoint, &secret, err);
    }
    if (status == SCO_OK) {
        sco_zmq_endpoint(host->router, host->endpoint, ENDPOINT_BYTES);
    }
    return status;
}

/* Sessions of an earlier host must not be taken for this one's. */
static uint64_t
first_session(void)
{
    return sco_clock_now_ns() << 8 ^ (uint64_t)getpid() << 40;
}

static enum sco_status
copy_setup(struct sco_zmq_host *host, const struct sco_zmq_host_setup *setup)
{
    host->setup = *setup;
    host->setup.endpoint = strdup(setup->endpoint);
    host->setup.keys = strdup(setup->keys != NULL ? setup->keys : "");
    if (host->setup.beat_ms == 0) {
        host->setup.beat_ms = SCO_BEAT_MS;
    }
    return host->setup.endpoint != NULL && host->setup.keys != NULL
               ? SCO_OK
               : SCO_NOMEM;
}

enum sco_status
sco_zmq_host_create(const struct sco_zmq_host_setup *setup,
                    struct sco_zmq_host **out, struct sco_error *err)
{
    struct sco_zmq_host *host = sco_alloc(1, sizeof(*host));
    enum sco_status status = copy_setup(host, setup);

    pthread_mutex_init(&host->locked.mutex, NULL);
    sco_list_init(&host->locked.gone);
    sco_list_init(&host->peers);
    sco_list_init(&host->ended);
    host->next_session = first_session();
    host->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (host->wake_fd < 0) {
        status = sco_fail(err, SCO_INTERNAL, "eventfd: %s", strerror(errno));
    }
    if (status == SCO_OK) {
        status = open_sockets(host, err);
    }
    if (status == SCO_OK) {
        status = sco_thread_start("zmq", SCO_ROLE_ZMQ, zmq_body, host,
                                  &host->thread, err);
        host->started = status == SCO_OK;
    }
    if (status != SCO_OK) {
        sco_zmq_host_destroy(host);
        return status;
    }
    *out = host;
    return SCO_OK;
}

static void
free_peers(struct sco_list *peers)
{
    struct sco_list *link = peers->next;

    while (link != peers) {
        struct sco_list *next = link->next;

        free_peer(peer_at(link));
        link = next;
    }
}

void
sco_zmq_host_destroy(struct sco_zmq_host *host)
{
    if (host == NULL) {
        return;
    }
    if (host->started) {
        atomic_store(&host->stop, true);
        wake(host);
        pthread_join(host->thread, NULL);
    }
    sco_zmq_socket_close(host->router);
    sco_zmq_socket_close(host->guard);
    sco_zmq_close(host->zmq);
    sco_keyring_close(host->ring);
    free_peers(&host->peers);
    free_peers(&host->ended);
    free_peers(&host->locked.gone);
    pthread_mutex_destroy(&host->locked.mutex);
    if (host->wake_fd >= 0) {
        close(host->wake_fd);
    }
    free((char *)(uintptr_t)host->setup.endpoint);
    free((char *)(uintptr_t)host->setup.keys);
    free(host);
}
