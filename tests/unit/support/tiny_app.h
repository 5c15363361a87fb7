/* tiny_app.h - the HTTP front end with a small app behind it, on a thread
 *
 * The app answers by path:
 *
 *     /echo    the body as it came            /early   at the head
 *     /later   when tiny_open() is called     /big     TINY_BIG_BYTES of 'b'
 *     /none    204                            /pieces  "one", "two", "three"
 *     /drip    a piece for each tiny_more(), "end" ends it
 *     /sized   11 bytes, in a stream of known length
 *     /broken  one piece, then the stream fails
 *     /wait    as /later, but 499 at once when the client leaves
 *
 * and everything else with a line that says what was asked:
 * "METHOD|path|query|version|fields|body bytes".
 *
 * Thread: the test's, but for the counters, which the loop's thread counts.
 */
#ifndef SCO_SUPPORT_TINY_APP_H
#define SCO_SUPPORT_TINY_APP_H

#include "http/http.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TINY_BIG_BYTES = 3 * 1024 * 1024 };

struct tiny;

/* What the app was told, each as often as it was. */
struct tiny_counts {
    atomic_uint heads, requests, refusals, dones, completes;
    atomic_uint gone_sending, gone_all;
    atomic_uint held;     /* waiting for tiny_open() now */
    atomic_uint pieces;   /* waiting streams now */
    atomic_uint released; /* bodies and streams */
};

/* Limits that no test runs into by accident. */
struct sco_http_limits tiny_limits(void);

/* Starts the front end on 127.0.0.1 and a port of the system's choice; dies
 * when it cannot. */
struct tiny *tiny_start(const struct sco_http_limits *limits);

/* Where it listens. */
uint16_t tiny_port(const struct tiny *tiny);

/* Listens on IPv6 loopback too; its port, or 0 when there is none. */
uint16_t tiny_listen_v6(struct tiny *tiny);

/* Listens on a Unix socket too. */
void tiny_listen_unix(struct tiny *tiny, const char *path);

/* What was counted. */
struct tiny_counts *tiny_counts(struct tiny *tiny);

/* Waits until a count is `number` or more; false after ten seconds. */
bool tiny_wait(const atomic_uint *count, unsigned number);

/* Waits until so many connections are open; false after ten seconds. */
bool tiny_wait_connections(struct tiny *tiny, unsigned number);

/* Answers all that wait at /later. */
void tiny_open(struct tiny *tiny);

/* Gives each stream of /drip a piece; "end" ends it, "fail" breaks it. */
void tiny_more(struct tiny *tiny, const char *piece);

/* Drains the front end. */
void tiny_drain(struct tiny *tiny);

/* Ends it and frees everything. */
void tiny_stop(struct tiny *tiny);

#endif
