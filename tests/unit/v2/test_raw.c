/* test_raw.c - tensors as bytes, with fields that say what they are */
#include "base/text.h"
#include "support/test.h"
#include "v2/raw.h"
#include "v2/signature.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct {
    const char *datatype, *shape, *body;
    const char *says;      /* of a refusal, or NULL */
    unsigned rank;
    uint64_t dims[3];
} bodies[] = {
    { "FP32", "1, 2", "12345678", NULL, 2, { 1, 2 } },
    { "", "", "12345678", NULL, 2, { 1, 2 } },
    { "", "", "", NULL, 2, { 0, 2 } },
    { "INT8", "", "12345678", NULL, 2, { 4, 2 } },
    { "", " 2 ,1,1 ", "12345678", NULL, 3, { 2, 1, 1 } },
    { "FP8", "", "12345678", "there is no FP8", 0, { 0 } },
    { "BYTES", "", "12345678", "no raw form", 0, { 0 } },
    { "", "2,", "12345678", "lengths with commas", 0, { 0 } },
    { "", "2;1", "12345678", "lengths with commas", 0, { 0 } },
    { "", "-1", "12345678", "lengths with commas", 0, { 0 } },
    { "", "99999999999999999999", "1", "lengths with commas", 0, { 0 } },
    { "", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
      "1", "at most 32", 0, { 0 } },
    { "", "1,3", "12345678", "take 12 bytes", 0, { 0 } },
    { "", "", "1234567", "send the field Tensor-Shape", 0, { 0 } },
};
/* clang-format on */

static void
test_bodies(void **state)
{
    const struct sco_v2_tensor declared = {
        .dtype = SCO_FP32, .shape = { .rank = 2, .dims = { -1, 2 } }
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct sco_v2_array array = { .dtype = SCO_BYTES };
        struct sco_error err = { .status = SCO_OK };
        enum sco_status status = sco_v2_raw_read(
            sco_slice_of(bodies[i].datatype), sco_slice_of(bodies[i].shape),
            sco_slice_of(bodies[i].body), &declared, &array, &err);

        print_message("%s %s: %s\n", bodies[i].datatype, bodies[i].shape,
                      err.text);
        if (bodies[i].says != NULL) {
            assert_int_equal(status, SCO_INVALID);
            assert_non_null(strstr(err.text, bodies[i].says));
            continue;
        }
        assert_int_equal(status, SCO_OK);
        assert_int_equal(array.shape.rank, bodies[i].rank);
        assert_memory_equal(array.shape.dims, bodies[i].dims,
                            bodies[i].rank * sizeof(uint64_t));
    }
}

/* Two lengths that may be anything cannot be told from a count of bytes. */
static void
test_ambiguous(void **state)
{
    struct sco_v2_tensor declared = {
        .dtype = SCO_INT8, .shape = { .rank = 2, .dims = { -1, -1 } }
    };
    struct sco_v2_array array = { .dtype = SCO_BYTES };
    struct sco_error err = { .status = SCO_OK };
    const struct sco_slice none = SCO_SLICE("");

    (void)state;
    assert_int_equal(
        sco_v2_raw_read(none, none, SCO_SLICE("12"), &declared, &array, &err),
        SCO_INVALID);
    declared.shape.dims[1] = 0;
    assert_int_equal(
        sco_v2_raw_read(none, none, none, &declared, &array, &err),
        SCO_INVALID);
    declared.shape.rank = 0;
    assert_int_equal(
        sco_v2_raw_read(none, none, SCO_SLICE("1"), &declared, &array, &err),
        SCO_OK);
    assert_int_equal(array.shape.rank, 0);
}

static void
test_shape(void **state)
{
    const struct sco_shape shape = { .rank = 3, .dims = { 32, 4, 1 } };
    struct sco_text text = { 0 };

    (void)state;
    sco_v2_raw_shape(&shape, &text);
    assert_string_equal(text.data, "32, 4, 1");
    sco_text_finish(&text);
}

/* The part of a batch that is one request's. */
static void
test_rows(void **state)
{
    static const struct sco_slice words[4] = { SCO_SLICE_INIT("a"),
                                               SCO_SLICE_INIT("b"),
                                               SCO_SLICE_INIT("c"),
                                               SCO_SLICE_INIT("d") };
    const struct sco_v2_array numbers = {
        .dtype = SCO_INT16,
        .shape = { .rank = 2, .dims = { 3, 2 } },
        .data = SCO_SLICE_INIT("aabbccddeeff"),
    };
    const struct sco_v2_array strings = {
        .dtype = SCO_BYTES,
        .shape = { .rank = 2, .dims = { 2, 2 } },
        .strings = words,
    };
    struct sco_v2_array rows;

    (void)state;
    sco_v2_array_rows(&numbers, 1, 2, &rows);
    assert_true(sco_slice_equal(rows.data, SCO_SLICE("ccddeeff")));
    assert_int_equal(rows.shape.dims[0], 2);
    sco_v2_array_rows(&numbers, 3, 0, &rows);
    assert_int_equal(rows.data.len, 0);
    sco_v2_array_rows(&strings, 1, 1, &rows);
    assert_true(sco_slice_equal(rows.strings[0], SCO_SLICE("c")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
