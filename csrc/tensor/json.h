/* json.h - JSON, pulled value by value out of one text
 *
 * The reader makes no tree: its caller asks for what it expects, takes what
 * it wants and skips the rest. A failure is sticky, as in base/reader.h: it
 * says where and why, every later read yields nothing, every loop ends, and
 * the caller looks at sco_json_status() once, before it believes any of it.
 *
 *     sco_json_enter_object(&json);
 *     while (sco_json_next_key(&json, &key)) {
 *         if (sco_slice_equal(key, SCO_SLICE("id"))) {
 *             id = sco_json_string(&json);
 *         } else {
 *             (void)sco_json_skip(&json);
 *         }
 *     }
 *     sco_json_end(&json);
 *     return sco_json_status(&json, err);
 *
 * What is accepted is what json.loads() of Python accepts of the same bytes
 * in UTF-8: NaN, Infinity and -Infinity; a byte order mark; surrogates that
 * stand alone, escaped or not, which are handed out as three bytes each; no
 * integer of more than 4300 digits. A key may come twice: whoever reads into
 * one place has the last of them, as Python has.
 *
 * Thread: that of its owner.
 */
#ifndef SCO_TENSOR_JSON_H
#define SCO_TENSOR_JSON_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SCO_JSON_DEPTH_MAX = 1000,  /* more than Python's own stack would bear */
    SCO_JSON_DIGITS_MAX = 4300, /* of an integer; Python's limit */
};

enum sco_json_kind {
    SCO_JSON_NONE, /* a failure, or the end of the text */
    SCO_JSON_NULL,
    SCO_JSON_BOOL,
    SCO_JSON_NUMBER, /* NaN and the infinities too */
    SCO_JSON_STRING,
    SCO_JSON_ARRAY,
    SCO_JSON_OBJECT,
};

struct sco_json {
    struct sco_slice text;
    size_t at;
    unsigned depth;
    unsigned depth_max;
    bool is_fresh;           /* just entered: no comma stands before */
    struct sco_text decoded; /* the last string that had an escape */
    struct sco_error err;    /* SCO_OK: all is well */
};

/* Begins at the start of a text, which holds until sco_json_finish(). Arrays
 * and objects may lie `depth_max` deep, at most SCO_JSON_DEPTH_MAX. */
void sco_json_begin(struct sco_json *json, struct sco_slice text,
                    unsigned depth_max);

/* Frees what the reader holds; its failure can still be read. */
void sco_json_finish(struct sco_json *json);

/* What the next value is, by its first byte; it may yet turn out broken. */
enum sco_json_kind sco_json_peek(struct sco_json *json);

/* How a kind is called in a message: "a number", "an array". */
const char *sco_json_kind_text(enum sco_json_kind kind);

/* Enters the next value, which must be an object. */
void sco_json_enter_object(struct sco_json *json);

/* Moves to the next member. False when there is none: then the object is
 * left. The key is decoded, in UTF-8, and holds until the next string. */
bool sco_json_next_key(struct sco_json *json, struct sco_slice *key_out);

/* Enters the next value, which must be an array. */
void sco_json_enter_array(struct sco_json *json);

/* Moves to the next element. False when there is none: then the array is
 * left. */
bool sco_json_next_item(struct sco_json *json);

/* Takes a string, decoded, in UTF-8. It holds until the next string or key
 * is read, by whatever call; {NULL, 0} on failure. */
struct sco_slice sco_json_string(struct sco_json *json);

/* Takes true or false; false on failure. */
bool sco_json_bool(struct sco_json *json);

/* Takes an integer that fits; 0 on failure. 1.0 and 1e3 are no integers. */
int64_t sco_json_int(struct sco_json *json);

/* Takes an integer that is not negative and fits; 0 on failure. */
uint64_t sco_json_uint(struct sco_json *json);

/* Takes a number and gives its text, which is sound: "-1.5e3", "NaN". */
struct sco_slice sco_json_number(struct sco_json *json);

/* Takes any value, looks that it is sound, and gives its text. */
struct sco_slice sco_json_skip(struct sco_json *json);

/* Looks that nothing but white space follows. */
void sco_json_end(struct sco_json *json);

/* Fails, for a reason of the caller's, with the place of byte `at` before it:
 * "line 1, column 9: ...". A failure that there is already stays. */
void sco_json_refuse(struct sco_json *json, enum sco_status status, size_t at,
                     const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether all went well so far. */
static inline bool
sco_json_is_ok(const struct sco_json *json)
{
    return json->err.status == SCO_OK;
}

/* The same with what went wrong, and where.
 *
 * Errors: SCO_INVALID for bad JSON and other kinds of value than were asked
 *         for, SCO_TOO_LARGE for depth and digits, SCO_NOMEM, and what
 *         sco_json_refuse() was given. */
SCO_NODISCARD
enum sco_status sco_json_status(const struct sco_json *json,
                                struct sco_error *err);

/* Where a byte stands, as Python says it: both from 1, columns counted in
 * characters. */
void sco_json_place(struct sco_slice text, size_t at, size_t *line_out,
                    size_t *column_out);

#endif
