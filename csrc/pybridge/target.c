#include "pybridge/target.h"

#include "base/text.h"

#include <string.h>

/* The bytes of `text` from `from` on. */
static struct sco_slice
rest_of(struct sco_slice text, size_t from)
{
    return (struct sco_slice){ text.data + from, text.len - from };
}

/* Where `byte` is, or the length where it is not. */
static size_t
place_of(struct sco_slice text, char byte)
{
    const char *at = text.len > 0 ? memchr(text.data, byte, text.len) : NULL;

    return at != NULL ? (size_t)(at - text.data) : text.len;
}

/* The target without its fragment, and in absolute form without scheme and
 * authority. */
static struct sco_slice
origin_form(struct sco_slice target)
{
    struct sco_slice scheme_end = SCO_SLICE("://");
    size_t colon;

    target.len = place_of(target, '#');
    if (target.len == 0 || target.data[0] == '/') {
        return target;
    }
    colon = place_of(target, ':');
    if (target.len - colon < scheme_end.len ||
        memcmp(target.data + colon, scheme_end.data, scheme_end.len) != 0) {
        return target; /* "*", or nonsense that routing has refused */
    }
    target = rest_of(target, colon + scheme_end.len);
    colon = place_of(target, '/');
    if (place_of(target, '?') < colon) {
        colon = place_of(target, '?');
    }
    return rest_of(target, colon);
}

static int
hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

void
sco_target_path(struct sco_slice target, struct sco_text *into)
{
    struct sco_slice path = origin_form(target);

    path.len = place_of(path, '?');
    sco_text_add(into, SCO_SLICE("")); /* a text even when it is empty */
    for (size_t i = 0; i < path.len; i++) {
        char byte = path.data[i];

        if (byte == '%' && path.len - i > 2 &&
            hex_digit(path.data[i + 1]) >= 0 &&
            hex_digit(path.data[i + 2]) >= 0) {
            byte = (char)(hex_digit(path.data[i + 1]) * 16 +
                          hex_digit(path.data[i + 2]));
            i += 2;
        }
        sco_text_add_char(into, byte);
    }
}

struct sco_slice
sco_target_query(struct sco_slice target)
{
    struct sco_slice origin = origin_form(target);
    size_t mark = place_of(origin, '?');

    return mark < origin.len ? rest_of(origin, mark + 1)
                             : rest_of(origin, origin.len);
}
