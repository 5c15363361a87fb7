/* fake_cudart.c - a CUDA runtime without a GPU, which forgives nothing
 *
 * A shared library with the functions of csrc/cuda/runtime.h, and those that
 * benchmarks/gpu/ needs beside them. What a GPU would do asynchronously a
 * thread does here, one operation after another, from whichever stream may go
 * on, in an order that is drawn by lot; so whoever forgets to have one stream
 * wait for another, or touches memory too early, gets wrong numbers.
 *
 * - An address of the GPU's lies in memory that this process cannot read: to
 *   follow one is a crash.
 * - A copy from registered memory reads it when it is executed, one from other
 *   memory when it is called for, as CUDA does.
 * - A poisoned GPU reports its error for ever, as CUDA does.
 *
 * The environment: FAKE_CUDART_DEVICES (1), FAKE_CUDART_DELAY_US (0, before
 * each operation), FAKE_CUDART_MEMORY (bytes that there are),
 * FAKE_CUDART_NO_REGISTER (registering fails), FAKE_CUDART_SEED.
 *
 * Functions of its own are called fake...(): kernels, and what was counted.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_HANDLE = 400,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    NOT_REGISTERED = 713,
    REGISTER_FAILED = 801,

    TO_DEVICE = 1,
    TO_HOST = 2,
    ON_DEVICE = 3,
    NO_TIMING = 2,
    RANGES_MOST = 256,
    STREAMS_MOST = 64,
};

enum kind { COPY, RECORD, WAIT, HOST, KERNEL, POISON };

struct event {
    unsigned long asked; /* how often it was recorded */
    unsigned long done;  /* ... and reached */
    struct timespec at;  /* ... and when, the last time */
    bool has_timing;
};

struct operation {
    struct operation *next;
    enum kind kind;
    void *to;
    const void *from;
    size_t bytes;
    char *staged; /* what was read when it was called for */
    struct event *event;
    unsigned long target;
    void (*function)(void *arg);
    void *arg;
    float factor, summand;
};

struct stream {
    struct operation *first, *last;
    bool is_used;
};

/* Memory of the GPU, or memory that was registered. */
struct range {
    char *at;
    size_t bytes;
    char *storage; /* NULL: registered */
    bool is_ours;  /* ... by cudaHostAlloc() */
};

