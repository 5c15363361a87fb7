/* Design notes
 *
 * The library's functions are looked up by name once, into `lib`; the table
 * of names makes the members, so that each has the type that <zmq.h> gives
 * it. Where the header was missing when this was built, sco_zmq_open() and
 * sco_zmq_keypair() say so, and nothing else is ever called.
 *
 * Each socket has a monitor, which tells of connections that come and go. It
 * is a socket of its own inside the process.
 */
#define _GNU_SOURCE
#include "link/zmq.h"

#ifdef SCO_HAVE_ZMQ

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define LIBRARY "libzmq.so.5"
#define MISSING                                                 \
    LIBRARY " is missing, and remote workers come over it. On " \
            "Debian: apt-get install libzmq5"

/* The place where the library asks whether a key is allowed (RFC 27). */
#define GUARD_ENDPOINT "inproc://zeromq.zap.01"

enum {
    LINGER_MS = 2000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 5000,
    MESSAGE_BYTES_MAX = 1 << 30,
    LEAST_VERSION = 403, /* 4.3: the events of handshakes */
    KEY_BYTES = 32,
};

#define FUNCTIONS(X)      \
    X(zmq_bind)           \
    X(zmq_close)          \
    X(zmq_connect)        \
    X(zmq_ctx_new)        \
    X(zmq_ctx_term)       \
    X(zmq_curve_keypair)  \
    X(zmq_curve_public)   \
    X(zmq_errno)          \
    X(zmq_getsockopt)     \
    X(zmq_msg_close)      \
    X(zmq_msg_data)       \
    X(zmq_msg_gets)       \
    X(zmq_msg_init)       \
    X(zmq_msg_init_size)  \
    X(zmq_msg_more)       \
    X(zmq_msg_recv)       \
    X(zmq_msg_send)       \
    X(zmq_msg_size)       \
    X(zmq_poll)           \
    X(zmq_setsockopt)     \
    X(zmq_socket)         \
    X(zmq_socket_monitor) \
    X(zmq_strerror)       \
    X(zmq_version)        \
    X(zmq_z85_encode)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it names a member. */
#define X(name) __typeof__(&(name)) name;
static struct {
    FUNCTIONS(X)
} lib;
#undef X

/* Set by load() alone, which runs once. */
static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static enum sco_status load_status;
static char load_reason[160] = MISSING;

struct sco_zmq {
    void *context;
    unsigned sockets; /* made so far: each monitor has a name of its own */
};

struct sco_zmq_socket {
    void *handle;
    void *monitor; /* NULL: none */
};

/* The address of a function. False when the library has it not. */
static bool
find(void *library, const char *name, void *into, size_t bytes)
{
    void *found = dlsym(library, name);

    if (found != NULL) {
        memcpy(into, &found, bytes);
    }
    return found != NULL;
}

static void
load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    int major, minor, patch;
    bool whole = library != NULL;

    load_status = SCO_UNSUPPORTED;
    if (library == NULL) {
        return;
    }
#define X(name) \
    whole = find(library, #name, &lib.name, sizeof(lib.name)) && whole;
    FUNCTIONS(X)
#undef X
    if (whole) {
        lib.zmq_version(&major, &minor, &patch);
        whole = major * 100 + minor >= LEAST_VERSION;
    }
    if (!whole) {
        snprintf(load_reason, sizeof(load_reason),
                 "%s is too old: remote workers need ZeroMQ 4.3 or later",
                 LIBRARY);
        return;
    }
    load_status = SCO_OK;
}

static enum sco_status
need_library(struct sco_error *err)
{
    pthread_once(&load_once, load);
    return load_status == SCO_OK
               ? SCO_OK
               : sco_fail(err, load_status, "%s", load_reason);
}

static const char *
last_error(void)
{
    return lib.zmq_strerror(lib.zmq_errno());
}

