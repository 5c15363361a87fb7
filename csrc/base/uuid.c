#include "base/uuid.h"

#include "base/status.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>

enum { UUID_BYTES = 16, POOL_BYTES = 4096 };

/* The loop's alone. */
static struct {
    uint8_t bytes[POOL_BYTES];
    size_t used;
    size_t filled;
} pool;

/* The kernel gives all at once up to 256 bytes; a signal may cut a longer
 * read short. */
static void
pool_fill(void)
{
    pool.filled = 0;
    while (pool.filled < POOL_BYTES) {
        ssize_t got = getrandom(pool.bytes + pool.filled,
                                POOL_BYTES - pool.filled, /* flags */ 0);

        SCO_CHECK(got > 0 || errno == EINTR, "no random bytes for ids");
        if (got > 0) {
            pool.filled += (size_t)got;
        }
    }
    pool.used = 0;
}

void
sco_uuid4(char out[SCO_UUID_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *bytes;
    size_t at = 0;

    if (pool.used == pool.filled) {
        pool_fill();
    }
    bytes = pool.bytes + pool.used;
    pool.used += UUID_BYTES;

    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); /* the RFC's variant */
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[at++] = '-';
        }
        out[at++] = digits[bytes[i] >> 4];
        out[at++] = digits[bytes[i] & 0x0f];
    }
    out[at] = '\0';
}
