#include "cuda/gpu.h"

#include <stdlib.h>

/* Whether a library that was loaded has the device. */
static enum sco_status
find_device(const struct sco_cuda_runtime *cuda, int device,
            struct sco_error *err)
{
    int count = 0;
    int failed = cuda->cudaGetDeviceCount(&count);

    if (failed == SCO_CUDA_SUCCESS && device >= count) {
        return sco_fail(err, SCO_UNSUPPORTED,
                        "there is no GPU %d, the last is GPU %d", device,
                        count - 1);
    }
    if (failed == SCO_CUDA_SUCCESS) {
        failed = cuda->cudaSetDevice(device);
    }
    if (failed == SCO_CUDA_SUCCESS) {
        return SCO_OK;
    }
    return sco_fail(err, SCO_UNSUPPORTED, "%s (CUDA error %d)",
                    cuda->cudaGetErrorString(failed), failed);
}

/* Loads the first library that has the device. What one of them that is there
 * says counts for more than that others are not. */
static enum sco_status
load(const char *const *paths, size_t count, int device,
     struct sco_cuda_runtime *out, struct sco_error *err)
{
    struct sco_error said = { .text = "" };

    for (size_t i = 0; i < count; i++) {
        if (paths[i] == NULL ||
            sco_cuda_runtime_load(paths[i], out, NULL) != SCO_OK) {
            continue;
        }
        if (find_device(out, device, &said) == SCO_OK) {
            return SCO_OK;
        }
        sco_cuda_runtime_unload(out);
    }
    (void)sco_fail(err, SCO_UNSUPPORTED, "%s",
                   said.text[0] != '\0'
                       ? said.text
                       : "the CUDA runtime (libcudart) is not installed");
    return SCO_UNSUPPORTED;
}

enum sco_status
sco_gpu_open(const char *const *paths, size_t count, int device,
             struct sco_gpu **out, struct sco_error *err)
{
    struct sco_gpu *gpu = calloc(1, sizeof(*gpu));
    enum sco_status status;

    if (gpu == NULL) {
        return sco_fail(err, SCO_NOMEM, "no memory for a GPU");
    }
    status = load(paths, count, device, &gpu->cuda, err);
    if (status != SCO_OK) {
        free(gpu);
        return status;
    }
    gpu->device = device;
    (void)gpu->cuda.cudaRuntimeGetVersion(&gpu->version);
    atomic_init(&gpu->refs, 1);
    *out = gpu;
    return SCO_OK;
}

enum sco_status
sco_gpu_enter(struct sco_gpu *gpu, struct sco_error *err)
{
    int failed = gpu->cuda.cudaSetDevice(gpu->device);

    return failed == SCO_CUDA_SUCCESS
               ? SCO_OK
               : sco_cuda_fail(&gpu->cuda, failed, "cudaSetDevice", err);
}

enum sco_status
sco_gpu_follow_legacy(struct sco_gpu *gpu, struct sco_cuda_stream *stream,
                      struct sco_error *err)
{
    const struct sco_cuda_runtime *cuda = &gpu->cuda;
    struct sco_cuda_event *event = NULL;
    int failed =
        cuda->cudaEventCreateWithFlags(&event, SCO_CUDA_EVENT_NO_TIMING);

    if (failed == SCO_CUDA_SUCCESS) {
        failed = cuda->cudaEventRecord(event, SCO_CUDA_LEGACY);
    }
    if (failed == SCO_CUDA_SUCCESS) {
        failed = cuda->cudaStreamWaitEvent(stream, event, 0);
    }
    if (event != NULL) {
        /* It ends when it is of no more use. */
        (void)cuda->cudaEventDestroy(event);
    }
    return failed == SCO_CUDA_SUCCESS
               ? SCO_OK
               : sco_cuda_fail(cuda, failed, "a stream", err);
}

struct sco_gpu *
sco_gpu_ref(struct sco_gpu *gpu)
{
    atomic_fetch_add(&gpu->refs, 1);
    return gpu;
}

/* The library stays loaded: it has threads and handlers of its own. */
void
sco_gpu_unref(struct sco_gpu *gpu)
{
    if (gpu != NULL && atomic_fetch_sub(&gpu->refs, 1) == 1) {
        free(gpu);
    }
}

enum sco_status
sco_gpu_block_create(struct sco_gpu *gpu, size_t bytes,
                     struct sco_gpu_block **out, struct sco_error *err)
{
    struct sco_gpu_block *block = calloc(1, sizeof(*block));
    int failed;

    if (block == NULL) {
        return sco_fail(err, SCO_NOMEM, "no memory for a batch");
    }
    failed = gpu->cuda.cudaMalloc(&block->at, bytes);
    if (failed != SCO_CUDA_SUCCESS) {
        free(block);
        return sco_cuda_fail(&gpu->cuda, failed, "memory of the GPU", err);
    }
    block->gpu = sco_gpu_ref(gpu);
    block->bytes = bytes;
    atomic_init(&block->refs, 1);
    *out = block;
    return SCO_OK;
}

struct sco_gpu_block *
sco_gpu_block_ref(struct sco_gpu_block *block)
{
    atomic_fetch_add(&block->refs, 1);
    return block;
}

void
sco_gpu_block_unref(struct sco_gpu_block *block)
{
    if (block != NULL && atomic_fetch_sub(&block->refs, 1) == 1) {
        (void)block->gpu->cuda.cudaFree(block->at);
        sco_gpu_unref(block->gpu);
        free(block);
    }
}
