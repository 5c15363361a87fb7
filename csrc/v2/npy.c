/* Design notes
 *
 * A file is "\x93NUMPY", major, minor, the length of the head (16 bits in
 * version 1, 32 in the others), the head, and the data. The head is a literal
 * of Python, which NumPy writes in one form and reads in any:
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *
 * Read here are its three keys in any order, strings in either quotes and
 * without a backslash, True and False, and a tuple of decimal numbers.
 */
#include "v2/npy.h"

#include "base/reader.h"
#include "base/text.h"
#include "v2/v2_int.h"

#include <inttypes.h>

enum {
    HEAD_MAX_BYTES = 64 * 1024, /* NumPy itself reads no more than 10,000 */
    ALIGNMENT = 64,
    BEFORE_HEAD = 10, /* of version 1 */
};

static const struct sco_slice magic = SCO_SLICE_INIT("\x93NUMPY");

/* What a head has said so far. */
struct head {
    struct sco_slice text; /* what is left of it */
    struct sco_slice descr;
    struct sco_shape shape;
    bool has_descr, has_order, has_shape;
    bool is_fortran;
};

static void
skip_blanks(struct head *head)
{
    while (head->text.len > 0 &&
           (head->text.data[0] == ' ' || head->text.data[0] == '\t' ||
            head->text.data[0] == '\n')) {
        head->text.data++;
        head->text.len--;
    }
}

/* Takes this word, if it is next. */
static bool
take(struct head *head, const char *word)
{
    size_t len = strlen(word);

    skip_blanks(head);
    if (head->text.len < len || memcmp(head->text.data, word, len) != 0) {
        return false;
    }
    head->text.data += len;
    head->text.len -= len;
    return true;
}

/* Takes a string of Python. */
static bool
take_string(struct head *head, struct sco_slice *out)
{
    char quote = '\'';

    if (!take(head, "'")) {
        if (!take(head, "\"")) {
            return false;
        }
        quote = '"';
    }
    *out = head->text;
    out->len = sco_slice_find(head->text, quote);
    if (out->len == head->text.len) {
        return false;
    }
    head->text = sco_slice_from(head->text, out->len + 1);
    return sco_slice_find(*out, '\\') == out->len;
}

/* Takes a length. */
static bool
take_number(struct head *head, uint64_t *out)
{
    uint64_t number = 0;
    size_t digits = 0;

    skip_blanks(head);
    while (digits < head->text.len && head->text.data[digits] >= '0' &&
           head->text.data[digits] <= '9') {
        uint64_t digit = (uint64_t)(head->text.data[digits] - '0');

        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            return false;
        }
        digits++;
    }
    head->text.data += digits;
    head->text.len -= digits;
    /* Python 2 wrote long integers so. */
    (void)(digits > 0 && take(head, "L"));
    *out = number;
    return digits > 0;
}

/* Takes a tuple of lengths: (), (3,) or (3, 4). */
static bool
take_shape(struct head *head, struct sco_shape *out)
{
    struct sco_shape shape = { .rank = 0 };
    bool has_comma = true;

    if (!take(head, "(")) {
        return false;
    }
    while (!take(head, ")")) {
        if (!has_comma || shape.rank == SCO_RANK_MAX ||
            !take_number(head, &shape.dims[shape.rank])) {
            return false;
        }
        shape.rank++;
        has_comma = take(head, ",");
    }
    *out = shape;
    return shape.rank != 1 || has_comma; /* (3) is a number */
}

/* Takes one `key: value`. */
static bool
take_member(struct head *head)
{
    struct sco_slice key = { NULL, 0 };

    if (!take_string(head, &key) || !take(head, ":")) {
        return false;
    }
    if (sco_slice_equal(key, SCO_SLICE("descr")) && !head->has_descr) {
        head->has_descr = true;
        return take_string(head, &head->descr);
    }
    if (sco_slice_equal(key, SCO_SLICE("shape")) && !head->has_shape) {
        head->has_shape = true;
        return take_shape(head, &head->shape);
    }
    if (sco_slice_equal(key, SCO_SLICE("fortran_order")) && !head->has_order) {
        head->has_order = true;
        head->is_fortran = take(head, "True");
        return head->is_fortran || take(head, "False");
    }
    return false;
}

/* Takes the whole of it. */
static bool
take_head(struct head *head)
{
    bool has_comma = true;

    if (!take(head, "{")) {
        return false;
    }
    while (!take(head, "}")) {
        if (!has_comma || !take_member(head)) {
            return false;
        }
        has_comma = take(head, ",");
    }
    skip_blanks(head);
    return head->text.len == 0 && head->has_descr && head->has_order &&
           head->has_shape;
}

/* ---- dtypes ----------------------------------------------------------- */

/* How NumPy writes a datatype: a kind and a count of bytes. */
static bool
find_kind(enum sco_dtype dtype, char out[2])
{
    const struct sco_dtype_info *info = sco_dtype_info(dtype);

    if (dtype == SCO_BOOL) {
        out[0] = 'b';
    } else if (dtype >= SCO_UINT8 && dtype <= SCO_UINT64) {
        out[0] = 'u';
    } else if (dtype >= SCO_INT8 && dtype <= SCO_INT64) {
        out[0] = 'i';
    } else if (dtype == SCO_FP16 || dtype == SCO_FP32 || dtype == SCO_FP64) {
        out[0] = 'f';
    } else {
        return false;
    }
    out[1] = (char)('0' + info->bytes);
    return true;
}

