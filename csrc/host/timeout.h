/* timeout.h - how long a caller waits, as it says itself
 *
 * The header `x-request-timeout-ms`: a whole number of milliseconds, 1 or
 * more, counted from the arrival of the request's head. It says how long an
 * answer is of use to whoever asks; the host then does not begin what nobody
 * would read.
 *
 * Thread: any; pure.
 */
#ifndef SCO_HOST_TIMEOUT_H
#define SCO_HOST_TIMEOUT_H

#include "base/field.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* As the configuration has it (some 31 years). More is for ever. */
#define SCO_TIMEOUT_MAX_MS UINT64_C(1000000000000)

/* Reads a number of milliseconds: 0 for one that is more than the largest.
 *
 * Errors: SCO_INVALID for 0 and for what is no whole number. */
SCO_NODISCARD
enum sco_status sco_timeout_parse(struct sco_slice value, uint64_t *ms_out);

/* Looks for the header. SCO_NOT_FOUND without it; else as
 * sco_timeout_parse(), with the value that could not be read in *value_out.
 *
 * Errors: SCO_INVALID also for a header that is sent twice: nobody can tell
 *         which of them is meant. */
SCO_NODISCARD
enum sco_status sco_timeout_find(const struct sco_field *fields, size_t count,
                                 uint64_t *ms_out,
                                 struct sco_slice *value_out);

#endif
