/* pipeline.c - batches one after another, and some of them on their way at
 * once
 *
 * The way of a batch is the product's, csrc/cuda/stage.c. What stands for
 * run() is copies on the GPU, in the legacy stream as run()'s work is, of a
 * size that takes as long as the copy to the GPU does. With one, two and
 * three slots in flight the host begins with a batch while it waits for the
 * one that went so many before; serial, it waits for each step.
 *
 * "Filled" batches are copied from somewhere else first, as decoding would.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1024 * 1024,
    BATCHES = 60, /* in a round */
    SMALL_BATCHES = 6,
    COPIES = 8, /* on the GPU, for one batch */
    BACK_SHARE = 8,
    SERIAL = 0, /* slots in flight */
    MODES = SCO_STAGE_SLOTS + 1,
};

static const char *const mode_names[MODES] = {
    "serial",
    "1 in flight",
    "2 in flight",
    "3 in flight",
};

struct line {
    const struct bench *bench;
    struct sco_stage *stage;
    struct sco_gpu_block *from, *to; /* what is copied there meanwhile */
    char *body;
    size_t bytes, back_bytes;
    size_t piece; /* bytes of one of these copies */
    bool is_filled;
    bool is_checked;
    unsigned mode;
};

static void
sync(const struct line *line, struct sco_cuda_stream *stream)
{
    if (line->mode == SERIAL) {
        bench_must(line->bench,
                   line->bench->gpu->cuda.cudaStreamSynchronize(stream),
                   "waiting");
    }
}

/* What run() would do with a batch. */
static void
compute(const struct line *line)
{
    const struct sco_cuda_runtime *cuda = &line->bench->gpu->cuda;

    for (int i = 0; i < COPIES; i++) {
        bench_must(
            line->bench,
            cuda->cudaMemcpyAsync(line->to->at, line->from->at, line->piece,
                                  SCO_CUDA_DEVICE_TO_DEVICE, SCO_CUDA_LEGACY),
            "a copy on the GPU");
    }
}

/* Sends a batch all the way; serial, it waits for each step. */
static void
depart(const struct line *line, struct sco_stage_slot *slot)
{
    struct sco_error err = { .text = "" };
    const char *back = NULL;

    if (line->is_filled) {
        memcpy(slot->in.at, line->body, line->bytes);
    }
    bench_ok(sco_stage_upload(slot, 0, line->bytes, &err), &err);
    sync(line, line->stage->there);
    bench_ok(sco_stage_arrive(slot, SCO_CUDA_LEGACY, &err), &err);
    bench_ok(sco_stage_reserve_back(slot, line->back_bytes, 0, &err), &err);
    /* Its output is the begin of its input. */
    bench_ok(sco_stage_collect(slot, SCO_CUDA_LEGACY, slot->block->at,
                               line->back_bytes, &back, &err),
             &err);
    sync(line, SCO_CUDA_LEGACY);
    bench_ok(sco_stage_leave(slot, SCO_CUDA_LEGACY, &err), &err);
    bench_ok(sco_stage_send(slot, &err), &err);
}

static void
land(const struct line *line, struct sco_stage_slot *slot)
{
    struct sco_error err = { .text = "" };

    bench_ok(sco_stage_wait(slot, &err), &err);
    if (line->is_checked &&
        memcmp(slot->in.at, slot->back.at, line->back_bytes) != 0) {
        (void)fprintf(stderr, "%s: wrong bytes came back\n",
                      mode_names[line->mode]);
        exit(1);
    }
    sco_stage_give(slot);
}

/* So many batches; how long each of them took. */
static double
send_batches(const struct line *line, unsigned batches)
{
    struct sco_stage_slot *flying[SCO_STAGE_SLOTS];
    unsigned window = line->mode == SERIAL ? 1 : line->mode;
    uint64_t begun_ns = sco_clock_now_ns();

    for (unsigned i = 0; i < batches; i++) {
        if (i >= window) {
            land(line, flying[i % window]);
        }
        flying[i % window] = sco_stage_take(line->stage);
        depart(line, flying[i % window]);
    }
    for (unsigned i = batches < window ? 0 : batches - window; i < batches;
         i++) {
        land(line, flying[i % window]);
    }
    return bench_us_since(begun_ns) / batches;
}

/* ---- sizes ------------------------------------------------------------ */

