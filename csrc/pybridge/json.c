#include "pybridge/json.h"

#include "base/text.h"
#include "tensor/print.h"

#include <stdint.h>
#include <string.h>

/* What is deeper is left to those who know Python's own limit. */
enum { DEPTH_MAX = 64 };

static bool write_value(struct sco_text *into, PyObject *value, int depth);

/* ---- strings ---------------------------------------------------------- */

/* clang-format off */
/* What stands behind an ASCII character's backslash; 0 for none, 'u' for
 * \uXXXX. */
static const char escapes[128] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\', [0x7f] = 'u',
};

/* The bytes that one takes more than one. A table of its own, because the
 * loop over it is the whole cost of most strings. */
static const uint8_t extra_bytes[128] = {
    5, 5, 5, 5, 5, 5, 5, 5,
    1, 1, 1, 5, 1, 1, 5, 5,
    5, 5, 5, 5, 5, 5, 5, 5,
    5, 5, 5, 5, 5, 5, 5, 5,
    ['"'] = 1, ['\\'] = 1, [0x7f] = 5,
};
/* clang-format on */

/* The bytes that a character takes. */
static size_t
width_of(Py_UCS4 character)
{
    if (character < 128) {
        return (size_t)1 + extra_bytes[character];
    }
    return character > 0xffff ? 12 : 6; /* a surrogate pair is two */
}

static char *
put_unit(char *at, Py_UCS4 unit)
{
    static const char digits[] = "0123456789abcdef";

    at[0] = '\\';
    at[1] = 'u';
    at[2] = digits[unit >> 12 & 15];
    at[3] = digits[unit >> 8 & 15];
    at[4] = digits[unit >> 4 & 15];
    at[5] = digits[unit & 15];
    return at + 6;
}

static char *
put_character(char *at, Py_UCS4 character)
{
    char escape = character < 128 ? escapes[character] : 'u';

    if (character > 0xffff) {
        character -= 0x10000;
        at = put_unit(at, 0xd800 | character >> 10);
        return put_unit(at, 0xdc00 | (character & 0x3ff));
    }
    if (escape == 'u') {
        return put_unit(at, character);
    }
    if (escape != '\0') {
        *at++ = '\\';
        *at++ = escape;
        return at;
    }
    *at++ = (char)character;
    return at;
}

static bool
write_ascii(struct sco_text *into, PyObject *text)
{
    const uint8_t *data = PyUnicode_1BYTE_DATA(text);
    size_t length = (size_t)PyUnicode_GET_LENGTH(text);
    size_t extra = 0;
    char *at;

    for (size_t i = 0; i < length; i++) {
        extra += extra_bytes[data[i] & 127];
    }
    at = sco_text_room(into, length + extra + 2);
    if (at == NULL) {
        return false;
    }
    *at++ = '"';
    if (extra == 0) {
        memcpy(at, data, length);
        at += length;
    } else {
        for (size_t i = 0; i < length; i++) {
            at = put_character(at, data[i]);
        }
    }
    *at = '"';
    into->len += length + extra + 2;
    return true;
}

static bool
write_string(struct sco_text *into, PyObject *text)
{
    Py_ssize_t length;
    size_t bytes = 2;
    const void *data;
    int kind;
    char *at;

    if (sco_py_ready(text) < 0) {
        return false;
    }
    if (PyUnicode_IS_ASCII(text)) {
        return write_ascii(into, text);
    }
    length = PyUnicode_GET_LENGTH(text);
    data = PyUnicode_DATA(text);
    kind = (int)PyUnicode_KIND(text);
    for (Py_ssize_t i = 0; i < length; i++) {
        bytes += width_of(PyUnicode_READ(kind, data, i));
    }
    at = sco_text_room(into, bytes);
    if (at == NULL) {
        return false;
    }
    *at++ = '"';
    for (Py_ssize_t i = 0; i < length; i++) {
        at = put_character(at, PyUnicode_READ(kind, data, i));
    }
    *at = '"';
    into->len += bytes;
    return true;
}

/* ---- numbers ---------------------------------------------------------- */

static void
write_signed(struct sco_text *into, bool negative, uint64_t magnitude)
{
    if (negative) {
        sco_text_add_char(into, '-');
    }
    sco_text_add_number(into, magnitude);
}

static bool
write_int(struct sco_text *into, PyObject *value)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);

    if (overflow != 0) {
        return false;
    }
    write_signed(into, number < 0,
                 number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    return true;
}

/* As repr() writes it, or NaN and Infinity. */
static void
write_float(struct sco_text *into, double number)
{
    char *at = sco_text_room(into, SCO_PRINT_MAX_CHARS);

    if (at != NULL) {
        into->len += (size_t)(sco_print_element(at, SCO_FP64, &number) - at);
    }
}

/* ---- containers ------------------------------------------------------- */

static bool
write_items(struct sco_text *into, PyObject *const *items, Py_ssize_t count,
            int depth)
{
    sco_text_add_char(into, '[');
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i > 0) {
            sco_text_add(into, SCO_SLICE(", "));
        }
        if (!write_value(into, items[i], depth)) {
            return false;
        }
    }
    sco_text_add_char(into, ']');
    return true;
}

static bool
write_dict(struct sco_text *into, PyObject *dict, int depth)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t at = 0;
    bool first = true;

    sco_text_add_char(into, '{');
    while (PyDict_Next(dict, &at, &key, &value)) {
        if (!first) {
            sco_text_add(into, SCO_SLICE(", "));
        }
        first = false;
        if (!PyUnicode_CheckExact(key) || !write_string(into, key)) {
            return false;
        }
        sco_text_add(into, SCO_SLICE(": "));
        if (!write_value(into, value, depth)) {
            return false;
        }
    }
    sco_text_add_char(into, '}');
    return true;
}

static bool
write_container(struct sco_text *into, PyObject *value, int depth)
{
    if (depth == DEPTH_MAX) {
        return false;
    }
    if (PyDict_CheckExact(value)) {
        return write_dict(into, value, depth + 1);
    }
    if (PyList_CheckExact(value)) {
        return write_items(into, ((PyListObject *)value)->ob_item,
                           PyList_GET_SIZE(value), depth + 1);
    }
    if (PyTuple_CheckExact(value)) {
        return write_items(into, ((PyTupleObject *)value)->ob_item,
                           PyTuple_GET_SIZE(value), depth + 1);
    }
    return false;
}

static bool
write_value(struct sco_text *into, PyObject *value, int depth)
{
    if (PyUnicode_CheckExact(value)) {
        return write_string(into, value);
    }
    if (PyFloat_CheckExact(value)) {
        write_float(into, PyFloat_AS_DOUBLE(value));
        return true;
    }
    if (PyLong_CheckExact(value)) {
        return write_int(into, value);
    }
    if (value == Py_None) {
        sco_text_add(into, SCO_SLICE("null"));
        return true;
    }
    if (PyBool_Check(value)) {
        sco_text_add(into, value == Py_True ? SCO_SLICE("true")
                                            : SCO_SLICE("false"));
        return true;
    }
    return write_container(into, value, depth);
}

bool
sco_json_write(struct sco_text *into, PyObject *value)
{
#ifdef Py_GIL_DISABLED
    /* Another thread may change what is being walked through. */
    if (!PyUnicode_CheckExact(value)) {
        return false;
    }
#endif
    return write_value(into, value, 0) && !into->failed;
}
