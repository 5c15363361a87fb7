/* numbers_int.h - one number, and runs of them; for tensor/ alone
 *
 * Thread: that of the reader's owner.
 */
#ifndef SCO_TENSOR_NUMBERS_INT_H
#define SCO_TENSOR_NUMBERS_INT_H

#include "tensor/dtype.h"

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    /* No number that a run reads is as long as that: so far it looks ahead
     * without asking where the text ends. */
    SCO_RUN_MARGIN = 64,
};

/* Elements one behind the other, with commas between them. */
struct sco_run {
    const char *at, *end;
    char *out;
    size_t room;   /* elements that may be written */
    bool is_after; /* in the end: the last thing read was an element */
};

/* Reads elements for as long as all is plain: numbers of usual length, a
 * comma and at most one space between them. It stops in front of all else,
 * of which sco_number_read() and the reader know more. Moves at, out, room. */
void sco_run_read(struct sco_run *run, enum sco_dtype dtype);

/* Reads one element from a token that is whole.
 *
 * Errors: SCO_INVALID, SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status sco_number_read(struct sco_slice token, enum sco_dtype dtype,
                                char *out, struct sco_error *err);

/* Fails with what elements of this datatype are, and what there is. */
enum sco_status sco_number_refuse(struct sco_slice found, enum sco_dtype dtype,
                                  struct sco_error *err);

#endif
