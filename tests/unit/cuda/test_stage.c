/* test_stage.c - do batches get to the GPU and back whole, and in time?
 *
 * The GPU of these tests works on whatever may go on, in an order drawn by
 * lot: where one stream does not wait for another the numbers are wrong.
 */
#include "cuda/stage.h"

#include "support/fake_gpu.h"
#include "support/test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FLOATS = 1000, BYTES = FLOATS * sizeof(float) };

static const char *const paths[] = { FAKE_CUDART };
static struct fake_gpu fake;
static struct sco_gpu *gpu;
static atomic_uint woken;

static void
count_wake(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static int
set_up(void **state)
{
    (void)state;
    fake = fake_gpu_open(FAKE_CUDART);
    fake.reset(0);
    return sco_gpu_open(paths, 1, 0, &gpu, NULL) == SCO_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct fake_counts counts;

    (void)state;
    sco_gpu_unref(gpu);
    counts = fake_gpu_counts(&fake);
    assert_int_equal(counts.blocks, 0);
    assert_int_equal(counts.registrations, 0);
    assert_int_equal(counts.streams, 0);
    assert_int_equal(counts.events, 0);
    return 0;
}

static struct sco_stage *
a_stage(void)
{
    struct sco_stage *stage = NULL;

    assert_int_equal(sco_stage_create(gpu, count_wake, &woken, &stage, NULL),
                     SCO_OK);
    return stage;
}

/* A batch on its way: two inputs, of which the GPU makes one output in some
 * memory of its own. */
struct flight {
    struct sco_stage_slot *slot;
    struct sco_gpu_block *result;
    const char *back;
    const char *kept; /* an output that was here */
    float number;
};

/* An output that is here, in memory that is used for something else then. */
static void
keep(struct flight *flight)
{
    static char here[BYTES];

    memset(here, (int)flight->number, BYTES);
    flight->kept = sco_stage_keep(flight->slot, here, BYTES);
    memset(here, 0xff, BYTES);
}

static void
depart(struct sco_stage *stage, struct flight *flight, float number)
{
    size_t second = 4096;
    float *inputs;

    flight->slot = sco_stage_take(stage);
    flight->number = number;
    assert_non_null(flight->slot);
    assert_int_equal(sco_stage_reserve(flight->slot, second + BYTES, NULL),
                     SCO_OK);
    for (size_t column = 0; column < 2; column++) {
        inputs = (float *)(void *)(flight->slot->in.at + column * second);
        for (size_t i = 0; i < FLOATS; i++) {
            inputs[i] = number + (float)column;
        }
        assert_int_equal(
            sco_stage_upload(flight->slot, column * second, BYTES, NULL),
            SCO_OK);
    }
    assert_int_equal(sco_stage_arrive(flight->slot, SCO_CUDA_LEGACY, NULL),
                     SCO_OK);
    assert_int_equal(sco_gpu_block_create(gpu, BYTES, &flight->result, NULL),
                     SCO_OK);
    /* What run() would do: 2 * second input + 1. */
    assert_int_equal(fake.affine(SCO_CUDA_LEGACY, flight->result->at,
                                 (char *)flight->slot->block->at + second,
                                 FLOATS, 2, 1),
                     0);
    assert_int_equal(sco_stage_reserve_back(flight->slot, BYTES, BYTES, NULL),
                     SCO_OK);
    assert_int_equal(sco_stage_collect(flight->slot, SCO_CUDA_LEGACY,
                                       flight->result->at, BYTES,
                                       &flight->back, NULL),
                     SCO_OK);
    keep(flight);
    /* And what the next run() would do with its memory. */
    assert_int_equal(fake.affine(SCO_CUDA_LEGACY, flight->result->at,
                                 flight->result->at, FLOATS, 0, -1),
                     0);
    assert_int_equal(sco_stage_leave(flight->slot, SCO_CUDA_LEGACY, NULL),
                     SCO_OK);
    assert_int_equal(sco_stage_send(flight->slot, NULL), SCO_OK);
}

static void
arrive(struct flight *flight)
{
    const float *numbers = (const float *)(const void *)flight->back;

    assert_int_equal(sco_stage_wait(flight->slot, NULL), SCO_OK);
    for (size_t i = 0; i < FLOATS; i++) {
        assert_true(numbers[i] == 2 * (flight->number + 1) + 1);
    }
    for (size_t i = 0; i < BYTES; i++) {
        assert_int_equal(flight->kept[i], (char)flight->number);
    }
    sco_gpu_block_unref(flight->result);
    sco_stage_give(flight->slot);
}

static void
test_one_after_another(void **state)
{
    struct sco_stage *stage = a_stage();
    struct flight flight;

    (void)state;
    for (int i = 0; i < 50; i++) {
        depart(stage, &flight, (float)i);
        arrive(&flight);
    }
    sco_stage_destroy(stage);
}

static void
test_three_at_once(void **state)
{
    struct sco_stage *stage = a_stage();
    struct flight flights[SCO_STAGE_SLOTS];
    unsigned before = atomic_load(&woken);

    (void)state;
    fake.reset(20);
    for (int i = 0; i < 60; i++) {
        if (i >= SCO_STAGE_SLOTS) {
            arrive(&flights[i % SCO_STAGE_SLOTS]);
        }
        depart(stage, &flights[i % SCO_STAGE_SLOTS], (float)i);
        if (i >= SCO_STAGE_SLOTS - 1) {
            assert_null(sco_stage_take(stage)); /* all are under way */
        }
    }
    for (int i = 0; i < SCO_STAGE_SLOTS; i++) {
        arrive(&flights[i]);
    }
    sco_stage_destroy(stage);
    assert_int_equal(atomic_load(&woken) - before, 60);
}

static void
test_memory_is_registered_once(void **state)
{
    struct fake_counts before = fake_gpu_counts(&fake), after;
    struct sco_stage *stage = a_stage();
    struct flight flight;
    unsigned generation;
    char *at;

    (void)state;
    depart(stage, &flight, 1);
    generation = flight.slot->generation;
    at = flight.slot->in.at;
    arrive(&flight);
    for (int i = 0; i < 20; i++) {
        depart(stage, &flight, 2);
        assert_ptr_equal(flight.slot->in.at, at);
        assert_int_equal(flight.slot->generation, generation);
        arrive(&flight);
    }
    after = fake_gpu_counts(&fake);
    assert_int_equal(after.registrations - before.registrations, 2);
    assert_int_equal(after.blocks - before.blocks, 2);
    assert_int_equal(after.uploads - before.uploads, 2 * 21);
    assert_int_equal(after.downloads - before.downloads, 21);
    assert_int_equal(after.pageable - before.pageable, 0);
    sco_stage_destroy(stage);
}

static void
test_a_larger_batch(void **state)
{
    struct sco_stage *stage = a_stage();
    struct sco_stage_slot *slot = sco_stage_take(stage);
    struct sco_gpu_block *kept;
    unsigned generation;

    (void)state;
    assert_int_equal(sco_stage_reserve(slot, 1, NULL), SCO_OK);
    generation = slot->generation;
    kept = sco_gpu_block_ref(slot->block); /* by a script, perhaps */
    assert_int_equal(sco_stage_reserve(slot, slot->in.bytes, NULL), SCO_OK);
    assert_int_equal(slot->generation, generation);
    assert_int_equal(sco_stage_reserve(slot, slot->in.bytes + 1, NULL),
                     SCO_OK);
    assert_int_equal(slot->generation, generation + 1);
    assert_ptr_not_equal(slot->block, kept);
    sco_stage_give(slot);
    sco_stage_destroy(stage);
    assert_int_equal(fake_gpu_counts(&fake).blocks, 1);
    sco_gpu_block_unref(kept);
}

static void
test_no_room_there(void **state)
{
    struct sco_stage *stage = a_stage();
    struct sco_stage_slot *slot = sco_stage_take(stage);
    struct sco_error err = { .text = "" };

    (void)state;
    setenv("FAKE_CUDART_MEMORY", "100000", 1);
    assert_int_equal(sco_stage_reserve(slot, 1000, &err), SCO_OK);
    assert_int_equal(sco_stage_reserve(slot, 1000000, &err), SCO_NOMEM);
    assert_non_null(strstr(err.text, "memory of the GPU: out of memory"));
    assert_int_equal(sco_stage_reserve(slot, 1000, &err), SCO_OK);
    assert_int_equal(sco_stage_reserve(slot, SIZE_MAX / 2 + 2, &err),
                     SCO_NOMEM);
    unsetenv("FAKE_CUDART_MEMORY");
    sco_stage_give(slot);
    sco_stage_destroy(stage);
}

static void
test_memory_that_cannot_be_registered(void **state)
{
    struct sco_stage *stage = a_stage();
    struct flight flight;

    (void)state;
    setenv("FAKE_CUDART_NO_REGISTER", "1", 1);
    for (int i = 0; i < 10; i++) {
        depart(stage, &flight, (float)i);
        assert_false(flight.slot->in.is_registered);
        arrive(&flight);
    }
    unsetenv("FAKE_CUDART_NO_REGISTER");
    sco_stage_destroy(stage);
}

static void
test_run_again_in_halves(void **state)
{
    struct sco_stage *stage = a_stage();
    struct flight flight;
    void *block;

    (void)state;
    depart(stage, &flight, 3);
    /* A run() that writes over its input, and is run again. */
    block = (char *)flight.slot->block->at + 4096;
    assert_int_equal(sco_stage_wait(flight.slot, NULL), SCO_OK);
    sco_stage_reuse(flight.slot);
    assert_int_equal(fake.affine(SCO_CUDA_LEGACY, block, block, FLOATS, 0, 7),
                     0);
    assert_int_equal(sco_stage_leave(flight.slot, SCO_CUDA_LEGACY, NULL),
                     SCO_OK);
    assert_int_equal(sco_stage_send(flight.slot, NULL), SCO_OK);
    assert_int_equal(sco_stage_wait(flight.slot, NULL), SCO_OK);
    sco_stage_reuse(flight.slot);
    assert_int_equal(sco_stage_upload(flight.slot, 4096, BYTES, NULL), SCO_OK);
    assert_int_equal(sco_stage_arrive(flight.slot, SCO_CUDA_LEGACY, NULL),
                     SCO_OK);
    assert_int_equal(
        fake.affine(SCO_CUDA_LEGACY, flight.result->at, block, FLOATS, 2, 1),
        0);
    assert_int_equal(sco_stage_reserve_back(flight.slot, BYTES, BYTES, NULL),
                     SCO_OK);
    assert_int_equal(sco_stage_collect(flight.slot, SCO_CUDA_LEGACY,
                                       flight.result->at, BYTES, &flight.back,
                                       NULL),
                     SCO_OK);
    keep(&flight);
    assert_int_equal(sco_stage_leave(flight.slot, SCO_CUDA_LEGACY, NULL),
                     SCO_OK);
    assert_int_equal(sco_stage_send(flight.slot, NULL), SCO_OK);
    arrive(&flight);
    sco_stage_destroy(stage);
}

static void
test_nothing_to_copy(void **state)
{
    struct sco_stage *stage = a_stage();
    struct sco_stage_slot *slot = sco_stage_take(stage);
    const char *back = NULL;

    (void)state;
    assert_int_equal(sco_stage_reserve(slot, 1, NULL), SCO_OK);
    assert_int_equal(sco_stage_upload(slot, 0, 0, NULL), SCO_OK);
    assert_int_equal(sco_stage_arrive(slot, SCO_CUDA_LEGACY, NULL), SCO_OK);
    assert_int_equal(sco_stage_reserve_back(slot, 1, 0, NULL), SCO_OK);
    assert_int_equal(
        sco_stage_collect(slot, SCO_CUDA_LEGACY, NULL, 0, &back, NULL),
        SCO_OK);
    assert_int_equal(sco_stage_leave(slot, SCO_CUDA_LEGACY, NULL), SCO_OK);
    assert_int_equal(sco_stage_send(slot, NULL), SCO_OK);
    assert_int_equal(sco_stage_wait(slot, NULL), SCO_OK);
    sco_stage_give(slot);
    sco_stage_destroy(stage);
}

static void
test_asks_without_waiting(void **state)
{
    struct sco_stage *stage = a_stage();
    struct flight flight;

    (void)state;
    fake.reset(2000);
    depart(stage, &flight, 1);
    assert_int_equal(sco_stage_is_done(flight.slot, NULL), SCO_BUSY);
    while (sco_stage_is_done(flight.slot, NULL) == SCO_BUSY) {
    }
    fake.reset(0);
    arrive(&flight);
    sco_stage_destroy(stage);
}

static void
test_a_gpu_that_fails(void **state)
{
    struct sco_stage *stage = a_stage();
    struct sco_error err = { .text = "" };
    struct flight flight;

    (void)state;
    depart(stage, &flight, 1);
    arrive(&flight);
    flight.slot = sco_stage_take(stage);
    assert_int_equal(fake.poison(SCO_CUDA_LEGACY), 0);
    err.status = sco_stage_leave(flight.slot, SCO_CUDA_LEGACY, &err);
    if (err.status == SCO_OK) {
        err.status = sco_stage_send(flight.slot, &err);
    }
    if (err.status == SCO_OK) {
        err.status = sco_stage_wait(flight.slot, &err);
    }
    assert_int_equal(err.status, SCO_SCRIPT);
    assert_non_null(strstr(err.text, "an illegal memory access"));
    /* It stays so. */
    sco_stage_reuse(flight.slot);
    assert_int_equal(sco_stage_upload(flight.slot, 0, 16, &err), SCO_SCRIPT);
    sco_stage_give(flight.slot);
    sco_stage_destroy(stage);
    fake.reset(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_after_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_three_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_registered_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_larger_batch, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_room_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_that_cannot_be_registered,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_run_again_in_halves, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_to_copy, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_asks_without_waiting, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_gpu_that_fails, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
