#include "host/identity.h"

bool
sco_field_find(const struct sco_field *fields, size_t count,
               struct sco_slice name, struct sco_slice *value_out)
{
    for (size_t i = 0; i < count; i++) {
        if (sco_slice_equal_nocase(fields[i].name, name)) {
            *value_out = fields[i].value;
            return true;
        }
    }
    return false;
}

static struct sco_slice
value_of(const struct sco_field *fields, size_t count, struct sco_slice name)
{
    struct sco_slice value = { NULL, 0 };

    (void)sco_field_find(fields, count, name, &value);
    return value;
}

const char *
sco_identity_read(const struct sco_field *fields, size_t count,
                  struct sco_identity *out)
{
    static const struct sco_slice none = { NULL, 0 };

    *out = (struct sco_identity){ 0 };
    out->request = value_of(fields, count, SCO_SLICE("x-request-id"));
    out->legacy = value_of(fields, count, SCO_SLICE("x-ms-request-id"));
    out->client = value_of(fields, count, SCO_SLICE("x-ms-client-request-id"));
    out->has_trace =
        sco_field_find(fields, count, SCO_SLICE("traceid"), &out->trace);
    if (out->request.len > SCO_ID_MAX) {
        out->request = out->legacy = out->client = none;
        return "x-request-id must not exceed 100 characters";
    }
    if (out->request.len == 0) {
        sco_uuid4(out->made);
        out->request = (struct sco_slice){ out->made, SCO_UUID_CHARS };
    }
    if (out->legacy.len > SCO_ID_MAX || out->client.len > SCO_ID_MAX) {
        out->legacy = out->client = none;
        return "x-ms-request-id and x-ms-client-request-id must not exceed "
               "100 characters";
    }
    if (out->legacy.len > 0) {
        out->used_legacy = true;
        if (out->client.len == 0) {
            out->client = out->legacy;
        }
    } else {
        out->legacy = out->client.len > 0 ? out->client : out->request;
    }
    return NULL;
}
