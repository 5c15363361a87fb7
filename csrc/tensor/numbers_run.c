/* Design notes
 *
 * This is where a body of numbers is read, so it does per number what must be
 * done and nothing else: eight digits of a fraction in one go, one division
 * to a double, one look whether that double could round to another float than
 * the exact one. All that is not plain stops the run, and is read again from
 * its first byte by sco_number_read(), slower and with an opinion.
 *
 * The functions that are made anew for each datatype take it as a constant
 * and are always inlined.
 */
#include "tensor/numbers_int.h"

#include "tensor/decimal.h"
#include "tensor/half.h"
#include "tensor/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INLINED static inline __attribute__((always_inline))

enum {
    EXPONENT_DIGITS_MAX = 4, /* more are not plain */
    TOKEN_PLAIN_MAX = 48,
    SHOWN_MAX = 40, /* bytes of a token in a message */
};

/* -?digits[.digits][e[+-]digits] with no more than 19 digits that count. */
struct plain {
    uint64_t digits;
    int exp10;
    bool negative;
};

/* ---- digits ----------------------------------------------------------- */

/* Eight digits, each in a byte and the first in the lowest, as a number. */
INLINED uint64_t
number_of_eight(uint64_t digits)
{
    const uint64_t mask = UINT64_C(0x000000ff000000ff);

    digits = digits * 10 + (digits >> 8); /* pairs, in every other byte */
    return ((digits & mask) * UINT64_C(0x000f424000000064) +
            ((digits >> 16) & mask) * UINT64_C(0x0000271000000001)) >>
           32;
}

/* Adds the digits at `at` behind those that there are, 24 at most, and
 * returns where they end. More than fit make nonsense of *digits. */
INLINED const char *
take_fraction(const char *at, uint64_t *digits)
{
    static const uint64_t tens[] = { 1,     10,     100,     1000,
                                     10000, 100000, 1000000, 10000000 };

    for (int i = 0; i < 3; i++) {
        uint64_t bytes, others;
        unsigned count;

        memcpy(&bytes, at, sizeof(bytes));
        bytes ^= UINT64_C(0x3030303030303030);
        others = ((bytes + UINT64_C(0x7676767676767676)) | bytes) &
                 UINT64_C(0x8080808080808080);
        if (others == 0) {
            *digits = *digits * 100000000 + number_of_eight(bytes);
            at += 8;
            continue;
        }
        count = (unsigned)__builtin_ctzll(others) / 8;
        bytes = bytes << 8 << (56 - 8 * count);
        *digits = *digits * tens[count] + number_of_eight(bytes);
        return at + count;
    }
    return at;
}

/* Takes digits one by one, 20 at most, and returns where they end. A zero in
 * front of others is none of them: then it is not `at` that moves. */
INLINED const char *
take_whole(const char *at, uint64_t *digits)
{
    const char *begin = at;
    unsigned digit = (unsigned)(*at - '0');

    if (digit == 0) {
        return at + 1;
    }
    while (digit <= 9 && at - begin < SCO_DECIMAL_DIGITS + 1) {
        *digits = *digits * 10 + digit;
        digit = (unsigned)(*++at - '0');
    }
    return at;
}

/* Takes e-12 and returns its end, or NULL. */
INLINED const char *
take_exponent(const char *at, int *exp10)
{
    bool negative = *at == '-';
    unsigned digit;
    int exponent = 0;
    int count = 0;

    at += negative || *at == '+';
    digit = (unsigned)(*at - '0');
    while (digit <= 9 && count < EXPONENT_DIGITS_MAX) {
        exponent = exponent * 10 + (int)digit;
        digit = (unsigned)(*++at - '0');
        count++;
    }
    *exp10 += negative ? -exponent : exponent;
    return count > 0 ? at : NULL;
}

/* Takes a number and returns its end, or NULL when it is not plain. What
 * follows it is not looked at. */
INLINED const char *
take_plain(const char *at, struct plain *out)
{
    const char *whole, *fraction;
    ptrdiff_t count;

    out->digits = 0;
    out->exp10 = 0;
    out->negative = *at == '-';
    at += out->negative;
    whole = at;
    at = take_whole(at, &out->digits);
    count = *whole == '0' ? 0 : at - whole; /* 20 may be a 0, too */
    if (at == whole || count > SCO_DECIMAL_DIGITS) {
        return NULL;
    }
    if (*at == '.') {
        fraction = ++at;
        at = take_fraction(at, &out->digits);
        if (at == fraction || count + (at - fraction) > SCO_DECIMAL_DIGITS) {
            return NULL;
        }
        out->exp10 = (int)(fraction - at);
    }
    if ((*at | 0x20) == 'e') {
        return take_exponent(at + 1, &out->exp10);
    }
    return at;
}

/* ---- one element ------------------------------------------------------ */

