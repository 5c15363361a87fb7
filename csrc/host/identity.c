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

/* Which id a header is. */
enum id { ID_REQUEST, ID_LEGACY, ID_CLIENT, ID_TRACE, ID_NONE };

static enum id
id_of(struct sco_slice name)
{
    static const struct sco_slice names[] = {
        [ID_REQUEST] = SCO_SLICE_INIT("x-request-id"),
        [ID_LEGACY] = SCO_SLICE_INIT("x-ms-request-id"),
        [ID_CLIENT] = SCO_SLICE_INIT("x-ms-client-request-id"),
        [ID_TRACE] = SCO_SLICE_INIT("traceid"),
    };

    for (size_t i = 0; i < ID_NONE; i++) {
        if (sco_slice_equal_nocase(names[i], name)) {
            return (enum id)i;
        }
    }
    return ID_NONE;
}

/* Takes a value; one that was there already is joined with it by a comma, as
 * WSGI has it. What is over the limit anyway is only counted. */
static void
take_value(struct sco_slice *id, char *joined, struct sco_slice value)
{
    size_t len = id->len + 1 + value.len;

    if (id->data == NULL) {
        *id = value;
        return;
    }
    if (len <= SCO_ID_MAX) {
        memmove(joined, id->data, id->len);
        joined[id->len] = ',';
        memcpy(joined + id->len + 1, value.data, value.len);
        id->data = joined;
    }
    id->len = len;
}

static void
take_fields(const struct sco_field *fields, size_t count,
            struct sco_identity *out)
{
    for (size_t i = 0; i < count; i++) {
        struct sco_slice value = fields[i].value;

        switch (id_of(fields[i].name)) {
        case ID_REQUEST:
            take_value(&out->request, out->joined[ID_REQUEST], value);
            break;
        case ID_LEGACY:
            take_value(&out->legacy, out->joined[ID_LEGACY], value);
            break;
        case ID_CLIENT:
            take_value(&out->client, out->joined[ID_CLIENT], value);
            break;
        case ID_TRACE:
            out->trace = out->has_trace ? out->trace : value;
            out->has_trace = true;
            break;
        case ID_NONE:
            break;
        }
    }
}

const char *
sco_identity_read(const struct sco_field *fields, size_t count,
                  struct sco_identity *out)
{
    static const struct sco_slice none = { NULL, 0 };

    out->request = out->legacy = out->client = none;
    out->has_trace = out->used_legacy = false;
    take_fields(fields, count, out);
    if (out->request.len > SCO_ID_MAX) {
        out->request = out->legacy = out->client = none;
        return "x-request-id must not exceed 100 characters";
    }
    if (out->request.len == 0) {
        sco_uuid4(out->made);
        out->request = (struct sco_slice){ out->made, SCO_UUID_CHARS };
    }
    out->used_legacy = out->legacy.len > 0;
    if (out->legacy.len > SCO_ID_MAX || out->client.len > SCO_ID_MAX) {
        out->legacy = out->client = none;
        return "x-ms-request-id and x-ms-client-request-id must not exceed "
               "100 characters";
    }
    if (out->used_legacy) {
        out->client = out->client.len > 0 ? out->client : out->legacy;
    } else {
        out->legacy = out->client.len > 0 ? out->client : out->request;
    }
    return NULL;
}
