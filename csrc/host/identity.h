/* identity.h - the ids of a request, by the contract's rules
 *
 * Which ids a request carries, which are made, what goes back, and when they
 * are too long. Thread: the loop's.
 */
#ifndef SCO_HOST_IDENTITY_H
#define SCO_HOST_IDENTITY_H

#include "base/field.h"
#include "base/slice.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stddef.h>

enum { SCO_ID_MAX = 100 }; /* characters */

/* Slices borrow from the request's fields, or from `made`; so an identity
 * must not be copied once it is filled in. */
struct sco_identity {
    struct sco_slice request; /* x-request-id; never empty once sound */
    struct sco_slice legacy;  /* x-ms-request-id that goes back */
    struct sco_slice client;  /* x-ms-client-request-id; may be empty */
    struct sco_slice trace;   /* TraceId, when there is one */
    bool has_trace;
    bool used_legacy; /* the deprecated header was sent */
    char made[SCO_UUID_CHARS + 1];
    char joined[3][SCO_ID_MAX]; /* of a header that was sent twice */
};

/* Reads the ids out of a request's fields and makes what is missing.
 *
 * Returns NULL, or why the request is refused with 431; `out` then holds
 * what may be echoed. */
const char *sco_identity_read(const struct sco_field *fields, size_t count,
                              struct sco_identity *out);

/* The value of the first field of this name, or false. Pure; thread: any. */
bool sco_field_find(const struct sco_field *fields, size_t count,
                    struct sco_slice name, struct sco_slice *value_out);

#endif
