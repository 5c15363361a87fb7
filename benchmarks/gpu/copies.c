/* copies.c - from memory here to that of a GPU, and back
 *
 * copies:  one block, of each kind of memory, alone and in a row.
 * batches: the bodies of many requests, which become one array there.
 *
 * What was copied is compared before anything is timed.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

enum { SETS = 4, STRIDE_MORE = 256 };

/* ---- one block -------------------------------------------------------- */

static const size_t sizes[] = {
    4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB,
    4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB,
};

struct copying {
    const struct bench *bench;
    struct sco_cuda_stream *stream;
    struct sco_gpu_block *block;
    const struct buffer *buffer;
    size_t bytes;
    bool is_there; /* to the GPU */
    unsigned next; /* which of the pieces of the buffer */
    unsigned row;  /* copies in one step */
};

static void
begin_copy(struct copying *copying)
{
    size_t pieces = copying->buffer->bytes / copying->bytes;
    size_t offset = copying->next++ % pieces * copying->bytes;
    char *here = copying->buffer->at + offset;
    char *there = (char *)copying->block->at + offset;

    bench_must(copying->bench,
               copying->bench->gpu->cuda.cudaMemcpyAsync(
                   copying->is_there ? there : here,
                   copying->is_there ? here : there, copying->bytes,
                   copying->is_there ? SCO_CUDA_HOST_TO_DEVICE
                                     : SCO_CUDA_DEVICE_TO_HOST,
                   copying->stream),
               "a copy");
}

/* A row of copies, and a wait for the last of them. */
static void
copy_row(void *arg)
{
    struct copying *copying = arg;

    for (unsigned i = 0; i < copying->row; i++) {
        begin_copy(copying);
    }
    bench_must(
        copying->bench,
        copying->bench->gpu->cuda.cudaStreamSynchronize(copying->stream),
        "a copy");
}

/* So many that a row of them is worth timing, and no more. */
static unsigned
row_of(size_t bytes)
{
    size_t count = 64 * MIB / bytes;

    return count < 1 ? 1 : count > 64 ? 64 : (unsigned)count;
}

static void
report_copies(const struct copying *copying, unsigned row,
              const double *took_us)
{
    line_begin("copy");
    line_text("way", copying->is_there ? "to the GPU" : "from the GPU");
    line_text("memory", memory_names[copying->buffer->memory]);
    line_text("in", row == 1 ? "alone" : "a row");
    line_number("bytes", (double)copying->bytes);
    line_rounds("us", took_us, copying->bench->rounds);
    line_end();
}

/* One size, one direction, every kind of memory. */
static void
measure_size(struct copying *copying, const struct buffer *buffers,
             unsigned row)
{
    double took_us[MEMORIES][ROUNDS_MOST];
    const struct bench *bench = copying->bench;

    copying->row = row;
    for (unsigned round = 0; round < bench->rounds; round++) {
        for (unsigned i = 0; i < MEMORIES; i++) {
            unsigned turn = bench_turn(round, i, MEMORIES);

            if (buffers[turn].at != NULL) {
                copying->buffer = &buffers[turn];
                took_us[turn][round] =
                    bench_time_us(bench, copy_row, copying) / row;
            }
        }
    }
    for (int i = 0; i < MEMORIES; i++) {
        if (buffers[i].at != NULL) {
            copying->buffer = &buffers[i];
            report_copies(copying, row, took_us[i]);
        }
    }
}

/* There and back, and it is the same. */
static void
check_buffer(const struct bench *bench, const struct buffer *buffer,
             const struct sco_gpu_block *block)
{
    const struct sco_cuda_runtime *cuda = &bench->gpu->cuda;
    size_t bytes = buffer->bytes / 2;

    bench_must(bench,
               cuda->cudaMemcpyAsync(block->at, buffer->at, bytes,
                                     SCO_CUDA_HOST_TO_DEVICE, SCO_CUDA_LEGACY),
               "a copy");
    bench_must(bench,
               cuda->cudaMemcpyAsync(buffer->at + bytes, block->at, bytes,
                                     SCO_CUDA_DEVICE_TO_HOST, SCO_CUDA_LEGACY),
               "a copy");
    bench_must(bench, cuda->cudaStreamSynchronize(SCO_CUDA_LEGACY), "a copy");
    if (memcmp(buffer->at, buffer->at + bytes, bytes) != 0) {
        (void)fprintf(stderr, "%s memory: wrong bytes came back\n",
                      memory_names[buffer->memory]);
        exit(1);
    }
}

