/* http_client.h - a client that sends what it is told, byte for byte
 *
 * Sockets block, for ten seconds at most; then a read counts as the end.
 * Thread: any, a socket each.
 */
#ifndef SCO_SUPPORT_HTTP_CLIENT_H
#define SCO_SUPPORT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reply as it was read. */
struct http_reply {
    unsigned status; /* 0: the connection ended before a status line */
    char *head;      /* status line and fields, terminated */
    char *body;      /* what came of it, chunks joined, terminated */
    size_t body_len;
    bool is_whole; /* the body is as long as the head says */
};

/* Connects to a port of 127.0.0.1; the descriptor. */
int http_connect(uint16_t port);

/* Connects to a port of ::1; the descriptor. */
int http_connect_v6(uint16_t port);

/* Connects to a Unix socket; the descriptor. */
int http_connect_unix(const char *path);

/* Sends all of it; false when the other side does not take it. */
bool http_send(int fd, const char *bytes, size_t length);

/* Sends a terminated text. */
bool http_say(int fd, const char *text);

/* Reads one reply, "100 Continue" included. A reply to HEAD has no body. */
struct http_reply http_read(int fd);

/* The same for a reply to HEAD. */
struct http_reply http_read_head(int fd);

/* Reads one reply; its status alone, 0 when it is not whole. */
unsigned http_status(int fd);

/* Frees what a reply holds. */
void http_reply_finish(struct http_reply *reply);

/* Whether the other side closes now, without another byte. */
bool http_is_closed(int fd);

/* Reads until the end; how many bytes came. */
size_t http_read_to_end(int fd);

/* Says `text` on a new connection, reads one reply and keeps its status and
 * up to `room` bytes of its body; the status. */
unsigned http_ask(uint16_t port, const char *text, char *body, size_t room);

#endif