/* What a test asks for: fakeCounts(). */
struct counts {
    long blocks, registrations, streams, events; /* that are there now */
    long uploads, downloads, waits, host_calls;  /* that ever were */
    long bytes;                                  /* allocated now */
    long pageable; /* copies from or to memory that is not registered */
    long heard;    /* host functions that were called */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct stream legacy = { .is_used = true };
static struct stream streams[STREAMS_MOST];
static struct range ranges[RANGES_MOST];
static struct counts counts;
static atomic_int sticky; /* CUDA's error for ever, or SUCCESS */
static bool is_running;
static unsigned seed = 1;
static long delay_us;
static _Thread_local int last_error;

static long
setting(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtol(text, NULL, 10);
}

static int
told(int error)
{
    if (error != SUCCESS) {
        last_error = error;
    }
    return error;
}

/* Lets go of the lock, on the way out. */
static int
unlocked(int error)
{
    pthread_mutex_unlock(&lock);
    return told(error);
}

/* ---- memory ----------------------------------------------------------- */

/* The range that these bytes lie in, or NULL. */
static struct range *
range_of(const void *at, size_t bytes)
{
    for (size_t i = 0; i < RANGES_MOST; i++) {
        struct range *range = &ranges[i];
        size_t offset = (size_t)((uintptr_t)at - (uintptr_t)range->at);

        if (range->at != NULL && (uintptr_t)at >= (uintptr_t)range->at &&
            offset <= range->bytes && bytes <= range->bytes - offset) {
            return range;
        }
    }
    return NULL;
}

/* Where the bytes at an address of the GPU's really are. */
static char *
stored(const void *at, size_t bytes)
{
    struct range *range = range_of(at, bytes);

    return range == NULL || range->storage == NULL
               ? NULL
               : range->storage + ((const char *)at - range->at);
}

static bool
is_registered(const void *at, size_t bytes)
{
    struct range *range = range_of(at, bytes);

    return range != NULL && range->storage == NULL;
}

static struct range *
new_range(void)
{
    for (size_t i = 0; i < RANGES_MOST; i++) {
        if (ranges[i].at == NULL) {
            return &ranges[i];
        }
    }
    return NULL;
}

/* ---- the thread that is the GPU --------------------------------------- */

static bool
is_ready(const struct stream *stream)
{
    const struct operation *first = stream->first;

    return first != NULL &&
           (first->kind != WAIT || first->event->done >= first->target);
}

static void
compute(const struct operation *op)
{
    float *to = (float *)(void *)stored(op->to, op->bytes);
    const float *from = (const float *)(void *)stored(op->from, op->bytes);

    if (to == NULL || from == NULL) {
        sticky = ILLEGAL_ADDRESS;
        return;
    }
    for (size_t i = 0; i < op->bytes / sizeof(float); i++) {
        to[i] = op->factor * from[i] + op->summand;
    }
}

static void
copy(const struct operation *op)
{
    char *to = stored(op->to, op->bytes);
    const char *from = stored(op->from, op->bytes);

    if (op->staged != NULL) {
        from = op->staged;
    }
    memmove(to != NULL ? to : op->to, from != NULL ? from : op->from,
            op->bytes);
}

static void
execute(struct operation *op)
{
    if (sticky != SUCCESS && op->kind != RECORD) {
        return; /* a GPU that failed does nothing any more */
    }
    switch (op->kind) {
    case COPY:
        copy(op);
        break;
    case RECORD:
        op->event->done++;
        clock_gettime(CLOCK_MONOTONIC, &op->event->at);
        break;
    case WAIT:
        break;
    case HOST:
        pthread_mutex_unlock(&lock);
        op->function(op->arg);
        pthread_mutex_lock(&lock);
        counts.heard++;
        break;
    case KERNEL:
        compute(op);
        break;
    case POISON:
        sticky = ILLEGAL_ADDRESS;
        break;
    }
}

/* One of the streams that may go on, drawn by lot; NULL: none may. */
static struct stream *
draw(void)
{
    struct stream *ready[STREAMS_MOST + 1];
    size_t count = 0;

    if (is_ready(&legacy)) {
        ready[count++] = &legacy;
    }
    for (size_t i = 0; i < STREAMS_MOST; i++) {
        if (streams[i].is_used && is_ready(&streams[i])) {
            ready[count++] = &streams[i];
        }
    }
    return count == 0 ? NULL : ready[(size_t)rand_r(&seed) % count];
}

static void
dawdle(void)
{
    struct timespec pause = { .tv_sec = delay_us / 1000000,
                              .tv_nsec = delay_us % 1000000 * 1000 };

    if (delay_us > 0) {
        pthread_mutex_unlock(&lock);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&lock);
    }
}

static void *
be_gpu(void *arg)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        struct stream *stream = draw();
        struct operation *op;

        if (stream == NULL) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        dawdle();
        op = stream->first;
        execute(op);
        stream->first = op->next;
        free(op->staged);
        free(op);
        pthread_cond_broadcast(&changed);
    }
    return arg;
}

static void
start(void)
{
    pthread_t thread;

    if (is_running) {
        return;
    }
    seed = (unsigned)setting("FAKE_CUDART_SEED", (long)time(NULL));
    delay_us = setting("FAKE_CUDART_DELAY_US", 0);
    if (pthread_create(&thread, NULL, be_gpu, NULL) != 0) {
        abort();
    }
    pthread_detach(thread);
    is_running = true;
}

/* ---- putting operations into streams ---------------------------------- */

/* The stream behind a handle: 0 and 1 are the legacy one. */
static struct stream *
stream_of(void *handle)
{
    return (uintptr_t)handle <= 1 ? &legacy : handle;
}

