/* listen.h - how connections come in
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_LISTEN_H
#define SCO_HTTP_LISTEN_H

#include "http/http_int.h"

/* Prepares http->accept_timer and the list. */
void sco_listen_init(struct sco_http *http);

/* Starts accepting again when there is room. */
void sco_listen_resume(struct sco_http *http);

/* Closes all listeners. */
void sco_listen_finish(struct sco_http *http);

/* Frees a connection that the daemon no longer has. */
void sco_connection_destroy(struct sco_connection *connection);

#endif
