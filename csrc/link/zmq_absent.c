/* What stands for zmq.c where <zmq.h> was missing when this was built: nobody
 * gets a context, so all but the first three are never called. */
#include "link/zmq.h"

#ifndef SCO_HAVE_ZMQ

#define ABSENT                                                          \
    "remote workers are not built in: <zmq.h> was missing. On Debian: " \
    "apt-get install libzmq3-dev, and build again"

enum sco_status
sco_zmq_open(struct sco_zmq **out, struct sco_error *err)
{
    (void)out;
    return sco_fail(err, SCO_UNSUPPORTED, "%s", ABSENT);
}

void
sco_zmq_close(struct sco_zmq *zmq)
{
    (void)zmq;
}

enum sco_status
sco_zmq_socket_create(struct sco_zmq *zmq, enum sco_zmq_kind kind,
                      struct sco_zmq_socket **out, struct sco_error *err)
{
    (void)zmq;
    (void)kind;
    (void)out;
    return sco_fail(err, SCO_UNSUPPORTED, "%s", ABSENT);
}

void
sco_zmq_socket_close(struct sco_zmq_socket *socket)
{
    (void)socket;
}

void
sco_zmq_socket_abandon(struct sco_zmq_socket *socket)
{
    (void)socket;
}

enum sco_status
sco_zmq_listen(struct sco_zmq_socket *socket, const char *endpoint,
               const struct sco_zmq_key *secret, struct sco_error *err)
{
    (void)socket;
    (void)endpoint;
    (void)secret;
    return sco_fail(err, SCO_UNSUPPORTED, "%s", ABSENT);
}

void
sco_zmq_endpoint(struct sco_zmq_socket *socket, char *into, size_t room)
{
    (void)socket;
    (void)room;
    into[0] = '\0';
}

enum sco_status
sco_zmq_connect(struct sco_zmq_socket *socket, const char *endpoint,
                const struct sco_zmq_key *secret,
                const struct sco_zmq_key *server, struct sco_error *err)
{
    (void)socket;
    (void)endpoint;
    (void)secret;
    (void)server;
    return sco_fail(err, SCO_UNSUPPORTED, "%s", ABSENT);
}

enum sco_status
sco_zmq_send(struct sco_zmq_socket *socket, const struct sco_slice *parts,
             size_t count)
{
    (void)socket;
    (void)parts;
    (void)count;
    return SCO_CLOSED;
}

enum sco_status
sco_zmq_receive(struct sco_zmq_socket *socket, struct sco_zmq_message *out)
{
    (void)socket;
    (void)out;
    return SCO_NOT_FOUND;
}

void
sco_zmq_drop(struct sco_zmq_message *message)
{
    (void)message;
}

unsigned
sco_zmq_events(struct sco_zmq_socket *socket)
{
    (void)socket;
    return 0;
}

void
sco_zmq_wait(const struct sco_zmq_wait *waits, size_t count, long timeout_ms)
{
    (void)waits;
    (void)count;
    (void)timeout_ms;
}

enum sco_status
sco_zmq_keypair(struct sco_zmq_key *public_out, struct sco_zmq_key *secret_out,
                struct sco_error *err)
{
    (void)public_out;
    (void)secret_out;
    return sco_fail(err, SCO_UNSUPPORTED, "%s", ABSENT);
}

void
sco_zmq_key_text(const unsigned char bytes[32], struct sco_zmq_key *out)
{
    (void)bytes;
    out->text[0] = '\0';
}

#endif