enum sco_status
sco_zmq_open(struct sco_zmq **out, struct sco_error *err)
{
    enum sco_status status = need_library(err);
    struct sco_zmq *zmq;

    if (status != SCO_OK) {
        return status;
    }
    zmq = sco_alloc(1, sizeof(*zmq));
    zmq->context = lib.zmq_ctx_new();
    if (zmq->context == NULL) {
        free(zmq);
        return sco_fail(err, SCO_INTERNAL, "ZeroMQ: %s", last_error());
    }
    *out = zmq;
    return SCO_OK;
}

void
sco_zmq_close(struct sco_zmq *zmq)
{
    if (zmq != NULL) {
        while (lib.zmq_ctx_term(zmq->context) != 0 &&
               lib.zmq_errno() == EINTR) {
        }
        free(zmq);
    }
}

/* ---- sockets --------------------------------------------------------- */

static bool
set_number(void *handle, int option, int value)
{
    return lib.zmq_setsockopt(handle, option, &value, sizeof(value)) == 0;
}

static bool
set_common(void *handle, enum sco_zmq_kind kind)
{
    const int64_t most = MESSAGE_BYTES_MAX;
    bool done =
        set_number(handle, ZMQ_LINGER, LINGER_MS) &&
        set_number(handle, ZMQ_IPV6, 1) &&
        lib.zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &most, sizeof(most)) == 0;

    if (kind == SCO_ZMQ_ROUTER) {
        return done && set_number(handle, ZMQ_ROUTER_MANDATORY, 1);
    }
    /* Not ZMQ_IMMEDIATE: when a connection ends, that drops what has come over
     * it and was not taken yet. */
    return done && set_number(handle, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_number(handle, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

/* Has the socket tell of its connections. */
static bool
watch_connections(struct sco_zmq *zmq, struct sco_zmq_socket *socket)
{
    const int events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    char name[64];

    snprintf(name, sizeof(name), "inproc://monitor.%u", zmq->sockets++);
    if (lib.zmq_socket_monitor(socket->handle, name, events) != 0) {
        return false;
    }
    socket->monitor = lib.zmq_socket(zmq->context, ZMQ_PAIR);
    return socket->monitor != NULL &&
           set_number(socket->monitor, ZMQ_LINGER, 0) &&
           lib.zmq_connect(socket->monitor, name) == 0;
}

enum sco_status
sco_zmq_socket_create(struct sco_zmq *zmq, enum sco_zmq_kind kind,
                      struct sco_zmq_socket **out, struct sco_error *err)
{
    struct sco_zmq_socket *socket = sco_alloc(1, sizeof(*socket));
    bool made;

    socket->handle = lib.zmq_socket(
        zmq->context, kind == SCO_ZMQ_DEALER ? ZMQ_DEALER : ZMQ_ROUTER);
    made = socket->handle != NULL && set_common(socket->handle, kind) &&
           (kind == SCO_ZMQ_GUARD || watch_connections(zmq, socket));
    if (!made) {
        sco_fail(err, SCO_INTERNAL, "ZeroMQ: %s", last_error());
        sco_zmq_socket_close(socket);
        return SCO_INTERNAL;
    }
    *out = socket;
    return SCO_OK;
}

void
sco_zmq_socket_close(struct sco_zmq_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    if (socket->handle != NULL) {
        lib.zmq_socket_monitor(socket->handle, NULL, 0);
        lib.zmq_close(socket->handle);
    }
    if (socket->monitor != NULL) {
        lib.zmq_close(socket->monitor);
    }
    free(socket);
}

void
sco_zmq_socket_abandon(struct sco_zmq_socket *socket)
{
    if (socket != NULL) {
        (void)set_number(socket->handle, ZMQ_LINGER, 0);
    }
    sco_zmq_socket_close(socket);
}

static bool
set_key(void *handle, int option, const char *text)
{
    return lib.zmq_setsockopt(handle, option, text, SCO_ZMQ_KEY_CHARS + 1) ==
           0;
}

enum sco_status
sco_zmq_listen(struct sco_zmq_socket *socket, const char *endpoint,
               const struct sco_zmq_key *secret, struct sco_error *err)
{
    static const char domain[] = "scorehost";
    bool done = true;

    if (secret != NULL && secret->text[0] != '\0') {
        done = set_number(socket->handle, ZMQ_CURVE_SERVER, 1) &&
               set_key(socket->handle, ZMQ_CURVE_SECRETKEY, secret->text) &&
               lib.zmq_setsockopt(socket->handle, ZMQ_ZAP_DOMAIN, domain,
                                  sizeof(domain) - 1) == 0;
    }
    if (!done ||
        lib.zmq_bind(socket->handle,
                     endpoint != NULL ? endpoint : GUARD_ENDPOINT) != 0) {
        return sco_fail(err, SCO_INVALID, "cannot listen at %s: %s",
                        endpoint != NULL ? endpoint : GUARD_ENDPOINT,
                        last_error());
    }
    return SCO_OK;
}

void
sco_zmq_endpoint(struct sco_zmq_socket *socket, char *into, size_t room)
{
    if (lib.zmq_getsockopt(socket->handle, ZMQ_LAST_ENDPOINT, into, &room) !=
        0) {
        into[0] = '\0';
    }
}

static bool
set_client_keys(void *handle, const struct sco_zmq_key *secret,
                const struct sco_zmq_key *server)
{
    struct sco_zmq_key own;

    return lib.zmq_curve_public(own.text, secret->text) == 0 &&
           set_key(handle, ZMQ_CURVE_SERVERKEY, server->text) &&
           set_key(handle, ZMQ_CURVE_PUBLICKEY, own.text) &&
           set_key(handle, ZMQ_CURVE_SECRETKEY, secret->text);
}

enum sco_status
sco_zmq_connect(struct sco_zmq_socket *socket, const char *endpoint,
                const struct sco_zmq_key *secret,
                const struct sco_zmq_key *server, struct sco_error *err)
{
    if (secret != NULL && secret->text[0] != '\0' &&
        !set_client_keys(socket->handle, secret, server)) {
        return sco_fail(err, SCO_INVALID,
                        "the keys are none that CURVE has: 40 characters of "
                        "Z85 each, as `scorehost keygen` writes them");
    }
    if (lib.zmq_connect(socket->handle, endpoint) != 0) {
        return sco_fail(err, SCO_INVALID, "cannot connect to %s: %s", endpoint,
                        last_error());
    }
    return SCO_OK;
}

/* ---- messages -------------------------------------------------------- */

static bool
send_part(void *handle, struct sco_slice part, bool more)
{
    zmq_msg_t message;

    if (lib.zmq_msg_init_size(&message, part.len) != 0) {
        return false;
    }
    if (part.len > 0) {
        memcpy(lib.zmq_msg_data(&message), part.data, part.len);
    }
    if (lib.zmq_msg_send(&message, handle,
                         ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0) {
        return true;
    }
    lib.zmq_msg_close(&message);
    return false;
}

enum sco_status
sco_zmq_send(struct sco_zmq_socket *socket, const struct sco_slice *parts,
             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!send_part(socket->handle, parts[i], i + 1 < count)) {
            return lib.zmq_errno() == EHOSTUNREACH ? SCO_CLOSED : SCO_BUSY;
        }
    }
    return SCO_OK;
}

/* The address of who sent it, as the library noted it. */
static void
note_address(zmq_msg_t *part, struct sco_zmq_message *message)
{
    static const char mapped[] = "::ffff:"; /* IPv4 over an IPv6 socket */
    const char *address = lib.zmq_msg_gets(part, "Peer-Address");

    if (address != NULL) {
        if (strncmp(address, mapped, sizeof(mapped) - 1) == 0) {
            address += sizeof(mapped) - 1;
        }
        snprintf(message->address, sizeof(message->address), "%s", address);
    }
}

_Static_assert(sizeof(zmq_msg_t) <= SCO_ZMQ_PART_BYTES,
               "a part fits where it is held");

static zmq_msg_t *
part_at(struct sco_zmq_message *message, size_t i)
{
    return (zmq_msg_t *)(void *)message->held[i];
}

/* Takes one part into the next place, or into the last one again. False when
 * there is none. */
static bool
receive_part(void *handle, struct sco_zmq_message *message)
{
    size_t place = message->count < SCO_ZMQ_PARTS_MAX ? message->count
                                                      : SCO_ZMQ_PARTS_MAX - 1;
    zmq_msg_t *part = part_at(message, place);

    if (message->count >= SCO_ZMQ_PARTS_MAX) {
        lib.zmq_msg_close(part);
    }
    lib.zmq_msg_init(part);
    if (lib.zmq_msg_recv(part, handle, ZMQ_DONTWAIT) < 0) {
        return false;
    }
    message->parts[place].data = lib.zmq_msg_data(part);
    message->parts[place].len = lib.zmq_msg_size(part);
    message->more = lib.zmq_msg_more(part) != 0;
    message->count++;
    note_address(part, message);
    return true;
}

enum sco_status
sco_zmq_receive(struct sco_zmq_socket *socket, struct sco_zmq_message *out)
{
    out->count = 0;
    out->address[0] = '\0';
    if (!receive_part(socket->handle, out)) {
        return SCO_NOT_FOUND;
    }
    while (out->more && receive_part(socket->handle, out)) {
    }
    return SCO_OK;
}

void
sco_zmq_drop(struct sco_zmq_message *message)
{
    for (size_t i = 0; i < message->count && i < SCO_ZMQ_PARTS_MAX; i++) {
        lib.zmq_msg_close(part_at(message, i));
    }
    message->count = 0;
}

/* ---- events and waiting ---------------------------------------------- */

static unsigned
event_bit(struct sco_slice frame)
{
    uint16_t event = 0;

    if (frame.len < sizeof(event)) {
        return 0;
    }
    memcpy(&event, frame.data, sizeof(event));
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return SCO_ZMQ_CONNECTED;
    case ZMQ_EVENT_DISCONNECTED:
        return SCO_ZMQ_DISCONNECTED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return SCO_ZMQ_REFUSED;
    default:
        return SCO_ZMQ_DISAGREED;
    }
}

