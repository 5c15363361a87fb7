/* bench.h - what the parts of the GPU's measurement share
 *
 * A figure is one line of JSON on stdout: what it is of, and a number for each
 * round. A round measures every way once, one after the other, so that what
 * the machine did to one it did to all.
 *
 * Thread: main, which has entered the GPU.
 */
#ifndef BENCH_GPU_BENCH_H
#define BENCH_GPU_BENCH_H

#include "base/clock.h"
#include "cuda/gpu.h"
#include "cuda/pinned.h"
#include "cuda/stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is measured and the product does not use, by CUDA's own names.
 * clang-format off */
#define BENCH_FUNCTIONS(X)                                            \
    X(int, cudaHostAlloc, (void **out, size_t bytes, unsigned flags)) \
    X(int, cudaFreeHost, (void *at))                                  \
    X(int, cudaEventElapsedTime,                                      \
      (float *ms, struct sco_cuda_event *from, struct sco_cuda_event *to))
/* clang-format on */

enum {
    ROUNDS_MOST = 32,
};

/* clang-format off */
struct bench {
    struct sco_gpu *gpu;
    /* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define X(type, name, arguments) type (*name) arguments;
    BENCH_FUNCTIONS(X)
#undef X
    unsigned rounds;
    bool is_small; /* sizes at which a GPU that is not there is quick, too */
};
/* clang-format on */

/* How memory here came to be. */
enum memory {
    PAGEABLE,   /* malloc() */
    PINNED,     /* cudaHostAlloc() */
    REGISTERED, /* as the product's is: csrc/cuda/pinned.c */
    SHARED,     /* a memfd, mapped shared and registered */
    MEMORIES,
};

extern const char *const memory_names[MEMORIES];

/* Zeroed there is none. */
struct buffer {
    enum memory memory;
    char *at;
    size_t bytes;
    struct sco_pinned pinned; /* of REGISTERED */
    double made_ms;           /* how long it took */
    char why[160];            /* there is none */
};

/* Has the functions at hand that the product does not. Ends the process where
 * the library lacks one. */
void bench_open(struct bench *bench, struct sco_gpu *gpu);

/* Ends the process with what CUDA says, if it failed. */
void bench_must(const struct bench *bench, int failed, const char *what);

/* The same of a function of the product's. */
void bench_ok(enum sco_status status, const struct sco_error *err);

/* Makes memory full of random bytes. False: `why` says why there is none. */
bool buffer_open(struct buffer *buffer, const struct bench *bench,
                 enum memory memory, size_t bytes);

/* Lets go of it; a zeroed one is allowed. */
void buffer_close(struct buffer *buffer, const struct bench *bench);

/* A stream of its own. */
struct sco_cuda_stream *bench_stream(const struct bench *bench);

/* How long one step takes, in us: it is done as often as fits into some
 * milliseconds, and at least once. `step` waits for what it began. */
double bench_time_us(const struct bench *bench, void (*step)(void *arg),
                     void *arg);

/* Which of so many ways comes next: each round begins with another one. */
static inline unsigned
bench_turn(unsigned round, unsigned i, unsigned ways)
{
    return (round + i) % ways;
}

/* Microseconds from then to now. */
double bench_us_since(uint64_t begun_ns);

/* The middle of some values, which are sorted for it. */
double bench_median(double *values, size_t count);

/* A line of JSON is begun with the name of its figure, */
void line_begin(const char *figure);

/* has texts, */
void line_text(const char *name, const char *text);

/* numbers, */
void line_number(const char *name, double number);

/* and a number for each round, */
void line_rounds(const char *name, const double *values, size_t count);

/* and ends. */
void line_end(void);

/* The parts. Each prints its figures as it goes. */
void measure_copies(const struct bench *bench);
void measure_batches(const struct bench *bench);
void measure_completion(const struct bench *bench);
void measure_pipeline(const struct bench *bench);

#endif
