/* glue.c - tensor/ for Python's ctypes: tests/python/test_tensor.py and
 * benchmarks/micro/tensors.py compile it into a shared object
 *
 * Every function is flat: numbers and bytes in, numbers and bytes out.
 */
#include "tensor/json.h"
#include "tensor/numbers.h"
#include "tensor/powers.h"
#include "tensor/print.h"

#include <stdlib.h>
#include <string.h>

struct glue_result {
    uint64_t count;
    uint64_t rank;
    uint64_t dims[SCO_RANK_MAX];
    uint64_t used;
    char error[256];
};

int glue_read(int dtype, const char *text, size_t len, size_t piece_bytes,
              char *out, size_t room_bytes, struct glue_result *result);
int glue_json(const char *text, size_t len, char *error);
size_t glue_print(int dtype, unsigned rank, const uint64_t *dims,
                  const void *elements, int style, char *out, size_t room);
void glue_power(int k, uint64_t *high, uint64_t *low);

/* Reads numbers into a block; in pieces of these many bytes, each in memory
 * of its own, unless that is 0. */
int
glue_read(int dtype, const char *text, size_t len, size_t piece_bytes,
          char *out, size_t room_bytes, struct glue_result *result)
{
    struct sco_numbers_out block = { .data = out, .room_bytes = room_bytes };
    struct sco_error err = { .text = "" };
    struct sco_numbers numbers;
    struct sco_shape shape;
    enum sco_status status = SCO_OK;
    size_t at = 0;
    size_t used = 0;

    sco_numbers_begin(&numbers, (enum sco_dtype)dtype, SIZE_MAX, &block);
    do {
        size_t more =
            piece_bytes > 0 && piece_bytes < len - at ? piece_bytes : len - at;
        char *piece = piece_bytes > 0 ? malloc(more + 1) : NULL;
        struct sco_slice bytes = { text + at, more };

        if (piece != NULL) {
            memcpy(piece, text + at, more);
            bytes.data = piece;
        }
        status = sco_numbers_feed(&numbers, bytes,
                                  at + more == len ? SCO_NUMBERS_LAST
                                                   : SCO_NUMBERS_MORE,
                                  &used, &err);
        free(piece);
        at += used;
    } while (status == SCO_OK && numbers.state != SCO_NUMBERS_DONE &&
             at < len);
    result->count = numbers.count;
    result->used = at;
    memcpy(result->error, err.text, sizeof(err.text));
    if (status == SCO_OK) {
        sco_numbers_shape(&numbers, &shape);
        result->rank = shape.rank;
        memcpy(result->dims, shape.dims, sizeof(shape.dims));
    }
    sco_numbers_finish(&numbers);
    return (int)status;
}

/* Skips one value, which must be all of the text. */
int
glue_json(const char *text, size_t len, char *error)
{
    struct sco_error err = { .text = "" };
    struct sco_json json;
    enum sco_status status;

    sco_json_begin(&json, (struct sco_slice){ text, len }, 900);
    (void)sco_json_skip(&json);
    sco_json_end(&json);
    status = sco_json_status(&json, &err);
    memcpy(error, err.text, sizeof(err.text));
    sco_json_finish(&json);
    return (int)status;
}

/* Prints a tensor and returns how long it is; no more than `room` of it. */
size_t
glue_print(int dtype, unsigned rank, const uint64_t *dims,
           const void *elements, int style, char *out, size_t room)
{
    static struct sco_text text; /* its memory stays, as a server's does */
    struct sco_shape shape = { .rank = rank };

    memcpy(shape.dims, dims, rank * sizeof(dims[0]));
    sco_text_clear(&text);
    sco_print_tensor(&text, (enum sco_dtype)dtype, &shape, elements,
                     (enum sco_print_style)style);
    memcpy(out, text.data, text.len < room ? text.len : room);
    return text.len;
}

void
glue_power(int k, uint64_t *high, uint64_t *low)
{
    *high = sco_powers[k - SCO_POWER_MIN].high;
    *low = sco_powers[k - SCO_POWER_MIN].low;
}
