/* linger.c - the end of a connection whose client still sends
 *
 * A socket that is closed with unread bytes in it answers with a reset, and
 * the reset may destroy the reply before its client has read it. So a second
 * descriptor of the socket is kept, its sending side closed, and what comes
 * is read and dropped until the client has closed too or some seconds have
 * gone. Such a socket is no connection any more and holds up nobody.
 */

#include "http/linger.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINGERERS_MAX = 64,
    LINGER_MS = 5000,
    READ_BYTES = 64 * 1024,
};

struct lingerer {
    struct sco_list link;
    int fd;
    uint64_t until_ns;
};

/* What sits in the epoll's data has its lowest bit set, which tells it from
 * an exchange. */
static void *
mark(struct lingerer *lingerer)
{
    return (char *)lingerer + 1;
}

bool
sco_linger_is(const void *arg)
{
    return ((uintptr_t)arg & 1) != 0;
}

static void
lingerer_end(struct sco_http *http, struct lingerer *lingerer)
{
    sco_list_remove(&lingerer->link);
    http->lingerer_count--;
    (void)close(lingerer->fd); /* which takes it out of the epoll, too */
    free(lingerer);
}

/* Whether the client may still be sending, and has an answer to read. */
static bool
is_needed(const struct sco_connection *connection)
{
    int unread = 0;

    if (connection->is_cut || connection->is_half_closed) {
        return false;
    }
    return connection->lingers ||
           (ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0);
}

void
sco_linger_begin(struct sco_connection *connection)
{
    struct sco_http *http = connection->http;
    struct epoll_event event = { .events = EPOLLIN };
    struct lingerer *lingerer;

    if (http->lingerer_count >= LINGERERS_MAX || !is_needed(connection)) {
        return;
    }
    lingerer = calloc(1, sizeof(*lingerer));
    if (lingerer == NULL) {
        return;
    }
    lingerer->fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
    lingerer->until_ns =
        sco_loop_now_ns(http->loop) + LINGER_MS * SCO_NS_PER_MS;
    event.data.ptr = mark(lingerer);
    /* The daemon closes its descriptor, ours keeps the socket: what the set
     * has under the old one would stay. */
    (void)epoll_ctl(http->gone_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    if (lingerer->fd < 0 ||
        epoll_ctl(http->gone_fd, EPOLL_CTL_ADD, lingerer->fd, &event) != 0) {
        if (lingerer->fd >= 0) {
            (void)close(lingerer->fd);
        }
        free(lingerer);
        return;
    }
    (void)shutdown(lingerer->fd, SHUT_WR);
    sco_list_push(&http->lingerers, &lingerer->link);
    http->lingerer_count++;
}

void
sco_linger_ready(struct sco_http *http, void *arg)
{
    static char sink[READ_BYTES]; /* the loop's alone, and never read */
    struct lingerer *lingerer = (void *)((char *)arg - 1);
    ssize_t count = recv(lingerer->fd, sink, sizeof(sink), MSG_DONTWAIT);

    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        lingerer_end(http, lingerer);
    }
}

/* Ends those whose time is over, oldest first. */
void
sco_linger_sweep(struct sco_http *http, uint64_t now_ns)
{
    struct sco_list *next;

    for (struct sco_list *at = http->lingerers.next; at != &http->lingerers;
         at = next) {
        struct lingerer *lingerer = SCO_LIST_ENTRY(at, struct lingerer, link);

        next = at->next;
        if (lingerer->until_ns > now_ns) {
            return;
        }
        lingerer_end(http, lingerer);
    }
}

void
sco_linger_init(struct sco_http *http)
{
    sco_list_init(&http->lingerers);
}

void
sco_linger_finish(struct sco_http *http)
{
    sco_linger_sweep(http, UINT64_MAX);
}
