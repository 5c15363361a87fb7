/* fake_gpu.h - what tests ask tests/cudart/fake_cudart.c beside CUDA
 *
 * The library is the one that the program under test loads, so both see the
 * same GPU. Thread: any.
 */
#ifndef SCO_SUPPORT_FAKE_GPU_H
#define SCO_SUPPORT_FAKE_GPU_H

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* As in fake_cudart.c. */
struct fake_counts {
    long blocks, registrations, streams, events; /* that are there now */
    long uploads, downloads, waits, host_calls;  /* that ever were */
    long bytes;                                  /* allocated now */
    long pageable, heard;
};

struct fake_gpu {
    int (*affine)(void *stream, void *to, const void *from, size_t count,
                  float factor, float summand);
    int (*poison)(void *stream);
    void (*reset)(long delay_us);
    void (*counts)(struct fake_counts *out);
};

static inline void
fake_gpu_find(void *library, const char *name, void *into)
{
    void *symbol = dlsym(library, name);

    memcpy(into, &symbol, sizeof(symbol));
}

static inline struct fake_gpu
fake_gpu_open(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    struct fake_gpu fake;

    fake_gpu_find(library, "fakeLaunchAffine", &fake.affine);
    fake_gpu_find(library, "fakeLaunchPoison", &fake.poison);
    fake_gpu_find(library, "fakeReset", &fake.reset);
    fake_gpu_find(library, "fakeCounts", &fake.counts);
    return fake;
}

static inline struct fake_counts
fake_gpu_counts(const struct fake_gpu *fake)
{
    struct fake_counts counts;

    fake->counts(&counts);
    return counts;
}

#endif
