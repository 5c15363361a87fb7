#include "v2/skip.h"

#include <stdint.h>

/* The highest bit of each of eight bytes that is `byte`. The lowest bit that
 * is set is right; of those above it some may be wrong. */
static uint64_t
bytes_like(uint64_t eight, char byte)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t other = eight ^ ones * (unsigned char)byte;

    return (other - ones) & ~other & ones << 7;
}

/* Where the next array or string begins, or an array ends. */
static size_t
next_mark(struct sco_slice text, size_t at)
{
    while (text.len - at >= sizeof(uint64_t)) {
        uint64_t eight, found;

        memcpy(&eight, text.data + at, sizeof(eight));
        found = bytes_like(eight, '[') | bytes_like(eight, ']') |
                bytes_like(eight, '"');
        if (found != 0) {
            return at + (size_t)__builtin_ctzll(found) / 8;
        }
        at += sizeof(eight);
    }
    while (at < text.len && text.data[at] != '[' && text.data[at] != ']' &&
           text.data[at] != '"') {
        at++;
    }
    return at;
}

/* The byte behind a string that begins at `at`, or the text's end. */
static size_t
behind_string(struct sco_slice text, size_t at)
{
    for (at++; at < text.len && text.data[at] != '"'; at++) {
        at += text.data[at] == '\\' ? 1 : 0;
    }
    return at < text.len ? at + 1 : text.len;
}

struct sco_slice
sco_v2_skip_array(struct sco_json *json)
{
    struct sco_slice text = json->text;
    size_t begin = json->at;
    size_t at = begin;
    size_t depth = 0;

    while ((at = next_mark(text, at)) < text.len) {
        if (text.data[at] == '"') {
            at = behind_string(text, at);
            continue;
        }
        depth += text.data[at] == '[' ? 1 : (size_t)-1;
        at++;
        if (depth == 0) {
            json->at = at;
            return (struct sco_slice){ text.data + begin, at - begin };
        }
    }
    sco_json_refuse(json, SCO_INVALID, begin, "an array does not end");
    return (struct sco_slice){ NULL, 0 };
}
