/* http_int.h - what the files of http/ share
 *
 * One daemon of libmicrohttpd, on any number of listening sockets that are
 * ours, driven by our loop. server.c says when it runs and owns the daemon,
 * listen.c brings connections in, exchange.c is what the daemon calls,
 * gone.c watches those that wait, deadline.c those that are slow, linger.c
 * those whose end the client must still be able to read.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_HTTP_INT_H
#define SCO_HTTP_HTTP_INT_H

#include "base/list.h"
#include "base/loop.h"
#include "base/text.h"
#include "http/http.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stddef.h>

enum {
    /* What a connection works in: it must hold a head of the largest size
     * that the checks admit, and is zeroed after each request, so no more
     * than that. */
    SCO_POOL_BYTES = 32 * 1024,

    /* What the library reads at once at the least; it would take half of the
     * pool. Twelve KiB are left for what it notes of 100 fields and for a
     * reply's head, when the rest is full of further requests. */
    SCO_READ_BYTES = 20 * 1024,

    /* A reply that comes before the body of such a size waits for it, so
     * that the connection lives on. */
    SCO_DRAIN_BYTES = 1024 * 1024,
};

/* How far an exchange has come. */
enum sco_stage {
    SCO_STAGE_NONE,    /* between two requests */
    SCO_STAGE_HEAD,    /* the request line is in, the head is not */
    SCO_STAGE_BODY,    /* on_head has been called, the body comes */
    SCO_STAGE_WAITING, /* all of the request is in, the reply is not */
    SCO_STAGE_SENDING, /* the daemon has the reply */
};

/* Whether the daemon may still ask an exchange that waits. */
enum sco_rest {
    SCO_REST_NONE,   /* it does not wait */
    SCO_REST_AWAKE,  /* asked at each run of the daemon */
    SCO_REST_ASLEEP, /* suspended: out of the daemon's way until resumed */
};

/* A stream on its way; the daemon's reply owns it. */
struct sco_sending {
    struct sco_http_stream stream;
    struct sco_exchange *ex; /* NULL after on_done */
};

struct sco_exchange {
    struct sco_connection *connection;
    enum sco_stage stage;

    struct sco_http_head head;
    struct sco_field *fields; /* kept for the next request */
    size_t field_room;
    bool too_many_fields;
    char *text; /* the target as received, then the path; kept */
    size_t text_room;
    const char *raw_target; /* where the daemon has it */

    uint64_t head_bytes; /* as read from the socket */
    uint64_t body_bytes; /* so far */
    bool has_expect;     /* "100-continue" */
    bool dropping;       /* the rest of the body goes nowhere */
    bool refused;
    bool in_call;  /* inside a call of the app: who called will queue */
    bool replied;  /* sco_exchange_reply() has been called */
    bool is_cut;   /* the daemon is to close it */
    bool gone_all; /* the app knows */
    unsigned edges;

    /* The reply until the daemon has it. */
    struct MHD_Response *response;
    unsigned status;
    size_t reply_head_bytes; /* about */
    uint64_t reply_bytes;    /* of the body */
    struct sco_sending *sending;

    /* While it waits: gone.c. */
    struct sco_list link; /* in http->awake or asleep */
    uint64_t waits_since_ns;
    enum sco_rest rest;
    unsigned asked_count; /* in vain */
};

struct sco_connection {
    struct sco_http *http;
    struct MHD_Connection *mhd; /* NULL before the daemon has it */
    int fd;
    bool is_tcp;
    bool lingers; /* its client may still be sending when it is closed */
    bool is_cut;  /* by us, without an answer */
    bool is_half_closed;  /* its client sends no more */
    struct sco_list all;  /* in http->connections */
    struct sco_list half; /* in http->half_closed */
    struct sco_list link; /* in http->idle, bodies, senders, or none */
    uint64_t since_ns;    /* when it came into that list */

    uint64_t head_since_ns; /* first byte of a head, as far as seen; or 0 */
    uint64_t taken_bytes;   /* of all requests so far, from the socket */
    uint64_t acked_bytes;   /* of replies, when last looked at */
    uint64_t progress_ns;   /* when something last moved */

    uint8_t address[16]; /* of the peer, IPv4 as mapped; 0 without one */
    char peer_host[INET6_ADDRSTRLEN];
    char server_host[INET6_ADDRSTRLEN];
    uint16_t peer_port, server_port;

    struct sco_exchange exchange;
    /* The app's bytes follow, aligned. */
};

struct sco_http {
    struct sco_loop *loop;
    struct sco_http_app app;
    struct sco_http_limits limits;
    struct MHD_Daemon *daemon;
    bool is_lenient;   /* the library's parser is that of 0.9 */
    bool is_draining;  /* sco_http_drain() */
    bool is_destroyed; /* inside sco_http_destroy() */

    /* When the daemon is to run: server.c. */
    struct sco_watch daemon_watch;
    struct sco_timer again;
    bool is_due;
    bool app_called; /* in this run */
    unsigned read_runs, send_runs;
    unsigned edges; /* how often the daemon's sockets were ready */
    size_t sending_count;

    /* listen.c */
    struct sco_list listeners;
    bool is_paused;
    struct sco_timer accept_timer;
    struct sco_connection *entering; /* between accept and the daemon */
    struct sco_list connections;     /* all that the daemon has */
    struct sco_text scratch;         /* of reply.c */
    size_t connection_count;
    uint64_t accepted; /* of them so far */

    /* deadline.c; lists of struct sco_connection */
    struct sco_list idle;    /* between requests or inside a head */
    struct sco_list bodies;  /* inside a body */
    struct sco_list senders; /* inside a reply */
    struct sco_timer sweep;
    struct sco_timer last_call; /* of a drain, for idle connections */
    uint64_t sweep_ns;

    /* gone.c */
    struct sco_list awake, asleep; /* exchanges that wait */
    size_t awake_count;
    struct sco_list half_closed; /* connections */
    int gone_fd;
    struct sco_watch gone_watch;
    struct sco_timer patience;

    /* linger.c */
    struct sco_list lingerers;
    size_t lingerer_count;
};

/* Has the daemon run before the loop next sleeps, and `reads` times again
 * for what it may not have read, and `sends` times for what it may not have
 * sent. */
void sco_http_due(struct sco_http *http, unsigned reads, unsigned sends);

#endif
