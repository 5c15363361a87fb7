#include "support/http_client.h"

#include "base/status.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEAD_MAX = 64 * 1024 };

static int
connect_to(const struct sockaddr *address, socklen_t length)
{
    const struct timeval limit = { .tv_sec = 10 };
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    SCO_CHECK(fd >= 0, "socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    SCO_CHECK(connect(fd, address, length) == 0, "connect");
    return fd;
}

int
http_connect(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    return connect_to((const struct sockaddr *)&address, sizeof(address));
}

int
http_connect_v6(uint16_t port)
{
    const struct sockaddr_in6 address = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(port),
        .sin6_addr = IN6ADDR_LOOPBACK_INIT,
    };

    return connect_to((const struct sockaddr *)&address, sizeof(address));
}

int
http_connect_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return connect_to((const struct sockaddr *)&address, sizeof(address));
}

bool
http_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = send(fd, bytes, length, MSG_NOSIGNAL);

        if (count <= 0) {
            return false;
        }
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

bool
http_say(int fd, const char *text)
{
    return http_send(fd, text, strlen(text));
}

/* ---- reading ---------------------------------------------------------- */

/* Reads exactly so many bytes behind what there is; how many came. */
static size_t
read_into(int fd, char *into, size_t length)
{
    size_t have = 0;

    while (have < length) {
        ssize_t count = recv(fd, into + have, length - have, 0);

        if (count <= 0) {
            break;
        }
        have += (size_t)count;
    }
    return have;
}

/* Reads up to and with `end`, byte by byte; false when it does not come. */
static bool
read_until(int fd, char *into, size_t room, const char *end)
{
    size_t have = 0;
    size_t end_len = strlen(end);

    while (have + 1 < room && recv(fd, into + have, 1, 0) == 1) {
        have++;
        into[have] = '\0';
        if (have >= end_len && strcmp(into + have - end_len, end) == 0) {
            return true;
        }
    }
    into[have] = '\0';
    return false;
}

/* The text behind a field's name, or NULL. */
static const char *
find_field(const char *head, const char *name)
{
    for (const char *line = head; line != NULL; line = strstr(line, "\r\n")) {
        line += line == head ? 0 : 2;
        if (strncasecmp(line, name, strlen(name)) == 0) {
            return line + strlen(name);
        }
    }
    return NULL;
}

/* Makes room for more of a body. */
static char *
grow_body(struct http_reply *reply, size_t more)
{
    reply->body = realloc(reply->body, reply->body_len + more + 1);
    SCO_CHECK(reply->body != NULL, "memory");
    return reply->body + reply->body_len;
}

static void
read_chunks(int fd, struct http_reply *reply)
{
    char line[64];
    size_t length;

    for (;;) {
        if (!read_until(fd, line, sizeof(line), "\r\n")) {
            return;
        }
        length = strtoul(line, NULL, 16);
        reply->body_len += read_into(fd, grow_body(reply, length), length);
        if (!read_until(fd, line, sizeof(line), "\r\n")) {
            return;
        }
        if (length == 0) {
            reply->is_whole = true;
            return;
        }
    }
}

static void
read_body(int fd, struct http_reply *reply)
{
    const char *length_text = find_field(reply->head, "Content-Length: ");
    size_t length;

    (void)grow_body(reply, 0);
    if (find_field(reply->head, "Transfer-Encoding: chunked") != NULL) {
        read_chunks(fd, reply);
    } else if (length_text != NULL) {
        length = strtoul(length_text, NULL, 10);
        reply->body_len = read_into(fd, grow_body(reply, length), length);
        reply->is_whole = reply->body_len == length;
    } else if (reply->status != 204 && reply->status != 304 &&
               reply->status >= 200) {
        reply->body_len = read_into(fd, grow_body(reply, HEAD_MAX), HEAD_MAX);
        reply->is_whole = true;
    } else {
        reply->is_whole = true;
    }
    reply->body[reply->body_len] = '\0';
}

static struct http_reply
read_reply(int fd, bool has_body)
{
    struct http_reply reply = { 0 };

    reply.head = malloc(HEAD_MAX);
    SCO_CHECK(reply.head != NULL, "memory");
    reply.head[0] = '\0';
    if (!read_until(fd, reply.head, HEAD_MAX, "\r\n\r\n") ||
        strncmp(reply.head, "HTTP/1.1 ", 9) != 0) {
        (void)grow_body(&reply, 0);
        reply.body[0] = '\0';
        return reply;
    }
    reply.status = (unsigned)strtoul(reply.head + 9, NULL, 10);
    if (has_body) {
        read_body(fd, &reply);
    } else {
        (void)grow_body(&reply, 0);
        reply.body[0] = '\0';
        reply.is_whole = true;
    }
    return reply;
}

struct http_reply
http_read(int fd)
{
    return read_reply(fd, /* has_body */ true);
}

struct http_reply
http_read_head(int fd)
{
    return read_reply(fd, /* has_body */ false);
}

void
http_reply_finish(struct http_reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (struct http_reply){ 0 };
}

size_t
http_read_to_end(int fd)
{
    char sink[4096];
    size_t count = 0;
    ssize_t got;

    while ((got = recv(fd, sink, sizeof(sink), 0)) > 0) {
        count += (size_t)got;
    }
    return count;
}

unsigned
http_status(int fd)
{
    struct http_reply reply = http_read(fd);
    unsigned status = reply.is_whole ? reply.status : 0;

    http_reply_finish(&reply);
    return status;
}

bool
http_is_closed(int fd)
{
    char byte;
    ssize_t count = recv(fd, &byte, 1, 0);

    return count == 0 || (count < 0 && errno == ECONNRESET);
}

unsigned
http_ask(uint16_t port, const char *text, char *body, size_t room)
{
    int fd = http_connect(port);
    struct http_reply reply;
    unsigned status;

    (void)http_say(fd, text);
    reply = http_read(fd);
    status = reply.status;
    if (room > 0) {
        (void)snprintf(body, room, "%s", reply.body);
    }
    http_reply_finish(&reply);
    (void)close(fd);
    return status;
}
