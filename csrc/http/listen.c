/* listen.c - connections come in
 *
 * The sockets that listen are ours, any number of them, and one daemon has
 * the connections of all. At the limit we stop accepting, so that further
 * clients wait in the kernel's backlog and are served when others leave.
 */
#define _GNU_SOURCE /* accept4() */

#include "http/listen.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections taken before the loop looks at what else is ready. */
enum { ACCEPT_BURST = 64 };

/* How long to wait when the system has no descriptor or memory for a
 * connection: its socket stays ready, and asking at once would spin. */
enum { ACCEPT_PAUSE_MS = 100 };

struct listener {
    struct sco_list link;
    struct sco_http *http;
    struct sco_watch watch;
    bool is_watched;
};

/* Large enough for each family that we listen on. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

/* ---- pausing ---------------------------------------------------------- */

static bool
is_full(const struct sco_http *http)
{
    return http->connection_count >= http->limits.max_connections;
}

/* Stops watching the listeners. */
static void
pause_all(struct sco_http *http)
{
    http->is_paused = true;
    for (struct sco_list *at = http->listeners.next; at != &http->listeners;
         at = at->next) {
        struct listener *listener = SCO_LIST_ENTRY(at, struct listener, link);

        if (listener->is_watched) {
            sco_loop_remove(http->loop, &listener->watch);
            listener->is_watched = false;
        }
    }
}

/* Tries again after a moment. */
static void
pause_awhile(struct sco_http *http)
{
    pause_all(http);
    sco_loop_timer_set(http->loop, &http->accept_timer,
                       sco_loop_now_ns(http->loop) +
                           ACCEPT_PAUSE_MS * SCO_NS_PER_MS);
}

void
sco_listen_resume(struct sco_http *http)
{
    if (!http->is_paused || is_full(http) || http->accept_timer.place != 0) {
        return;
    }
    http->is_paused = false;
    for (struct sco_list *at = http->listeners.next; at != &http->listeners;
         at = at->next) {
        struct listener *listener = SCO_LIST_ENTRY(at, struct listener, link);

        if (sco_loop_add(http->loop, &listener->watch, EPOLLIN, NULL) ==
            SCO_OK) {
            listener->is_watched = true;
        } else {
            pause_awhile(http);
            return;
        }
    }
}

static void
on_accept_time(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    sco_listen_resume(arg);
}

/* ---- addresses -------------------------------------------------------- */

/* Writes an IPv6 address as text, one that is mapped from IPv4 as that. */
static void
show_v6(const struct in6_addr *address, char text[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        (void)inet_ntop(AF_INET, &address->s6_addr[12], text,
                        INET6_ADDRSTRLEN);
    } else {
        (void)inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
    }
}

/* Writes host and port; "" and 0 for a Unix socket. */
static void
show_address(const union address *address, char host[INET6_ADDRSTRLEN],
             uint16_t *port)
{
    host[0] = '\0';
    *port = 0;
    if (address->any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &address->v4.sin_addr, host,
                        INET6_ADDRSTRLEN);
        *port = ntohs(address->v4.sin_port);
    } else if (address->any.sa_family == AF_INET6) {
        show_v6(&address->v6.sin6_addr, host);
        *port = ntohs(address->v6.sin6_port);
    }
}

/* The peer's address in one form for both families. */
static void
keep_address(const union address *peer, uint8_t out[16])
{
    if (peer->any.sa_family == AF_INET6) {
        memcpy(out, &peer->v6.sin6_addr, 16);
    } else if (peer->any.sa_family == AF_INET) {
        memset(out + 10, 0xff, 2);
        memcpy(out + 12, &peer->v4.sin_addr, 4);
    }
}

/* Whether this address has as many connections as it may have. The lists are
 * walked, which costs nothing while the limit is off, as it is by default. */
static bool
address_is_full(const struct sco_http *http,
                const struct sco_connection *connection)
{
    size_t most = http->limits.max_connections_per_address;
    size_t count = 0;

    if (most == 0 || !connection->is_tcp) {
        return false;
    }
    for (const struct sco_list *at = http->connections.next;
         at != &http->connections; at = at->next) {
        const struct sco_connection *other =
            SCO_LIST_ENTRY(at, struct sco_connection, all);

        if (memcmp(other->address, connection->address, 16) == 0) {
            count++;
        }
    }
    return count >= most;
}

/* ---- connections ------------------------------------------------------ */

/* Where the app's bytes begin. */
static size_t
state_offset(void)
{
    size_t align = _Alignof(max_align_t);

    return (sizeof(struct sco_connection) + align - 1) / align * align;
}

