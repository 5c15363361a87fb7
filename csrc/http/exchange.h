/* exchange.h - one request and its reply, as the library tells of them
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_EXCHANGE_H
#define SCO_HTTP_EXCHANGE_H

#include "http/http_int.h"

/* A request line has come. */
void *sco_exchange_on_target(void *arg, const char *target,
                             struct MHD_Connection *mhd);

/* A head, a piece of a body, the end of it, or a question for the reply. */
enum MHD_Result sco_exchange_on_access(void *arg, struct MHD_Connection *mhd,
                                       const char *url, const char *method,
                                       const char *version, const char *upload,
                                       size_t *upload_len, void **context);

/* An exchange is over. */
void sco_exchange_on_completed(void *arg, struct MHD_Connection *mhd,
                               void **context,
                               enum MHD_RequestTerminationCode code);

/* A connection begins or ends. */
void sco_exchange_on_connection(void *arg, struct MHD_Connection *mhd,
                                void **context,
                                enum MHD_ConnectionNotificationCode code);

/* Tells the app that the client leaves, once for each `how`. */
void sco_exchange_tell_gone(struct sco_exchange *ex, enum sco_gone how);

#endif
