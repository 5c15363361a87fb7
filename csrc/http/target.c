#include "http/target.h"

/* Cuts `text` before the first `byte` and returns what stands behind it. */
static struct sco_slice
cut_at(struct sco_slice *text, char byte)
{
    size_t before = sco_slice_find(*text, byte);
    struct sco_slice rest = { NULL, 0 };

    if (before < text->len) {
        rest = sco_slice_from(*text, before + 1);
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
            struct sco_slice rest = sco_slice_from(target, i + 3);

            return sco_slice_from(rest, sco_slice_find(rest, '/'));
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
        int escaped = sco_slice_escape(text, i);

        room[length++] = escaped < 0 ? text.data[i] : (char)escaped;
        i += escaped < 0 ? 0 : 2;
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
