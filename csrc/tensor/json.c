#include "tensor/json.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- failing ---------------------------------------------------------- */

void
sco_json_place(struct sco_slice text, size_t at, size_t *line_out,
               size_t *column_out)
{
    size_t line = 1;
    size_t column = 1;

    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.data[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text.data[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    *line_out = line;
    *column_out = column;
}

void
sco_json_refuse(struct sco_json *json, enum sco_status status, size_t at,
                const char *format, ...)
{
    char why[sizeof(json->err.text)];
    size_t line, column;
    va_list args;

    if (!sco_json_is_ok(json)) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    sco_json_place(json->text, at, &line, &column);
    (void)sco_fail(&json->err, status, "line %zu, column %zu: %s", line,
                   column, why);
}

/* Fails at the next byte, of which it says what stands there. */
static void
refuse_here(struct sco_json *json, const char *expected)
{
    unsigned char byte;

    if (json->at >= json->text.len) {
        sco_json_refuse(json, SCO_INVALID, json->at,
                        "the text ends where %s should stand", expected);
        return;
    }
    byte = (unsigned char)json->text.data[json->at];
    if (byte > ' ' && byte < 0x7f) {
        sco_json_refuse(json, SCO_INVALID, json->at, "expected %s, found '%c'",
                        expected, byte);
    } else {
        sco_json_refuse(json, SCO_INVALID, json->at,
                        "expected %s, found the byte 0x%02x", expected, byte);
    }
}

enum sco_status
sco_json_status(const struct sco_json *json, struct sco_error *err)
{
    if (err != NULL && !sco_json_is_ok(json)) {
        *err = json->err;
    }
    return json->err.status;
}

/* ---- bytes ------------------------------------------------------------ */

/* The next byte, or a NUL at the end, which is nowhere sound in JSON. */
static unsigned char
json_byte(const struct sco_json *json)
{
    return json->at < json->text.len ? (unsigned char)json->text.data[json->at]
                                     : 0;
}

/* The next byte that is no white space; NUL too once all has failed. */
static unsigned char
json_next(struct sco_json *json)
{
    unsigned char byte = json_byte(json);

    while (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
        json->at++;
        byte = json_byte(json);
    }
    return sco_json_is_ok(json) ? byte : 0;
}

static bool
starts_with(const struct sco_json *json, struct sco_slice word)
{
    return json->text.len - json->at >= word.len &&
           memcmp(json->text.data + json->at, word.data, word.len) == 0;
}

static bool
take_word(struct sco_json *json, struct sco_slice word)
{
    if (!starts_with(json, word)) {
        return false;
    }
    json->at += word.len;
    return true;
}

void
sco_json_begin(struct sco_json *json, struct sco_slice text,
               unsigned depth_max)
{
    SCO_CHECK(depth_max <= SCO_JSON_DEPTH_MAX, "a depth out of bounds");
    *json = (struct sco_json){ .text = text, .depth_max = depth_max };
    (void)take_word(json, SCO_SLICE("\xef\xbb\xbf"));
}

void
sco_json_finish(struct sco_json *json)
{
    sco_text_finish(&json->decoded);
}

/* ---- kinds ------------------------------------------------------------ */

enum sco_json_kind
sco_json_peek(struct sco_json *json)
{
    switch (json_next(json)) {
    case '"':
        return SCO_JSON_STRING;
    case '{':
        return SCO_JSON_OBJECT;
    case '[':
        return SCO_JSON_ARRAY;
    case 't':
    case 'f':
        return SCO_JSON_BOOL;
    case 'n':
        return SCO_JSON_NULL;
    case '-':
    case 'N':
    case 'I':
        return SCO_JSON_NUMBER;
    default:
        return json_byte(json) >= '0' && json_byte(json) <= '9' &&
                       sco_json_is_ok(json)
                   ? SCO_JSON_NUMBER
                   : SCO_JSON_NONE;
    }
}

const char *
sco_json_kind_text(enum sco_json_kind kind)
{
    static const char *const texts[] = {
        [SCO_JSON_NONE] = "a value",     [SCO_JSON_NULL] = "null",
        [SCO_JSON_BOOL] = "a boolean",   [SCO_JSON_NUMBER] = "a number",
        [SCO_JSON_STRING] = "a string",  [SCO_JSON_ARRAY] = "an array",
        [SCO_JSON_OBJECT] = "an object",
    };

    return texts[kind];
}

/* Whether what is next only begins like true, false or null. */
static bool
is_no_literal(const struct sco_json *json, enum sco_json_kind kind)
{
    return (kind == SCO_JSON_BOOL || kind == SCO_JSON_NULL) &&
           !starts_with(json, SCO_SLICE("true")) &&
           !starts_with(json, SCO_SLICE("false")) &&
           !starts_with(json, SCO_SLICE("null"));
}

/* Looks that the next value is of this kind, and fails when it is not. */
static bool
expect_kind(struct sco_json *json, enum sco_json_kind kind)
{
    enum sco_json_kind found = sco_json_peek(json);

    if (found == kind) {
        return true;
    }
    if (found == SCO_JSON_NONE || is_no_literal(json, found)) {
        refuse_here(json, sco_json_kind_text(kind));
    } else {
        sco_json_refuse(json, SCO_INVALID, json->at, "expected %s, found %s",
                        sco_json_kind_text(kind), sco_json_kind_text(found));
    }
    return false;
}

/* ---- arrays and objects ----------------------------------------------- */

static void
json_enter(struct sco_json *json, enum sco_json_kind kind)
{
    if (!expect_kind(json, kind)) {
        return;
    }
    if (json->depth == json->depth_max) {
        sco_json_refuse(json, SCO_TOO_LARGE, json->at,
                        "arrays and objects lie deeper than %u",
                        json->depth_max);
        return;
    }
    json->at++;
    json->depth++;
    json->is_fresh = true;
}

/* Moves over the comma to what comes next in the innermost array or object,
 * or out of it at its end. */
static bool
json_advance(struct sco_json *json, char close, const char *expected)
{
    unsigned char byte = json_next(json);
    bool was_fresh = json->is_fresh;

    if (!sco_json_is_ok(json)) {
        return false;
    }
    json->is_fresh = false;
    if (byte == (unsigned char)close) {
        json->at++;
        json->depth--;
        return false;
    }
    if (was_fresh) {
        return true;
    }
    if (byte != ',') {
        refuse_here(json, expected);
        return false;
    }
    json->at++;
    if (json_next(json) == (unsigned char)close) {
        sco_json_refuse(json, SCO_INVALID, json->at,
                        "nothing stands between ',' and '%c'", close);
        return false;
    }
    return true;
}

void
sco_json_enter_object(struct sco_json *json)
{
    json_enter(json, SCO_JSON_OBJECT);
}

void
sco_json_enter_array(struct sco_json *json)
{
    json_enter(json, SCO_JSON_ARRAY);
}

bool
sco_json_next_item(struct sco_json *json)
{
    return json_advance(json, ']', "',' or ']'");
}

bool
sco_json_next_key(struct sco_json *json, struct sco_slice *key_out)
{
    struct sco_slice key;

    if (!json_advance(json, '}', "',' or '}'")) {
        return false;
    }
    if (json_next(json) != '"') {
        refuse_here(json, "a key in double quotes");
        return false;
    }
    key = sco_json_string(json);
    if (json_next(json) != ':') {
        refuse_here(json, "':'");
        return false;
    }
    json->at++;
    *key_out = key;
    return true;
}

/* ---- strings ---------------------------------------------------------- */

/* How many bytes the character at `at` has, which is not ASCII; 0 when it is
 * not sound. Surrogates pass, as in Python's "surrogatepass". */
static size_t
wide_bytes(struct sco_slice text, size_t at)
{
    static const unsigned char leasts[] = { 0, 0, 0x80, 0xa0, 0x90 };
    const unsigned char *bytes = (const unsigned char *)text.data + at;
    unsigned char first = bytes[0];
    size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

    if (first < 0xc2 || first > 0xf4 || text.len - at < count) {
        return 0;
    }
    for (size_t i = 1; i < count; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if (((first == 0xe0 || first == 0xf0) && bytes[1] < leasts[count]) ||
        (first == 0xf4 && bytes[1] > 0x8f)) {
        return 0;
    }
    return count;
}

/* Whether one of eight bytes is a quote, a backslash, a control character or
 * not ASCII. May see one where there is none, behind one that there is. */
static bool
has_special(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = ones << 7;
    uint64_t bytes, quotes, slashes;

    memcpy(&bytes, at, sizeof(bytes));
    quotes = bytes ^ ones * '"';
    slashes = bytes ^ ones * '\\';
    return ((bytes | (bytes - ones * ' ') | (quotes - ones) |
             (slashes - ones)) &
            highs) != 0;
}

/* Moves over what stands for itself, up to a quote or a backslash. */
static void
skip_plain(struct sco_json *json)
{
    while (json->at < json->text.len) {
        const char *from = json->text.data + json->at;
        unsigned char byte = (unsigned char)*from;
        size_t count = 1;

        if (json->text.len - json->at >= 8 && !has_special(from)) {
            count = 8;
        } else if (byte == '"' || byte == '\\') {
            return;
        } else if (byte < ' ') {
            sco_json_refuse(json, SCO_INVALID, json->at,
                            "the control character 0x%02x must be escaped "
                            "in a string",
                            byte);
            return;
        } else if (byte >= 0x80) {
            count = wide_bytes(json->text, json->at);
        }
        if (count == 0) {
            sco_json_refuse(json, SCO_INVALID, json->at,
                            "the byte 0x%02x is not UTF-8 here", byte);
            return;
        }
        json->at += count;
    }
    sco_json_refuse(json, SCO_INVALID, json->at, "a string does not end");
}

/* Reads the XXXX of \uXXXX; -1 when they are no four hexadecimal digits. */
static int
take_unit(struct sco_json *json)
{
    int unit = 0;

    for (int i = 0; i < 4; i++, json->at++) {
        unsigned char byte = json_byte(json);
        int digit = byte >= '0' && byte <= '9'   ? byte - '0'
                    : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                    : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                 : -1;

        if (digit < 0) {
            refuse_here(json, "four hexadecimal digits after \\u");
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

static void
add_point(struct sco_text *text, unsigned point)
{
    char bytes[4];
    size_t len = 0;

    if (point < 0x80) {
        bytes[len++] = (char)point;
    } else {
        if (point >= 0x10000) {
            bytes[len++] = (char)(0xf0 | point >> 18);
            bytes[len++] = (char)(0x80 | (point >> 12 & 0x3f));
        } else if (point >= 0x800) {
            bytes[len++] = (char)(0xe0 | point >> 12);
        } else {
            bytes[len++] = (char)(0xc0 | point >> 6);
        }
        if (point >= 0x800) {
            bytes[len++] = (char)(0x80 | (point >> 6 & 0x3f));
        }
        bytes[len++] = (char)(0x80 | (point & 0x3f));
    }
    sco_text_add(text, (struct sco_slice){ bytes, len });
}

/* Reads what follows \u. The second half of a pair is taken along; a half
 * that has no other half stands for itself. */
static void
take_point(struct sco_json *json)
{
    int first = take_unit(json);
    size_t behind = json->at;
    int second;

    if (first < 0) {
        return;
    }
    if (first >= 0xd800 && first <= 0xdbff &&
        take_word(json, SCO_SLICE("\\u"))) {
        second = take_unit(json);
        if (second >= 0xdc00 && second <= 0xdfff) {
            first = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        } else {
            json->at = behind;
        }
    }
    add_point(&json->decoded, (unsigned)first);
}

/* Reads what follows a backslash. */
static void
take_escape(struct sco_json *json)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    unsigned char letter = json_byte(json);
    const char *found = letter == 0 ? NULL : strchr(letters, letter);

    if (letter == 'u') {
        json->at++;
        take_point(json);
    } else if (found != NULL) {
        json->at++;
        sco_text_add_char(&json->decoded, bytes[found - letters]);
    } else {
        refuse_here(json, "one of \"\\/bfnrtu after a backslash");
    }
}

struct sco_slice
sco_json_string(struct sco_json *json)
{
    size_t from;

    if (!expect_kind(json, SCO_JSON_STRING)) {
        return (struct sco_slice){ NULL, 0 };
    }
    from = ++json->at;
    sco_text_clear(&json->decoded);
    skip_plain(json);
    if (sco_json_is_ok(json) && json_byte(json) == '"') {
        json->at++;
        return (struct sco_slice){ json->text.data + from,
                                   json->at - 1 - from };
    }
    while (sco_json_is_ok(json)) {
        sco_text_add(
            &json->decoded,
            (struct sco_slice){ json->text.data + from, json->at - from });
        if (json->text.data[json->at++] == '"') {
            break;
        }
        take_escape(json);
        from = json->at;
        if (sco_json_is_ok(json)) {
            skip_plain(json);
        }
    }
    if (json->decoded.failed) {
        sco_json_refuse(json, SCO_NOMEM, from,
                        "no memory for a string of this length");
    }
    return sco_json_is_ok(json) ? sco_text_slice(&json->decoded)
                                : (struct sco_slice){ NULL, 0 };
}

/* ---- numbers ---------------------------------------------------------- */

/* Takes digits and returns how many. */
static size_t
take_digits(struct sco_json *json)
{
    size_t from = json->at;

    while (json_byte(json) >= '0' && json_byte(json) <= '9') {
        json->at++;
    }
    return json->at - from;
}

/* Takes digits that must be there. */
static size_t
need_digits(struct sco_json *json)
{
    size_t count = take_digits(json);

    if (count == 0) {
        refuse_here(json, "a digit");
    }
    return count;
}

/* Takes .123e-4, as much of it as there is, and says whether there was any. */
static bool
take_fraction(struct sco_json *json)
{
    size_t from = json->at;

    if (json_byte(json) == '.') {
        json->at++;
        (void)need_digits(json);
    }
    if (json_byte(json) == 'e' || json_byte(json) == 'E') {
        json->at++;
        if (json_byte(json) == '+' || json_byte(json) == '-') {
            json->at++;
        }
        (void)need_digits(json);
    }
    return json->at > from;
}

struct sco_slice
sco_json_number(struct sco_json *json)
{
    const struct sco_slice none = { NULL, 0 };
    size_t from, digits;

    if (!expect_kind(json, SCO_JSON_NUMBER)) {
        return none;
    }
    from = json->at;
    if (json_byte(json) == '-') {
        json->at++;
    }
    if (!take_word(json, SCO_SLICE("Infinity")) &&
        (json->at > from || !take_word(json, SCO_SLICE("NaN")))) {
        bool zero = json_byte(json) == '0';

        digits = need_digits(json);
        if (zero && digits > 1) {
            sco_json_refuse(json, SCO_INVALID, from,
                            "a number begins with a 0 too many");
        } else if (!take_fraction(json) && digits > SCO_JSON_DIGITS_MAX) {
            sco_json_refuse(json, SCO_TOO_LARGE, from,
                            "an integer has more than %d digits",
                            SCO_JSON_DIGITS_MAX);
        }
    }
    return sco_json_is_ok(json)
               ? (struct sco_slice){ json->text.data + from, json->at - from }
               : none;
}

/* Takes an integer of up to `most` apart from its sign, or `most_below` when
 * it is negative. */
static uint64_t
take_integer(struct sco_json *json, uint64_t most, uint64_t most_below,
             bool *negative_out)
{
    struct sco_slice text = sco_json_number(json);
    bool negative = text.len > 0 && text.data[0] == '-';
    size_t from = json->at - text.len;
    uint64_t value = 0;

    for (size_t i = negative ? 1 : 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.data[i] - '0');

        if (digit > 9) {
            sco_json_refuse(json, SCO_INVALID, from,
                            "expected an integer, found %.*s",
                            (int)(text.len < 40 ? text.len : 40), text.data);
            return 0;
        }
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value) ||
            value > (negative ? most_below : most)) {
            sco_json_refuse(json, SCO_INVALID, from,
                            "the integer %.*s is out of range",
                            (int)(text.len < 40 ? text.len : 40), text.data);
            return 0;
        }
    }
    *negative_out = negative;
    return value;
}

int64_t
sco_json_int(struct sco_json *json)
{
    bool negative = false;
    uint64_t value =
        take_integer(json, INT64_MAX, (uint64_t)INT64_MAX + 1, &negative);

    return (int64_t)(negative ? 0 - value : value);
}

uint64_t
sco_json_uint(struct sco_json *json)
{
    bool negative = false;

    return take_integer(json, UINT64_MAX, 0, &negative);
}

/* ---- the rest --------------------------------------------------------- */

/* Takes a boolean or null. */
static bool
take_literal(struct sco_json *json)
{
    bool is_true = take_word(json, SCO_SLICE("true"));

    if (!is_true && !take_word(json, SCO_SLICE("false")) &&
        !take_word(json, SCO_SLICE("null"))) {
        refuse_here(json, "a value");
    }
    return is_true;
}

bool
sco_json_bool(struct sco_json *json)
{
    return expect_kind(json, SCO_JSON_BOOL) && take_literal(json);
}

/* Takes a value that is no array and no object. */
static void
skip_scalar(struct sco_json *json, enum sco_json_kind kind)
{
    if (kind == SCO_JSON_STRING) {
        (void)sco_json_string(json);
    } else if (kind == SCO_JSON_NUMBER) {
        (void)sco_json_number(json);
    } else {
        (void)take_literal(json);
    }
}

struct sco_slice
sco_json_skip(struct sco_json *json)
{
    bool is_object[SCO_JSON_DEPTH_MAX + 1];
    unsigned outside = json->depth;
    struct sco_slice key;
    size_t from;

    (void)sco_json_peek(json);
    from = json->at;
    do {
        enum sco_json_kind kind = sco_json_peek(json);
        bool entered = kind == SCO_JSON_ARRAY || kind == SCO_JSON_OBJECT;

        if (entered) {
            json_enter(json, kind);
            is_object[json->depth] = kind == SCO_JSON_OBJECT;
        } else {
            skip_scalar(json, kind);
        }
        while (sco_json_is_ok(json) && json->depth > outside &&
               !(is_object[json->depth] ? sco_json_next_key(json, &key)
                                        : sco_json_next_item(json))) {
        }
    } while (sco_json_is_ok(json) && json->depth > outside);
    return sco_json_is_ok(json)
               ? (struct sco_slice){ json->text.data + from, json->at - from }
               : (struct sco_slice){ NULL, 0 };
}

void
sco_json_end(struct sco_json *json)
{
    if (json_next(json) != 0 ||
        (sco_json_is_ok(json) && json->at < json->text.len)) {
        refuse_here(json, "the end of the text");
    }
}