static void
upload_alone(void *arg)
{
    struct line *line = arg;
    struct sco_error err = { .text = "" };
    struct sco_stage_slot *slot = sco_stage_take(line->stage);

    bench_ok(sco_stage_upload(slot, 0, line->bytes, &err), &err);
    bench_must(
        line->bench,
        line->bench->gpu->cuda.cudaStreamSynchronize(line->stage->there),
        "a copy");
    sco_stage_give(slot);
}

static void
compute_alone(void *arg)
{
    struct line *line = arg;

    compute(line);
    bench_must(line->bench,
               line->bench->gpu->cuda.cudaStreamSynchronize(SCO_CUDA_LEGACY),
               "a copy on the GPU");
}

static double
middle_us(struct line *line, void (*step)(void *arg))
{
    double took[5];

    for (int i = 0; i < 5; i++) {
        took[i] = bench_time_us(line->bench, step, line);
    }
    return bench_median(took, 5);
}

/* Finds pieces with which computing takes as long as the copy does, in some
 * steps, since neither is a straight line. */
static void
balance(struct line *line)
{
    double upload_us = middle_us(line, upload_alone), compute_us = 0;

    line->piece = line->from->bytes / 4;
    for (int i = 0; i < 6; i++) {
        double piece;

        compute_us = middle_us(line, compute_alone);
        piece = (double)line->piece * upload_us / compute_us;
        piece = piece > (double)line->from->bytes ? (double)line->from->bytes
                                                  : piece;
        line->piece = piece < 4096 ? 4096 : (size_t)piece / 256 * 256;
    }
    compute_us = middle_us(line, compute_alone);
    line_begin("pipeline step");
    line_number("bytes", (double)line->bytes);
    line_number("upload_us", upload_us);
    line_number("compute_us", compute_us);
    line_end();
}

/* ---- the measurement -------------------------------------------------- */

static void
open_line(struct line *line)
{
    const struct bench *bench = line->bench;
    struct sco_error err = { .text = "" };
    size_t work = bench->is_small ? MIB / 4 : 256 * (size_t)MIB;

    bench_ok(sco_stage_create(bench->gpu, NULL, NULL, &line->stage, &err),
             &err);
    for (int i = 0; i < SCO_STAGE_SLOTS; i++) {
        struct sco_stage_slot *slot = &line->stage->slots[i];

        bench_ok(sco_stage_reserve(slot, line->bytes, &err), &err);
        memset(slot->in.at, i + 1, line->bytes);
    }
    bench_ok(sco_gpu_block_create(bench->gpu, work, &line->from, &err), &err);
    bench_ok(sco_gpu_block_create(bench->gpu, work, &line->to, &err), &err);
    line->body = malloc(line->bytes);
    if (line->body == NULL) {
        exit(1);
    }
    memset(line->body, 9, line->bytes);
}

static void
close_line(struct line *line)
{
    sco_gpu_block_unref(line->from);
    sco_gpu_block_unref(line->to);
    sco_stage_destroy(line->stage);
    free(line->body);
}

static void
measure_modes(struct line *line)
{
    unsigned rounds = line->bench->rounds;
    unsigned batches = line->bench->is_small ? SMALL_BATCHES : BATCHES;
    double took_us[MODES][ROUNDS_MOST];

    line->is_checked = true;
    for (line->mode = 0; line->mode < MODES; line->mode++) {
        (void)send_batches(line, 2 * SCO_STAGE_SLOTS);
    }
    line->is_checked = false;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < MODES; i++) {
            line->mode = bench_turn(round, i, MODES);
            took_us[line->mode][round] = send_batches(line, batches);
        }
    }
    for (unsigned i = 0; i < MODES; i++) {
        line_begin("pipeline");
        line_text("way", mode_names[i]);
        line_text("batch", line->is_filled ? "filled" : "ready");
        line_number("bytes", (double)line->bytes);
        line_rounds("us", took_us[i], rounds);
        line_end();
    }
}

void
measure_pipeline(const struct bench *bench)
{
    size_t bytes = bench->is_small ? MIB / 4 : 8 * (size_t)MIB;
    struct line line = { .bench = bench,
                         .bytes = bytes,
                         .back_bytes = bytes / BACK_SHARE };

    open_line(&line);
    balance(&line);
    measure_modes(&line);
    line.is_filled = true;
    measure_modes(&line);
    close_line(&line);
}
