/* Design notes
 *
 * Every element becomes a key of 64 bits that sorts as the datatype does.
 * The best of a set are kept in a heap with the worst of them on top, which
 * the next better one replaces; so all classes of a large tensor cost no more
 * than sorting them. The heap is emptied from the worst to the best.
 */
#include "v2/classes.h"

#include "tensor/print.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct candidate {
    uint64_t key;
    size_t index;
};

/* The best so far of one set. */
struct heap {
    struct candidate *at;
    size_t count;
};

/* ---- keys ------------------------------------------------------------- */

static uint64_t
key_of_double(double number)
{
    uint64_t bits;

    if (isnan(number)) {
        return 0;
    }
    number += 0.0; /* of the two zeros, one */
    memcpy(&bits, &number, sizeof(bits));
    return bits >> 63 != 0 ? ~bits : bits | UINT64_C(1) << 63;
}

static double
double_of_half(uint16_t half)
{
    int exponent = half >> 10 & 0x1f;
    double fraction = (half & 0x3ff) / 1024.0;
    double number;

    if (exponent == 0x1f) {
        number = fraction > 0 ? (double)NAN : (double)INFINITY;
    } else if (exponent == 0) {
        number = ldexp(fraction, -14);
    } else {
        number = ldexp(1 + fraction, exponent - 15);
    }
    return half >> 15 != 0 ? -number : number;
}

/* An integer's bits, of any width, as those of 64. */
static uint64_t
widen(const char *at, size_t bytes, bool is_signed)
{
    uint64_t bits = 0;
    unsigned unused = (unsigned)(64 - 8 * bytes);

    memcpy(&bits, at, bytes);
    if (is_signed) {
        bits <<= unused;
        /* To unsigned at the end of it: the lowest is 0. */
        bits ^= UINT64_C(1) << 63;
        bits >>= unused;
    }
    return bits;
}

static uint64_t
key_of(enum sco_dtype dtype, const char *at)
{
    float single;
    double number;
    uint16_t half;
    uint32_t bits;

    if (dtype == SCO_FP32) {
        memcpy(&single, at, sizeof(single));
        return key_of_double((double)single);
    }
    if (dtype == SCO_FP64) {
        memcpy(&number, at, sizeof(number));
        return key_of_double(number);
    }
    if (dtype == SCO_FP16 || dtype == SCO_BF16) {
        memcpy(&half, at, sizeof(half));
        if (dtype == SCO_FP16) {
            return key_of_double(double_of_half(half));
        }
        bits = (uint32_t)half << 16;
        memcpy(&single, &bits, sizeof(single));
        return key_of_double((double)single);
    }
    return widen(at, sco_dtype_info(dtype)->bytes,
                 dtype >= SCO_INT8 && dtype <= SCO_INT64);
}

/* ---- the best --------------------------------------------------------- */

static bool
is_worse(struct candidate a, struct candidate b)
{
    return a.key < b.key || (a.key == b.key && a.index > b.index);
}

/* Puts a candidate on top, where one was taken, and lets it sink. */
static void
sink(struct heap *heap, struct candidate candidate)
{
    size_t at = 0, below;

    while ((below = 2 * at + 1) < heap->count) {
        if (below + 1 < heap->count &&
            is_worse(heap->at[below + 1], heap->at[below])) {
            below++;
        }
        if (!is_worse(heap->at[below], candidate)) {
            break;
        }
        heap->at[at] = heap->at[below];
        at = below;
    }
    heap->at[at] = candidate;
}

/* Adds a candidate at the end and lets it rise. */
static void
rise(struct heap *heap, struct candidate candidate)
{
    size_t at = heap->count++;

    while (at > 0 && is_worse(candidate, heap->at[(at - 1) / 2])) {
        heap->at[at] = heap->at[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->at[at] = candidate;
}

/* Leaves the `wanted` best of a set in `best`, the best one first. */
static void
find_best(enum sco_dtype dtype, struct sco_slice data, size_t wanted,
          struct candidate *best)
{
    size_t each = sco_dtype_info(dtype)->bytes;
    struct heap heap = { .at = best };

    for (size_t i = 0; wanted > 0 && i < data.len / each; i++) {
        struct candidate next = { key_of(dtype, data.data + i * each), i };

        if (heap.count < wanted) {
            rise(&heap, next);
        } else if (is_worse(heap.at[0], next)) {
            sink(&heap, next);
        }
    }
    while (heap.count > 0) {
        struct candidate worst = heap.at[0];

        heap.count--;
        sink(&heap, heap.at[heap.count]);
        best[heap.count] = worst;
    }
}

/* ---- the texts -------------------------------------------------------- */

static void
add_class(struct sco_v2_classes *out, enum sco_dtype dtype, const char *value,
          size_t index, const struct sco_slice *labels, size_t label_count)
{
    char *room = sco_text_room(&out->bytes, SCO_PRINT_MAX_CHARS);

    if (room != NULL) {
        out->bytes.len +=
            (size_t)(sco_print_element(room, dtype, value) - room);
    }
    sco_text_addf(&out->bytes, ":%zu", index);
    if (index < label_count) {
        sco_text_add_char(&out->bytes, ':');
        sco_text_add(&out->bytes, labels[index]);
    }
    out->ends[out->count++] = out->bytes.len;
}

enum sco_status
sco_v2_classes_find(const struct sco_v2_array *array, bool has_rows,
                    uint64_t wanted, const struct sco_slice *labels,
                    size_t label_count, struct sco_v2_classes *out,
                    struct sco_error *err)
{
    struct sco_v2_classes found = { .shape = { .rank = 1 } };
    size_t each = sco_dtype_info(array->dtype)->bytes;
    uint64_t rows = has_rows ? array->shape.dims[0] : 1;
    size_t set = rows > 0 ? array->data.len / (size_t)rows : 0;
    struct candidate *best;

    if (array->dtype == SCO_BYTES || array->dtype == SCO_BOOL) {
        return sco_fail(err, SCO_INVALID, "there is no classification of %s",
                        sco_dtype_info(array->dtype)->name);
    }
    if (wanted > set / each) {
        wanted = set / each;
    }
    best = calloc(wanted > 0 ? wanted : 1, sizeof(*best));
    found.ends = calloc(rows * wanted + 1, sizeof(size_t));
    found.bytes.failed = best == NULL || found.ends == NULL;
    for (uint64_t row = 0; row < rows && !found.bytes.failed; row++) {
        struct sco_slice data = { array->data.data + row * set, set };

        find_best(array->dtype, data, wanted, best);
        for (size_t i = 0; i < wanted; i++) {
            add_class(&found, array->dtype, data.data + best[i].index * each,
                      best[i].index, labels, label_count);
        }
    }
    free(best);
    if (found.bytes.failed) {
        sco_v2_classes_finish(&found);
        return sco_fail(err, SCO_NOMEM, "no memory for classes");
    }
    found.shape.rank = has_rows ? 2 : 1;
    found.shape.dims[0] = rows;
    found.shape.dims[found.shape.rank - 1] = wanted;
    *out = found;
    return SCO_OK;
}

void
sco_v2_classes_finish(struct sco_v2_classes *classes)
{
    free(classes->ends);
    sco_text_finish(&classes->bytes);
    *classes = (struct sco_v2_classes){ .ends = NULL };
}
