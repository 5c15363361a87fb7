/* Design notes
 *
 * A reader is between values (VALUE), behind one (AFTER), or through (DONE).
 * Runs of plain numbers are read by sco_run_read(), the brackets between
 * them here. A piece may end in the middle of a number: its bytes are kept in
 * `token` until one comes that is no part of it, and state is VALUE still.
 *
 * The first number, or the first list that ends, tells the rank; the first
 * list that ends at a depth tells the length of all lists there.
 */
#include "tensor/numbers.h"

#include "tensor/numbers_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROW_FIRST_BYTES = 4096 };

/* What is in hand of the text. */
struct piece {
    const char *begin, *at, *end;
    bool is_last;
};

void
sco_numbers_begin(struct sco_numbers *numbers, enum sco_dtype dtype,
                  size_t count_max, struct sco_numbers_out *out)
{
    SCO_CHECK(sco_dtype_info(dtype)->bytes > 0, "BYTES are no numbers");
    *numbers = (struct sco_numbers){ .dtype = dtype,
                                     .count_max = count_max,
                                     .out = out };
}

void
sco_numbers_finish(struct sco_numbers *numbers)
{
    sco_text_finish(&numbers->token);
}

bool
sco_numbers_grow(struct sco_numbers_out *out)
{
    size_t room = out->room_bytes > 0 ? out->room_bytes : GROW_FIRST_BYTES / 2;
    char *data;

    if (room > SIZE_MAX / 2) {
        return false;
    }
    data = realloc(out->data, room * 2);
    if (data == NULL) {
        return false;
    }
    out->data = data;
    out->room_bytes = room * 2;
    return true;
}

/* ---- failing ---------------------------------------------------------- */

enum subject { THE_ITEM, THE_LIST };

/* Fails with the indices of the item that comes next, or of the list that is
 * open, and with the byte at which it was seen. */
static void refuse(struct sco_numbers *numbers, enum subject subject,
                   size_t byte, enum sco_status status, const char *format,
                   ...) __attribute__((format(printf, 5, 6)));

static void
refuse(struct sco_numbers *numbers, enum subject subject, size_t byte,
       enum sco_status status, const char *format, ...)
{
    unsigned levels =
        numbers->depth - (subject == THE_LIST && numbers->depth > 0);
    char place[128] = "";
    size_t used = 0;
    char why[160];
    va_list args;

    for (unsigned i = 1; i <= levels && used + 24 < sizeof(place); i++) {
        used += (size_t)snprintf(place + used, sizeof(place) - used,
                                 "[%" PRIu64 "]",
                                 numbers->counts[i] - (i < numbers->depth));
    }
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    (void)sco_fail(&numbers->err, status, "%s%sbyte %zu: %s", place,
                   levels > 0 ? ", " : "", byte, why);
}

static size_t
byte_of(const struct sco_numbers *numbers, const struct piece *piece)
{
    return numbers->offset + (size_t)(piece->at - piece->begin);
}

/* ---- lists ------------------------------------------------------------ */

/* Looks that one more item may come in the innermost list. */
static bool
allow_item(struct sco_numbers *numbers, size_t byte)
{
    unsigned depth = numbers->depth;

    if (numbers->is_length_known[depth] &&
        numbers->counts[depth] == numbers->lengths[depth]) {
        refuse(numbers, THE_LIST, byte, SCO_INVALID,
               "a list of more than %" PRIu64
               ", which is how many the lists before it have",
               numbers->lengths[depth]);
        return false;
    }
    return true;
}

static void
list_begin(struct sco_numbers *numbers, struct piece *piece)
{
    size_t byte = byte_of(numbers, piece);

    if (numbers->is_rank_known && numbers->depth == numbers->rank) {
        refuse(numbers, THE_ITEM, byte, SCO_INVALID,
               "expected a number, as before, found a list");
    } else if (numbers->depth == SCO_RANK_MAX) {
        refuse(numbers, THE_LIST, byte, SCO_TOO_LARGE,
               "lists lie deeper in each other than %d", SCO_RANK_MAX);
    } else if (allow_item(numbers, byte)) {
        numbers->counts[numbers->depth++]++;
        numbers->counts[numbers->depth] = 0;
        numbers->is_fresh = true;
        piece->at++;
    }
}

