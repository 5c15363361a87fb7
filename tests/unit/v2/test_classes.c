/* test_classes.c - the highest classes, by every datatype's own order */
#include "support/test.h"
#include "v2/classes.h"

#include <math.h>
#include <stdlib.h>

static struct sco_v2_array
array_of(enum sco_dtype dtype, const void *data, size_t bytes)
{
    return (struct sco_v2_array){
        .dtype = dtype,
        .shape = { .rank = 1,
                   .dims = { bytes / sco_dtype_info(dtype)->bytes } },
        .data = { data, bytes },
    };
}

/* The classes of a whole array, with blanks between them. */
static void
expect(const struct sco_v2_array *array, uint64_t wanted, const char *texts)
{
    struct sco_v2_classes found = { .ends = NULL };
    struct sco_error err = { .status = SCO_OK };
    struct sco_text joined = { 0 };
    size_t from = 0;

    assert_int_equal(
        sco_v2_classes_find(array, false, wanted, NULL, 0, &found, &err),
        SCO_OK);
    for (size_t i = 0; i < found.count; i++) {
        sco_text_addf(&joined, "%s%.*s", i > 0 ? " " : "",
                      (int)(found.ends[i] - from), found.bytes.data + from);
        from = found.ends[i];
    }
    assert_string_equal(joined.data, texts);
    assert_int_equal(found.shape.rank, 1);
    assert_int_equal(found.shape.dims[0], found.count);
    sco_text_finish(&joined);
    sco_v2_classes_finish(&found);
}

static void
test_orders(void **state)
{
    const int64_t longs[4] = { INT64_MIN, INT64_MAX - 1, INT64_MAX, -1 };
    const uint64_t ulongs[3] = { 0, UINT64_MAX, UINT64_MAX - 1 };
    const int8_t bytes[4] = { -128, 127, 0, -1 };
    const uint8_t ubytes[3] = { 1, 255, 128 };
    const float floats[6] = { NAN, -INFINITY, 0.0F, -0.0F, INFINITY, 1 };
    const double doubles[2] = { -1e300, -1e301 };
    const uint16_t halves[5] = { 0xbc00, 0x3c00, 0x0001, 0x7c00, 0x7e00 };
    struct sco_v2_array array;

    (void)state;
    array = array_of(SCO_INT64, longs, sizeof(longs));
    expect(&array, 4,
           "9223372036854775807:2 9223372036854775806:1 -1:3 "
           "-9223372036854775808:0");
    array = array_of(SCO_UINT64, ulongs, sizeof(ulongs));
    expect(&array, 2, "18446744073709551615:1 18446744073709551614:2");
    array = array_of(SCO_INT8, bytes, sizeof(bytes));
    expect(&array, 9, "127:1 0:2 -1:3 -128:0");
    array = array_of(SCO_UINT8, ubytes, sizeof(ubytes));
    expect(&array, 1, "255:1");
    array = array_of(SCO_FP32, floats, sizeof(floats));
    expect(&array, 6, "Infinity:4 1.0:5 0.0:2 -0.0:3 -Infinity:1 NaN:0");
    array = array_of(SCO_FP64, doubles, sizeof(doubles));
    expect(&array, 2, "-1e+300:0 -1e+301:1");
    array = array_of(SCO_FP16, halves, sizeof(halves));
    expect(&array, 3, "Infinity:3 1.0:1 6e-08:2");
}

static int
by_value(const void *a, const void *b)
{
    const uint16_t *left = *(const uint16_t *const *)a;
    const uint16_t *right = *(const uint16_t *const *)b;

    if (*left != *right) {
        return *left < *right ? 1 : -1;
    }
    return left < right ? -1 : 1;
}

/* Against a sort of all, with many that are equal. */
static void
test_many(void **state)
{
    enum { MANY = 997 };
    uint16_t numbers[MANY];
    const uint16_t *sorted[MANY];
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        random = random * 1664525U + 1013904223U;
        numbers[i] = (uint16_t)(random >> 24);
        sorted[i] = &numbers[i];
    }
    qsort(sorted, MANY, sizeof(sorted[0]), by_value);
    for (size_t wanted = 1; wanted <= MANY; wanted += 83) {
        struct sco_v2_array array =
            array_of(SCO_UINT16, numbers, sizeof(numbers));
        struct sco_text texts = { 0 };

        for (size_t i = 0; i < wanted; i++) {
            sco_text_addf(&texts, "%s%u:%zu", i > 0 ? " " : "", *sorted[i],
                          (size_t)(sorted[i] - numbers));
        }
        expect(&array, wanted, texts.data);
        sco_text_finish(&texts);
    }
}

static void
test_rows_and_none(void **state)
{
    const float scores[6] = { 1, 2, 3, 6, 5, 4 };
    struct sco_v2_array array = array_of(SCO_FP32, scores, sizeof(scores));
    struct sco_v2_classes found = { .ends = NULL };
    struct sco_error err = { .status = SCO_OK };

    (void)state;
    array.shape = (struct sco_shape){ .rank = 3, .dims = { 2, 3, 1 } };
    assert_int_equal(
        sco_v2_classes_find(&array, true, 1, NULL, 0, &found, &err), SCO_OK);
    assert_int_equal(found.shape.rank, 2);
    assert_int_equal(found.shape.dims[0], 2);
    assert_int_equal(found.shape.dims[1], 1);
    assert_memory_equal(found.bytes.data, "3.0:26.0:0", 10);
    sco_v2_classes_finish(&found);
    array.shape.dims[0] = 0;
    array.data.len = 0;
    assert_int_equal(
        sco_v2_classes_find(&array, true, 1, NULL, 0, &found, &err), SCO_OK);
    assert_int_equal(found.count, 0);
    sco_v2_classes_finish(&found);
    array.dtype = SCO_BOOL;
    assert_int_equal(
        sco_v2_classes_find(&array, true, 1, NULL, 0, &found, &err),
        SCO_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_rows_and_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