unsigned
sco_zmq_events(struct sco_zmq_socket *socket)
{
    struct sco_zmq_socket monitor = { .handle = socket->monitor };
    struct sco_zmq_message message;
    unsigned events = 0;

    while (sco_zmq_receive(&monitor, &message) == SCO_OK) {
        events |= event_bit(message.parts[0]);
        sco_zmq_drop(&message);
    }
    return events;
}

void
sco_zmq_wait(const struct sco_zmq_wait *waits, size_t count, long timeout_ms)
{
    zmq_pollitem_t items[2 * SCO_ZMQ_WAITS_MAX] = { { .fd = 0 } };
    int used = 0;

    for (size_t i = 0; i < count && i < SCO_ZMQ_WAITS_MAX; i++) {
        const struct sco_zmq_wait *wait = &waits[i];

        items[used].fd = wait->fd;
        items[used].socket =
            wait->socket != NULL ? wait->socket->handle : NULL;
        items[used].events = ZMQ_POLLIN;
        used++;
        if (wait->socket != NULL && wait->socket->monitor != NULL) {
            items[used].socket = wait->socket->monitor;
            items[used].events = ZMQ_POLLIN;
            used++;
        }
    }
    (void)lib.zmq_poll(items, used, timeout_ms);
}

/* ---- keys ------------------------------------------------------------ */

enum sco_status
sco_zmq_keypair(struct sco_zmq_key *public_out, struct sco_zmq_key *secret_out,
                struct sco_error *err)
{
    enum sco_status status = need_library(err);
    struct sco_zmq_key pub, secret;

    if (status != SCO_OK) {
        return status;
    }
    if (lib.zmq_curve_keypair(pub.text, secret.text) != 0) {
        return sco_fail(err, SCO_UNSUPPORTED, "this ZeroMQ has no CURVE: %s",
                        last_error());
    }
    *public_out = pub;
    *secret_out = secret;
    return SCO_OK;
}

void
sco_zmq_key_text(const unsigned char bytes[32], struct sco_zmq_key *out)
{
    (void)lib.zmq_z85_encode(out->text, bytes, KEY_BYTES);
}

#else

/* Then zmq_absent.c stands for it. */
enum { SCO_ZMQ_IS_ABSENT };

#endif