static void
list_end(struct sco_numbers *numbers, struct piece *piece)
{
    unsigned depth = numbers->depth;
    uint64_t count = numbers->counts[depth];

    if (!numbers->is_rank_known) {
        numbers->is_rank_known = true;
        numbers->rank = depth;
    }
    if (!numbers->is_length_known[depth]) {
        numbers->is_length_known[depth] = true;
        numbers->lengths[depth] = count;
    }
    if (count != numbers->lengths[depth]) {
        refuse(numbers, THE_LIST, byte_of(numbers, piece), SCO_INVALID,
               "a list of %" PRIu64 ", expected %" PRIu64
               ", which is how many the lists before it have",
               count, numbers->lengths[depth]);
        return;
    }
    numbers->is_fresh = false;
    numbers->depth--;
    numbers->state = numbers->depth > 0 ? SCO_NUMBERS_AFTER : SCO_NUMBERS_DONE;
    piece->at++;
}

/* ---- numbers ---------------------------------------------------------- */

/* How many elements may be written, in this list and this memory: one at
 * least, or it has failed. */
static size_t
element_room(struct sco_numbers *numbers, size_t byte)
{
    size_t bytes = sco_dtype_info(numbers->dtype)->bytes;
    struct sco_numbers_out *out = numbers->out;
    unsigned depth = numbers->depth;
    size_t room;

    if (!allow_item(numbers, byte)) {
        return 0;
    }
    if (numbers->count == numbers->count_max) {
        refuse(numbers, THE_ITEM, byte, SCO_TOO_LARGE,
               "more than %zu elements", numbers->count_max);
        return 0;
    }
    while (out->room_bytes - out->used_bytes < bytes) {
        if (out->grow == NULL || !out->grow(out)) {
            refuse(numbers, THE_ITEM, byte,
                   out->grow == NULL ? SCO_TOO_LARGE : SCO_NOMEM,
                   "no room for more than %zu elements", numbers->count);
            return 0;
        }
    }
    room = (out->room_bytes - out->used_bytes) / bytes;
    if (room > numbers->count_max - numbers->count) {
        room = numbers->count_max - numbers->count;
    }
    if (numbers->is_length_known[depth] &&
        room > numbers->lengths[depth] - numbers->counts[depth]) {
        room = numbers->lengths[depth] - numbers->counts[depth];
    }
    return room;
}

/* Counts elements that were written behind the others. */
static void
add_elements(struct sco_numbers *numbers, size_t count)
{
    size_t bytes = sco_dtype_info(numbers->dtype)->bytes;

    numbers->out->used_bytes += count * bytes;
    numbers->count += count;
    numbers->counts[numbers->depth] += count;
    numbers->is_fresh = false;
}

static void
behind_value(struct sco_numbers *numbers)
{
    numbers->state = numbers->depth > 0 ? SCO_NUMBERS_AFTER : SCO_NUMBERS_DONE;
}

/* Whether a byte may be part of a number or a word. */
static bool
is_token(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '+' ||
           byte == '.';
}

/* Takes a token that is whole, and began at `byte` of the text. */
static void
take_token(struct sco_numbers *numbers, struct sco_slice token, size_t byte)
{
    struct sco_error err = { .text = "" };
    char *out;

    if (element_room(numbers, byte) == 0) {
        return;
    }
    out = numbers->out->data + numbers->out->used_bytes;
    if (sco_number_read(token, numbers->dtype, out, &err) != SCO_OK) {
        refuse(numbers, THE_ITEM, byte, err.status, "%s", err.text);
        return;
    }
    add_elements(numbers, 1);
    behind_value(numbers);
}