/* Appends a copy of an operation to a stream. With the lock held. */
static int
append(void *handle, const struct operation *what)
{
    struct stream *stream = stream_of(handle);
    struct operation *op;

    if (!stream->is_used) {
        return INVALID_HANDLE;
    }
    if (sticky != SUCCESS) {
        return sticky;
    }
    op = malloc(sizeof(*op));
    if (op == NULL) {
        abort();
    }
    *op = *what;
    op->next = NULL;
    if (stream->first == NULL) {
        stream->first = op;
    } else {
        stream->last->next = op;
    }
    stream->last = op;
    start();
    pthread_cond_broadcast(&changed);
    return SUCCESS;
}

static int
append_locked(void *handle, const struct operation *what)
{
    pthread_mutex_lock(&lock);
    return unlocked(append(handle, what));
}

/* Waits until a stream is empty. With the lock held. */
static void
drain(const struct stream *stream)
{
    while (stream->first != NULL) {
        pthread_cond_wait(&changed, &lock);
    }
}

static void
drain_all(void)
{
    drain(&legacy);
    for (size_t i = 0; i < STREAMS_MOST; i++) {
        drain(&streams[i]);
    }
}

/* ---- the runtime ------------------------------------------------------ */

EXPORT int
cudaGetDeviceCount(int *count)
{
    *count = (int)setting("FAKE_CUDART_DEVICES", 1);
    return *count > 0 ? SUCCESS : told(NO_DEVICE);
}

EXPORT int
cudaSetDevice(int device)
{
    return device >= 0 && device < setting("FAKE_CUDART_DEVICES", 1)
               ? told(sticky)
               : told(INVALID_DEVICE);
}

EXPORT const char *
cudaGetErrorString(int error)
{
    switch (error) {
    case SUCCESS:
        return "no error";
    case OUT_OF_MEMORY:
        return "out of memory";
    case NO_DEVICE:
        return "no CUDA-capable device is detected";
    case ILLEGAL_ADDRESS:
        return "an illegal memory access was encountered";
    default:
        return "an error";
    }
}

EXPORT int
cudaGetLastError(void)
{
    int error = last_error;

    last_error = sticky;
    return error;
}

EXPORT int
cudaRuntimeGetVersion(int *version)
{
    *version = 12040;
    return SUCCESS;
}

/* Takes memory among what is registered; ours is what cudaHostAlloc() made. */
static int
add_registered(void *at, size_t bytes, bool is_ours)
{
    struct range *range;
    int error = REGISTER_FAILED;

    pthread_mutex_lock(&lock);
    range = new_range();
    if (range != NULL && getenv("FAKE_CUDART_NO_REGISTER") == NULL) {
        *range =
            (struct range){ .at = at, .bytes = bytes, .is_ours = is_ours };
        counts.registrations++;
        error = SUCCESS;
    }
    return unlocked(error);
}

static int
remove_registered(void *at, bool is_ours)
{
    struct range *range;
    int error = NOT_REGISTERED;

    pthread_mutex_lock(&lock);
    range = range_of(at, 1);
    if (range != NULL && range->at == at && range->storage == NULL &&
        range->is_ours == is_ours) {
        drain_all();
        if (is_ours) {
            munmap(at, range->bytes);
        }
        range->at = NULL;
        counts.registrations--;
        error = SUCCESS;
    }
    return unlocked(error);
}

EXPORT int
cudaHostRegister(void *at, size_t bytes, unsigned flags)
{
    (void)flags;
    return add_registered(at, bytes, false);
}

EXPORT int
cudaHostUnregister(void *at)
{
    return remove_registered(at, false);
}

EXPORT int
cudaHostAlloc(void **out, size_t bytes, unsigned flags)
{
    (void)flags;
    *out = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return *out == MAP_FAILED ? told(OUT_OF_MEMORY)
                              : add_registered(*out, bytes, true);
}

