/* failing_memory.h - memory that runs out when the test says so
 *
 * A test includes this and then the source file that it tests (the .c, not
 * the .h), so that the file's own allocations come through here. The test
 * calls what it tests once for each allocation, with that one failing:
 *
 *     for (size_t i = 0; memory_fail_at(i), ... fails ...; i++)
 *
 * Thread: arm it only while the test has one thread.
 */
#ifndef SCO_SUPPORT_FAILING_MEMORY_H
#define SCO_SUPPORT_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t memory_good_left = SIZE_MAX; /* SIZE_MAX: not armed */

/* Lets `good_count` allocations pass and the next one fail, once. */
static inline void
memory_fail_at(size_t good_count)
{
    memory_good_left = good_count;
}

/* Lets all allocations pass. Says whether the failure has come, so that a
 * loop over all allocations knows its end. */
static inline bool
memory_has_failed(void)
{
    bool failed = memory_good_left == SIZE_MAX;

    memory_good_left = SIZE_MAX;
    return failed;
}

static inline bool
memory_fails_now(void)
{
    if (memory_good_left == SIZE_MAX) {
        return false;
    }
    if (memory_good_left > 0) {
        memory_good_left--;
        return false;
    }
    memory_good_left = SIZE_MAX;
    return true;
}

static inline void *
memory_malloc(size_t size)
{
    return memory_fails_now() ? NULL : malloc(size);
}

static inline void *
memory_calloc(size_t count, size_t size)
{
    return memory_fails_now() ? NULL : calloc(count, size);
}

static inline void *
memory_realloc(void *old, size_t size)
{
    return memory_fails_now() ? NULL : realloc(old, size);
}

static inline char *
memory_strdup(const char *text)
{
    return memory_fails_now() ? NULL : strdup(text);
}

#undef malloc
#undef calloc
#undef realloc
#undef strdup
#define malloc(size)        memory_malloc(size)
#define calloc(count, size) memory_calloc((count), (size))
#define realloc(old, size)  memory_realloc((old), (size))
#define strdup(text)        memory_strdup(text)

#endif