/* Takes the token at hand, or keeps as much of it as there is. */
static void
read_token(struct sco_numbers *numbers, struct piece *piece)
{
    const char *from = piece->at;
    size_t byte = byte_of(numbers, piece) - numbers->token.len;
    struct sco_slice token;

    while (piece->at < piece->end && is_token(*piece->at)) {
        piece->at++;
    }
    token = (struct sco_slice){ from, (size_t)(piece->at - from) };
    if (numbers->token.len > 0 ||
        (piece->at == piece->end && !piece->is_last)) {
        sco_text_add(&numbers->token, token);
        token = sco_text_slice(&numbers->token);
    }
    if (numbers->token.failed) {
        refuse(numbers, THE_ITEM, byte, SCO_NOMEM,
               "no memory for a number of this length");
    } else if (piece->at < piece->end || piece->is_last) {
        take_token(numbers, token, byte);
        sco_text_clear(&numbers->token);
    }
}

/* Says what stands where a number should. */
static void
refuse_found(struct sco_numbers *numbers, const struct piece *piece)
{
    size_t byte = byte_of(numbers, piece);
    struct sco_error err = { .text = "" };
    struct sco_slice found = { piece->at, 1 };

    if (*piece->at == '"') {
        found = SCO_SLICE("a string");
    } else if (*piece->at == '{') {
        found = SCO_SLICE("an object");
    } else if (*piece->at <= ' ' || *piece->at >= 0x7f) {
        found = SCO_SLICE("a byte that has no place in JSON");
    }
    (void)sco_number_refuse(found, numbers->dtype, &err);
    refuse(numbers, THE_ITEM, byte, SCO_INVALID, "%s", err.text);
}

/* Looks that a number may stand here, whatever number. */
static bool
allow_number(struct sco_numbers *numbers, const struct piece *piece)
{
    if (!is_token(*piece->at)) {
        refuse_found(numbers, piece);
        return false;
    }
    if (!numbers->is_rank_known) {
        numbers->is_rank_known = true;
        numbers->rank = numbers->depth;
    }
    if (numbers->depth < numbers->rank) {
        refuse(numbers, THE_ITEM, byte_of(numbers, piece), SCO_INVALID,
               "expected a list, as before, found a number");
        return false;
    }
    return true;
}

static void
read_numbers(struct sco_numbers *numbers, struct piece *piece)
{
    struct sco_run run = { .at = piece->at, .end = piece->end };
    size_t room;

    if (!allow_number(numbers, piece)) {
        return;
    }
    /* A comma behind a number that lies in no list is not ours to take. */
    if (numbers->depth == 0 || piece->end - piece->at < SCO_RUN_MARGIN) {
        read_token(numbers, piece);
        return;
    }
    room = element_room(numbers, byte_of(numbers, piece));
    if (room == 0) {
        return;
    }
    run.room = room;
    run.out = numbers->out->data + numbers->out->used_bytes;
    sco_run_read(&run, numbers->dtype);
    if (run.room == room) {
        read_token(numbers, piece);
        return;
    }
    piece->at = run.at;
    add_elements(numbers, room - run.room);
    if (run.is_after) {
        behind_value(numbers);
    }
}

/* ---- the text --------------------------------------------------------- */

static void
read_value(struct sco_numbers *numbers, struct piece *piece)
{
    if (*piece->at == '[') {
        list_begin(numbers, piece);
    } else if (*piece->at == ']' && numbers->is_fresh) {
        list_end(numbers, piece);
    } else {
        read_numbers(numbers, piece);
    }
}

static void
read_after(struct sco_numbers *numbers, struct piece *piece)
{
    if (*piece->at == ',') {
        numbers->state = SCO_NUMBERS_VALUE;
        piece->at++;
    } else if (*piece->at == ']') {
        list_end(numbers, piece);
    } else {
        refuse(numbers, THE_LIST, byte_of(numbers, piece), SCO_INVALID,
               "expected ',' or ']' behind an item of a list");
    }
}

/* Reads until the piece is used up, the value ends, or it fails. */
static void
read_piece(struct sco_numbers *numbers, struct piece *piece)
{
    if (numbers->token.len > 0) {
        read_token(numbers, piece);
    }
    while (piece->at < piece->end && numbers->err.status == SCO_OK &&
           numbers->state != SCO_NUMBERS_DONE) {
        char byte = *piece->at;

        if (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
            piece->at++;
        } else if (numbers->state == SCO_NUMBERS_VALUE) {
            read_value(numbers, piece);
        } else {
            read_after(numbers, piece);
        }
    }
}

