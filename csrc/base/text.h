/* text.h - text that grows
 *
 * Made by its owner as { 0 }, ended with sco_text_finish(). Failure to get
 * memory is sticky: `failed` is looked at once, at the end, and until then
 * every call is safe and does nothing. The text is kept terminated.
 *
 * Thread: that of its owner.
 */
#ifndef SCO_BASE_TEXT_H
#define SCO_BASE_TEXT_H

#include "base/slice.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_text {
    char *data; /* NULL before the first byte */
    size_t len;
    size_t room;
    bool failed;
};

/* Frees the bytes and makes the text empty. */
void sco_text_finish(struct sco_text *text);

/* Forgets the bytes, and a failure, and keeps the memory. */
static inline void
sco_text_clear(struct sco_text *text)
{
    text->len = 0;
    text->failed = false;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

/* The same, but keeps no more memory than so much: what one that was large
 * needed, the next will not. */
static inline void
sco_text_clear_to(struct sco_text *text, size_t room_most)
{
    if (text->room > room_most) {
        sco_text_finish(text);
    } else {
        sco_text_clear(text);
    }
}

/* Room for `more` bytes after the end and a terminator, or NULL; the caller
 * then adds to `len` what it wrote, and terminates it if that matters. */
char *sco_text_room(struct sco_text *text, size_t more);

/* Appends bytes. */
void sco_text_add(struct sco_text *text, struct sco_slice bytes);

/* Appends one byte. */
void sco_text_add_char(struct sco_text *text, char byte);

/* Appends a decimal number. */
void sco_text_add_number(struct sco_text *text, uint64_t number);

/* Appends milliseconds with three decimals, from nanoseconds: 1234567 is
 * "1.235". */
void sco_text_add_ms(struct sco_text *text, uint64_t ns);

/* Appends as printf does. */
void sco_text_addf(struct sco_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends as vprintf does. */
void sco_text_addv(struct sco_text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Appends a JSON string with its quotes, as Python's json.dumps makes it:
 * ASCII only, \uXXXX for the rest (surrogate pairs above U+FFFF), bytes that
 * are not UTF-8 as U+FFFD. */
void sco_text_add_json(struct sco_text *text, struct sco_slice utf8);

/* Whether bytes are well-formed UTF-8. */
bool sco_is_utf8(struct sco_slice bytes);

/* The text as a slice, which holds until the text changes. */
static inline struct sco_slice
sco_text_slice(const struct sco_text *text)
{
    return (struct sco_slice){ text->data, text->len };
}

#endif
