/* gathered.h - the outputs of a request that was cut into several batches
 *
 * Its rows come piece by piece, in any order, and are copied to where they
 * belong. Thread: that of its owner.
 */
#ifndef SCO_PYBRIDGE_GATHERED_H
#define SCO_PYBRIDGE_GATHERED_H

#include "base/status.h"
#include "v2/reply.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed there is nothing. */
struct sco_gathered {
    struct sco_v2_output *outputs; /* their data are ours */
    size_t count;
};

/* Adds rows of a request that has `all` of them, of each output.
 *
 * Errors: SCO_SCRIPT when the pieces do not go together, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_gathered_add(struct sco_gathered *gathered, uint64_t all,
                                 uint64_t from, uint64_t rows,
                                 const struct sco_v2_output *outputs,
                                 size_t count, struct sco_error *err);

/* All of them, when each row has been added. */
const struct sco_v2_output *
sco_gathered_outputs(const struct sco_gathered *gathered);

/* Frees what was gathered. */
void sco_gathered_finish(struct sco_gathered *gathered);

#endif
