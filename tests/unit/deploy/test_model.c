/* test_model.c - what a script is as a model, and what it has done */
#include "deploy/model.h"

#include "support/test.h"

#include <string.h>

#define MODEL(version, size, batch)                                        \
    "{\"name\": \"iris\", \"version\": \"" version                         \
    "\", \"max_batch_size\": " size ", \"batch\": " batch ", \"inputs\": " \
    "[{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [-1, 4]}], "    \
    "\"outputs\": []}"

/* One whose run() takes requests, and one whose run() takes batches. */
#define IRIS(version, size)    MODEL(version, size, "false")
#define BATCHED(version, size) MODEL(version, size, "true")

static struct sco_model model;

static int
end(void **state)
{
    (void)state;
    sco_model_finish(&model);
    memset(&model, 0, sizeof(model));
    return 0;
}

static void
count(uint64_t rows)
{
    const struct sco_inference inference = {
        .went_well = true,
        .rows = rows,
        .took_ns = 100,
        .queue_ns = 10,
        .input_ns = 20,
        .run_ns = 30,
        .output_ns = 40,
    };

    sco_model_count(&model, &inference);
}

/* Counts a run() that took so many rows of a batch. */
static void
count_run(uint32_t rows)
{
    const struct sco_ran ran = {
        .rows = rows,
        .is_infer = true,
        .input_ns = 20,
        .run_ns = 30,
        .output_ns = 40,
    };

    sco_model_count_run(&model, &ran);
}

static void
assert_batch(size_t at, uint64_t rows, uint64_t calls)
{
    assert_true(at < model.stats.batch_count);
    assert_int_equal(model.stats.batches[at].rows, rows);
    assert_int_equal(model.stats.batches[at].compute_infer.count, calls);
    assert_int_equal(model.stats.batches[at].compute_infer.ns, 30 * calls);
    assert_int_equal(model.stats.batches[at].compute_input.ns, 20 * calls);
    assert_int_equal(model.stats.batches[at].compute_output.ns, 40 * calls);
}

static void
test_a_script_without_tensors_is_none(void **state)
{
    (void)state;
    assert_null(sco_model_signature(&model));
    sco_model_declare(&model, SCO_SLICE(""));
    assert_null(sco_model_signature(&model));
}

static void
test_the_newest_signature_is_in_force(void **state)
{
    const struct sco_v2_signature *signature;

    (void)state;
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "8")));
    signature = sco_model_signature(&model);
    assert_non_null(signature);
    assert_int_equal(signature->max_batch_size, 8);
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "16")));
    signature = sco_model_signature(&model);
    assert_non_null(signature);
    assert_int_equal(signature->max_batch_size, 16);
    sco_model_declare(&model, SCO_SLICE(""));
    assert_null(sco_model_signature(&model));
}

static void
test_what_cannot_be_read_is_no_model(void **state)
{
    (void)state;
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "8")));
    sco_model_declare(&model, SCO_SLICE("{\"name\": \"iris\"}"));
    assert_null(sco_model_signature(&model));
    sco_model_declare(&model, SCO_SLICE("nonsense"));
    assert_null(sco_model_signature(&model));
}

static void
test_counts_outlive_a_worker_and_not_a_model(void **state)
{
    (void)state;
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "8")));
    count(1);
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "8")));
    assert_int_equal(model.stats.inference_count, 1);
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "16")));
    assert_int_equal(model.stats.inference_count, 1);
    assert_batch(0, 1, 1);
    sco_model_declare(&model, SCO_SLICE(IRIS("2", "16")));
    assert_int_equal(model.stats.inference_count, 0);
    assert_int_equal(model.stats.batch_count, 0);
}

static void
test_what_went_well_and_what_did_not(void **state)
{
    const struct sco_inference failed = { .took_ns = 7, .rows = 3 };

    (void)state;
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "8")));
    assert_int_equal(model.stats.last_inference_ms, 0);
    count(3);
    count(3);
    sco_model_count(&model, &failed);
    assert_true(model.stats.last_inference_ms > 0);
    assert_int_equal(model.stats.inference_count, 6);
    assert_int_equal(model.stats.execution_count, 2);
    assert_int_equal(model.stats.success.count, 2);
    assert_int_equal(model.stats.success.ns, 200);
    assert_int_equal(model.stats.fail.count, 1);
    assert_int_equal(model.stats.fail.ns, 7);
    assert_int_equal(model.stats.queue.ns, 20);
    assert_int_equal(model.stats.compute_infer.count, 2);
    assert_int_equal(model.stats.batch_count, 1);
    assert_batch(0, 3, 2);
}

static void
test_a_batch_counts_once(void **state)
{
    (void)state;
    sco_model_declare(&model, SCO_SLICE(BATCHED("1", "8")));
    count_run(8); /* of three requests, in whatever order they are told of */
    count(2);
    count(5);
    count(1);
    assert_int_equal(model.stats.execution_count, 1);
    count_run(8); /* a request of 11 rows is in two */
    count_run(4);
    count(11);
    count(1);
    assert_int_equal(model.stats.inference_count, 20);
    assert_int_equal(model.stats.execution_count, 3);
    assert_int_equal(model.stats.success.count, 5);
    assert_int_equal(model.stats.batch_count, 2);
    assert_batch(0, 4, 1);
    assert_batch(1, 8, 2);
}

static void
test_a_batch_that_is_not_counted(void **state)
{
    const struct sco_ran failed = { .rows = 3,
                                    .is_infer = true,
                                    .has_failed = true };
    const struct sco_ran other = { .rows = 3 };

    (void)state;
    sco_model_declare(&model, SCO_SLICE(BATCHED("1", "8")));
    sco_model_count_run(&model, &failed);
    sco_model_count_run(&model, &other);
    assert_int_equal(model.stats.execution_count, 0);
    assert_int_equal(model.stats.batch_count, 0);
}

static void
test_there_is_an_end_of_sizes(void **state)
{
    uint64_t most = SCO_MODEL_BATCHES_MAX;

    (void)state;
    sco_model_declare(&model, SCO_SLICE(IRIS("1", "8")));
    for (uint64_t rows = most + 10; rows > 0; rows--) {
        count(rows);
    }
    assert_int_equal(model.stats.batch_count, most);
    assert_int_equal(model.stats.execution_count, most + 10);
    assert_batch(0, 11, 1);
    assert_batch(most - 1, most + 10, 1);
}

#define ENDED(test) cmocka_unit_test_teardown(test, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENDED(test_a_script_without_tensors_is_none),
        ENDED(test_the_newest_signature_is_in_force),
        ENDED(test_what_cannot_be_read_is_no_model),
        ENDED(test_counts_outlive_a_worker_and_not_a_model),
        ENDED(test_what_went_well_and_what_did_not),
        ENDED(test_a_batch_counts_once),
        ENDED(test_a_batch_that_is_not_counted),
        ENDED(test_there_is_an_end_of_sizes),
    };

    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