/* Every kind of memory that there is. */
static void
open_buffers(const struct bench *bench, struct buffer *buffers,
             const struct sco_gpu_block *block)
{
    for (int i = 0; i < MEMORIES; i++) {
        line_begin("memory");
        line_text("memory", memory_names[i]);
        line_number("bytes", (double)block->bytes);
        if (buffer_open(&buffers[i], bench, (enum memory)i, block->bytes)) {
            line_number("made_ms", buffers[i].made_ms);
            check_buffer(bench, &buffers[i], block);
        } else {
            line_text("why", buffers[i].why);
        }
        line_end();
    }
}

void
measure_copies(const struct bench *bench)
{
    size_t most = bench->is_small ? MIB : 256 * MIB;
    struct copying copying = { .bench = bench, .stream = bench_stream(bench) };
    struct buffer buffers[MEMORIES] = { { .at = NULL } };
    struct sco_error err = { .text = "" };

    bench_ok(sco_gpu_block_create(bench->gpu, most, &copying.block, &err),
             &err);
    open_buffers(bench, buffers, copying.block);
    for (size_t i = 0;
         i < sizeof(sizes) / sizeof(sizes[0]) && sizes[i] <= most; i++) {
        copying.bytes = sizes[i];
        for (int there = 1; there >= 0; there--) {
            copying.is_there = there == 1;
            measure_size(&copying, buffers, 1);
            if (row_of(sizes[i]) > 1) {
                measure_size(&copying, buffers, row_of(sizes[i]));
            }
        }
    }
    for (int i = 0; i < MEMORIES; i++) {
        buffer_close(&buffers[i], bench);
    }
    sco_gpu_block_unref(copying.block);
    (void)bench->gpu->cuda.cudaStreamDestroy(copying.stream);
}

/* ---- a batch ---------------------------------------------------------- */

enum way {
    COPY_PAGEABLE, /* a copy for each body, from where it was received */
    COPY_PINNED,   /* the same, received into memory for the GPU */
    GATHER,        /* bodies put next to each other, then one copy */
    IN_PLACE,      /* decoded to where one copy takes them from */
    WAYS,
};

static const char *const way_names[WAYS] = {
    [COPY_PAGEABLE] = "a copy for each, pageable",
    [COPY_PINNED] = "a copy for each, pinned",
    [GATHER] = "gathered, one copy",
    [IN_PLACE] = "in place, one copy",
};

struct batching {
    const struct bench *bench;
    struct sco_cuda_stream *stream;
    struct sco_gpu_block *block;
    struct buffer bodies[2]; /* PAGEABLE, PINNED */
    struct buffer batch;     /* REGISTERED */
    size_t requests, bytes;
    enum way way;
    unsigned next; /* which set of bodies */
};

/* Where a body stands: apart from the next one. */
static char *
body_of(const struct batching *batching, const struct buffer *buffer,
        unsigned set, size_t request)
{
    size_t stride = batching->bytes + STRIDE_MORE;

    return buffer->at + (set * batching->requests + request) * stride;
}

static void
send(const struct batching *batching, size_t offset, const char *from,
     size_t bytes)
{
    bench_must(batching->bench,
               batching->bench->gpu->cuda.cudaMemcpyAsync(
                   (char *)batching->block->at + offset, from, bytes,
                   SCO_CUDA_HOST_TO_DEVICE, batching->stream),
               "a copy");
}

static void
copy_each(const struct batching *batching, const struct buffer *buffer,
          unsigned set)
{
    for (size_t i = 0; i < batching->requests; i++) {
        send(batching, i * batching->bytes, body_of(batching, buffer, set, i),
             batching->bytes);
    }
}

/* One copy of a set that stands, or is put, in registered memory. */
static void
copy_all(const struct batching *batching, unsigned set, bool is_gathered)
{
    size_t whole = batching->requests * batching->bytes;
    char *batch = batching->batch.at + set * whole;

    for (size_t i = 0; is_gathered && i < batching->requests; i++) {
        memcpy(batch + i * batching->bytes,
               body_of(batching, &batching->bodies[0], set, i),
               batching->bytes);
    }
    send(batching, 0, batch, whole);
}

