/* test_gpu.c - who has a GPU, and whose is its memory? */
#include "cuda/gpu.h"

#include "support/fake_gpu.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

static const char *const paths[] = { NULL, "libno-such-cuda.so", FAKE_CUDART };

static void
test_takes_the_first_that_has_one(void **state)
{
    struct sco_error err = { .text = "" };
    struct sco_gpu *gpu = NULL;

    (void)state;
    assert_int_equal(sco_gpu_open(paths, 3, 0, &gpu, &err), SCO_OK);
    assert_int_equal(gpu->device, 0);
    assert_int_equal(gpu->version, 12040);
    assert_int_equal(sco_gpu_enter(gpu, &err), SCO_OK);
    sco_gpu_unref(gpu);
    sco_gpu_unref(NULL);
}

static void
test_says_why_there_is_none(void **state)
{
    struct sco_error err = { .text = "" };
    struct sco_gpu *gpu = NULL;

    (void)state;
    assert_int_equal(sco_gpu_open(paths, 2, 0, &gpu, &err), SCO_UNSUPPORTED);
    assert_string_equal(err.text,
                        "the CUDA runtime (libcudart) is not installed");
    assert_int_equal(sco_gpu_open(paths, 3, 3, &gpu, &err), SCO_UNSUPPORTED);
    assert_string_equal(err.text, "there is no GPU 3, the last is GPU 0");
    setenv("FAKE_CUDART_DEVICES", "2", 1);
    assert_int_equal(sco_gpu_open(paths, 3, 2, &gpu, &err), SCO_UNSUPPORTED);
    assert_string_equal(err.text, "there is no GPU 2, the last is GPU 1");
    setenv("FAKE_CUDART_DEVICES", "0", 1);
    assert_int_equal(sco_gpu_open(paths, 3, 0, &gpu, &err), SCO_UNSUPPORTED);
    assert_string_equal(err.text,
                        "no CUDA-capable device is detected (CUDA error 100)");
    unsetenv("FAKE_CUDART_DEVICES");
    assert_null(gpu);
}

static void
test_memory_outlives_its_maker(void **state)
{
    struct fake_gpu fake = fake_gpu_open(FAKE_CUDART);
    struct sco_error err = { .text = "" };
    struct sco_gpu_block *block = NULL;
    struct sco_gpu *gpu = NULL;

    (void)state;
    assert_int_equal(sco_gpu_open(paths, 3, 0, &gpu, &err), SCO_OK);
    assert_int_equal(sco_gpu_block_create(gpu, 4096, &block, &err), SCO_OK);
    assert_int_equal(block->bytes, 4096);
    sco_gpu_unref(gpu);
    assert_ptr_equal(sco_gpu_block_ref(block), block);
    sco_gpu_block_unref(block);
    assert_int_equal(fake_gpu_counts(&fake).blocks, 1);
    sco_gpu_block_unref(block);
    assert_int_equal(fake_gpu_counts(&fake).blocks, 0);
    sco_gpu_block_unref(NULL);
}

static void
test_a_gpu_that_is_full(void **state)
{
    struct sco_error err = { .text = "" };
    struct sco_gpu_block *block = NULL;
    struct sco_gpu *gpu = NULL;

    (void)state;
    assert_int_equal(sco_gpu_open(paths, 3, 0, &gpu, &err), SCO_OK);
    setenv("FAKE_CUDART_MEMORY", "4096", 1);
    assert_int_equal(sco_gpu_block_create(gpu, 4097, &block, &err), SCO_NOMEM);
    assert_non_null(strstr(err.text, "out of memory"));
    assert_null(block);
    unsetenv("FAKE_CUDART_MEMORY");
    sco_gpu_unref(gpu);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_the_first_that_has_one),
        cmocka_unit_test(test_says_why_there_is_none),
        cmocka_unit_test(test_memory_outlives_its_maker),
        cmocka_unit_test(test_a_gpu_that_is_full),
    };

    return cmocka_run_group_tests_name("GPU", tests, NULL, NULL);
}
