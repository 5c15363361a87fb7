/* gpu.h - a GPU that a worker uses, and its memory
 *
 * Both are counted. What a script was given of the GPU's memory it may keep,
 * and let go of in any thread and at any time: the memory is freed then, and
 * the GPU itself is forgotten after the last of it.
 *
 * Thread: any, where a function says nothing else.
 */
#ifndef SCO_CUDA_GPU_H
#define SCO_CUDA_GPU_H

#include "base/status.h"
#include "cuda/runtime.h"

#include <stdatomic.h>
#include <stddef.h>

struct sco_gpu {
    struct sco_cuda_runtime cuda;
    int device;  /* its number in this process, from 0 */
    int version; /* of the library, as it says it: 12040 */
    atomic_size_t refs;
};

/* Some of a GPU's memory. */
struct sco_gpu_block {
    struct sco_gpu *gpu;
    void *at; /* an address of the GPU's: not to be followed here */
    size_t bytes;
    atomic_size_t refs;
};

/* Finds device `device` with the first of these libraries that has it. NULL
 * among the paths is passed over.
 *
 * Ownership: the caller has a reference of *out.
 * Blocks:    until the driver is up, which may take a second.
 * Errors:    SCO_UNSUPPORTED, and `err` says what is missing: the library, a
 *            driver, a GPU; SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_gpu_open(const char *const *paths, size_t count,
                             int device, struct sco_gpu **out,
                             struct sco_error *err);

/* Has the calling thread use this GPU, which each thread must say once before
 * it makes streams or memory.
 *
 * Errors: as sco_cuda_fail(). */
SCO_NODISCARD
enum sco_status sco_gpu_enter(struct sco_gpu *gpu, struct sco_error *err);

/* Has a stream wait for what is in the legacy stream now.
 *
 * Thread: one that has entered.
 * Errors: as sco_cuda_fail(). */
SCO_NODISCARD
enum sco_status sco_gpu_follow_legacy(struct sco_gpu *gpu,
                                      struct sco_cuda_stream *stream,
                                      struct sco_error *err);

/* One more reference. */
struct sco_gpu *sco_gpu_ref(struct sco_gpu *gpu);

/* Gives a reference back. NULL is allowed. */
void sco_gpu_unref(struct sco_gpu *gpu);

/* Allocates memory of the GPU, with anything in it.
 *
 * Thread:    one that has entered.
 * Ownership: the caller has a reference of *out.
 * Errors:    SCO_NOMEM, or as sco_cuda_fail(). */
SCO_NODISCARD
enum sco_status sco_gpu_block_create(struct sco_gpu *gpu, size_t bytes,
                                     struct sco_gpu_block **out,
                                     struct sco_error *err);

/* One more reference. */
struct sco_gpu_block *sco_gpu_block_ref(struct sco_gpu_block *block);

/* Gives a reference back; the last one frees the memory, after all that the
 * GPU still has to do. NULL is allowed. */
void sco_gpu_block_unref(struct sco_gpu_block *block);

#endif
