#include "tensor/print.h"

#include "tensor/shortest.h"

#include <string.h>

#define INLINED static inline __attribute__((always_inline))

/* Pieces of text, which nothing terminates. */
static const char leading[] = { '0', '.', '0', '0', '0', '0' };
static const char point_zero[] = { '.', '0' };
static const char zero[] = { '0', '.', '0' };
static const char separator[] = { ',', ' ' };
static const char bools[][4] = { { 'f', 'a', 'l', 's' },
                                 { 't', 'r', 'u', 'e' } };

enum {
    ROW_PIECE = 256, /* elements for which room is made at once */
    SEPARATOR_CHARS = 2,
    /* Python's repr() writes without an exponent from 1e-4 to below 1e16. */
    PLAIN_POINT_MIN = -3,
    PLAIN_POINT_MAX = 16,
    DIGITS_MAX = 20,
};

/* ---- digits ----------------------------------------------------------- */

/* clang-format off */
#define PAIRS(ten) ten "0" ten "1" ten "2" ten "3" ten "4" \
                   ten "5" ten "6" ten "7" ten "8" ten "9"
static const char pairs[] = PAIRS("0") PAIRS("1") PAIRS("2") PAIRS("3")
    PAIRS("4") PAIRS("5") PAIRS("6") PAIRS("7") PAIRS("8") PAIRS("9");
/* clang-format on */

/* Writes digits so that they end at `end`, and returns their begin. */
INLINED char *
put_backwards(char *end, uint64_t number)
{
    uint32_t low;

    while (number >= 100000000) {
        low = (uint32_t)(number % 100000000);
        number /= 100000000;
        for (int i = 0; i < 4; i++) {
            end -= 2;
            memcpy(end, pairs + low % 100 * 2, 2);
            low /= 100;
        }
    }
    for (low = (uint32_t)number; low >= 10; low /= 100) {
        end -= 2;
        memcpy(end, pairs + low % 100 * 2, 2);
    }
    if (low > 0 || number == 0) {
        *--end = (char)('0' + low);
    }
    return end;
}

INLINED char *
put_number(char *out, uint64_t number)
{
    char digits[DIGITS_MAX];
    char *begin = put_backwards(digits + DIGITS_MAX, number);
    size_t count = (size_t)(digits + DIGITS_MAX - begin);

    memcpy(out, begin, count);
    return out + count;
}

/* ---- floats ----------------------------------------------------------- */

/* Writes 1e-07 for digits of which the first stands before the point. */
static char *
put_with_exponent(char *out, const char *digits, size_t count, int exponent)
{
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);

    *out++ = digits[0];
    if (count > 1) {
        *out++ = '.';
        memcpy(out, digits + 1, count - 1);
        out += count - 1;
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    if (magnitude >= 100) {
        *out++ = (char)('0' + magnitude / 100);
    }
    memcpy(out, pairs + magnitude % 100 * 2, 2);
    return out + 2;
}

/* Writes digits with a point behind the first `point` of them, which may lie
 * outside of them on both sides. */
INLINED char *
put_digits(char *out, const char *digits, size_t count, int point)
{
    size_t before = (size_t)point;

    if (point < PLAIN_POINT_MIN || point > PLAIN_POINT_MAX) {
        return put_with_exponent(out, digits, count, point - 1);
    }
    if (point <= 0) {
        memcpy(out, leading, sizeof(leading));
        out += 2 - point;
        memcpy(out, digits, count);
        return out + count;
    }
    if (before < count) {
        memcpy(out, digits, before);
        out[before] = '.';
        memcpy(out + before + 1, digits + before, count - before);
        return out + count + 1;
    }
    memcpy(out, digits, count);
    memset(out + count, '0', before - count);
    memcpy(out + before, point_zero, sizeof(point_zero));
    return out + before + 2;
}

