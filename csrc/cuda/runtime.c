#define _GNU_SOURCE
#include "cuda/runtime.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* A function by its name. ISO C has no cast from void * to one. */
static bool
find(void *library, const char *name, void *into, size_t bytes)
{
    void *symbol = dlsym(library, name);

    memcpy(into, &symbol, bytes);
    return symbol != NULL;
}

enum sco_status
sco_cuda_runtime_load(const char *path, struct sco_cuda_runtime *out,
                      struct sco_error *err)
{
    struct sco_cuda_runtime found = { .library = NULL };
    const char *missing = NULL;

    found.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (found.library == NULL) {
        return sco_fail(err, SCO_UNSUPPORTED, "%s", dlerror());
    }
#define X(type, name, arguments)                                        \
    if (!find(found.library, #name, &found.name, sizeof(found.name))) { \
        missing = #name;                                                \
    }
    SCO_CUDA_FUNCTIONS(X)
#undef X
    if (missing != NULL) {
        (void)dlclose(found.library);
        return sco_fail(err, SCO_UNSUPPORTED, "%s has no %s()", path, missing);
    }
    *out = found;
    return SCO_OK;
}

void
sco_cuda_runtime_unload(struct sco_cuda_runtime *runtime)
{
    if (runtime->library != NULL) {
        (void)dlclose(runtime->library);
        runtime->library = NULL;
    }
}

enum sco_status
sco_cuda_fail(const struct sco_cuda_runtime *runtime, int number,
              const char *what, struct sco_error *err)
{
    /* The last error of the thread is nobody else's to find. */
    (void)runtime->cudaGetLastError();
    return sco_fail(err,
                    number == SCO_CUDA_OUT_OF_MEMORY ? SCO_NOMEM : SCO_SCRIPT,
                    "%s: %s (CUDA error %d)", what,
                    runtime->cudaGetErrorString(number), number);
}
