/* print.h - the elements of a tensor as JSON
 *
 * Floats have the fewest digits that are read back as the same element of
 * the same datatype, and of these the nearest, in the form of Python's
 * repr(): "1.0", "1e-07", "NaN", "Infinity". So an FP64 tensor is printed as
 * json.dumps() prints its tolist(); FP32, FP16 and BF16 are shorter than
 * that, since a float in Python is a double. Booleans are true and false.
 *
 * Thread: any.
 */
#ifndef SCO_TENSOR_PRINT_H
#define SCO_TENSOR_PRINT_H

#include "base/text.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

enum { SCO_PRINT_MAX_CHARS = 25 }; /* "-2.2250738585072014e-308" has 24 */

enum sco_print_style {
    SCO_PRINT_COMPACT, /* [1,2] */
    SCO_PRINT_SPACED,  /* [1, 2], as json.dumps() does by itself */
};

/* Writes one element, of any alignment, to SCO_PRINT_MAX_CHARS of room and
 * returns its end. Nothing terminates it. */
char *sco_print_element(char *out, enum sco_dtype dtype, const void *element);

/* Appends contiguous elements as lists in each other, or as a number alone
 * for rank 0. BYTES cannot be printed. */
void sco_print_tensor(struct sco_text *text, enum sco_dtype dtype,
                      const struct sco_shape *shape, const void *elements,
                      enum sco_print_style style);

/* The same, but all elements in one flat list, as v2 sends them. */
void sco_print_flat(struct sco_text *text, enum sco_dtype dtype, size_t count,
                    const void *elements, enum sco_print_style style);

#endif
