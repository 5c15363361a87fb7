#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROOM_FIRST_BYTES = 256,
    NUMBER_MAX_CHARS = 20, /* of UINT64_MAX */
    ESCAPE_MAX_CHARS = 12, /* of a surrogate pair */
    REPLACEMENT = 0xfffd,
};

void
sco_text_finish(struct sco_text *text)
{
    free(text->data);
    *text = (struct sco_text){ 0 };
}

/* Makes `room` hold `needed` bytes at least. */
static bool
text_grow(struct sco_text *text, size_t needed)
{
    size_t room = text->room > 0 ? text->room : ROOM_FIRST_BYTES;
    char *data;

    while (room < needed && room <= SIZE_MAX / 2) {
        room *= 2;
    }
    if (room < needed) {
        return false;
    }
    data = realloc(text->data, room);
    if (data == NULL) {
        return false;
    }
    text->data = data;
    text->room = room;
    return true;
}

char *
sco_text_room(struct sco_text *text, size_t more)
{
    if (text->failed) {
        return NULL;
    }
    if (more >= SIZE_MAX - text->len ||
        (text->len + more + 1 > text->room &&
         !text_grow(text, text->len + more + 1))) {
        text->failed = true;
        return NULL;
    }
    return text->data + text->len;
}

/* Ends what was written into the room. */
static void
text_wrote(struct sco_text *text, size_t count)
{
    text->len += count;
    text->data[text->len] = '\0';
}

void
sco_text_add(struct sco_text *text, struct sco_slice bytes)
{
    char *at = sco_text_room(text, bytes.len);

    if (at != NULL) {
        if (bytes.len > 0) {
            memcpy(at, bytes.data, bytes.len);
        }
        text_wrote(text, bytes.len);
    }
}

void
sco_text_add_char(struct sco_text *text, char byte)
{
    char *at = sco_text_room(text, 1);

    if (at != NULL) {
        at[0] = byte;
        text_wrote(text, 1);
    }
}

void
sco_text_add_number(struct sco_text *text, uint64_t number)
{
    char digits[NUMBER_MAX_CHARS];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    sco_text_add(text, (struct sco_slice){ digits + at, sizeof(digits) - at });
}

void
sco_text_add_ms(struct sco_text *text, uint64_t ns)
{
    uint64_t us = ns / 1000 + (ns % 1000 >= 500 ? 1 : 0);
    unsigned rest = (unsigned)(us % 1000);
    char decimals[4] = { '.', (char)('0' + rest / 100),
                         (char)('0' + rest / 10 % 10),
                         (char)('0' + rest % 10) };

    sco_text_add_number(text, us / 1000);
    sco_text_add(text, (struct sco_slice){ decimals, sizeof(decimals) });
}

void
sco_text_addv(struct sco_text *text, const char *format, va_list args)
{
    va_list again;
    char *at;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) {
        text->failed = true;
        return;
    }
    at = sco_text_room(text, (size_t)len);
    if (at != NULL) {
        (void)vsnprintf(at, (size_t)len + 1, format, args);
        text->len += (size_t)len;
    }
}

void
sco_text_addf(struct sco_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sco_text_addv(text, format, args);
    va_end(args);
}

/* ---- UTF-8 and JSON --------------------------------------------------- */

/* How a sequence of UTF-8 with this first byte goes on: how many bytes
 * follow, and within what the first of these must be (RFC 3629, 4). None
 * follows a byte that begins no sequence. */
struct utf8_lead {
    unsigned more;
    unsigned char low, high;
};

static struct utf8_lead
utf8_lead(unsigned char byte)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        return (struct utf8_lead){ 1, 0x80, 0xbf };
    }
    if (byte >= 0xe0 && byte <= 0xef) {
        return (struct utf8_lead){ 2, byte == 0xe0 ? 0xa0 : 0x80,
                                   byte == 0xed ? 0x9f : 0xbf };
    }
    if (byte >= 0xf0 && byte <= 0xf4) {
        return (struct utf8_lead){ 3, byte == 0xf0 ? 0x90 : 0x80,
                                   byte == 0xf4 ? 0x8f : 0xbf };
    }
    return (struct utf8_lead){ 0, 0, 0 };
}

