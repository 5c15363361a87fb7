/* completion.c - how one learns that a GPU is through, and what that costs
 *
 * Work goes into a stream between two events that tell how long the GPU had
 * it; what passes beyond that, from before the work is put there until the
 * thread goes on, is the price of a way. CPU time is that of this thread, and
 * of the process with the driver's threads.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 64 * 1024 * 1024,
    SMALL_BLOCK_BYTES = 64 * 1024,
    TIMES = 30, /* in a round */
    AWAKE_US = 50,
};

enum way {
    QUERY,         /* awake, by cudaEventQuery() */
    SYNCHRONIZE,   /* cudaStreamSynchronize() with the driver's own choice */
    BLOCKING,      /* asleep in cudaEventSynchronize() */
    HOST_FUNCTION, /* asleep, woken by a function that the driver calls */
    STAGE_WAIT,    /* sco_stage_wait(): awake, then as BLOCKING */
    PRODUCT, /* awake, then as HOST_FUNCTION: a batch that is in the air */
    WAYS,
};

static const char *const way_names[WAYS] = {
    [QUERY] = "awake, cudaEventQuery",
    [SYNCHRONIZE] = "cudaStreamSynchronize",
    [BLOCKING] = "asleep, cudaEventSynchronize",
    [HOST_FUNCTION] = "asleep, woken by a host function",
    [STAGE_WAIT] = "a lone call: 50 us awake, then cudaEventSynchronize",
    [PRODUCT] = "a batch: 50 us awake, then woken by a host function",
};

/* What is done on the GPU meanwhile. */
struct work {
    const char *name;
    double us; /* about so long; 0: a copy of 4 KiB to the GPU */
};

static const struct work works[] = {
    { "a copy of 4 KiB", 0 },
    { "about 30 us", 30 },
    { "about 200 us", 200 },
    { "about 1000 us", 1000 },
};

struct measuring {
    const struct bench *bench;
    struct sco_stage *stage;
    struct sco_stage_slot *slot;
    struct sco_gpu_block *from, *to;
    struct sco_cuda_event *begun, *ended; /* they have times */
    struct sco_cuda_event *quiet;         /* as the stage's events are */
    atomic_uint bell;
    size_t piece; /* bytes of a copy on the GPU */
    unsigned copies;
};

/* One way's cost, a number for each round. */
struct costs {
    double us[ROUNDS_MOST];     /* from the begin until the thread goes on */
    double beyond[ROUNDS_MOST]; /* ... without what the GPU had */
    double cpu[ROUNDS_MOST];    /* of this thread */
    double all_cpu[ROUNDS_MOST];
};