enum sco_status
sco_numbers_feed(struct sco_numbers *numbers, struct sco_slice bytes,
                 enum sco_numbers_more more, size_t *used_out,
                 struct sco_error *err)
{
    const char *begin = bytes.data != NULL ? bytes.data : "";
    struct piece piece = { .begin = begin,
                           .at = begin,
                           .end = begin + bytes.len,
                           .is_last = more == SCO_NUMBERS_LAST };

    SCO_CHECK(numbers->err.status == SCO_OK, "fed after a failure");
    read_piece(numbers, &piece);
    if (piece.is_last && numbers->err.status == SCO_OK &&
        numbers->state != SCO_NUMBERS_DONE) {
        refuse(numbers, THE_LIST, byte_of(numbers, &piece), SCO_INVALID,
               "the text ends within the numbers");
    }
    if (numbers->err.status != SCO_OK) {
        if (err != NULL) {
            *err = numbers->err;
        }
        return numbers->err.status;
    }
    *used_out = (size_t)(piece.at - piece.begin);
    numbers->offset += *used_out;
    return SCO_OK;
}

/* ---- the result ------------------------------------------------------- */

void
sco_numbers_shape(const struct sco_numbers *numbers, struct sco_shape *out)
{
    SCO_CHECK(numbers->state == SCO_NUMBERS_DONE, "a value not read yet");
    out->rank = numbers->rank;
    memcpy(out->dims, numbers->lengths + 1,
           numbers->rank * sizeof(out->dims[0]));
}

/* Whether lists that were found are those of a shape, as far as they can be
 * written: behind a length of 0 there is nothing to tell the others by. */
static bool
is_shape_of(const struct sco_shape *found, const struct sco_shape *shape)
{
    struct sco_shape begin = *shape;

    if (sco_shape_equal(found, shape)) {
        return true;
    }
    begin.rank = found->rank;
    return found->rank > 0 && found->rank < shape->rank &&
           found->dims[found->rank - 1] == 0 && sco_shape_equal(found, &begin);
}

enum sco_status
sco_numbers_fit(const struct sco_numbers *numbers,
                const struct sco_shape *shape, struct sco_error *err)
{
    struct sco_text texts[2] = { { 0 }, { 0 } };
    enum sco_status status;
    struct sco_shape found;
    size_t count = 0;

    status = sco_shape_count(shape, &count, err);
    if (status != SCO_OK) {
        return status;
    }
    sco_numbers_shape(numbers, &found);
    if (is_shape_of(&found, shape) ||
        (numbers->count == count && found.rank <= 1)) {
        return SCO_OK;
    }
    sco_shape_text(&found, &texts[0]);
    sco_shape_text(shape, &texts[1]);
    status = sco_fail(err, SCO_INVALID,
                      "the data are %zu elements of shape %s, expected %zu "
                      "of shape %s, or a flat list of them",
                      numbers->count, texts[0].failed ? "" : texts[0].data,
                      count, texts[1].failed ? "" : texts[1].data);
    sco_text_finish(&texts[0]);
    sco_text_finish(&texts[1]);
    return status;
}

enum sco_status
sco_numbers_pull(struct sco_json *json, enum sco_dtype dtype, size_t count_max,
                 struct sco_numbers_out *out, struct sco_shape *shape_out)
{
    struct sco_numbers numbers;
    struct sco_slice rest;
    size_t used = 0;

    (void)sco_json_peek(json);
    if (!sco_json_is_ok(json)) {
        return json->err.status;
    }
    rest = (struct sco_slice){ json->text.data + json->at,
                               json->text.len - json->at };
    sco_numbers_begin(&numbers, dtype, count_max, out);
    numbers.offset = json->at;
    if (sco_numbers_feed(&numbers, rest, SCO_NUMBERS_LAST, &used,
                         &json->err) == SCO_OK) {
        json->at += used;
        sco_numbers_shape(&numbers, shape_out);
    }
    sco_numbers_finish(&numbers);
    return json->err.status;
}