INLINED char *
put_shortest(char *out, struct sco_shortest shortest)
{
    char digits[DIGITS_MAX];
    char *end = digits + DIGITS_MAX;
    char *begin = put_backwards(end, shortest.digits);
    int point = (int)(end - begin) + shortest.exp10;

    while (end[-1] == '0') {
        end--;
    }
    return put_digits(out, begin, (size_t)(end - begin), point);
}

struct format {
    int fraction_bits;
    int exponent_bits;
};

static char *
put_special(char *out, int is_nan)
{
    size_t len = is_nan ? 3 : 8;

    memcpy(out, is_nan ? "NaN" : "Infinity", len);
    return out + len;
}

/* Writes a float that is given by its bits, in any of the formats. */
INLINED char *
put_float(char *out, uint64_t bits, struct format format)
{
    const uint64_t hidden = UINT64_C(1) << format.fraction_bits;
    const int exponent_max = (1 << format.exponent_bits) - 1;
    const int bias = exponent_max / 2 + format.fraction_bits;
    int is_negative =
        (int)(bits >> (format.fraction_bits + format.exponent_bits));
    int exponent = (int)(bits >> format.fraction_bits) & exponent_max;
    uint64_t fraction = bits & (hidden - 1);
    struct sco_binary binary = { fraction, 1 - bias, 0 };

    if (exponent == exponent_max) {
        *out = '-';
        return put_special(out + (is_negative && fraction == 0),
                           fraction != 0);
    }
    *out = '-';
    out += is_negative;
    if (exponent > 0) {
        binary.significand += hidden;
        binary.exp2 = exponent - bias;
        binary.is_uneven = fraction == 0 && exponent > 1;
    } else if (fraction == 0) {
        memcpy(out, zero, sizeof(zero));
        return out + 3;
    }
    return put_shortest(out, format.fraction_bits > 23
                                 ? sco_shortest_wide(binary)
                                 : sco_shortest_narrow(binary));
}

/* ---- elements --------------------------------------------------------- */