static void
send_batch(void *arg)
{
    struct batching *batching = arg;
    unsigned set = batching->next++ % SETS;

    switch (batching->way) {
    case COPY_PAGEABLE:
        copy_each(batching, &batching->bodies[0], set);
        break;
    case COPY_PINNED:
        copy_each(batching, &batching->bodies[1], set);
        break;
    case GATHER:
    case IN_PLACE:
    case WAYS:
        copy_all(batching, set, batching->way == GATHER);
        break;
    }
    bench_must(
        batching->bench,
        batching->bench->gpu->cuda.cudaStreamSynchronize(batching->stream),
        "a copy");
}

/* A batch that was sent in this way is there, byte for byte. */
static void
check_batch(struct batching *batching)
{
    size_t whole = batching->requests * batching->bytes;
    char *back = malloc(whole);
    bool is_right = back != NULL;

    batching->next = 0;
    send_batch(batching);
    if (back != NULL) {
        bench_must(batching->bench,
                   batching->bench->gpu->cuda.cudaMemcpyAsync(
                       back, batching->block->at, whole,
                       SCO_CUDA_DEVICE_TO_HOST, batching->stream),
                   "a copy");
        bench_must(
            batching->bench,
            batching->bench->gpu->cuda.cudaStreamSynchronize(batching->stream),
            "a copy");
    }
    for (size_t i = 0; is_right && i < batching->requests; i++) {
        is_right =
            memcmp(back + i * batching->bytes,
                   body_of(batching,
                           &batching->bodies[batching->way == COPY_PINNED], 0,
                           i),
                   batching->bytes) == 0;
    }
    free(back);
    if (!is_right) {
        (void)fprintf(stderr, "%s: wrong bytes came back\n",
                      way_names[batching->way]);
        exit(1);
    }
}

static bool
can(const struct batching *batching, enum way way)
{
    switch (way) {
    case COPY_PAGEABLE:
        return batching->bodies[0].at != NULL;
    case COPY_PINNED:
        return batching->bodies[1].at != NULL;
    case GATHER:
    case IN_PLACE:
    case WAYS:
        break;
    }
    return batching->batch.at != NULL;
}

static void
measure_batch(struct batching *batching)
{
    double took_us[WAYS][ROUNDS_MOST];
    const struct bench *bench = batching->bench;

    /* In this order: what GATHER has put there is IN_PLACE. */
    for (int i = 0; i < WAYS; i++) {
        batching->way = (enum way)i;
        if (can(batching, batching->way)) {
            check_batch(batching);
        }
    }
    for (unsigned round = 0; round < bench->rounds; round++) {
        for (unsigned i = 0; i < WAYS; i++) {
            batching->way = (enum way)bench_turn(round, i, WAYS);
            if (can(batching, batching->way)) {
                took_us[batching->way][round] =
                    bench_time_us(bench, send_batch, batching);
            }
        }
    }
    for (int i = 0; i < WAYS; i++) {
        if (can(batching, (enum way)i)) {
            line_begin("batch");
            line_text("way", way_names[i]);
            line_number("requests", (double)batching->requests);
            line_number("bytes", (double)batching->bytes);
            line_rounds("us", took_us[i], bench->rounds);
            line_end();
        }
    }
}

void
measure_batches(const struct bench *bench)
{
    static const size_t requests[] = { 16, 64, 128 };
    static const size_t bytes[] = { 512, 16 * KIB, 256 * KIB };
    size_t largest = bench->is_small ? 16 * KIB : 256 * KIB;
    size_t most = SETS * 128 * (largest + STRIDE_MORE);
    struct batching batching = { .bench = bench,
                                 .stream = bench_stream(bench) };
    struct sco_error err = { .text = "" };

    bench_ok(sco_gpu_block_create(bench->gpu, most, &batching.block, &err),
             &err);
    (void)buffer_open(&batching.bodies[0], bench, PAGEABLE, most);
    (void)buffer_open(&batching.bodies[1], bench, PINNED, most);
    (void)buffer_open(&batching.batch, bench, REGISTERED, most);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3 && bytes[k] <= largest; k++) {
            batching.requests = requests[i];
            batching.bytes = bytes[k];
            measure_batch(&batching);
        }
    }
    buffer_close(&batching.bodies[0], bench);
    buffer_close(&batching.bodies[1], bench);
    buffer_close(&batching.batch, bench);
    sco_gpu_block_unref(batching.block);
    (void)bench->gpu->cuda.cudaStreamDestroy(batching.stream);
}
