/* bench.c - the program: one part of the measurement, on one GPU
 *
 * Usage: bench PART[,PART...] ROUNDS large|small RUNTIME...
 *
 * PART is copies, batches, completion or pipeline; RUNTIME are the CUDA
 * runtimes to try, as the product tries them.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const memory_names[MEMORIES] = {
    [PAGEABLE] = "pageable",
    [PINNED] = "pinned",
    [REGISTERED] = "registered",
    [SHARED] = "registered memfd",
};

/* ---- ending ----------------------------------------------------------- */

void
bench_must(const struct bench *bench, int failed, const char *what)
{
    if (failed != SCO_CUDA_SUCCESS) {
        (void)fprintf(stderr, "%s: %s (CUDA error %d)\n", what,
                      bench->gpu->cuda.cudaGetErrorString(failed), failed);
        exit(1);
    }
}

void
bench_ok(enum sco_status status, const struct sco_error *err)
{
    if (status != SCO_OK) {
        (void)fprintf(stderr, "%s\n", err->text);
        exit(1);
    }
}

void
bench_open(struct bench *bench, struct sco_gpu *gpu)
{
    void *symbol;

    bench->gpu = gpu;
#define X(type, name, arguments)                            \
    symbol = dlsym(gpu->cuda.library, #name);               \
    if (symbol == NULL) {                                   \
        (void)fprintf(stderr, "there is no %s()\n", #name); \
        exit(1);                                            \
    }                                                       \
    memcpy(&bench->name, &symbol, sizeof(bench->name));
    BENCH_FUNCTIONS(X)
#undef X
}

/* ---- memory ----------------------------------------------------------- */

/* A memfd, mapped shared: what host and worker could both have. */
static void *
map_shared(size_t bytes)
{
    int fd = memfd_create("bench", MFD_CLOEXEC);
    void *at = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0) {
        at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return at == MAP_FAILED ? NULL : at;
}

static void
open_shared(struct buffer *buffer, const struct bench *bench)
{
    const struct sco_cuda_runtime *cuda = &bench->gpu->cuda;
    int failed;

    buffer->at = map_shared(buffer->bytes);
    if (buffer->at == NULL) {
        (void)snprintf(buffer->why, sizeof(buffer->why), "no memfd");
        return;
    }
    failed = cuda->cudaHostRegister(buffer->at, buffer->bytes,
                                    SCO_CUDA_REGISTER_PORTABLE);
    if (failed != SCO_CUDA_SUCCESS) {
        (void)cuda->cudaGetLastError();
        (void)munmap(buffer->at, buffer->bytes);
        buffer->at = NULL;
        (void)snprintf(buffer->why, sizeof(buffer->why),
                       "cudaHostRegister: %s (CUDA error %d)",
                       cuda->cudaGetErrorString(failed), failed);
    }
}

static void
open_registered(struct buffer *buffer, const struct bench *bench)
{
    struct sco_error err = { .text = "" };

    if (sco_pinned_reserve(&buffer->pinned, bench->gpu, buffer->bytes, &err) !=
            SCO_OK ||
        !buffer->pinned.is_registered) {
        (void)snprintf(buffer->why, sizeof(buffer->why), "%.120s",
                       err.text[0] != '\0' ? err.text
                                           : "the driver did not register it");
        sco_pinned_finish(&buffer->pinned, bench->gpu);
        return;
    }
    buffer->at = buffer->pinned.at;
}

static void
open_pinned(struct buffer *buffer, const struct bench *bench)
{
    const struct sco_cuda_runtime *cuda = &bench->gpu->cuda;
    void *at = NULL;
    int failed =
        bench->cudaHostAlloc(&at, buffer->bytes, SCO_CUDA_REGISTER_PORTABLE);

    buffer->at = failed == SCO_CUDA_SUCCESS ? at : NULL;
    if (failed != SCO_CUDA_SUCCESS) {
        (void)cuda->cudaGetLastError();
        (void)snprintf(buffer->why, sizeof(buffer->why),
                       "cudaHostAlloc: %s (CUDA error %d)",
                       cuda->cudaGetErrorString(failed), failed);
    }
}

/* Random, so that nothing is found to be equal or zero. */
static void
fill(char *at, size_t bytes)
{
    uint64_t x = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)at;

    for (size_t i = 0; i + sizeof(x) <= bytes; i += sizeof(x)) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(at + i, &x, sizeof(x));
    }
}

bool
buffer_open(struct buffer *buffer, const struct bench *bench,
            enum memory memory, size_t bytes)
{
    uint64_t begun_ns = sco_clock_now_ns();

