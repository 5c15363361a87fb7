/* zmq.h - ZeroMQ, as far as remote workers need it
 *
 * The one file behind it, zmq.c, sees <zmq.h>. The library is loaded when the
 * first socket is wanted and not before: it comes with ten others, which a
 * host without remote workers shall not pay for. Nothing here waits but
 * sco_zmq_wait() and sco_zmq_close().
 *
 * Thread: a socket belongs to one thread; keys may be made on any.
 */
#ifndef SCO_LINK_ZMQ_H
#define SCO_LINK_ZMQ_H

#include "base/slice.h"
#include "base/status.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

struct sco_zmq;
struct sco_zmq_socket;

enum {
    SCO_ZMQ_KEY_CHARS = 40,     /* of a key in Z85, without the terminator */
    SCO_ZMQ_PARTS_MAX = 10,     /* of a message that is taken whole */
    SCO_ZMQ_PART_BYTES = 64,    /* what the library knows of one */
    SCO_ZMQ_WAITS_MAX = 4,      /* sockets and descriptors waited for */
    SCO_ZMQ_ADDRESS_BYTES = 64, /* of a peer's address, terminated */
};

/* A key in Z85, or an empty text for none. */
struct sco_zmq_key {
    char text[SCO_ZMQ_KEY_CHARS + 1];
};

enum sco_zmq_kind {
    SCO_ZMQ_ROUTER, /* many peers; the first part of a message names one */
    SCO_ZMQ_DEALER, /* one peer */
    SCO_ZMQ_GUARD,  /* is asked by the library whether a key is allowed */
};

/* What happened to a socket's connections: bits. */
enum sco_zmq_event {
    SCO_ZMQ_CONNECTED = 1,    /* a peer is there, and agreed on keys */
    SCO_ZMQ_DISCONNECTED = 2, /* one has gone */
    SCO_ZMQ_REFUSED = 4,      /* the other side does not know our key */
    SCO_ZMQ_DISAGREED = 8,    /* it is no ZeroMQ, or its key is another */
};

/* A message as it came. Its parts hold until sco_zmq_drop(). */
struct sco_zmq_message {
    struct sco_slice parts[SCO_ZMQ_PARTS_MAX];
    size_t count; /* of all that came; more than there is room: no sound one */
    char address[SCO_ZMQ_ADDRESS_BYTES]; /* of the peer; "" for none */

    /* The library's. */
    alignas(8) char held[SCO_ZMQ_PARTS_MAX][SCO_ZMQ_PART_BYTES];
    bool more;
};

/* One thing to wait for: a socket, or a descriptor. */
struct sco_zmq_wait {
    struct sco_zmq_socket *socket; /* or NULL */
    int fd;
};

/* Loads the library and makes a context.
 *
 * Ownership: the caller owns *out and ends it with sco_zmq_close().
 * Errors:    SCO_UNSUPPORTED when the library is missing, too old, or not
 *            built in; SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_zmq_open(struct sco_zmq **out, struct sco_error *err);

/* Ends a context whose sockets are closed. NULL is allowed.
 * Blocks: two seconds at most, for what is still to be sent. */
void sco_zmq_close(struct sco_zmq *zmq);

/* Makes a socket. Ownership: the caller owns *out. Errors: SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_zmq_socket_create(struct sco_zmq *zmq,
                                      enum sco_zmq_kind kind,
                                      struct sco_zmq_socket **out,
                                      struct sco_error *err);

/* Closes it; what was sent still goes out. NULL is allowed. */
void sco_zmq_socket_close(struct sco_zmq_socket *socket);

/* Closes it; what has not gone out yet never does. NULL is allowed. */
void sco_zmq_socket_abandon(struct sco_zmq_socket *socket);

/* Listens. With a `secret` key every peer must know its public half, and be
 * let in by the guard. `guard` listens at the library's own place.
 *
 * Errors: SCO_INVALID with the library's reason. */
SCO_NODISCARD
enum sco_status sco_zmq_listen(struct sco_zmq_socket *socket,
                               const char *endpoint,
                               const struct sco_zmq_key *secret,
                               struct sco_error *err);

/* Where it listens, with the port that the system chose; "" for nowhere. */
void sco_zmq_endpoint(struct sco_zmq_socket *socket, char *into, size_t room);

/* Has it connect, and connect again whenever the peer is gone. With a
 * `secret` key, `server` is the listener's public one.
 *
 * Errors: SCO_INVALID with the library's reason. */
SCO_NODISCARD
enum sco_status sco_zmq_connect(struct sco_zmq_socket *socket,
                                const char *endpoint,
                                const struct sco_zmq_key *secret,
                                const struct sco_zmq_key *server,
                                struct sco_error *err);

/* Sends a message; its bytes are copied.
 *
 * Blocks: never.
 * Errors: SCO_BUSY when nobody is connected, or does not keep up;
 *         SCO_CLOSED when the peer that the first part names is gone. Who
 *         sends a last word may ignore both. */
enum sco_status sco_zmq_send(struct sco_zmq_socket *socket,
                             const struct sco_slice *parts, size_t count);

/* Takes a message, if one is there.
 *
 * Ownership: on SCO_OK the caller ends *out with sco_zmq_drop().
 * Errors:    SCO_NOT_FOUND when none is there. */
SCO_NODISCARD
enum sco_status sco_zmq_receive(struct sco_zmq_socket *socket,
                                struct sco_zmq_message *out);

/* Lets go of a message. */
void sco_zmq_drop(struct sco_zmq_message *message);

/* What happened to the connections since the last call: enum sco_zmq_event,
 * or'ed. */
unsigned sco_zmq_events(struct sco_zmq_socket *socket);

/* Waits until there is something for one of them, or the time is up; -1 is
 * for ever.
 * Blocks: until then. */
void sco_zmq_wait(const struct sco_zmq_wait *waits, size_t count,
                  long timeout_ms);

/* Makes a new pair of keys.
 * Errors: SCO_UNSUPPORTED as sco_zmq_open(), and for a library without
 *         CURVE. */
SCO_NODISCARD
enum sco_status sco_zmq_keypair(struct sco_zmq_key *public_out,
                                struct sco_zmq_key *secret_out,
                                struct sco_error *err);

/* The text of a key of 32 bytes. */
void sco_zmq_key_text(const unsigned char bytes[32], struct sco_zmq_key *out);

#endif
