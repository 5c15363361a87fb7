/* fuzz_head.c - no head whatever makes the checks leave it
 *
 * The bytes are taken apart by a splitter that trusts everything: lines at
 * LF, words at blanks, names at the first colon. What the checks then let
 * through has the properties that the rest of the host relies on.
 */
#include "http/check.h"
#include "http/target.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_ROOM = 128 };

/* Cuts the bytes before `end` off `text`, and `end` with them. */
static struct sco_slice
take_until(struct sco_slice *text, char end)
{
    const char *at = text->len > 0 ? memchr(text->data, end, text->len) : NULL;
    size_t length = at != NULL ? (size_t)(at - text->data) : text->len;
    size_t taken = at != NULL ? length + 1 : length;
    struct sco_slice word = { text->data, length };

    text->data += taken;
    text->len -= taken;
    return word;
}

/* The number of fields of this name, in any case. */
static size_t
count_fields(const struct sco_http_head *head, struct sco_slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < head->field_count; i++) {
        count += sco_slice_equal_nocase(head->fields[i].name, name) ? 1 : 0;
    }
    return count;
}

/* What is let through is what it is said to be. */
static void
expect_sound(const struct sco_http_head *head,
             const struct sco_head_facts *facts)
{
    size_t lengths = count_fields(head, SCO_SLICE("Content-Length"));
    size_t codings = count_fields(head, SCO_SLICE("Transfer-Encoding"));

    SCO_CHECK(lengths + codings <= 1, "the body ends in two places");
    SCO_CHECK(facts->chunked == (codings == 1), "chunks out of nowhere");
    SCO_CHECK(lengths == 1 || facts->body_bytes == 0, "a length of nothing");
    SCO_CHECK(count_fields(head, SCO_SLICE("Host")) <= 1, "two hosts");
    SCO_CHECK(head->field_count <= SCO_HEAD_FIELDS_MAX, "too many fields");
    SCO_CHECK(head->target.len <= SCO_HEAD_LINE_MAX, "too long a line");
    for (size_t i = 0; i < head->field_count; i++) {
        struct sco_slice value = head->fields[i].value;

        for (size_t k = 0; k < value.len; k++) {
            unsigned char byte = (unsigned char)value.data[k];

            SCO_CHECK(byte == '\t' || (byte >= ' ' && byte != 127),
                      "a control byte");
        }
    }
}

/* A path is no longer than its target, and lies in its room. */
static void
expect_split(struct sco_slice target)
{
    char *room = malloc(target.len + 1);
    struct sco_slice path, query;

    if (room == NULL) {
        return;
    }
    sco_target_split(target, room, &path, &query);
    SCO_CHECK(path.len >= 1 && path.len <= target.len + 1, "a long path");
    SCO_CHECK(path.data >= room &&
                  path.data + path.len <= room + target.len + 1,
              "a path outside of its room");
    SCO_CHECK(query.len == 0 ||
                  (query.data >= target.data &&
                   query.data + query.len <= target.data + target.len),
              "a query outside of its target");
    free(room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice text = { (const char *)data, size };
    struct sco_slice line = take_until(&text, '\n');
    struct sco_field fields[FIELDS_ROOM];
    struct sco_http_head head = { .fields = fields };
    struct sco_head_facts facts = { 0 };
    struct sco_head_fault fault = { 0 };

    head.method = take_until(&line, ' ');
    head.target = take_until(&line, ' ');
    head.version = line;
    while (text.len > 0 && head.field_count < FIELDS_ROOM) {
        struct sco_slice rest = take_until(&text, '\n');

        fields[head.field_count].name = take_until(&rest, ':');
        fields[head.field_count].value = rest;
        head.field_count++;
    }
    expect_split(head.target);
    if (sco_head_check(&head, &facts, &fault)) {
        SCO_CHECK(fault.status == 0, "sound and refused");
        expect_sound(&head, &facts);
    } else {
        SCO_CHECK(fault.status >= 400 && fault.status < 600, "no status");
        SCO_CHECK(fault.message[0] != '\0', "no message");
    }
    return 0;
}