/* The datatype of a dtype's text, as '<f4' or '|b1'. */
static enum sco_status
find_dtype(struct sco_slice descr, enum sco_dtype *out, struct sco_error *err)
{
    for (unsigned i = 0; descr.len == 3 && i < SCO_DTYPES; i++) {
        char kind[2] = { 0, 0 };
        bool is_native = descr.data[0] == '<' || descr.data[0] == '=' ||
                         descr.data[2] == '1';

        if (find_kind((enum sco_dtype)i, kind) &&
            memcmp(kind, descr.data + 1, 2) == 0 && is_native &&
            strchr("<>=|", descr.data[0]) != NULL) {
            *out = (enum sco_dtype)i;
            return SCO_OK;
        }
    }
    return sco_fail(err, SCO_INVALID,
                    ".npy: the dtype '%.*s' is not read here; little-endian "
                    "bool, int, uint and float are, so send "
                    "x.astype(numpy.float32) or the like",
                    SCO_V2_SHOWN(descr));
}

/* ---- files ------------------------------------------------------------ */

/* The head's text; `file` is left at the data. */
static enum sco_status
find_head(struct sco_reader *file, struct sco_slice *out,
          struct sco_error *err)
{
    const uint8_t *begin = sco_read_bytes(file, magic.len);
    const uint8_t *version = sco_read_bytes(file, 2);
    size_t len;

    if (file->failed || memcmp(begin, magic.data, magic.len) != 0) {
        return sco_fail(err, SCO_INVALID,
                        ".npy: this is no such file: it does not begin with "
                        "\\x93NUMPY; numpy.save makes one");
    }
    if (version[0] < 1 || version[0] > 3 || version[1] != 0) {
        return sco_fail(err, SCO_INVALID,
                        ".npy: version %d.%d is not read here; 1.0, 2.0 and "
                        "3.0 are",
                        version[0], version[1]);
    }
    len = version[0] == 1 ? sco_read_u16le(file) : sco_read_u32le(file);
    if (len > HEAD_MAX_BYTES) {
        return sco_fail(err, SCO_TOO_LARGE,
                        ".npy: a head of %zu bytes; at most %d are read", len,
                        HEAD_MAX_BYTES);
    }
    *out = sco_read_slice(file, len);
    if (file->failed) {
        return sco_fail(err, SCO_INVALID, ".npy: the file ends in its head");
    }
    return SCO_OK;
}

enum sco_status
sco_v2_npy_read(struct sco_slice file, struct sco_v2_array *out,
                struct sco_error *err)
{
    struct sco_reader reader = sco_reader_of(file);
    struct head head = { .is_fortran = false };
    struct sco_v2_array array = { .dtype = SCO_BOOL };
    enum sco_status status = find_head(&reader, &head.text, err);

    if (status != SCO_OK) {
        return status;
    }
    if (!take_head(&head)) {
        return sco_fail(err, SCO_INVALID,
                        ".npy: the head is not a dict of descr, "
                        "fortran_order and shape");
    }
    status = find_dtype(head.descr, &array.dtype, err);
    if (status != SCO_OK) {
        return status;
    }
    if (head.is_fortran && head.shape.rank > 1) {
        return sco_fail(err, SCO_INVALID,
                        ".npy: the array is in Fortran's order; send "
                        "numpy.ascontiguousarray(x)");
    }
    array.shape = head.shape;
    array.data = (struct sco_slice){ (const char *)reader.at, reader.left };
    status = sco_v2_array_check(&array, ".npy", err);
    if (status == SCO_OK) {
        *out = array;
    }
    return status;
}

enum sco_status
sco_v2_npy_write_head(const struct sco_v2_array *array, struct sco_text *out,
                      struct sco_error *err)
{
    char kind[2] = { 'u', '2' }; /* of BF16, which NumPy does not know */
    struct sco_text head = { 0 };
    size_t pad;

    if (array->dtype == SCO_BYTES) {
        return sco_fail(err, SCO_INVALID,
                        ".npy: BYTES would have to be pickled");
    }
    (void)find_kind(array->dtype, kind);
    sco_text_addf(&head,
                  "{'descr': '%c%c%c', 'fortran_order': False, "
                  "'shape': (",
                  kind[1] == '1' ? '|' : '<', kind[0], kind[1]);
    for (unsigned i = 0; i < array->shape.rank; i++) {
        sco_text_addf(&head, "%s%" PRIu64 "%s", i > 0 ? ", " : "",
                      array->shape.dims[i], array->shape.rank == 1 ? "," : "");
    }
    sco_text_add(&head, SCO_SLICE("), }"));
    pad = ALIGNMENT - (BEFORE_HEAD + head.len + 1) % ALIGNMENT;
    sco_text_addf(&head, "%*s\n", (int)(pad % ALIGNMENT), "");
    sco_text_add(out, magic);
    sco_text_add(out, SCO_SLICE("\1\0"));
    sco_text_add_char(out, (char)(head.len & 0xff));
    sco_text_add_char(out, (char)(head.len >> 8));
    sco_text_add(out, sco_text_slice(&head));
    out->failed = out->failed || head.failed;
    sco_text_finish(&head);
    return SCO_OK;
}