INLINED char *
put_signed(char *out, int64_t number)
{
    *out = '-';
    return put_number(out + (number < 0),
                      number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

INLINED char *
put_bool(char *out, int is_true)
{
    memcpy(out, bools[is_true != 0], sizeof(bools[0]));
    out[4] = 'e';
    return out + (is_true ? 4 : 5);
}

/* The bits of an element, the rest 0. */
INLINED uint64_t
bits_of(const char *element, size_t bytes)
{
    uint64_t bits = 0;

    memcpy(&bits, element, bytes);
    return bits;
}

/* The same for signed ones, the rest the sign. */
INLINED int64_t
signed_of(const char *element, size_t bytes)
{
    unsigned spare = (unsigned)(64 - 8 * bytes);

    return (int64_t)(bits_of(element, bytes) << spare) >> spare;
}

INLINED char *
put_element(char *out, enum sco_dtype dtype, const char *at, size_t bytes)
{
    if (dtype == SCO_BOOL) {
        return put_bool(out, *at != 0);
    }
    if (dtype < SCO_INT8) {
        return put_number(out, bits_of(at, bytes));
    }
    if (dtype < SCO_FP16) {
        return put_signed(out, signed_of(at, bytes));
    }
    return put_float(out, bits_of(at, bytes),
                     dtype == SCO_FP64   ? (struct format){ 52, 11 }
                     : dtype == SCO_FP32 ? (struct format){ 23, 8 }
                     : dtype == SCO_BF16 ? (struct format){ 7, 8 }
                                         : (struct format){ 10, 5 });
}

/* Writes elements with what stands between them, and returns the end. */
INLINED char *
put_run(char *out, enum sco_dtype dtype, const char *at, size_t count,
        enum sco_print_style style)
{
    size_t bytes = sco_dtype_info(dtype)->bytes;

    for (size_t i = 0; i < count; i++, at += bytes) {
        if (i > 0) {
            memcpy(out, separator, sizeof(separator));
            out += style == SCO_PRINT_SPACED ? 2 : 1;
        }
        out = put_element(out, dtype, at, bytes);
    }
    return out;
}

/* The same, made anew for each datatype. */
static char *
put_run_of(char *out, enum sco_dtype dtype, const char *at, size_t count,
           enum sco_print_style style)
{
    switch (dtype) {
#define RUN(dtype) \
    case dtype:    \
        return put_run(out, dtype, at, count, style)
        RUN(SCO_BOOL);
        RUN(SCO_UINT8);
        RUN(SCO_UINT16);
        RUN(SCO_UINT32);
        RUN(SCO_UINT64);
        RUN(SCO_INT8);
        RUN(SCO_INT16);
        RUN(SCO_INT32);
        RUN(SCO_INT64);
        RUN(SCO_FP16);
        RUN(SCO_BF16);
        RUN(SCO_FP32);
        RUN(SCO_FP64);
#undef RUN
    case SCO_BYTES:
    case SCO_DTYPES:
        break;
    }
    sco_die(__FILE__, __LINE__, "BYTES are no numbers");
}

char *
sco_print_element(char *out, enum sco_dtype dtype, const void *element)
{
    return put_run_of(out, dtype, element, 1, SCO_PRINT_COMPACT);
}

/* ---- lists ------------------------------------------------------------ */

static void
add_separator(struct sco_text *text, enum sco_print_style style)
{
    sco_text_add(text,
                 style == SCO_PRINT_SPACED ? SCO_SLICE(", ") : SCO_SLICE(","));
}

void
sco_print_flat(struct sco_text *text, enum sco_dtype dtype, size_t count,
               const void *elements, enum sco_print_style style)
{
    size_t bytes = sco_dtype_info(dtype)->bytes;
    const char *at = elements;

    sco_text_add_char(text, '[');
    while (count > 0 && !text->failed) {
        size_t some = count < ROW_PIECE ? count : ROW_PIECE;
        char *out = sco_text_room(
            text, some * (SCO_PRINT_MAX_CHARS + SEPARATOR_CHARS));

        if (out == NULL) {
            return;
        }
        text->len += (size_t)(put_run_of(out, dtype, at, some, style) - out);
        at += some * bytes;
        count -= some;
        if (count > 0) {
            add_separator(text, style);
        }
    }
    sco_text_add_char(text, ']');
}

/* What is left to print, and how. */
struct printing {
    struct sco_text *text;
    enum sco_dtype dtype;
    const struct sco_shape *shape;
    const char *at;
    enum sco_print_style style;
};

/* Prints one list of dimension `level`; there are SCO_RANK_MAX at most. */
static void
print_list(struct printing *printing, unsigned level)
{
    uint64_t count = printing->shape->dims[level];

    if (level + 1 == printing->shape->rank) {
        sco_print_flat(printing->text, printing->dtype, count, printing->at,
                       printing->style);
        if (count > 0) { /* no elements may be nowhere */
            printing->at += count * sco_dtype_info(printing->dtype)->bytes;
        }
        return;
    }
    sco_text_add_char(printing->text, '[');
    for (uint64_t i = 0; i < count && !printing->text->failed; i++) {
        if (i > 0) {
            add_separator(printing->text, printing->style);
        }
        print_list(printing, level + 1);
    }
    sco_text_add_char(printing->text, ']');
}

void
sco_print_tensor(struct sco_text *text, enum sco_dtype dtype,
                 const struct sco_shape *shape, const void *elements,
                 enum sco_print_style style)
{
    struct printing printing = { text, dtype, shape, elements, style };
    char *out;

    if (shape->rank > 0) {
        print_list(&printing, 0);
        return;
    }
    out = sco_text_room(text, SCO_PRINT_MAX_CHARS);
    if (out != NULL) {
        text->len += (size_t)(sco_print_element(out, dtype, elements) - out);
        text->data[text->len] = '\0';
    }
}
