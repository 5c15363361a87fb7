/* deadline.h - connections that are too slow
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_DEADLINE_H
#define SCO_HTTP_DEADLINE_H

#include "http/http_int.h"

/* Prepares the sweep. */
void sco_deadline_init(struct sco_http *http);

/* Puts a connection into the list of what it does now; NULL for none. */
void sco_deadline_move(struct sco_connection *connection,
                       struct sco_list *list);

/* Counts what an exchange that ends has taken from its socket. */
void sco_deadline_count(const struct sco_exchange *ex);

/* Cuts the connections that are between two requests, once `idle_ms` are
 * over. */
void sco_deadline_drain(struct sco_http *http, uint64_t idle_ms);

#endif
