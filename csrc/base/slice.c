#include "base/slice.h"

/* The value of a hexadecimal digit, or -1. */
static int
digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

int
sco_slice_escape(struct sco_slice text, size_t at)
{
    int high, low;

    if (text.len - at < 3 || text.data[at] != '%') {
        return -1;
    }
    high = digit(text.data[at + 1]);
    low = digit(text.data[at + 2]);
    return high >= 0 && low >= 0 ? high << 4 | low : -1;
}
