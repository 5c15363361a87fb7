#include "host/timeout.h"

static const struct sco_slice header = SCO_SLICE_INIT("x-request-timeout-ms");

enum sco_status
sco_timeout_parse(struct sco_slice value, uint64_t *ms_out)
{
    uint64_t ms = 0;

    for (size_t i = 0; i < value.len; i++) {
        char digit = value.data[i];

        if (digit < '0' || digit > '9') {
            return SCO_INVALID;
        }
        if (ms <= SCO_TIMEOUT_MAX_MS) {
            ms = ms * 10 + (uint64_t)(digit - '0');
        }
    }
    if (ms == 0) {
        return SCO_INVALID; /* also no digit at all */
    }
    *ms_out = ms > SCO_TIMEOUT_MAX_MS ? 0 : ms;
    return SCO_OK;
}

enum sco_status
sco_timeout_find(const struct sco_field *fields, size_t count,
                 uint64_t *ms_out, struct sco_slice *value_out)
{
    const struct sco_field *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!sco_slice_equal_nocase(fields[i].name, header)) {
            continue;
        }
        if (found != NULL) {
            *value_out = fields[i].value;
            return SCO_INVALID;
        }
        found = &fields[i];
    }
    if (found == NULL) {
        return SCO_NOT_FOUND;
    }
    *value_out = found->value;
    return sco_timeout_parse(found->value, ms_out);
}
