/* http.h - HTTP/1.1 on sockets, and nothing of what is asked over it
 *
 * The narrow interface between the front end and the rest: a head, its body
 * piece by piece, the end of the body, one reply. Whoever stands behind it
 * (`struct sco_http_app`) knows no sockets and no libmicrohttpd; whoever
 * stands before it knows no routes, ids or workers. Only http/ includes
 * <microhttpd.h>, so another front end needs to touch nothing else.
 *
 * An exchange is one request and its reply. Nothing malformed gets past
 * here: what the strict checks refuse is handed to on_refused(), which gives
 * the reply, and no other call follows for it but on_done().
 *
 * The calls for one exchange, in order:
 *
 *     on_head -> on_body* -> on_request -> (on_gone)* -> on_done
 *     on_refused -> on_done
 *     on_head -> on_body* -> on_refused -> on_done   (a body without a known
 *                         length that turns out to be too large)
 *     on_head -> on_body* -> on_done        (a body that ends early: nothing
 *                         is scored, and nobody is there to be answered)
 *
 * The app replies exactly once with sco_exchange_reply(), from any of them
 * but on_done, or later; a reply from on_gone(SCO_GONE_ALL) reaches nobody.
 * After a reply from on_head the rest of the body is read and dropped (or the
 * connection closed) without on_body.
 *
 * The front end works in the hook before the loop sleeps. Hooks that were
 * added before sco_http_create() run before it: replies that are given there,
 * or in the same turn, are sent together afterwards, so a line that such a
 * hook writes is written before its reply. A reply from inside on_head,
 * on_request or on_refused is sent at once.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_HTTP_H
#define SCO_HTTP_HTTP_H

#include "base/field.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_exchange;
struct sco_http;
struct sco_loop;

/* What came before the body. All of it holds until on_done(). */
struct sco_http_head {
    struct sco_slice method;
    struct sco_slice target;  /* as received: "/sc%6Fre?x=1" */
    struct sco_slice path;    /* decoded, leading slashes one: "/score" */
    struct sco_slice query;   /* as received, after the '?'; may be empty */
    struct sco_slice version; /* "HTTP/1.1" */
    const struct sco_field *fields; /* as received, in order */
    size_t field_count;
    uint64_t body_bytes;   /* Content-Length; 0 without a body */
    bool chunked;          /* then body_bytes says nothing */
    const char *peer_host; /* "127.0.0.1"; "" on a Unix socket */
    const char *server_host;
    uint16_t peer_port, server_port;
};

/* How a client leaves. */
enum sco_gone {
    SCO_GONE_SENDING, /* it closed its sending side and may still read */
    SCO_GONE_ALL,     /* the connection is dead; no reply can reach it */
};

/* How an exchange ended, for the access line. */
struct sco_http_done {
    bool replied;        /* a status line went out */
    bool complete;       /* and the whole reply after it */
    uint64_t body_bytes; /* of the reply's body, as sent */
};

/* Who answers. Every member is required. `arg` comes first in each call. */
struct sco_http_app {
    void *arg;

    /* Bytes of state that each exchange carries for the app, zeroed before
     * on_head or on_refused: sco_exchange_state(). */
    size_t state_bytes;

    /* The head is in and sound. Either reply at once, or take the body. */
    void (*on_head)(void *arg, struct sco_exchange *ex,
                    const struct sco_http_head *head);

    /* Some bytes of the body; borrowed for the call. Anything but SCO_OK
     * means that the rest is dropped: the app has replied, or replies from
     * on_request, which still comes when the body has been read (or is given
     * up as far too large). */
    enum sco_status (*on_body)(void *arg, struct sco_exchange *ex,
                               struct sco_slice bytes);

    /* The whole body is in. Reply now or later. Not called for a body that
     * ended early. */
    void (*on_request)(void *arg, struct sco_exchange *ex);

    /* The request is refused by the front end with this status and message.
     * `head` holds what is known of it (empty slices for the rest). The app
     * must reply before it returns; the connection is closed after it. */
    void (*on_refused)(void *arg, struct sco_exchange *ex,
                       const struct sco_http_head *head, unsigned status,
                       const char *message);

    /* The client leaves while its reply is outstanding, or while a streamed
     * reply runs. Comes at most once for each `how`. */
    void (*on_gone)(void *arg, struct sco_exchange *ex, enum sco_gone how);