static double
cpu_us(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* ---- ways ------------------------------------------------------------- */

static void
ring(void *arg)
{
    atomic_uint *bell = arg;

    atomic_fetch_add(bell, 1);
    (void)syscall(SYS_futex, bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void
sleep_until_rung(struct measuring *all, unsigned before)
{
    while (atomic_load(&all->bell) == before) {
        (void)syscall(SYS_futex, &all->bell, FUTEX_WAIT_PRIVATE, before, NULL,
                      NULL, 0);
    }
}

static void
query_until_done(const struct measuring *all)
{
    const struct sco_cuda_runtime *cuda = &all->bench->gpu->cuda;
    int state;

    do {
        state = cuda->cudaEventQuery(all->quiet);
    } while (state == SCO_CUDA_NOT_READY);
    bench_must(all->bench, state, "cudaEventQuery");
}

/* As the worker does for a batch: it looks for a while, then falls asleep. */
static void
wait_as_the_product(struct measuring *all, unsigned before)
{
    struct sco_error err = { .text = "" };
    uint64_t begun_ns = sco_clock_now_ns();
    enum sco_status status;

    do {
        status = sco_stage_is_done(all->slot, &err);
    } while (status == SCO_BUSY && bench_us_since(begun_ns) < AWAKE_US);
    if (status == SCO_BUSY) {
        sleep_until_rung(all, before);
        status = sco_stage_wait(all->slot, &err);
    }
    bench_ok(status, &err);
}

/* Sends the slot, whose stream is the one that the work is in. */
static void
send(struct measuring *all, void (*wake)(void *arg))
{
    struct sco_error err = { .text = "" };

    all->stage->wake = wake;
    all->stage->wake_arg = &all->bell;
    bench_ok(sco_stage_send(all->slot, &err), &err);
}

/* Waits for what is in the stage's stream. */
static void
wait_by(struct measuring *all, enum way way)
{
    const struct sco_cuda_runtime *cuda = &all->bench->gpu->cuda;
    struct sco_cuda_stream *stream = all->stage->back;
    unsigned before = atomic_load(&all->bell);
    struct sco_error err = { .text = "" };

    switch (way) {
    case SYNCHRONIZE:
    case WAYS:
        bench_must(all->bench, cuda->cudaStreamSynchronize(stream), "waiting");
        break;
    case QUERY:
        bench_must(all->bench, cuda->cudaEventRecord(all->quiet, stream),
                   "cudaEventRecord");
        query_until_done(all);
        break;
    case BLOCKING:
        bench_must(all->bench, cuda->cudaEventRecord(all->quiet, stream),
                   "cudaEventRecord");
        bench_must(all->bench, cuda->cudaEventSynchronize(all->quiet),
                   "cudaEventSynchronize");
        break;
    case HOST_FUNCTION:
        bench_must(all->bench,
                   cuda->cudaLaunchHostFunc(stream, ring, &all->bell),
                   "cudaLaunchHostFunc");
        sleep_until_rung(all, before);
        break;
    case STAGE_WAIT:
        send(all, NULL);
        bench_ok(sco_stage_wait(all->slot, &err), &err);
        sco_stage_reuse(all->slot);
        break;
    case PRODUCT:
        send(all, ring);
        wait_as_the_product(all, before);
        sco_stage_reuse(all->slot);
        break;
    }
}

/* ---- work ------------------------------------------------------------- */

static void
put_work(struct measuring *all)
{
    const struct sco_cuda_runtime *cuda = &all->bench->gpu->cuda;
    struct sco_cuda_stream *stream = all->stage->back;

    bench_must(all->bench, cuda->cudaEventRecord(all->begun, stream),
               "cudaEventRecord");
    if (all->copies == 0) {
        bench_must(all->bench,
                   cuda->cudaMemcpyAsync(all->to->at, all->slot->in.at, 4096,
                                         SCO_CUDA_HOST_TO_DEVICE, stream),
                   "a copy");
    }
    for (unsigned i = 0; i < all->copies; i++) {
        bench_must(all->bench,
                   cuda->cudaMemcpyAsync(all->to->at, all->from->at,
                                         all->piece, SCO_CUDA_DEVICE_TO_DEVICE,
                                         stream),
                   "a copy on the GPU");
    }
    bench_must(all->bench, cuda->cudaEventRecord(all->ended, stream),
               "cudaEventRecord");
}

/* How long the GPU had the work that was put there last. */
static double
gpu_us(const struct measuring *all)
{
    float ms = 0;

    bench_must(all->bench,
               all->bench->cudaEventElapsedTime(&ms, all->begun, all->ended),
               "cudaEventElapsedTime");
    return (double)ms * 1000;
}

/* Finds a copy on the GPU that takes about so long. */
static void
size_work(struct measuring *all, double wanted_us)
{
    double took[5];

    all->copies = wanted_us > 0 ? 1 : 0;
    all->piece = all->from->bytes;
    for (int i = 0; i < 5; i++) {
        put_work(all);
        wait_by(all, SYNCHRONIZE);
        took[i] = gpu_us(all);
    }
    if (wanted_us > 0) {
        double whole_us = bench_median(took, 5);

        if (whole_us > wanted_us) {
            all->piece = (size_t)((double)all->piece * wanted_us / whole_us);
            all->piece = all->piece < 4096 ? 4096 : all->piece / 256 * 256;
        } else {
            all->copies = (unsigned)(wanted_us / (whole_us + 0.01)) + 1;
            all->copies = all->copies > 1000 ? 1000 : all->copies;
        }
    }
}

/* One way, so many times: the middle of each number. */
static void
measure_way(struct measuring *all, enum way way, unsigned round,
            struct costs *out)
{
    double us[TIMES], beyond[TIMES];
    double thread_us = cpu_us(CLOCK_THREAD_CPUTIME_ID);
    double process_us = cpu_us(CLOCK_PROCESS_CPUTIME_ID);

    for (int i = 0; i < TIMES; i++) {
        uint64_t begun_ns = sco_clock_now_ns();

        put_work(all);
        wait_by(all, way);
        us[i] = bench_us_since(begun_ns);
        beyond[i] = us[i] - gpu_us(all);
    }
    out->cpu[round] = (cpu_us(CLOCK_THREAD_CPUTIME_ID) - thread_us) / TIMES;
    out->all_cpu[round] =
        (cpu_us(CLOCK_PROCESS_CPUTIME_ID) - process_us) / TIMES;
    out->us[round] = bench_median(us, TIMES);
    out->beyond[round] = bench_median(beyond, TIMES);
}

static void
measure_work(struct measuring *all, const struct work *work)
{
    static struct costs costs[WAYS];
    unsigned rounds = all->bench->rounds;

    size_work(all, work->us);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < WAYS; i++) {
            enum way way = (enum way)bench_turn(round, i, WAYS);

            measure_way(all, way, round, &costs[way]);
        }
    }
    for (int i = 0; i < WAYS; i++) {
        line_begin("completion");
        line_text("way", way_names[i]);
        line_text("work", work->name);
        line_rounds("us", costs[i].us, rounds);
        line_rounds("beyond_us", costs[i].beyond, rounds);
        line_rounds("cpu_us", costs[i].cpu, rounds);
        line_rounds("all_cpu_us", costs[i].all_cpu, rounds);
        line_end();
    }
}

static struct sco_cuda_event *
an_event(const struct bench *bench, unsigned flags)
{
    struct sco_cuda_event *event = NULL;

    bench_must(bench, bench->gpu->cuda.cudaEventCreateWithFlags(&event, flags),
               "an event");
    return event;
}

void
measure_completion(const struct bench *bench)
{
    struct measuring all = { .bench = bench };
    struct sco_error err = { .text = "" };
    size_t bytes = bench->is_small ? SMALL_BLOCK_BYTES : BLOCK_BYTES;

    atomic_init(&all.bell, 0);
    bench_ok(sco_stage_create(bench->gpu, NULL, NULL, &all.stage, &err), &err);
    all.slot = sco_stage_take(all.stage);
    bench_ok(sco_stage_reserve(all.slot, 4096, &err), &err);
    bench_ok(sco_gpu_block_create(bench->gpu, bytes, &all.from, &err), &err);
    bench_ok(sco_gpu_block_create(bench->gpu, bytes, &all.to, &err), &err);
    all.begun = an_event(bench, 0);
    all.ended = an_event(bench, 0);
    all.quiet = an_event(bench, SCO_CUDA_EVENT_NO_TIMING |
                                    SCO_CUDA_EVENT_BLOCKING_SYNC);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        measure_work(&all, &works[i]);
    }
    (void)bench->gpu->cuda.cudaEventDestroy(all.begun);
    (void)bench->gpu->cuda.cudaEventDestroy(all.ended);
    (void)bench->gpu->cuda.cudaEventDestroy(all.quiet);
    sco_stage_give(all.slot);
    sco_stage_destroy(all.stage);
    sco_gpu_block_unref(all.from);
    sco_gpu_block_unref(all.to);
}
