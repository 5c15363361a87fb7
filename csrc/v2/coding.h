/* coding.h - how a body may be packed: what a field Content-Encoding says
 *
 * Pure; nothing is unpacked here. Thread: any.
 */
#ifndef SCO_V2_CODING_H
#define SCO_V2_CODING_H

#include "base/slice.h"

#include <stdbool.h>

enum sco_v2_coding {
    SCO_V2_AS_IT_IS, /* no field, an empty one, identity */
    SCO_V2_GZIP,     /* also by its old name, x-gzip */
    SCO_V2_DEFLATE,
};

/* Finds the coding that a field's value names; false: it is one that nobody
 * here understands, or several, one upon the other. */
bool sco_v2_coding_find(struct sco_slice value, enum sco_v2_coding *out);

/* Those that there are, for the field Accept-Encoding of a 415. */
struct sco_slice sco_v2_codings(void);

#endif
