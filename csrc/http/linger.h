/* linger.h - the end of a connection whose client still sends
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_LINGER_H
#define SCO_HTTP_LINGER_H

#include "http/http_int.h"

/* Prepares the list. */
void sco_linger_init(struct sco_http *http);

/* Keeps the socket of a connection that is being closed open for reading,
 * for a while, so that its client can read the reply. */
void sco_linger_begin(struct sco_connection *connection);

/* Bytes or the end have come; `arg` is what sits in the epoll's data. */
void sco_linger_ready(struct sco_http *http, void *arg);

/* Whether the epoll's data is a lingerer's. */
bool sco_linger_is(const void *arg);

/* Ends those that are older than their time. */
void sco_linger_sweep(struct sco_http *http, uint64_t now_ns);

/* Ends all of them. */
void sco_linger_finish(struct sco_http *http);

#endif