EXPORT int
cudaFreeHost(void *at)
{
    return remove_registered(at, true);
}

EXPORT int
cudaMalloc(void **out, size_t bytes)
{
    long most = setting("FAKE_CUDART_MEMORY", INT64_MAX);
    struct range *range;
    int error = OUT_OF_MEMORY;

    pthread_mutex_lock(&lock);
    range = new_range();
    if (sticky != SUCCESS) {
        error = sticky;
    } else if (range != NULL && counts.bytes + (long)bytes <= most) {
        range->storage = malloc(bytes);
        range->at =
            mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (range->storage == NULL || range->at == MAP_FAILED) {
            abort();
        }
        /* What nobody wrote is none of anybody's numbers. */
        memset(range->storage, 0xff, bytes);
        range->bytes = bytes;
        counts.blocks++;
        counts.bytes += (long)bytes;
        *out = range->at;
        error = SUCCESS;
    }
    return unlocked(error);
}

EXPORT int
cudaFree(void *at)
{
    struct range *range;
    int error = INVALID_VALUE;

    pthread_mutex_lock(&lock);
    drain_all();
    range = range_of(at, 1);
    if (range != NULL && range->at == at && range->storage != NULL) {
        counts.blocks--;
        counts.bytes -= (long)range->bytes;
        free(range->storage);
        munmap(range->at, range->bytes);
        range->at = NULL;
        error = SUCCESS;
    }
    return unlocked(error);
}

EXPORT int
cudaStreamCreateWithFlags(void **out, unsigned flags)
{
    int error = OUT_OF_MEMORY;

    (void)flags;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < STREAMS_MOST && error != SUCCESS; i++) {
        if (!streams[i].is_used) {
            streams[i] = (struct stream){ .is_used = true };
            counts.streams++;
            *out = &streams[i];
            error = SUCCESS;
        }
    }
    return unlocked(error);
}

