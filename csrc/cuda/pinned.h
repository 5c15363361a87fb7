/* pinned.h - memory of this process that a GPU copies from and to by itself
 *
 * Registering memory with the driver is dear, so that it is done once for a
 * block that is used again and again. Where the driver will not have it the
 * memory is there all the same, and copies take longer. A process that is
 * forked has none of it.
 *
 * Thread: that of its owner, which has entered the GPU.
 */
#ifndef SCO_CUDA_PINNED_H
#define SCO_CUDA_PINNED_H

#include "base/status.h"
#include "cuda/gpu.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed there is none. */
struct sco_pinned {
    char *at; /* at the begin of a page */
    size_t bytes;
    bool is_registered;
};

/* Sees to it that there are at least `bytes` bytes; what was in them is lost
 * if there were less. The GPU must be through with them.
 *
 * Errors: SCO_NOMEM; the memory is then as it was. */
SCO_NODISCARD
enum sco_status sco_pinned_reserve(struct sco_pinned *pinned,
                                   struct sco_gpu *gpu, size_t bytes,
                                   struct sco_error *err);

/* Lets go of it. A zeroed one is allowed. */
void sco_pinned_finish(struct sco_pinned *pinned, struct sco_gpu *gpu);

#endif
