/* slice.h - bytes that somebody else owns
 *
 * A slice says where bytes stand and how many they are. It is not terminated,
 * it owns nothing, and whoever hands one out says how long it holds.
 */
#ifndef SCO_BASE_SLICE_H
#define SCO_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct sco_slice {
    const char *data; /* may be NULL when len is 0 */
    size_t len;
};

/* A string literal as a slice, without counting at run time: as an
 * initializer, also of what is static, and as an expression. */
#define SCO_SLICE_INIT(literal)        \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }
#define SCO_SLICE(literal) ((struct sco_slice)SCO_SLICE_INIT(literal))

/* The bytes of a terminated string; NULL is the empty slice. Thread: any. */
static inline struct sco_slice
sco_slice_of(const char *text)
{
    return (struct sco_slice){ text, text != NULL ? strlen(text) : 0 };
}

/* Whether both have the same bytes. Thread: any. */
static inline bool
sco_slice_equal(struct sco_slice a, struct sco_slice b)
{
    return a.len == b.len &&
           (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The same, letters of ASCII in either case. Thread: any. */
static inline bool
sco_slice_equal_nocase(struct sco_slice a, struct sco_slice b)
{
    return a.len == b.len &&
           (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

/* Where a byte stands first, or the length where it does not. Thread: any. */
static inline size_t
sco_slice_find(struct sco_slice text, char byte)
{
    const char *at = text.len > 0 ? memchr(text.data, byte, text.len) : NULL;

    return at != NULL ? (size_t)(at - text.data) : text.len;
}

/* What is left from an index on, which is the length at most. Thread: any. */
static inline struct sco_slice
sco_slice_from(struct sco_slice text, size_t at)
{
    return at > 0 ? (struct sco_slice){ text.data + at, text.len - at } : text;
}

/* The byte that the escape of a URL at an index stands for, of three
 * characters ("%2F"), or -1 where there is none. Thread: any. */
int sco_slice_escape(struct sco_slice text, size_t at);

#endif