    *buffer = (struct buffer){ .memory = memory, .bytes = bytes };
    switch (memory) {
    case PAGEABLE:
        buffer->at = malloc(bytes);
        break;
    case PINNED:
        open_pinned(buffer, bench);
        break;
    case REGISTERED:
        open_registered(buffer, bench);
        break;
    case SHARED:
        open_shared(buffer, bench);
        break;
    case MEMORIES:
        break;
    }
    if (buffer->at == NULL) {
        if (buffer->why[0] == '\0') {
            (void)snprintf(buffer->why, sizeof(buffer->why), "no memory");
        }
        return false;
    }
    buffer->made_ms = bench_us_since(begun_ns) / 1000;
    fill(buffer->at, bytes);
    return true;
}

void
buffer_close(struct buffer *buffer, const struct bench *bench)
{
    if (buffer->at == NULL) {
        return;
    }
    switch (buffer->memory) {
    case PAGEABLE:
        free(buffer->at);
        break;
    case PINNED:
        (void)bench->cudaFreeHost(buffer->at);
        break;
    case REGISTERED:
        sco_pinned_finish(&buffer->pinned, bench->gpu);
        break;
    case SHARED:
        (void)bench->gpu->cuda.cudaHostUnregister(buffer->at);
        (void)munmap(buffer->at, buffer->bytes);
        break;
    case MEMORIES:
        break;
    }
    buffer->at = NULL;
}

struct sco_cuda_stream *
bench_stream(const struct bench *bench)
{
    struct sco_cuda_stream *stream = NULL;

    bench_must(bench,
               bench->gpu->cuda.cudaStreamCreateWithFlags(
                   &stream, SCO_CUDA_STREAM_NON_BLOCKING),
               "a stream");
    return stream;
}

/* ---- time ------------------------------------------------------------- */

double
bench_us_since(uint64_t begun_ns)
{
    return (double)(sco_clock_now_ns() - begun_ns) / 1000.0;
}

double
bench_time_us(const struct bench *bench, void (*step)(void *arg), void *arg)
{
    const double enough_us = bench->is_small ? 200 : 3000;
    uint64_t begun_ns = sco_clock_now_ns();
    unsigned count = 0;
    double took_us;

    do {
        step(arg);
        count++;
        took_us = bench_us_since(begun_ns);
    } while (took_us < enough_us);
    return took_us / count;
}

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

double
bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), compare);
    return count % 2 == 1 ? values[count / 2]
                          : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- lines ------------------------------------------------------------ */

void
line_begin(const char *figure)
{
    printf("{\"figure\": \"%s\"", figure);
}

void
line_text(const char *name, const char *text)
{
    printf(", \"%s\": \"", name);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

void
line_number(const char *name, double number)
{
    printf(", \"%s\": %.10g", name, number);
}

void
line_rounds(const char *name, const double *values, size_t count)
{
    printf(", \"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        printf("%s%.6g", i == 0 ? "" : ", ", values[i]);
    }
    putchar(']');
}

void
line_end(void)
{
    puts("}");
    (void)fflush(stdout);
}

/* ---- the program ------------------------------------------------------ */

static const struct {
    const char *name;
    void (*measure)(const struct bench *bench);
} parts[] = {
    { "copies", measure_copies },
    { "batches", measure_batches },
    { "completion", measure_completion },
    { "pipeline", measure_pipeline },
};

/* Measures the part with this name, of so many characters. */
static bool
measure(const struct bench *bench, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strlen(parts[i].name) == len &&
            strncmp(parts[i].name, name, len) == 0) {
            parts[i].measure(bench);
            return true;
        }
    }
    (void)fprintf(stderr, "there is no part %.*s\n", (int)len, name);
    return false;
}

int
main(int argc, char **argv)
{
    struct sco_error err = { .text = "" };
    struct bench bench = { .gpu = NULL };
    struct sco_gpu *gpu = NULL;
    size_t len;

    if (argc < 5) {
        (void)fprintf(stderr, "usage: bench PART[,PART...] ROUNDS "
                              "large|small RUNTIME...\n");
        return 2;
    }
    bench.rounds = (unsigned)strtoul(argv[2], NULL, 10);
    bench.is_small = strcmp(argv[3], "small") == 0;
    if (bench.rounds < 1 || bench.rounds > ROUNDS_MOST) {
        (void)fprintf(stderr, "1 to %d rounds\n", ROUNDS_MOST);
        return 2;
    }
    bench_ok(sco_gpu_open((const char *const *)(argv + 4), (size_t)argc - 4, 0,
                          &gpu, &err),
             &err);
    bench_ok(sco_gpu_enter(gpu, &err), &err);
    bench_open(&bench, gpu);
    line_begin("runtime");
    line_number("version", gpu->version);
    line_end();
    for (const char *name = argv[1]; *name != '\0'; name += len) {
        name += *name == ',';
        len = strcspn(name, ",");
        if (!measure(&bench, name, len)) {
            return 2;
        }
    }
    sco_gpu_unref(gpu);
    return 0;
}
