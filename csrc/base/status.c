#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define X(name, text) [SCO_##name] = (text),
static const char *const texts[SCO_STATUS_COUNT] = { SCO_STATUS_MAP(X) };
#undef X

enum sco_status
sco_fail(struct sco_error *err, enum sco_status status, const char *format,
         ...)
{
    va_list args;

    if (err != NULL) {
        err->status = status;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return status;
}

const char *
sco_status_text(enum sco_status status)
{
    return texts[status];
}

void
sco_die(const char *file, int line, const char *text)
{
    (void)fprintf(stderr, "scorehost: %s:%d: %s\n", file, line, text);
    abort();
}

void *
sco_alloc(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

    SCO_CHECK(memory != NULL, "no memory to start with");
    return memory;
}
