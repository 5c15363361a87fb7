/* Design notes
 *
 * The head as the app sees it is made of pointers into the library's buffer,
 * but for the target, which the library takes apart in place and which is
 * therefore copied before.
 *
 * The parser of libmicrohttpd 0.9 takes a bare LF for the end of a line, joins
 * folded lines and loses what stands behind a NUL. It also replaces the ends
 * of lines and words by NUL where they stand, so that in a head that is well
 * formed each word begins at a known distance behind the one before: one
 * byte after the method and the target, two after all others. Whoever stands
 * elsewhere was preceded by something else. No byte outside of the words is
 * looked at.
 */

#include "http/head.h"

#include "http/check.h"
#include "http/target.h"

#include <stdlib.h>
#include <string.h>

enum { FIELDS_FIRST = 16 };

/* Room for the target and for its path. */
static bool
text_reserve(struct sco_exchange *ex, size_t room)
{
    char *text;

    if (room <= ex->text_room) {
        return true;
    }
    text = realloc(ex->text, room);
    if (text == NULL) {
        return false;
    }
    ex->text = text;
    ex->text_room = room;
    return true;
}

bool
sco_head_keep_target(struct sco_exchange *ex, const char *target)
{
    size_t length = target != NULL ? strlen(target) : 0;

    ex->raw_target = target;
    if (!text_reserve(ex, 2 * length + 1)) {
        return false;
    }
    if (length > 0) {
        memcpy(ex->text, target, length);
    }
    ex->head.target = (struct sco_slice){ ex->text, length };
    return true;
}

/* Room for one more field. */
static bool
fields_reserve(struct sco_exchange *ex)
{
    size_t room = ex->field_room > 0 ? 2 * ex->field_room : FIELDS_FIRST;
    struct sco_field *fields;

    if (ex->head.field_count < ex->field_room) {
        return true;
    }
    fields = realloc(ex->fields, room * sizeof(*fields));
    if (fields == NULL) {
        return false;
    }
    ex->fields = fields;
    ex->field_room = room;
    return true;
}

/* Takes one field from the library. */
static enum MHD_Result
take_field(void *arg, enum MHD_ValueKind kind, const char *name,
           size_t name_len, const char *value, size_t value_len)
{
    struct sco_exchange *ex = arg;
    struct sco_field *field;

    (void)kind;
    if (ex->head.field_count >= SCO_HEAD_FIELDS_MAX) {
        ex->too_many_fields = true;
        return MHD_NO;
    }
    if (!fields_reserve(ex)) {
        ex->is_cut = true;
        return MHD_NO;
    }
    field = &ex->fields[ex->head.field_count++];
    field->name = (struct sco_slice){ name, name_len };
    field->value = (struct sco_slice){ value, value != NULL ? value_len : 0 };
    return MHD_YES;
}

/* Whether `next` stands `gap` bytes behind the end of `word`. */
static bool
follows(struct sco_slice word, size_t gap, const char *next)
{
    return word.data != NULL && next == word.data + word.len + gap;
}

/* Whether the words stand where those of a well-formed head stand. */
static bool
stands_as_sent(const struct sco_exchange *ex)
{
    const struct sco_http_head *head = &ex->head;
    struct sco_slice target = { ex->raw_target, head->target.len };
    struct sco_slice last = head->version;

    if (!follows(head->method, 1, target.data) ||
        !follows(target, 1, head->version.data)) {
        return false;
    }
    for (size_t i = 0; i < head->field_count; i++) {
        if (!follows(last, 2, head->fields[i].name.data)) {
            return false;
        }
        last = head->fields[i].value;
    }
    return follows(last, 4, head->method.data + ex->head_bytes);
}

/* Drops the blanks after each value, but not after a coding: 0.9 does not
 * know "chunked " for "chunked" and would never find the end of the body. */
static void
trim_values(struct sco_exchange *ex)
{
    for (size_t i = 0; i < ex->head.field_count; i++) {
        struct sco_slice *value = &ex->fields[i].value;

        if (sco_slice_equal_nocase(ex->fields[i].name,
                                   SCO_SLICE("Transfer-Encoding"))) {
            continue;
        }
        while (value->len > 0 && (value->data[value->len - 1] == ' ' ||
                                  value->data[value->len - 1] == '\t')) {
            value->len--;
        }
    }
}

bool
sco_exchange_read_head(struct sco_exchange *ex, const char *method,
                       const char *version)
{
    struct sco_connection *connection = ex->connection;
    struct sco_http_head *head = &ex->head;
    bool is_sound;

    head->method = sco_slice_of(method);
    head->version = sco_slice_of(version);
    head->peer_host = connection->peer_host;
    head->peer_port = connection->peer_port;
    head->server_host = connection->server_host;
    head->server_port = connection->server_port;
    sco_target_split(head->target, ex->text + head->target.len, &head->path,
                     &head->query);
    (void)MHD_get_connection_values_n(connection->mhd, MHD_HEADER_KIND,
                                      take_field, ex);
    head->fields = ex->fields;
    is_sound = !connection->http->is_lenient || ex->too_many_fields ||
               stands_as_sent(ex);
    trim_values(ex);
    return is_sound;
}
