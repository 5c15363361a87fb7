/* fuzz_numbers.c - any bytes as numbers, in one piece and in many
 *
 * The first byte chooses the datatype, the second how long the pieces are;
 * the rest is the text. However it is cut, the elements, the shape and the
 * refusal are the same, and what was read and printed is read again. A double
 * alone is what the C library makes of its text.
 */
#include "tensor/numbers.h"
#include "tensor/print.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT_MAX = 4096 };

struct result {
    struct sco_numbers_out out;
    enum sco_status status;
    struct sco_error err;
    struct sco_shape shape;
    size_t used;
};

/* Reads a text in pieces that lie in memory of exactly their length. */
static struct result
read_all(struct sco_slice text, enum sco_dtype dtype, size_t piece_bytes)
{
    struct result result = { .out = { .grow = sco_numbers_grow } };
    struct sco_numbers numbers;

    sco_numbers_begin(&numbers, dtype, COUNT_MAX, &result.out);
    for (;;) {
        size_t left = text.len - result.used;
        size_t more = left < piece_bytes ? left : piece_bytes;
        char *piece = malloc(more + (more == 0));
        size_t used = 0;

        SCO_CHECK(piece != NULL, "memory");
        if (more > 0) {
            memcpy(piece, text.data + result.used, more);
        }
        result.status = sco_numbers_feed(
            &numbers, (struct sco_slice){ piece, more },
            more == left ? SCO_NUMBERS_LAST : SCO_NUMBERS_MORE, &used,
            &result.err);
        free(piece);
        result.used += used;
        if (result.status != SCO_OK || numbers.state == SCO_NUMBERS_DONE) {
            break;
        }
    }
    if (result.status == SCO_OK) {
        sco_numbers_shape(&numbers, &result.shape);
    }
    sco_numbers_finish(&numbers);
    return result;
}

static void
check_same(const struct result *a, const struct result *b)
{
    SCO_CHECK(a->status == b->status, "the same status");
    SCO_CHECK(strcmp(a->err.text, b->err.text) == 0, "the same reason");
    SCO_CHECK(a->out.used_bytes == b->out.used_bytes, "as many elements");
    SCO_CHECK(a->out.used_bytes == 0 ||
                  memcmp(a->out.data, b->out.data, a->out.used_bytes) == 0,
              "the same elements");
    SCO_CHECK(a->status != SCO_OK || sco_shape_equal(&a->shape, &b->shape),
              "the same shape");
}

static void
check_printed(const struct result *result, enum sco_dtype dtype)
{
    struct sco_text text = { 0 };
    struct result again;

    sco_print_tensor(&text, dtype, &result->shape, result->out.data,
                     SCO_PRINT_COMPACT);
    again = read_all(sco_text_slice(&text), dtype, SIZE_MAX);
    check_same(result, &again);
    free(again.out.data);
    sco_text_finish(&text);
}

/* Whether a text is a number in JSON's form and in the C library's: no word,
 * and nothing around it. */
static bool
is_bare(struct sco_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' ||
            strchr("0123456789.eE+-", text.data[i]) == NULL) {
            return false;
        }
    }
    return text.len > 0;
}

static void
check_against_strtod(const struct result *result, struct sco_slice text)
{
    uint64_t ours, theirs;
    double number;
    char *copy;

    if (result->shape.rank > 0 || !is_bare(text)) {
        return;
    }
    copy = malloc(text.len + 1);
    SCO_CHECK(copy != NULL, "memory");
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    number = strtod(copy, NULL);
    memcpy(&theirs, &number, sizeof(theirs));
    memcpy(&ours, result->out.data, sizeof(ours));
    SCO_CHECK(ours == theirs, "another double");
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice text;
    struct result whole, cut;
    enum sco_dtype dtype;

    if (size < 2) {
        return 0;
    }
    dtype = (enum sco_dtype)(data[0] % SCO_BYTES);
    text = (struct sco_slice){ (const char *)data + 2, size - 2 };
    whole = read_all(text, dtype, SIZE_MAX);
    cut = read_all(text, dtype, 1 + data[1]);
    check_same(&whole, &cut);
    if (whole.status == SCO_OK) {
        check_printed(&whole, dtype);
    }
    if (whole.status == SCO_OK && dtype == SCO_FP64 &&
        whole.used == text.len) {
        check_against_strtod(&whole, text);
    }
    free(whole.out.data);
    free(cut.out.data);
    return 0;
}
