#include "link/head.h"

#include <string.h>

/* A cursor for writing: the room was counted before, so it cannot end. */
static char *
put_u16(char *at, size_t number)
{
    at[0] = (char)(number & 0xff);
    at[1] = (char)(number >> 8 & 0xff);
    return at + 2;
}

static char *
put_bytes(char *at, struct sco_slice bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.data, bytes.len);
    }
    return at + bytes.len;
}

static char *
put_short(char *at, struct sco_slice bytes)
{
    return put_bytes(put_u16(at, bytes.len), bytes);
}

static char *
put_long(char *at, struct sco_slice bytes)
{
    at = put_u16(at, bytes.len & 0xffff);
    return put_bytes(put_u16(at, bytes.len >> 16), bytes);
}

size_t
sco_fields_bytes(const struct sco_field *fields, size_t field_count)
{
    size_t bytes = 2;

    for (size_t i = 0; i < field_count; i++) {
        bytes += 2 + fields[i].name.len + 4 + fields[i].value.len;
    }
    return bytes;
}

void
sco_fields_write(const struct sco_field *fields, size_t field_count,
                 char *into)
{
    into = put_u16(into, field_count);
    for (size_t i = 0; i < field_count; i++) {
        into = put_short(into, fields[i].name);
        into = put_long(into, fields[i].value);
    }
}

size_t
sco_head_bytes(const struct sco_call_head *head,
               const struct sco_field *fields, size_t field_count)
{
    return (size_t)7 * 2 + head->method.len + head->target.len +
           head->version.len + head->peer_host.len + head->server_host.len +
           head->request_id.len + head->client_request_id.len + (size_t)2 * 2 +
           sco_fields_bytes(fields, field_count);
}

void
sco_head_write(const struct sco_call_head *head,
               const struct sco_field *fields, size_t field_count, char *into)
{
    into = put_short(into, head->method);
    into = put_short(into, head->target);
    into = put_short(into, head->version);
    into = put_short(into, head->peer_host);
    into = put_short(into, head->server_host);
    into = put_short(into, head->request_id);
    into = put_short(into, head->client_request_id);
    into = put_u16(into, head->peer_port);
    into = put_u16(into, head->server_port);
    sco_fields_write(fields, field_count, into);
}

static struct sco_slice
read_short(struct sco_reader *in)
{
    return sco_read_slice(in, sco_read_u16le(in));
}

enum sco_status
sco_head_read(struct sco_reader *in, struct sco_call_head *out)
{
    struct sco_call_head head = { .method = read_short(in) };

    head.target = read_short(in);
    head.version = read_short(in);
    head.peer_host = read_short(in);
    head.server_host = read_short(in);
    head.request_id = read_short(in);
    head.client_request_id = read_short(in);
    head.peer_port = sco_read_u16le(in);
    head.server_port = sco_read_u16le(in);
    if (in->failed) {
        return SCO_INVALID;
    }
    *out = head;
    return SCO_OK;
}

enum sco_status
sco_fields_read_count(struct sco_reader *in, size_t *count_out)
{
    size_t count = sco_read_u16le(in);

    if (in->failed) {
        return SCO_INVALID;
    }
    if (count > SCO_FIELDS_MAX) {
        return SCO_TOO_LARGE;
    }
    *count_out = count;
    return SCO_OK;
}

enum sco_status
sco_fields_read(struct sco_reader *in, struct sco_slice *name_out,
                struct sco_slice *value_out)
{
    struct sco_slice name = read_short(in);
    struct sco_slice value = sco_read_slice(in, sco_read_u32le(in));

    if (in->failed) {
        return SCO_INVALID;
    }
    *name_out = name;
    *value_out = value;
    return SCO_OK;
}
