/* runtime.h - the CUDA runtime: found when it is wanted, called by a table
 *
 * Nothing is linked and no header of CUDA's is needed to build: the functions
 * below have had these forms since CUDA 10, and the constants are its ABI's
 * (CUDA Runtime API, "Modules"). tests/unit/cuda/ compares them with
 * <cuda_runtime_api.h> where that is installed.
 *
 * A process that has the library already, because the script's framework
 * brought it, gets the same one.
 *
 * Thread: any; a table is constant once it is loaded.
 */
#ifndef SCO_CUDA_RUNTIME_H
#define SCO_CUDA_RUNTIME_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* What a stream and an event are is CUDA's. */
struct sco_cuda_stream;
struct sco_cuda_event;

/* The stream that work goes to where nobody names one, and that all streams
 * but the non-blocking ones wait for. */
#define SCO_CUDA_LEGACY ((struct sco_cuda_stream *)(uintptr_t)1)

enum {
    SCO_CUDA_SUCCESS = 0,
    SCO_CUDA_OUT_OF_MEMORY = 2,
    SCO_CUDA_OLD_DRIVER = 35,
    SCO_CUDA_NO_DEVICE = 100,
    SCO_CUDA_NOT_READY = 600,

    SCO_CUDA_STREAM_NON_BLOCKING = 1,
    SCO_CUDA_EVENT_BLOCKING_SYNC = 1,
    SCO_CUDA_EVENT_NO_TIMING = 2,
    SCO_CUDA_REGISTER_PORTABLE = 1,
    SCO_CUDA_HOST_TO_DEVICE = 1,
    SCO_CUDA_DEVICE_TO_HOST = 2,
    SCO_CUDA_DEVICE_TO_DEVICE = 3,
};

/* clang-format off */
#define SCO_CUDA_FUNCTIONS(X)                                              \
    X(int, cudaGetDeviceCount, (int *count))                               \
    X(int, cudaSetDevice, (int device))                                    \
    X(const char *, cudaGetErrorString, (int error))                       \
    X(int, cudaGetLastError, (void))                                       \
    X(int, cudaRuntimeGetVersion, (int *version))                          \
    X(int, cudaHostRegister, (void *at, size_t bytes, unsigned flags))     \
    X(int, cudaHostUnregister, (void *at))                                 \
    X(int, cudaMalloc, (void **out, size_t bytes))                         \
    X(int, cudaFree, (void *at))                                           \
    X(int, cudaStreamCreateWithFlags,                                      \
      (struct sco_cuda_stream **out, unsigned flags))                      \
    X(int, cudaStreamDestroy, (struct sco_cuda_stream *stream))            \
    X(int, cudaStreamSynchronize, (struct sco_cuda_stream *stream))        \
    X(int, cudaStreamWaitEvent, (struct sco_cuda_stream *stream,           \
                                 struct sco_cuda_event *event,             \
                                 unsigned flags))                          \
    X(int, cudaEventCreateWithFlags,                                       \
      (struct sco_cuda_event **out, unsigned flags))                       \
    X(int, cudaEventDestroy, (struct sco_cuda_event *event))               \
    X(int, cudaEventRecord, (struct sco_cuda_event *event,                 \
                             struct sco_cuda_stream *stream))              \
    X(int, cudaEventQuery, (struct sco_cuda_event *event))                 \
    X(int, cudaEventSynchronize, (struct sco_cuda_event *event))           \
    X(int, cudaMemcpyAsync, (void *to, const void *from, size_t bytes,     \
                             int kind, struct sco_cuda_stream *stream))    \
    X(int, cudaLaunchHostFunc, (struct sco_cuda_stream *stream,            \
                                void (*function)(void *arg), void *arg))
/* clang-format on */

/* clang-format off */
struct sco_cuda_runtime {
    /* A type, a name and a list of arguments cannot stand in parentheses.
     * NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define X(type, name, arguments) type (*name) arguments;
    /* The functions, by the names that they have there. */
    SCO_CUDA_FUNCTIONS(X)
#undef X
    void *library;
};
/* clang-format on */

/* Loads a library and looks its functions up.
 *
 * Errors: SCO_UNSUPPORTED when it is not there, or lacks one of them; *out is
 *         untouched. */
SCO_NODISCARD
enum sco_status sco_cuda_runtime_load(const char *path,
                                      struct sco_cuda_runtime *out,
                                      struct sco_error *err);

/* Lets go of it; a zeroed one is allowed. */
void sco_cuda_runtime_unload(struct sco_cuda_runtime *runtime);

/* Fails with what the library says of an error number, after `what`.
 *
 * Errors: SCO_NOMEM where the GPU has no memory left, which passes. All else
 *         is SCO_SCRIPT: a driver that reports an error of a kernel goes on
 *         reporting it, and the kernels are the script's. */
enum sco_status sco_cuda_fail(const struct sco_cuda_runtime *runtime,
                              int number, const char *what,
                              struct sco_error *err);

#endif
