/* gone.h - those who wait, and whether their clients are still there
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_GONE_H
#define SCO_HTTP_GONE_H

#include "http/http_int.h"

/* Prepares the watch; the descriptor is -1 on failure.
 *
 * Errors: SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_gone_init(struct sco_http *http, struct sco_error *err);

/* Watches whether the client of a new connection leaves. */
void sco_gone_watch(struct sco_connection *connection);

/* Shuts down what waits for nothing and whose client sends no more; to be
 * called when the daemon has run. */
void sco_gone_settle(struct sco_http *http);

/* Resumes all that are suspended, for the end. */
void sco_gone_wake_all(struct sco_http *http);

/* Ends the watch. */
void sco_gone_finish(struct sco_http *http);

/* The exchange begins to wait: for a reply, or for more of a stream. */
void sco_gone_wait(struct sco_exchange *ex, enum sco_rest rest);

/* Counts that the daemon has asked in vain, and says whether it should rather
 * suspend the exchange. */
bool sco_gone_should_sleep(struct sco_exchange *ex);

/* The daemon has suspended it. */
void sco_gone_asleep(struct sco_exchange *ex);

/* It waits no more. Resumes it when it was suspended, and says so. */
bool sco_gone_wake(struct sco_exchange *ex);

#endif
