/* tiny_host.h - the whole host in one file, with fake workers
 *
 * Read its .c as a tour: a loop, a deployment, the pipeline, the HTTP front
 * end, and nothing else. Instead of Python there is a fake worker; what it
 * does is told in support/tiny_script.h.
 *
 * Thread: the test's; the host runs on one of its own.
 */
#ifndef SCO_SUPPORT_TINY_HOST_H
#define SCO_SUPPORT_TINY_HOST_H

#include "link/child.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tiny_host_options {
    uint64_t limit_ms;                    /* of one run(); 0: none */
    uint64_t request_ms;                  /* a caller waits; 0: for ever */
    bool server_timing;                   /* the header is sent */
    size_t max_requests;                  /* that wait; 0: 100 */
    uint64_t max_body;                    /* bytes; 0: 10 MB */
    const char *cors;                     /* the one origin, or NULL */
    const char *version;                  /* x-ms-server-version; NULL: none */
    const struct sco_document *documents; /* of the workers */
    size_t document_count;
    bool is_starting; /* workers are not ready until tiny_host_ready() */
};

struct tiny_host;

/* Starts a host on a port of 127.0.0.1; dies when it cannot. */
struct tiny_host *tiny_host_start(const struct tiny_host_options *options);

/* Where it listens. */
uint16_t tiny_host_port(const struct tiny_host *host);

/* Has the workers become ready. */
void tiny_host_ready(struct tiny_host *host);

/* Lets those go on that hold. */
void tiny_host_open(struct tiny_host *host);

/* Has the workers end with a failure, now and whenever they start. */
void tiny_host_fail(struct tiny_host *host);

/* Drains it, as at SIGTERM. */
void tiny_host_drain(struct tiny_host *host);

/* Waits until so many requests wait or run; false after ten seconds. */
bool tiny_host_wait_busy(struct tiny_host *host, size_t count);

/* Waits until a worker sees its request cancelled; false after ten
 * seconds. */
bool tiny_host_wait_cancelled(struct tiny_host *host);

/* How many requests were scored, or begun to be. */
unsigned tiny_host_scored(struct tiny_host *host);

/* Ends it and frees everything. */
void tiny_host_stop(struct tiny_host *host);

#endif
