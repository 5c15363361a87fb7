/* cors.h - which origins a browser may ask from
 *
 * The rules are those of the replaced server: GET and POST, any header, no
 * credentials, no age. An origin of the configuration with one of the
 * characters * \ ] ? $ ^ [ ( ) in it is a regular expression, matched from
 * the start without regard to case; one that does not compile matches
 * nothing. Expressions are POSIX extended ones with Python's \d, \w, \s,
 * \b and (?:...) understood; look-around is not, and such an expression
 * matches nothing.
 *
 * Constant once made. Thread: any.
 */
#ifndef SCO_HOST_CORS_H
#define SCO_HOST_CORS_H

#include "base/field.h"
#include "base/slice.h"
#include "base/text.h"

#include <stddef.h>

struct sco_cors;

enum { SCO_CORS_FIELDS_MAX = 5 };

/* What a response gets. */
struct sco_cors_fields {
    struct sco_field fields[SCO_CORS_FIELDS_MAX];
    size_t count;
    struct sco_text names; /* the requested header names, sorted */
};

/* Makes the rules for some origins, or NULL for none at all. It dies without
 * memory: it is made at start-up. */
struct sco_cors *sco_cors_create(char *const *origins, size_t count);

/* Frees the rules. NULL is allowed. */
void sco_cors_destroy(struct sco_cors *cors);

/* The fields for a request of this method. `out->fields` borrow from the
 * request's fields, from the rules and from `out`; end it with
 * sco_cors_fields_finish(). NULL rules give no fields. */
void sco_cors_apply(const struct sco_cors *cors, struct sco_slice method,
                    const struct sco_field *fields, size_t field_count,
                    struct sco_cors_fields *out);

/* Frees what sco_cors_apply() made. */
void sco_cors_fields_finish(struct sco_cors_fields *fields);

#endif
