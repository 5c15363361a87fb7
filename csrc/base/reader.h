/* reader.h - a cursor over bytes that a stranger sent
 *
 * A read past the end does not happen: it sets `failed`, yields zero, and
 * makes every later read fail too. So a parser reads what it needs and looks
 * at `failed` once, before it believes any of it. Thread: its owner's.
 */
#ifndef SCO_BASE_READER_H
#define SCO_BASE_READER_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

/* A cursor at the begin of some bytes. */
static inline struct sco_reader
sco_reader_of(struct sco_slice bytes)
{
    return (struct sco_reader){ .at = (const uint8_t *)bytes.data,
                                .left = bytes.len };
}

/* Borrows `count` bytes, or returns NULL. */
static inline const uint8_t *
sco_read_bytes(struct sco_reader *reader, size_t count)
{
    const uint8_t *bytes = reader->at;

    if (reader->failed || count > reader->left) {
        reader->failed = true;
        return NULL;
    }
    reader->at += count;
    reader->left -= count;
    return bytes;
}

/* A number of 16 bits, little-endian. */
static inline uint16_t
sco_read_u16le(struct sco_reader *reader)
{
    const uint8_t *b = sco_read_bytes(reader, 2);

    if (b == NULL) {
        return 0;
    }
    return (uint16_t)(b[0] | b[1] << 8);
}

/* A number of 32 bits, little-endian. */
static inline uint32_t
sco_read_u32le(struct sco_reader *reader)
{
    uint32_t low = sco_read_u16le(reader);
    uint32_t high = sco_read_u16le(reader);

    return low | high << 16;
}

/* A string of `len` bytes, empty when there are not as many. */
static inline struct sco_slice
sco_read_slice(struct sco_reader *reader, size_t len)
{
    const uint8_t *bytes = sco_read_bytes(reader, len);

    return (struct sco_slice){ (const char *)bytes, bytes == NULL ? 0 : len };
}

#endif
