/* reply.h - a reply, as the library wants it
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_HTTP_REPLY_H
#define SCO_HTTP_REPLY_H

#include "http/http_int.h"

/* Makes ex->response; false when there is no memory. Either way the body and
 * the stream are taken. */
bool sco_reply_make(struct sco_exchange *ex,
                    const struct sco_http_reply *reply);

#endif
