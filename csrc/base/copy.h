/* copy.h - copying megabytes that are not read here again
 *
 * They go past the caches, to which they would be no use: a store that does
 * not read what it overwrites halves the traffic, and what others have in the
 * caches stays there. It also spares `rep movsb`, which glibc uses for many
 * KiB, and which is slow where source and destination are not aligned alike;
 * tensors in requests never are.
 *
 * Thread: any.
 */
#ifndef SCO_BASE_COPY_H
#define SCO_BASE_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* From so many bytes in all on it is worth it. */
enum { SCO_COPY_PAST_BYTES = 256 * 1024 };

/* As memcpy(), past the caches where the machine can. What is published by an
 * atomic store afterwards is there. */
static inline void
sco_copy_past(char *to, const char *from, size_t bytes)
{
#ifdef __SSE2__
    size_t first = (64 - (uintptr_t)to % 64) % 64;

    first = first < bytes ? first : bytes;
    memcpy(to, from, first);
    to += first;
    from += first;
    bytes -= first;
    for (; bytes >= 64; bytes -= 64, to += 64, from += 64) {
        const __m128i *in = (const __m128i *)(const void *)from;
        __m128i *out = (__m128i *)(void *)to;
        __m128i a = _mm_loadu_si128(in), b = _mm_loadu_si128(in + 1);
        __m128i c = _mm_loadu_si128(in + 2), d = _mm_loadu_si128(in + 3);

        _mm_stream_si128(out, a);
        _mm_stream_si128(out + 1, b);
        _mm_stream_si128(out + 2, c);
        _mm_stream_si128(out + 3, d);
    }
    _mm_sfence();
#endif
    memcpy(to, from, bytes);
}

#endif