    /* The exchange is over: `ex` and its state are gone when this returns.
     * Comes for every exchange, also for those that never replied. */
    void (*on_done)(void *arg, struct sco_exchange *ex,
                    const struct sco_http_done *done);
};

/* A body that comes in pieces. */
struct sco_http_stream {
    /* Copies up to `max` bytes to `into`: their number, or 0 when there are
     * none yet (sco_exchange_more() says when), or one of the two below. */
    ssize_t (*read)(void *arg, char *into, size_t max);

    /* Called once, when nothing is read any more. */
    void (*release)(void *arg);
    void *arg;
};

enum {
    SCO_STREAM_END = -1,    /* that was all */
    SCO_STREAM_FAILED = -2, /* close the connection without the last chunk */
};

struct sco_http_reply {
    unsigned status;
    const struct sco_field *fields; /* copied; without Date, Connection, */
    size_t field_count;             /* Content-Length, Transfer-Encoding */
    struct sco_slice body;
    void (*release)(void *arg); /* NULL: the body is copied; else it is sent
                                   from where it stands, then released */
    void *release_arg;
    const struct sco_http_stream *stream; /* instead of a body; copied */
    int64_t stream_bytes; /* its length, or -1: chunked (until close in 1.0) */
    bool close;           /* close the connection afterwards */
};

struct sco_http_limits {
    size_t max_connections;             /* further clients wait in backlog */
    size_t max_connections_per_address; /* 0: no limit; over it: closed */
    uint64_t max_body_bytes;            /* over it: 413 through on_refused */
    uint32_t head_timeout_ms;      /* from the head's first byte to its end */
    uint32_t body_timeout_ms;      /* without any progress of the body */
    uint32_t body_min_bytes_per_s; /* averaged, after body_timeout_ms */
    uint32_t keepalive_timeout_ms; /* idle between requests */
};

/* Makes a front end without listeners on `loop`.
 *
 * Ownership: the caller owns *out; `loop` is borrowed, `app` and `limits`
 *            are copied.
 * Errors:    SCO_NOMEM, SCO_INTERNAL when the library refuses to start. */
SCO_NODISCARD
enum sco_status sco_http_create(struct sco_loop *loop,
                                const struct sco_http_app *app,
                                const struct sco_http_limits *limits,
                                struct sco_http **out, struct sco_error *err);

/* Accepts connections from a listening, non-blocking socket.
 *
 * Ownership: takes `fd` on SCO_OK.
 * Errors:    SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_http_listen(struct sco_http *http, int fd,
                                struct sco_error *err);

/* Stops accepting, closes the listeners and, after `idle_ms`, the idle
 * connections; exchanges in hand go on, and their replies say "Connection:
 * close". A client that asks meanwhile is so told, and does not lose what it
 * sends to a connection that is being closed. */
void sco_http_drain(struct sco_http *http, uint64_t idle_ms);

/* How many connections are open. */
size_t sco_http_connections(const struct sco_http *http);

/* How many there have been, those included. */
uint64_t sco_http_accepted(const struct sco_http *http);

/* Closes every connection (on_done comes for each exchange in hand) and
 * frees the front end. NULL is allowed. The loop must not run any more. */
void sco_http_destroy(struct sco_http *http);

/* The app's bytes of this exchange, aligned for any type. */
void *sco_exchange_state(struct sco_exchange *ex);

/* The head of this exchange; holds until on_done(). */
const struct sco_http_head *sco_exchange_head(const struct sco_exchange *ex);

/* Gives the reply. A second one is a defect and dies. Outside of the app's
 * calls the exchange may be over when this returns.
 *
 * Ownership: takes the body (it calls `release` once, perhaps before it
 *            returns, perhaps after on_done) and the stream. */
void sco_exchange_reply(struct sco_exchange *ex,
                        const struct sco_http_reply *reply);

/* Says that a stream which had nothing has something, or has ended. */
void sco_exchange_more(struct sco_exchange *ex);

/* The version of the library that runs: "1.0.1". */
const char *sco_http_library_version(void);

/* The library and what it can refuse, for --version: "libmicrohttpd 1.0.1,
 * strict parsing". */
const char *sco_http_library(void);

#endif
