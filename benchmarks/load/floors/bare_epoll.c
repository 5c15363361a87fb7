/* bare_epoll.c - the least that an HTTP server on this kernel can cost
 *
 * One thread, one epoll set, one recv and one send for a small request. It
 * looks at Content-Length and at nothing else, and answers each request with
 * the same 52 bytes of JSON. It is a floor to measure from and not a server:
 * it trusts its client, and an answer that does not fit into the socket's
 * buffer ends the connection.
 *
 * Usage: bare_epoll PORT
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    EVENTS = 512,
    HEAD_BYTES = 8192,
    SCRATCH_BYTES = 256 * 1024,
    REPLY_BYTES = 512,
};

#define ANSWER "{\"result\": [75.0], \"from\": \"a floor, no Python ran\"}"

struct conn {
    int fd;
    size_t used;      /* bytes of `head` that are filled */
    size_t body_left; /* bytes of the body still to come */
    char head[HEAD_BYTES + 1];
};

struct reply {
    time_t made_at; /* the Date header holds for one second */
    size_t len;
    char text[REPLY_BYTES];
};

static char scratch[SCRATCH_BYTES];
static struct reply reply;

/* Makes the reply anew when the second has changed, as servers with a cached
 * Date header do. */
static void
refresh_reply(void)
{
    time_t now = time(NULL);
    struct tm parts;
    char date[64];

    if (now == reply.made_at) {
        return;
    }
    gmtime_r(&now, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    reply.len = (size_t)snprintf(reply.text, sizeof(reply.text),
                                 "HTTP/1.1 200 OK\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Date: %s\r\n"
                                 "Content-Length: %zu\r\n\r\n%s",
                                 date, sizeof(ANSWER) - 1, ANSWER);
    reply.made_at = now;
}

static void
drop(struct conn *conn)
{
    close(conn->fd);
    free(conn);
}

static bool
answer(struct conn *conn)
{
    refresh_reply();
    return send(conn->fd, reply.text, reply.len, MSG_NOSIGNAL) ==
           (ssize_t)reply.len;
}

/* The length of the body that `head` announces; 0 when it names none. */
static size_t
content_length(const char *head)
{
    const char *field = strcasestr(head, "\r\ncontent-length:");

    if (field == NULL) {
        return 0;
    }
    return strtoul(field + sizeof("\r\ncontent-length:") - 1, NULL, 10);
}

/* Answers each request that `head` holds whole. False: the connection is to
 * be dropped. */
static bool
take_heads(struct conn *conn)
{
    while (conn->used > 0) {
        char *end;
        size_t head_len;
        size_t body_len;

        conn->head[conn->used] = '\0';
        end = strstr(conn->head, "\r\n\r\n");
        if (end == NULL) {
            return conn->used < HEAD_BYTES;
        }
        head_len = (size_t)(end - conn->head) + 4;
        end[2] = '\0';
        body_len = content_length(conn->head);
        if (conn->used - head_len < body_len) {
            conn->body_left = body_len - (conn->used - head_len);
            conn->used = 0;
            return true;
        }
        if (!answer(conn)) {
            return false;
        }
        conn->used -= head_len + body_len;
        memmove(conn->head, conn->head + head_len + body_len, conn->used);
    }
    return true;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Reads on while the kernel fills what it is given. False: drop. */
static bool
take_body(struct conn *conn)
{
    while (conn->body_left > 0) {
        size_t want = least(conn->body_left, SCRATCH_BYTES);
        ssize_t got = recv(conn->fd, scratch, want, 0);

        if (got < 0) {
            return errno == EAGAIN;
        }
        if (got == 0) {
            return false;
        }
        conn->body_left -= (size_t)got;
        if (conn->body_left > 0 && (size_t)got < want) {
            return true;
        }
    }
    return answer(conn);
}

static void
on_readable(struct conn *conn)
{
    ssize_t got;

    if (conn->body_left > 0) {
        if (!take_body(conn)) {
            drop(conn);
        }
        return;
    }
    got = recv(conn->fd, conn->head + conn->used, HEAD_BYTES - conn->used, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        drop(conn);
        return;
    }
    conn->used += (size_t)got;
    if (!take_heads(conn)) {
        drop(conn);
    }
}

static void
on_connect(int epoll, int listener)
{
    int on = 1;
    int fd;

    while ((fd = accept4(listener, NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *conn = malloc(sizeof(*conn));
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

        if (conn == NULL) {
            close(fd);
            return;
        }
        conn->fd = fd;
        conn->used = 0;
        conn->body_left = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            drop(conn);
        }
    }
}

static int
listen_on(uint16_t port)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&where, sizeof(where)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
serve(int epoll, int listener)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                on_connect(epoll, listener);
            } else {
                on_readable(events[i].data.ptr);
            }
        }
    }
}

int
main(int argc, char **argv)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = argc == 2 ? listen_on((uint16_t)atoi(argv[1])) : -1;

    if (epoll < 0 || listener < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        fprintf(stderr, "usage: bare_epoll PORT (a free one)\n");
        return 1;
    }
    serve(epoll, listener);
    return 0;
}