/* Reads the code point at `*at`, which is not ASCII, and moves past it. A
 * broken sequence is one U+FFFD for as much of it as was sound, as in
 * Python's decoder and as Unicode recommends. */
static uint32_t
utf8_take(struct sco_slice utf8, size_t *at)
{
    unsigned char first = (unsigned char)utf8.data[(*at)++];
    struct utf8_lead lead = utf8_lead(first);
    uint32_t point;

    if (lead.more == 0) {
        return REPLACEMENT;
    }
    point = first & (0x3fU >> lead.more);
    for (unsigned i = 0; i < lead.more; i++) {
        unsigned char low = i == 0 ? lead.low : 0x80;
        unsigned char high = i == 0 ? lead.high : 0xbf;
        unsigned char next;

        if (*at == utf8.len) {
            return REPLACEMENT;
        }
        next = (unsigned char)utf8.data[*at];
        if (next < low || next > high) {
            return REPLACEMENT;
        }
        point = point << 6 | (next & 0x3fU);
        (*at)++;
    }
    return point;
}

bool
sco_is_utf8(struct sco_slice bytes)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* sent as such */
    size_t at = 0;

    while (at < bytes.len) {
        const char *from = bytes.data + at;

        if ((unsigned char)*from < 0x80) {
            at++;
        } else if (utf8_take(bytes, &at) == REPLACEMENT &&
                   (bytes.data + at != from + 3 ||
                    memcmp(from, replacement, 3) != 0)) {
            return false;
        }
    }
    return true;
}

/* Writes \uXXXX and returns its end. */
static char *
put_unit(char *at, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";

    *at++ = '\\';
    *at++ = 'u';
    for (unsigned shift = 16; shift > 0; shift -= 4) {
        *at++ = digits[unit >> (shift - 4) & 0x0f];
    }
    return at;
}

/* The letter after the backslash for a byte that has a short form, or 0. */
static char
short_escape(unsigned char byte)
{
    switch (byte) {
    case '"':
    case '\\':
        return (char)byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

/* Writes one escaped code point and returns its end. */
static char *
put_escaped(char *at, uint32_t point)
{
    char letter = point < 0x80 ? short_escape((unsigned char)point) : 0;

    if (letter != 0) {
        *at++ = '\\';
        *at++ = letter;
        return at;
    }
    if (point > 0xffff) {
        at = put_unit(at, 0xd7c0 + (point >> 10));
        point = 0xdc00 + (point & 0x3ff);
    }
    return put_unit(at, point);
}

/* How many bytes from `at` on stand in JSON as they are. */
static size_t
plain_run(struct sco_slice utf8, size_t at)
{
    size_t end = at;

    while (end < utf8.len && utf8.data[end] >= ' ' && utf8.data[end] <= '~' &&
           utf8.data[end] != '"' && utf8.data[end] != '\\') {
        end++;
    }
    return end - at;
}

void
sco_text_add_json(struct sco_text *text, struct sco_slice utf8)
{
    size_t at = 0;

    sco_text_add_char(text, '"');
    while (at < utf8.len && !text->failed) {
        size_t plain = plain_run(utf8, at);
        char *room;
        unsigned char byte;
        uint32_t point;

        sco_text_add(text, (struct sco_slice){ utf8.data + at, plain });
        at += plain;
        room = sco_text_room(text, ESCAPE_MAX_CHARS);
        if (at == utf8.len || room == NULL) {
            break;
        }
        byte = (unsigned char)utf8.data[at];
        if (byte < 0x80) {
            point = byte;
            at++;
        } else {
            point = utf8_take(utf8, &at);
        }
        text_wrote(text, (size_t)(put_escaped(room, point) - room));
    }
    sco_text_add_char(text, '"');
}
