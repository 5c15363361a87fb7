/* recv_body.c - the least that it costs to receive a large body
 *
 * One thread that blocks in recv() until a body lies whole in the buffer that
 * it is for, and answers it with a constant. Nobody else is served meanwhile.
 * Like bare_epoll.c it looks at Content-Length alone and trusts its client.
 *
 * Usage: recv_body PORT BODY_BYTES
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64, HEAD_BYTES = 4096, CONNECTIONS = 64 };

#define ANSWER                                              \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" \
    "Content-Length: 52\r\n\r\n"                            \
    "{\"result\": [75.0], \"from\": \"a floor, no Python ran\"}"

static char *body;
static size_t body_room;

/* Finds the end of a head, takes the rest of the body, and answers. False:
 * the client has left, or sends what this is not for. */
static bool
serve(int fd)
{
    char head[HEAD_BYTES + 1];
    size_t length = 0, there;
    const char *end, *field;
    ssize_t got = recv(fd, head, HEAD_BYTES, 0);

    if (got <= 0) {
        return false;
    }
    head[got] = '\0';
    end = strstr(head, "\r\n\r\n");
    field = strcasestr(head, "\r\ncontent-length:");
    if (end == NULL) {
        return false;
    }
    if (field != NULL && field < end) {
        length = strtoul(field + 17, NULL, 10);
    }
    there = (size_t)got - (size_t)(end + 4 - head);
    if (length > body_room || there > length) {
        return false;
    }
    memcpy(body, end + 4, there);
    if (there < length && recv(fd, body + there, length - there,
                               MSG_WAITALL) != (ssize_t)(length - there)) {
        return false;
    }
    return send(fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL) > 0;
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
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&where, sizeof(where)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        return -1;
    }
    return fd;
}

/* The first of `polled` is the listener. */
static void
loop(struct pollfd *polled)
{
    nfds_t count = 1;

    while (poll(polled, count, -1) > 0) {
        for (nfds_t i = count; i-- > 1;) {
            if (polled[i].revents != 0 && !serve(polled[i].fd)) {
                close(polled[i].fd);
                polled[i] = polled[--count];
            }
        }
        if (polled[0].revents != 0 && count <= CONNECTIONS) {
            int on = 1;
            int fd = accept4(polled[0].fd, NULL, NULL, SOCK_CLOEXEC);

            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            polled[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
        }
    }
}

int
main(int argc, char **argv)
{
    struct pollfd polled[CONNECTIONS + 1] = { { .events = POLLIN } };

    if (argc == 3) {
        polled[0].fd = listen_on((uint16_t)atoi(argv[1]));
        body_room = strtoul(argv[2], NULL, 10);
        body = malloc(body_room);
    }
    if (body == NULL || polled[0].fd < 0) {
        fprintf(stderr, "usage: recv_body PORT BODY_BYTES\n");
        return 1;
    }
    loop(polled);
    return 1;
}
