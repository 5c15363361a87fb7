#include "http/target.h"

/* The value of a hexadecimal digit, or -1. */
static int
digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return byte - 'A' + 10;
    }
    return -1;
}

/* Cuts `text` before the first `byte` and returns what stands behind it. */
static struct sco_slice
cut_at(struct sco_slice *text, char byte)
{
    const char *at =
        text->len > 0 ? memchr(text->data, byte, text->len) : NULL;
    struct sco_slice rest = { NULL, 0 };

    if (at != NULL) {
        size_t before = (size_t)(at - text->data);

        rest = (struct sco_slice){ at + 1, text->len - before - 1 };
        text->len = before;
    }
    return rest;
}

/* Leaves out "scheme://host"; what has none is left alone. */
static struct sco_slice
without_host(struct sco_slice target)
{
    for (size_t i = 0; i + 3 <= target.len && target.data[i] != '/'; i++) {
        if (memcmp(target.data + i, "://", 3) == 0) {
            struct sco_slice rest = { target.data + i + 3,
                                      target.len - i - 3 };
            const char *slash =
                rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;
            size_t host_len =
                slash != NULL ? (size_t)(slash - rest.data) : rest.len;

            return (struct sco_slice){ rest.data + host_len,
                                       rest.len - host_len };
        }
    }
    return target;
}

/* Decodes the escapes of `text` into `room`, and returns the length. */
static size_t
decode(struct sco_slice text, char *room)
{
    size_t length = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = -1;
        int low = -1;

        if (text.data[i] == '%' && i + 2 < text.len) {
            high = digit(text.data[i + 1]);
            low = digit(text.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            room[length++] = (char)(high * 16 + low);
            i += 2;
        } else {
            room[length++] = text.data[i];
        }
    }
    return length;
}

void
sco_target_split(struct sco_slice target, char *room, struct sco_slice *path,
                 struct sco_slice *query)
{
    struct sco_slice text = target;
    size_t length;

    (void)cut_at(&text, '#');
    *query = cut_at(&text, '?');
    text = without_host(text);
    if (text.len == 0) {
        room[0] = '/';
        *path = (struct sco_slice){ room, 1 };
        return;
    }
    length = decode(text, room);
    while (length > 1 && room[0] == '/' && room[1] == '/') {
        room++;
        length--;
    }
    *path = (struct sco_slice){ room, length };
}
