/* classes.h - an output as its highest classes, "value:index:label"
 *
 * The classification extension. A row of a batch is one set of classes, with
 * all its dimensions taken as one; without batching the whole tensor is.
 * Thread: any.
 */
#ifndef SCO_V2_CLASSES_H
#define SCO_V2_CLASSES_H

#include "base/status.h"
#include "base/text.h"
#include "v2/array.h"

#include <stddef.h>
#include <stdint.h>

/* The texts of classes, row by row. */
struct sco_v2_classes {
    struct sco_shape shape; /* [rows, count], or [count] */
    struct sco_text bytes;  /* one text behind the other */
    size_t *ends;           /* where each ends in `bytes` */
    size_t count;           /* of all rows */
};

/* Finds the `wanted` highest elements of each set, or all when there are
 * fewer. Equal ones come in the order of their indices, NaN behind all others.
 * `labels` are those of the classes, as many as there are.
 *
 * Ownership: *out is ended with sco_v2_classes_finish().
 * Errors:    SCO_INVALID for BOOL and BYTES; SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_v2_classes_find(const struct sco_v2_array *array,
                                    bool has_rows, uint64_t wanted,
                                    const struct sco_slice *labels,
                                    size_t label_count,
                                    struct sco_v2_classes *out,
                                    struct sco_error *err);

/* Frees what was found. A zeroed one is allowed. */
void sco_v2_classes_finish(struct sco_v2_classes *classes);

#endif
