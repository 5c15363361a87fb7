/* test_dtype.c - is each datatype what v2, NumPy and DLPack call so? */
#include "tensor/dtype.h"

#include "support/test.h"

#include <stdio.h>

static void
test_each_is_found_by_its_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCO_DTYPES; i++) {
        enum sco_dtype found = SCO_DTYPES;

        assert_true(sco_dtype_find(
            sco_slice_of(sco_dtype_info((enum sco_dtype)i)->name), &found));
        assert_int_equal(found, i);
    }
}

static void
test_other_names_are_none(void **state)
{
    static const struct sco_slice names[] = {
        SCO_SLICE_INIT(""),      SCO_SLICE_INIT("fp32"),
        SCO_SLICE_INIT("FP3"),   SCO_SLICE_INIT("FP322"),
        SCO_SLICE_INIT("INT"),   SCO_SLICE_INIT("FP32\0"),
        SCO_SLICE_INIT("FP128"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        enum sco_dtype found = SCO_INT8;

        assert_false(sco_dtype_find(names[i], &found));
        assert_int_equal(found, SCO_INT8);
    }
}

/* The name holds the bits, which two other columns hold again. */
static void
test_sizes_agree(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCO_BYTES; i++) {
        const struct sco_dtype_info *info = sco_dtype_info((enum sco_dtype)i);
        unsigned bits = 8; /* BOOL */

        if (i != SCO_BOOL) {
            assert_int_equal(sscanf(info->name, "%*[A-Z]%u", &bits), 1);
        }
        assert_int_equal(info->bytes * 8, bits);
        assert_int_equal(info->dlpack_bits, bits);
    }
    assert_int_equal(sco_dtype_info(SCO_BYTES)->bytes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_found_by_its_name),
        cmocka_unit_test(test_other_names_are_none),
        cmocka_unit_test(test_sizes_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
