/* test_shape.c - do shapes count, overflow and match as they should? */
#include "tensor/shape.h"

#include "base/text.h"
#include "support/test.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct {
    struct sco_shape shape;
    size_t           count;
    const char      *text;
} sound[] = {
    { { 0, { 0 } }, 1, "[]" },
    { { 1, { 0 } }, 0, "[0]" },
    { { 1, { 5 } }, 5, "[5]" },
    { { 2, { 2, 3 } }, 6, "[2,3]" },
    { { 3, { 2, 0, 3 } }, 0, "[2,0,3]" },
    { { 2, { UINT64_C(1) << 31, UINT64_C(1) << 29 } },
      (size_t)1 << 60, "[2147483648,536870912]" },
};

static const struct sco_shape too_large[] = {
    { 2, { UINT64_C(1) << 32, UINT64_C(1) << 32 } },
    { 3, { UINT64_C(1) << 32, UINT64_C(1) << 32, 0 } },
    { 3, { 0, UINT64_C(1) << 32, UINT64_C(1) << 32 } },
    { 2, { UINT64_MAX, 2 } },
};

static const struct {
    struct sco_shape          shape;
    struct sco_shape_declared declared;
    bool                      fits;
    const char               *text;
} matches[] = {
    { { 2, { 2, 3 } }, { 2, { 2, 3 } }, true, "[2,3]" },
    { { 2, { 2, 3 } }, { 2, { -1, 3 } }, true, "[-1,3]" },
    { { 2, { 2, 3 } }, { 2, { -1, -1 } }, true, "[-1,-1]" },
    { { 2, { 2, 3 } }, { 2, { -1, 4 } }, false, "[-1,4]" },
    { { 2, { 2, 3 } }, { 1, { -1 } }, false, "[-1]" },
    { { 2, { 2, 3 } }, { 3, { -1, 3, -1 } }, false, "[-1,3,-1]" },
    { { 1, { 0 } }, { 1, { -1 } }, true, "[-1]" },
    { { 0, { 0 } }, { 0, { 0 } }, true, "[]" },
    { { 1, { UINT64_MAX } }, { 1, { -2 } }, false, "[-2]" },
};
/* clang-format on */

static void
test_counts_and_text(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sound); i++) {
        size_t count = 99;
        size_t bytes = 99;

        assert_int_equal(sco_shape_count(&sound[i].shape, &count, NULL),
                         SCO_OK);
        assert_int_equal(count, sound[i].count);
        assert_int_equal(
            sco_shape_bytes(&sound[i].shape, SCO_FP32, &bytes, NULL), SCO_OK);
        assert_int_equal(bytes, 4 * sound[i].count);
        sco_text_clear(&text);
        sco_shape_text(&sound[i].shape, &text);
        assert_string_equal(text.data, sound[i].text);
    }
    sco_text_finish(&text);
}

static void
test_overflow(void **state)
{
    const struct sco_shape fits_once = { 1, { UINT64_MAX / 4 } };
    struct sco_error err = { .text = "" };
    size_t out = 99;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(too_large); i++) {
        assert_int_equal(sco_shape_count(&too_large[i], &out, &err),
                         SCO_TOO_LARGE);
        assert_int_equal(out, 99);
    }
    assert_int_equal(sco_shape_bytes(&fits_once, SCO_FP32, &out, &err),
                     SCO_OK);
    assert_int_equal(sco_shape_bytes(&fits_once, SCO_FP64, &out, &err),
                     SCO_TOO_LARGE);
    assert_non_null(strstr(err.text, "rank 1"));
}

static void
test_declared(void **state)
{
    struct sco_text text = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(matches); i++) {
        assert_int_equal(
            sco_shape_fits(&matches[i].shape, &matches[i].declared),
            matches[i].fits);
        sco_text_clear(&text);
        sco_shape_declared_text(&matches[i].declared, &text);
        assert_string_equal(text.data, matches[i].text);
    }
    sco_text_finish(&text);
}

static void
test_equal(void **state)
{
    const struct sco_shape a = { 2, { 2, 3 } };
    const struct sco_shape rest_differs = { 2, { 2, 3, 4 } };
    const struct sco_shape b = { 2, { 2, 4 } };
    const struct sco_shape longer = { 3, { 2, 3, 1 } };

    (void)state;
    assert_true(sco_shape_equal(&a, &rest_differs));
    assert_false(sco_shape_equal(&a, &b));
    assert_false(sco_shape_equal(&a, &longer));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_text),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_declared),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
