/* numbers.h - JSON numbers into the memory of a tensor
 *
 * Reads one JSON value, a number or lists of numbers in each other, and
 * writes its numbers one behind the other as elements of a datatype. The
 * text may come in pieces, cut anywhere: the result is the same as in one.
 * No list of Python, no tree, no second pass.
 *
 * Each number becomes what NumPy makes of what json.loads() makes of it:
 *
 *   FP64        the nearest double, NaN and the infinities too, and infinity
 *               for 1e999. An integer too large for a double is refused.
 *   FP32, FP16, that double, rounded once more; infinity when it is too
 *   BF16        large for them.
 *   (U)INTn     integers that fit. 1.0, 1e3, true and what is out of range
 *               are refused.
 *   BOOL        true, false, 1 and 0.
 *
 * The lists make the shape. Ragged ones are refused, with the indices of the
 * place, its byte, and what was expected there.
 *
 * Thread: that of its owner.
 */
#ifndef SCO_TENSOR_NUMBERS_H
#define SCO_TENSOR_NUMBERS_H

#include "base/status.h"
#include "base/text.h"
#include "tensor/dtype.h"
#include "tensor/json.h"
#include "tensor/shape.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the elements go. The owner fills it in before, and has it back at
 * the end; `data` is aligned for the datatype. */
struct sco_numbers_out {
    char *data;
    size_t room_bytes;
    size_t used_bytes; /* where the next element goes: 0, or behind others */
    /* Makes room_bytes larger by a byte at least, and moves `data` when it
     * must; false when that cannot be. NULL: `data` is all there is. */
    bool (*grow)(struct sco_numbers_out *out);
};

/* A grow() for memory of malloc(), or none at first: twice as much. The owner
 * frees `data`. */
bool sco_numbers_grow(struct sco_numbers_out *out);

enum sco_numbers_state {
    SCO_NUMBERS_VALUE, /* a value comes next */
    SCO_NUMBERS_AFTER, /* a comma or the end of a list comes next */
    SCO_NUMBERS_DONE,
};

struct sco_numbers {
    enum sco_dtype dtype;
    enum sco_numbers_state state;
    bool is_fresh; /* a list was just begun, and may end at once */
    struct sco_numbers_out *out;
    size_t count; /* of elements so far */
    size_t count_max;
    size_t offset; /* of the piece in hand, in the whole text */
    /* The list that is open at depth d has counts[d] items so far, and
     * lengths[d] in the end, if one such list was closed before. */
    unsigned depth;
    unsigned rank; /* once it is known */
    bool is_rank_known;
    bool is_length_known[SCO_RANK_MAX + 1];
    uint64_t counts[SCO_RANK_MAX + 1];
    uint64_t lengths[SCO_RANK_MAX + 1];
    struct sco_text token; /* what a piece ended in the middle of */
    struct sco_error err;
};

/* Begins to read one value of numbers, at most `count_max` of them. `out`
 * must hold until sco_numbers_finish(). */
void sco_numbers_begin(struct sco_numbers *numbers, enum sco_dtype dtype,
                       size_t count_max, struct sco_numbers_out *out);

/* Frees what the reader holds; the elements are the owner's. */
void sco_numbers_finish(struct sco_numbers *numbers);

enum sco_numbers_more { SCO_NUMBERS_LAST, SCO_NUMBERS_MORE };

/* Reads a piece of the text up to the end of the value, and says how much of
 * it that was: all, while `state` is not SCO_NUMBERS_DONE. With
 * SCO_NUMBERS_LAST the text ends here, and so must the value.
 *
 * Errors: SCO_INVALID for what is no list of such numbers, SCO_TOO_LARGE for
 *         too many, too deep, or no room; SCO_NOMEM. After one nothing more
 *         may be fed. */
SCO_NODISCARD
enum sco_status sco_numbers_feed(struct sco_numbers *numbers,
                                 struct sco_slice piece,
                                 enum sco_numbers_more more, size_t *used_out,
                                 struct sco_error *err);

/* The shape of a value that was read to its end. */
void sco_numbers_shape(const struct sco_numbers *numbers,
                       struct sco_shape *out);

/* Whether a value that was read to its end is a tensor of this shape: as
 * lists of it, or as one flat list of all its elements, as v2 allows. */
SCO_NODISCARD
enum sco_status sco_numbers_fit(const struct sco_numbers *numbers,
                                const struct sco_shape *shape,
                                struct sco_error *err);

/* Reads the next value of a text in one go. On failure `json` has failed with
 * it, and what was written behind out->used_bytes is void. */
SCO_NODISCARD
enum sco_status sco_numbers_pull(struct sco_json *json, enum sco_dtype dtype,
                                 size_t count_max, struct sco_numbers_out *out,
                                 struct sco_shape *shape_out);

#endif
