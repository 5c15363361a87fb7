#include "deploy/model.h"

#include "base/log.h"

#include <string.h>
#include <time.h>

/* ---- what it is -------------------------------------------------------- */

static void
forget_counts(struct sco_model *model)
{
    model->stats = (struct sco_v2_stats){ .batches = model->batches };
}

static bool
is_same(const struct sco_v2_signature *a, const struct sco_v2_signature *b)
{
    return sco_slice_equal(a->name, b->name) &&
           sco_slice_equal(a->version, b->version);
}

static void
drop(struct sco_model *model)
{
    sco_v2_signature_finish(&model->signature);
    model->signature = (struct sco_v2_signature){ .memory = NULL };
    sco_text_clear(&model->declared);
    model->is_there = false;
}

void
sco_model_declare(struct sco_model *model, struct sco_slice signature)
{
    struct sco_v2_signature made;
    struct sco_error err = { .text = "" };

    if (signature.len == 0) {
        drop(model);
        return;
    }
    if (model->is_there &&
        sco_slice_equal(signature, sco_text_slice(&model->declared))) {
        return; /* one more worker of the same script */
    }
    if (sco_v2_signature_read(signature, &made, &err) != SCO_OK) {
        sco_log(SCO_EVENT_SIGNATURE_UNREADABLE, "%s", err.text);
        drop(model);
        return;
    }
    if (!model->is_there || !is_same(&made, &model->signature)) {
        forget_counts(model);
    }
    drop(model);
    model->signature = made;
    model->is_there = true;
    sco_text_add(&model->declared, signature);
}

const struct sco_v2_signature *
sco_model_signature(const struct sco_model *model)
{
    return model->is_there ? &model->signature : NULL;
}

void
sco_model_finish(struct sco_model *model)
{
    drop(model);
    sco_text_finish(&model->declared);
}

/* ---- what it has done -------------------------------------------------- */

static void
add(struct sco_v2_duration *duration, uint64_t ns)
{
    duration->count++;
    duration->ns += ns;
}

/* The entry of so many rows, made if need be where the order has it; NULL:
 * there is no room for one more. */
static struct sco_v2_batch_stats *
batch_of(struct sco_model *model, uint64_t rows)
{
    size_t low = 0;
    size_t high = model->stats.batch_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (model->batches[middle].rows < rows) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < model->stats.batch_count && model->batches[low].rows == rows) {
        return &model->batches[low];
    }
    if (model->stats.batch_count == SCO_MODEL_BATCHES_MAX) {
        return NULL;
    }
    high = model->stats.batch_count++ - low;
    memmove(&model->batches[low + 1], &model->batches[low],
            high * sizeof(model->batches[0]));
    model->batches[low] = (struct sco_v2_batch_stats){ .rows = rows };
    return &model->batches[low];
}

/* Counts a call of run(). */
static void
count_call(struct sco_model *model, const struct sco_ran *ran)
{
    struct sco_v2_batch_stats *batch = batch_of(model, ran->rows);

    model->stats.execution_count++;
    if (batch != NULL) {
        add(&batch->compute_input, ran->input_ns);
        add(&batch->compute_infer, ran->run_ns);
        add(&batch->compute_output, ran->output_ns);
    }
}

void
sco_model_count_run(struct sco_model *model, const struct sco_ran *ran)
{
    if (ran->is_infer && !ran->has_failed) {
        count_call(model, ran);
    }
}

/* Now, on the clock that people have. */
static uint64_t
today_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void
sco_model_count(struct sco_model *model, const struct sco_inference *inference)
{
    struct sco_v2_stats *stats = &model->stats;

    stats->last_inference_ms = today_ms();
    if (!inference->went_well) {
        add(&stats->fail, inference->took_ns);
        return;
    }
    stats->inference_count += inference->rows;
    add(&stats->success, inference->took_ns);
    add(&stats->queue, inference->queue_ns);
    add(&stats->compute_input, inference->input_ns);
    add(&stats->compute_infer, inference->run_ns);
    add(&stats->compute_output, inference->output_ns);
    if (!model->is_there || !model->signature.is_batch) {
        count_call(model,
                   &(struct sco_ran){ .rows = (uint32_t)inference->rows,
                                      .input_ns = inference->input_ns,
                                      .run_ns = inference->run_ns,
                                      .output_ns = inference->output_ns });
    }
}