INLINED double
exact_double(struct plain plain)
{
    double number = sco_decimal_quick(plain.digits, plain.exp10)
                        ? sco_decimal_guess(plain.digits, plain.exp10)
                        : sco_decimal_round(plain.digits, plain.exp10);

    return plain.negative ? -number : number;
}

/* The float next to the double. The guess at that double, which is off by
 * less than two, rounds to the same float unless it lies within that of a
 * point halfway between two floats, or where floats are not normal. */
INLINED float
exact_float(struct plain plain)
{
    const uint64_t half = UINT64_C(1) << 28;    /* of what a float cuts off */
    const uint64_t least = UINT64_C(897) << 52; /* 2^-126 */
    const uint64_t span = UINT64_C(253) << 52;  /* up to 2^127 */
    uint64_t bits;
    double guess;

    if ((unsigned)(plain.exp10 + SCO_DECIMAL_EXACT_POWER) >
            2 * SCO_DECIMAL_EXACT_POWER ||
        plain.digits >> 63 != 0) {
        return (float)exact_double(plain);
    }
    guess = sco_decimal_guess(plain.digits, plain.exp10);
    memcpy(&bits, &guess, sizeof(bits));
    if (bits - least >= span || (bits & (2 * half - 1)) - (half - 4) <= 8) {
        return (float)exact_double(plain);
    }
    return (float)(plain.negative ? -guess : guess);
}

INLINED void
put_double(char *out, double number, enum sco_dtype dtype)
{
    if (dtype == SCO_FP64) {
        memcpy(out, &number, sizeof(number));
    } else if (dtype == SCO_FP32) {
        float single = (float)number;

        memcpy(out, &single, sizeof(single));
    } else {
        uint16_t half = dtype == SCO_FP16 ? sco_half_of_double(number)
                                          : sco_bfloat_of_double(number);

        memcpy(out, &half, sizeof(half));
    }
}

INLINED const char *
take_float(const char *at, char *out, enum sco_dtype dtype)
{
    struct plain plain;

    at = take_plain(at, &plain);
    if (at == NULL) {
        return NULL;
    }
    if (dtype == SCO_FP32) {
        float single = exact_float(plain);

        memcpy(out, &single, sizeof(single));
    } else {
        put_double(out, exact_double(plain), dtype);
    }
    return at;
}

/* Writes the lower bytes, of which little-endian machines have the first. */
INLINED void
put_integer(char *out, uint64_t value, size_t bytes)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
                   "the lowest byte stands first");
    memcpy(out, &value, bytes);
}

INLINED const char *
take_integer(const char *at, char *out, bool is_signed, size_t bytes)
{
    uint64_t most = UINT64_MAX >> (64 - 8 * bytes + (is_signed ? 1 : 0));
    bool negative = *at == '-';
    const char *begin = at + negative;
    uint64_t value = 0;

    at = take_whole(begin, &value);
    if (at == begin || at - begin > SCO_DECIMAL_DIGITS) {
        return NULL;
    }
    if (negative) {
        most = is_signed ? most + 1 : 0;
    }
    if (value > most) {
        return NULL;
    }
    put_integer(out, negative ? 0 - value : value, bytes);
    return at;
}

INLINED const char *
take_bool(const char *at, char *out)
{
    *out = *at == 't' || *at == '1';
    if (*at == '0' || *at == '1') {
        return at + 1;
    }
    if (memcmp(at, "true", 4) == 0) {
        return at + 4;
    }
    return memcmp(at, "false", 5) == 0 ? at + 5 : NULL;
}

/* ---- runs ------------------------------------------------------------- */

INLINED const char *
take_element(const char *at, char *out, enum sco_dtype dtype, size_t bytes)
{
    if (dtype == SCO_BOOL) {
        return take_bool(at, out);
    }
    return dtype >= SCO_FP16 ? take_float(at, out, dtype)
                             : take_integer(at, out, dtype >= SCO_INT8, bytes);
}

INLINED void
read_run(struct sco_run *run, enum sco_dtype dtype, size_t bytes)
{
    const char *at = run->at;
    char *out = run->out;
    char *stop = out + run->room * bytes;

    run->is_after = false;
    while (run->end - at >= SCO_RUN_MARGIN && out < stop) {
        const char *behind = take_element(at, out, dtype, bytes);

        if (behind == NULL) {
            break;
        }
        if (*behind == ',') {
            at = behind + 1;
            at += *at == ' ';
            out += bytes;
            continue;
        }
        if (*behind == ']' || *behind == ' ' || *behind == '\n' ||
            *behind == '\r' || *behind == '\t') {
            at = behind;
            out += bytes;
            run->is_after = true;
        }
        break;
    }
    run->room = (size_t)(stop - out) / bytes;
    run->at = at;
    run->out = out;
}