void *
sco_exchange_state(struct sco_exchange *ex)
{
    return (char *)ex->connection + state_offset();
}

/* Makes the record of a connection, which no list has yet. The server's
 * address is the one listened at, as WSGI's SERVER_NAME has it. */
static struct sco_connection *
connection_create(struct sco_http *http, int fd, int listening_fd,
                  const union address *peer)
{
    struct sco_connection *connection =
        calloc(1, state_offset() + http->app.state_bytes);
    union address server = { .any = { 0 } };
    socklen_t length = sizeof(server);

    if (connection == NULL) {
        return NULL;
    }
    connection->http = http;
    connection->fd = fd;
    connection->is_tcp = peer->any.sa_family != AF_UNIX;
    connection->exchange.connection = connection;
    sco_list_init(&connection->all);
    sco_list_init(&connection->half);
    sco_list_init(&connection->link);
    sco_list_init(&connection->exchange.link);
    keep_address(peer, connection->address);
    show_address(peer, connection->peer_host, &connection->peer_port);
    if (getsockname(listening_fd, &server.any, &length) == 0) {
        show_address(&server, connection->server_host,
                     &connection->server_port);
    }
    return connection;
}

void
sco_connection_destroy(struct sco_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    sco_list_remove(&connection->all);
    sco_list_remove(&connection->half);
    sco_list_remove(&connection->link);
    free(connection->exchange.fields);
    free(connection->exchange.text);
    free(connection);
}

/* Gives an accepted socket to the daemon, or closes it. */
static void
take_connection(struct sco_http *http, int fd, int listening_fd,
                const union address *peer, socklen_t length)
{
    struct sco_connection *connection =
        connection_create(http, fd, listening_fd, peer);

    if (connection == NULL || address_is_full(http, connection)) {
        sco_connection_destroy(connection);
        (void)close(fd);
        return;
    }
    /* The daemon calls sco_exchange_on_connection() inside of this, and has
     * the socket closed when it fails. */
    http->entering = connection;
    (void)MHD_add_connection(http->daemon, fd, &peer->any, length);
    if (http->entering != NULL) {
        http->entering = NULL;
        sco_connection_destroy(connection);
    }
}

/* Accepts one connection; false when there is none, or no room for it. */
static bool
accept_one(struct sco_http *http, int listening_fd)
{
    union address peer;
    socklen_t length = sizeof(peer);
    int fd;

    memset(&peer, 0, sizeof(peer));
    fd = accept4(listening_fd, &peer.any, &length,
                 SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
            errno == ENOMEM) {
            pause_awhile(http);
            return false;
        }
        return errno == EINTR || errno == ECONNABORTED;
    }
    take_connection(http, fd, listening_fd, &peer, length);
    return true;
}

static void
on_listener_ready(void *arg, uint32_t events)
{
    struct listener *listener = arg;
    struct sco_http *http = listener->http;
    int burst = 0;

    (void)events;
    while (!is_full(http) && burst < ACCEPT_BURST &&
           accept_one(http, listener->watch.fd)) {
        burst++;
    }
    if (is_full(http)) {
        pause_all(http);
    }
}

/* ---- listeners -------------------------------------------------------- */

void
sco_listen_init(struct sco_http *http)
{
    sco_list_init(&http->listeners);
    sco_list_init(&http->connections);
    http->accept_timer = (struct sco_timer){
        .on_time = on_accept_time,
        .arg = http,
    };
}

enum sco_status
sco_http_listen(struct sco_http *http, int fd, struct sco_error *err)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    enum sco_status status;

    if (listener == NULL) {
        return sco_fail(err, SCO_NOMEM, "listener");
    }
    listener->http = http;
    listener->watch = (struct sco_watch){
        .fd = fd,
        .on_ready = on_listener_ready,
        .arg = listener,
    };
    if (!http->is_paused) {
        status = sco_loop_add(http->loop, &listener->watch, EPOLLIN, err);
        if (status != SCO_OK) {
            free(listener);
            return status;
        }
        listener->is_watched = true;
    }
    sco_list_push(&http->listeners, &listener->link);
    return SCO_OK;
}

void
sco_listen_finish(struct sco_http *http)
{
    struct sco_list *next;

    pause_all(http);
    for (struct sco_list *at = http->listeners.next; at != &http->listeners;
         at = next) {
        struct listener *listener = SCO_LIST_ENTRY(at, struct listener, link);

        next = at->next;
        sco_list_remove(at);
        (void)close(listener->watch.fd);
        free(listener);
    }
}
