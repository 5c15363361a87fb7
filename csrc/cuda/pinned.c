#define _GNU_SOURCE
#include "cuda/pinned.h"

#include <stdint.h>
#include <sys/mman.h>

/* The least that is registered, and what sizes are doubled from. */
enum { LEAST_BYTES = 64 * 1024 };

/* A size that will do for a while, or 0. */
static size_t
room_for(size_t bytes)
{
    size_t room = LEAST_BYTES;

    while (room < bytes && room <= SIZE_MAX / 2) {
        room *= 2;
    }
    return room < bytes ? 0 : room;
}

enum sco_status
sco_pinned_reserve(struct sco_pinned *pinned, struct sco_gpu *gpu,
                   size_t bytes, struct sco_error *err)
{
    struct sco_pinned larger = { .bytes = room_for(bytes) };
    void *at = MAP_FAILED;

    if (bytes <= pinned->bytes) {
        return SCO_OK;
    }
    if (larger.bytes > 0) {
        at = mmap(NULL, larger.bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (at == MAP_FAILED) {
        return sco_fail(err, SCO_NOMEM, "no memory for a batch of %zu bytes",
                        bytes);
    }
    (void)madvise(at, larger.bytes, MADV_HUGEPAGE);
    /* Where it is shared with a child, the first of both that writes to a page
     * gets another one, and the GPU goes on with the old. */
    (void)madvise(at, larger.bytes, MADV_DONTFORK);
    larger.at = at;
    larger.is_registered =
        gpu->cuda.cudaHostRegister(
            at, larger.bytes, SCO_CUDA_REGISTER_PORTABLE) == SCO_CUDA_SUCCESS;
    if (!larger.is_registered) {
        (void)gpu->cuda.cudaGetLastError();
    }
    sco_pinned_finish(pinned, gpu);
    *pinned = larger;
    return SCO_OK;
}

void
sco_pinned_finish(struct sco_pinned *pinned, struct sco_gpu *gpu)
{
    if (pinned->is_registered) {
        (void)gpu->cuda.cudaHostUnregister(pinned->at);
    }
    if (pinned->at != NULL) {
        (void)munmap(pinned->at, pinned->bytes);
    }
    *pinned = (struct sco_pinned){ .at = NULL };
}
