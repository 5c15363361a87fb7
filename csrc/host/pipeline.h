/* pipeline.h - the order of stages that a request goes through, once
 *
 * head: ids, route, method, limits -> body into a slot -> queue -> worker ->
 * answer. Everything that ends early ends in visit_send_message().
 *
 * Thread: the loop's.
 */
#ifndef SCO_HOST_PIPELINE_H
#define SCO_HOST_PIPELINE_H

#include "host/visit.h"

/* The app that the front end calls. Ownership: `host` is borrowed until the
 * front end is destroyed. */
struct sco_http_app sco_pipeline_app(struct visit_host *host);

#endif
