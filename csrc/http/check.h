/* check.h - is a request head one that we take?
 *
 * What libmicrohttpd lets through and we do not. Pure: no socket, no clock.
 * Thread: any.
 */
#ifndef SCO_HTTP_CHECK_H
#define SCO_HTTP_CHECK_H

#include "http/http.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SCO_HEAD_LINE_MAX = 4094,       /* the request line, without CRLF */
    SCO_HEAD_FIELD_LINE_MAX = 8190, /* a field's line, with CRLF */
    SCO_HEAD_FIELDS_MAX = 100,
};

/* What a sound head says about what follows. */
struct sco_head_facts {
    uint64_t body_bytes; /* Content-Length; 0 without a body */
    bool chunked;
    bool expects_continue;
};

/* Why a head is refused. */
struct sco_head_fault {
    unsigned status;
    char message[192];
};

/* Checks method, target, version and fields of a head; true fills in
 * `facts`, false `fault`. The other is left alone. */
bool sco_head_check(const struct sco_http_head *head,
                    struct sco_head_facts *facts,
                    struct sco_head_fault *fault);

/* The fault of more than SCO_HEAD_FIELDS_MAX fields. */
void sco_head_fault_fields(struct sco_head_fault *fault);

#endif