void
sco_run_read(struct sco_run *run, enum sco_dtype dtype)
{
    switch (dtype) {
#define RUN(dtype, bytes)            \
    case dtype:                      \
        read_run(run, dtype, bytes); \
        break
        RUN(SCO_BOOL, 1);
        RUN(SCO_UINT8, 1);
        RUN(SCO_UINT16, 2);
        RUN(SCO_UINT32, 4);
        RUN(SCO_UINT64, 8);
        RUN(SCO_INT8, 1);
        RUN(SCO_INT16, 2);
        RUN(SCO_INT32, 4);
        RUN(SCO_INT64, 8);
        RUN(SCO_FP16, 2);
        RUN(SCO_BF16, 2);
        RUN(SCO_FP32, 4);
        RUN(SCO_FP64, 8);
#undef RUN
    case SCO_BYTES:
    case SCO_DTYPES:
        break;
    }
}

/* ---- one token -------------------------------------------------------- */

/* Reads a token of usual length as a run would. */
static bool
read_as_run(struct sco_slice token, enum sco_dtype dtype, char *out)
{
    char padded[TOKEN_PLAIN_MAX + SCO_RUN_MARGIN];
    struct sco_run run = {
        .at = padded, .end = padded + sizeof(padded), .out = out, .room = 1
    };

    if (token.len > TOKEN_PLAIN_MAX) {
        return false;
    }
    memcpy(padded, token.data, token.len);
    memset(padded + token.len, ' ', sizeof(padded) - token.len);
    sco_run_read(&run, dtype);
    return run.is_after && run.at == padded + token.len;
}

/* Appends what elements of a datatype are, for a message. */
static void
describe(enum sco_dtype dtype, char *out, size_t room)
{
    size_t bits = sco_dtype_info(dtype)->bytes * 8;

    if (dtype == SCO_BOOL) {
        (void)snprintf(out, room, "true, false, 1 or 0");
    } else if (dtype >= SCO_FP16) {
        (void)snprintf(out, room, "a number");
    } else if (dtype >= SCO_INT8) {
        int64_t most = INT64_MAX >> (64 - bits);

        (void)snprintf(out, room, "an integer from %" PRId64 " to %" PRId64,
                       -most - 1, most);
    } else {
        (void)snprintf(out, room, "an integer from 0 to %" PRIu64,
                       UINT64_MAX >> (64 - bits));
    }
}

enum sco_status
sco_number_refuse(struct sco_slice found, enum sco_dtype dtype,
                  struct sco_error *err)
{
    char expected[80];

    describe(dtype, expected, sizeof(expected));
    return sco_fail(err, SCO_INVALID, "%s needs %s, found %.*s%s",
                    sco_dtype_info(dtype)->name, expected,
                    (int)(found.len < SHOWN_MAX ? found.len : SHOWN_MAX),
                    found.data, found.len < SHOWN_MAX ? "" : "...");
}

/* A float of any length, NaN and the infinities too. */
static enum sco_status
read_float(struct sco_slice number, enum sco_dtype dtype, char *out,
           struct sco_error *err)
{
    bool negative = number.data[0] == '-';
    const char *digits = number.data + negative;
    double value;

    if (*digits == 'N' || *digits == 'I') {
        value = *digits == 'N' ? (double)__builtin_nanf("")
                               : (double)__builtin_inff();
        put_double(out, negative ? -value : value, dtype);
        return SCO_OK;
    }
    value = sco_decimal_text(number);
    /* What Python reads as an int, and cannot make a float of. */
    if (__builtin_isinf(value) &&
        memchr(number.data, '.', number.len) == NULL &&
        memchr(number.data, 'e', number.len) == NULL &&
        memchr(number.data, 'E', number.len) == NULL) {
        return sco_fail(err, SCO_INVALID,
                        "the integer %.*s... is too large for a float",
                        SHOWN_MAX, number.data);
    }
    put_double(out, value, dtype);
    return SCO_OK;
}

enum sco_status
sco_number_read(struct sco_slice token, enum sco_dtype dtype, char *out,
                struct sco_error *err)
{
    bool is_float = dtype >= SCO_FP16;
    struct sco_slice number;
    struct sco_json json;
    uint64_t value;

    if (read_as_run(token, dtype, out)) {
        return SCO_OK;
    }
    sco_json_begin(&json, token, 0);
    number = sco_json_number(&json);
    if (json.err.status == SCO_TOO_LARGE) {
        return sco_fail(err, SCO_TOO_LARGE,
                        "an integer has more than %d digits",
                        SCO_JSON_DIGITS_MAX);
    }
    if (number.len == 0 || number.len != token.len || dtype == SCO_BOOL) {
        return sco_number_refuse(token, dtype, err);
    }
    if (is_float) {
        return read_float(number, dtype, out, err);
    }
    /* All that fits was read above, but 20 digits of UINT64. */
    sco_json_begin(&json, token, 0);
    value = sco_json_uint(&json);
    if (dtype != SCO_UINT64 || !sco_json_is_ok(&json)) {
        return sco_number_refuse(token, dtype, err);
    }
    put_integer(out, value, sizeof(value));
    return SCO_OK;
}
