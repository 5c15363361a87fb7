/* test_runtime.c - is the CUDA runtime found, and is it as we think? */
#include "cuda/runtime.h"

#include "support/test.h"

#include <string.h>

#ifdef HAVE_CUDA_HEADER

#include <cuda_runtime_api.h>

_Static_assert((int)SCO_CUDA_SUCCESS == (int)cudaSuccess, "");
_Static_assert((int)SCO_CUDA_OUT_OF_MEMORY == (int)cudaErrorMemoryAllocation,
               "");
_Static_assert((int)SCO_CUDA_OLD_DRIVER == (int)cudaErrorInsufficientDriver,
               "");
_Static_assert((int)SCO_CUDA_NO_DEVICE == (int)cudaErrorNoDevice, "");
_Static_assert((int)SCO_CUDA_NOT_READY == (int)cudaErrorNotReady, "");
_Static_assert(SCO_CUDA_STREAM_NON_BLOCKING == cudaStreamNonBlocking, "");
_Static_assert(SCO_CUDA_EVENT_BLOCKING_SYNC == cudaEventBlockingSync, "");
_Static_assert(SCO_CUDA_EVENT_NO_TIMING == cudaEventDisableTiming, "");
_Static_assert(SCO_CUDA_REGISTER_PORTABLE == cudaHostRegisterPortable, "");
_Static_assert((int)SCO_CUDA_HOST_TO_DEVICE == (int)cudaMemcpyHostToDevice,
               "");
_Static_assert((int)SCO_CUDA_DEVICE_TO_HOST == (int)cudaMemcpyDeviceToHost,
               "");
_Static_assert((int)SCO_CUDA_DEVICE_TO_DEVICE == (int)cudaMemcpyDeviceToDevice,
               "");
_Static_assert(sizeof(cudaError_t) == sizeof(int), "");
_Static_assert(sizeof(enum cudaMemcpyKind) == sizeof(int), "");

/* CUDA's own functions in CUDA's own words: where one has another form than
 * this, the header's prototype contradicts it and nothing compiles. */
cudaError_t CUDARTAPI cudaGetDeviceCount(int *);
cudaError_t CUDARTAPI cudaSetDevice(int);
const char *CUDARTAPI cudaGetErrorString(cudaError_t);
cudaError_t CUDARTAPI cudaGetLastError(void);
cudaError_t CUDARTAPI cudaRuntimeGetVersion(int *);
cudaError_t CUDARTAPI cudaHostRegister(void *, size_t, unsigned);
cudaError_t CUDARTAPI cudaHostUnregister(void *);
cudaError_t CUDARTAPI cudaMalloc(void **, size_t);
cudaError_t CUDARTAPI cudaFree(void *);
cudaError_t CUDARTAPI cudaStreamCreateWithFlags(cudaStream_t *, unsigned);
cudaError_t CUDARTAPI cudaStreamDestroy(cudaStream_t);
cudaError_t CUDARTAPI cudaStreamSynchronize(cudaStream_t);
cudaError_t CUDARTAPI cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned);
cudaError_t CUDARTAPI cudaEventCreateWithFlags(cudaEvent_t *, unsigned);
cudaError_t CUDARTAPI cudaEventDestroy(cudaEvent_t);
cudaError_t CUDARTAPI cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t CUDARTAPI cudaEventQuery(cudaEvent_t);
cudaError_t CUDARTAPI cudaEventSynchronize(cudaEvent_t);
cudaError_t CUDARTAPI cudaMemcpyAsync(void *, const void *, size_t,
                                      enum cudaMemcpyKind, cudaStream_t);
cudaError_t CUDARTAPI cudaLaunchHostFunc(cudaStream_t, void (*)(void *),
                                         void *);

static void
test_the_legacy_stream(void **state)
{
    (void)state;
    assert_ptr_equal((void *)SCO_CUDA_LEGACY, (void *)cudaStreamLegacy);
}

#endif

static void
test_finds_every_function(void **state)
{
    struct sco_cuda_runtime cuda = { .library = NULL };
    struct sco_error err = { .text = "" };
    int count = 0;

    (void)state;
    assert_int_equal(sco_cuda_runtime_load(FAKE_CUDART, &cuda, &err), SCO_OK);
    assert_non_null(cuda.library);
#define X(type, name, arguments) assert_true(cuda.name != NULL);
    SCO_CUDA_FUNCTIONS(X)
#undef X
    assert_int_equal(cuda.cudaGetDeviceCount(&count), SCO_CUDA_SUCCESS);
    assert_int_equal(count, 1);
    sco_cuda_runtime_unload(&cuda);
    assert_null(cuda.library);
    sco_cuda_runtime_unload(&cuda); /* of nothing */
}

static void
test_says_what_is_missing(void **state)
{
    struct sco_cuda_runtime cuda = { .library = NULL };
    struct sco_error err = { .text = "" };

    (void)state;
    assert_int_equal(sco_cuda_runtime_load("libno-such-cuda.so", &cuda, &err),
                     SCO_UNSUPPORTED);
    assert_non_null(strstr(err.text, "libno-such-cuda.so"));
    assert_null(cuda.library);
    /* One that is there, and something else. */
    assert_int_equal(sco_cuda_runtime_load("libc.so.6", &cuda, &err),
                     SCO_UNSUPPORTED);
    assert_non_null(strstr(err.text, "libc.so.6 has no cuda"));
    assert_null(cuda.library);
}

static void
test_errors_in_words(void **state)
{
    struct sco_cuda_runtime cuda = { .library = NULL };
    struct sco_error err = { .text = "" };

    (void)state;
    assert_int_equal(sco_cuda_runtime_load(FAKE_CUDART, &cuda, &err), SCO_OK);
    assert_int_equal(sco_cuda_fail(&cuda, 2, "a block", &err), SCO_NOMEM);
    assert_string_equal(err.text, "a block: out of memory (CUDA error 2)");
    assert_int_equal(sco_cuda_fail(&cuda, 700, "a copy", &err), SCO_SCRIPT);
    assert_string_equal(err.text, "a copy: an illegal memory access was "
                                  "encountered (CUDA error 700)");
    sco_cuda_runtime_unload(&cuda);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_every_function),
        cmocka_unit_test(test_says_what_is_missing),
        cmocka_unit_test(test_errors_in_words),
#ifdef HAVE_CUDA_HEADER
        cmocka_unit_test(test_the_legacy_stream),
#endif
    };

    return cmocka_run_group_tests_name("CUDA runtime", tests, NULL, NULL);
}