EXPORT int
cudaStreamDestroy(void *handle)
{
    pthread_mutex_lock(&lock);
    drain(stream_of(handle));
    stream_of(handle)->is_used = false;
    counts.streams--;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

EXPORT int
cudaStreamSynchronize(void *handle)
{
    pthread_mutex_lock(&lock);
    drain(stream_of(handle));
    return unlocked(sticky);
}

EXPORT int
cudaEventCreateWithFlags(void **out, unsigned flags)
{
    struct event *event = calloc(1, sizeof(*event));

    if (event == NULL) {
        abort();
    }
    event->has_timing = (flags & NO_TIMING) == 0;
    pthread_mutex_lock(&lock);
    counts.events++;
    pthread_mutex_unlock(&lock);
    *out = event;
    return SUCCESS;
}

EXPORT int
cudaEventDestroy(void *handle)
{
    pthread_mutex_lock(&lock);
    drain_all();
    counts.events--;
    pthread_mutex_unlock(&lock);
    free(handle);
    return SUCCESS;
}

EXPORT int
cudaEventRecord(void *handle, void *stream)
{
    struct event *event = handle;
    int error;

    pthread_mutex_lock(&lock);
    error =
        append(stream, &(struct operation){ .kind = RECORD, .event = event });
    event->asked += error == SUCCESS;
    return unlocked(error);
}

EXPORT int
cudaEventQuery(void *handle)
{
    const struct event *event = handle;

    pthread_mutex_lock(&lock);
    return unlocked(event->done >= event->asked ? sticky : NOT_READY);
}

EXPORT int
cudaEventSynchronize(void *handle)
{
    const struct event *event = handle;
    int error;

    pthread_mutex_lock(&lock);
    counts.waits++;
    while (event->done < event->asked) {
        pthread_cond_wait(&changed, &lock);
    }
    error = sticky;
    return unlocked(error);
}

EXPORT int
cudaEventElapsedTime(float *ms, void *from_handle, void *to_handle)
{
    const struct event *from = from_handle, *to = to_handle;
    int error = SUCCESS;

    pthread_mutex_lock(&lock);
    if (!from->has_timing || !to->has_timing || from->asked == 0 ||
        to->asked == 0) {
        error = INVALID_HANDLE;
    } else if (from->done < from->asked || to->done < to->asked) {
        error = NOT_READY;
    } else if (sticky != SUCCESS) {
        error = sticky;
    } else {
        *ms = (float)((double)(to->at.tv_sec - from->at.tv_sec) * 1e3 +
                      (double)(to->at.tv_nsec - from->at.tv_nsec) / 1e6);
    }
    return unlocked(error);
}

EXPORT int
cudaStreamWaitEvent(void *stream, void *handle, unsigned flags)
{
    struct event *event = handle;
    int error;

    (void)flags;
    pthread_mutex_lock(&lock);
    error = append(stream, &(struct operation){ .kind = WAIT,
                                                .event = event,
                                                .target = event->asked });
    return unlocked(error);
}

/* Whether what is said to be there is, and what is said to be here. */
static bool
is_sound(const struct operation *op, int kind)
{
    bool from_there = kind != TO_DEVICE, to_there = kind != TO_HOST;

    return kind >= TO_DEVICE && kind <= ON_DEVICE &&
           (stored(op->from, op->bytes) != NULL) == from_there &&
           (stored(op->to, op->bytes) != NULL) == to_there;
}

/* Appends a copy between memory here and there. With the lock held. */
static int
append_copy(void *stream, struct operation *op, bool is_there)
{
    bool is_pageable = !is_registered(is_there ? op->from : op->to, op->bytes);
    int error;

    if (is_pageable && is_there) {
        op->staged = malloc(op->bytes);
        if (op->staged == NULL) {
            abort();
        }
        memcpy(op->staged, op->from, op->bytes);
    }
    counts.pageable += is_pageable;
    counts.uploads += is_there;
    counts.downloads += !is_there;
    error = append(stream, op);
    if (error != SUCCESS) {
        free(op->staged);
    } else if (is_pageable && !is_there) {
        drain(stream_of(stream));
    }
    return error;
}

EXPORT int
cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind,
                void *stream)
{
    struct operation op = {
        .kind = COPY, .to = to, .from = from, .bytes = bytes
    };
    int error = INVALID_VALUE;

    pthread_mutex_lock(&lock);
    if (is_sound(&op, kind)) {
        error = kind == ON_DEVICE
                    ? append(stream, &op)
                    : append_copy(stream, &op, kind == TO_DEVICE);
    }
    return unlocked(error);
}

EXPORT int
cudaLaunchHostFunc(void *stream, void (*function)(void *arg), void *arg)
{
    int error = append_locked(
        stream,
        &(struct operation){ .kind = HOST, .function = function, .arg = arg });

    pthread_mutex_lock(&lock);
    counts.host_calls++;
    pthread_mutex_unlock(&lock);
    return error;
}

/* ---- what tests use beside -------------------------------------------- */

/* to[i] = factor * from[i] + summand, for `count` floats. */
EXPORT int
fakeLaunchAffine(void *stream, void *to, const void *from, size_t count,
                 float factor, float summand)
{
    return append_locked(stream,
                         &(struct operation){ .kind = KERNEL,
                                              .to = to,
                                              .from = from,
                                              .bytes = count * sizeof(float),
                                              .factor = factor,
                                              .summand = summand });
}

/* A kernel that breaks the GPU for this process. */
EXPORT int
fakeLaunchPoison(void *stream)
{
    return append_locked(stream, &(struct operation){ .kind = POISON });
}

/* Mends it, and sets how long each operation takes. */
EXPORT void
fakeReset(long delay)
{
    pthread_mutex_lock(&lock);
    drain_all();
    sticky = SUCCESS;
    delay_us = delay;
    pthread_mutex_unlock(&lock);
}

EXPORT void
fakeCounts(struct counts *out)
{
    pthread_mutex_lock(&lock);
    *out = counts;
    pthread_mutex_unlock(&lock);
}
