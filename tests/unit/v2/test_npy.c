/* test_npy.c - files of NumPy, read and written */
#include "base/text.h"
#include "support/test.h"
#include "v2/npy.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define F4           "'descr': '<f4', "
#define C            "'fortran_order': False, "

/* clang-format off */
static const struct {
    int version;
    const char *head;
    struct sco_slice data;
    const char *says; /* NULL: it is one row of two FP32 */
} files[] = {
#define EIGHT SCO_SLICE_INIT("12345678")
    { 1, "{" F4 C "'shape': (1, 2)}\n", EIGHT, NULL },
    { 1, "{" F4 C "'shape': (1L, 2,), }\n", EIGHT, NULL },
    { 2, "{" F4 C "'shape': (1,2)}   \n", EIGHT, NULL },
    { 3, "{\"shape\":(1,2)," C F4 "}", EIGHT, NULL },
    { 4, "{" F4 C "'shape': (1, 2)}\n", EIGHT, "version 4.0" },
    { 1, "", EIGHT, "not a dict" },
    { 1, "{}\n", EIGHT, "not a dict" },
    { 1, "{" F4 C "}\n", EIGHT, "not a dict" },
    { 1, "{" F4 C "'shape': (1, 2)\n", EIGHT, "not a dict" },
    { 1, "{" F4 C "'shape': (1, 2)} x\n", EIGHT, "not a dict" },
    { 1, "{" F4 C "'shape': (2)}\n", EIGHT, "not a dict" },
    { 1, "{" F4 C "'shape': (1 2)}\n", EIGHT, "not a dict" },
    { 1, "{" F4 C "'shape': (-1, )}\n", EIGHT, "not a dict" },
    { 1, "{" F4 C "'shape': (99999999999999999999, )}\n", EIGHT, "not a" },
    { 1, "{" F4 C "'share': (1, 2)}\n", EIGHT, "not a dict" },
    { 1, "{" F4 F4 C "'shape': (1, 2)}\n", EIGHT, "not a dict" },
    { 1, "{'descr': '<f\\x34', " C "'shape': (1, 2)}\n", EIGHT, "not a" },
    { 1, "{'descr': '<f4, " C, EIGHT, "not a dict" },
    { 1, "{'descr': '>f4', " C "'shape': (1, 2)}\n", EIGHT, "'>f4' is not" },
    { 1, "{'descr': '|O', " C "'shape': (1, 2)}\n", EIGHT, "'|O' is not" },
    { 1, "{'descr': '<U1', " C "'shape': (1, 2)}\n", EIGHT, "'<U1' is" },
    { 1, "{" F4 "'fortran_order': True, 'shape': (1, 2)}\n", EIGHT,
      "ascontiguousarray" },
    { 1, "{" F4 C "'shape': (1, 3)}\n", EIGHT,
      "take 12 bytes of data, and there are 8" },
    { 1, "{" F4 C "'shape': (1, 1)}\n", EIGHT, "take 4 bytes" },
    { 1, "{" F4 C "'shape': (4294967296, 4294967296)}\n", EIGHT,
      "more elements" },
    { 1, "{'descr': '|b1', " C "'shape': (1, 2)}\n",
      SCO_SLICE_INIT("\1\3"), "element 1 is 3" },
};

static const struct {
    struct sco_slice file;
    const char *says;
} cut[] = {
    { SCO_SLICE_INIT(""), "no such file" },
    { SCO_SLICE_INIT("PK\3\4aaaaaaaaaaaaaa"), "numpy.save" },
    { SCO_SLICE_INIT("\x93NUMPY\1"), "no such file" },
    { SCO_SLICE_INIT("\x93NUMPY\1\0\xff\0{"), "ends in its head" },
    { SCO_SLICE_INIT("\x93NUMPY\1\0\xff"), "ends in its head" },
    { SCO_SLICE_INIT("\x93NUMPY\2\0\xff\xff\xff\xff{"),
      "a head of 4294967295 bytes" },
};
/* clang-format on */

/* Puts a file together. */
static void
make_file(struct sco_text *out, int version, const char *head,
          struct sco_slice data)
{
    size_t len = strlen(head);

    sco_text_addf(out, "\x93NUMPY%c%c%c%c", version, 0, (int)len, 0);
    if (version > 1) {
        sco_text_add(out, SCO_SLICE("\0\0"));
    }
    sco_text_add(out, sco_slice_of(head));
    sco_text_add(out, data);
}

static void
test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        struct sco_v2_array array = { .dtype = SCO_BYTES };
        struct sco_error err = { .status = SCO_OK };
        struct sco_text file = { 0 };
        enum sco_status status;

        make_file(&file, files[i].version, files[i].head, files[i].data);
        status = sco_v2_npy_read(sco_text_slice(&file), &array, &err);
        print_message("%s    %s\n", files[i].head, err.text);
        if (files[i].says != NULL) {
            assert_int_not_equal(status, SCO_OK);
            assert_non_null(strstr(err.text, files[i].says));
            assert_int_equal(array.dtype, SCO_BYTES);
        } else {
            assert_int_equal(status, SCO_OK);
            assert_int_equal(array.dtype, SCO_FP32);
            assert_int_equal(array.shape.rank, 2);
            assert_int_equal(array.shape.dims[1], 2);
            assert_true(sco_slice_equal(array.data, files[i].data));
        }
        sco_text_finish(&file);
    }
}

static void
test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cut); i++) {
        struct sco_v2_array array = { .dtype = SCO_BYTES };
        struct sco_error err = { .status = SCO_OK };

        assert_int_not_equal(sco_v2_npy_read(cut[i].file, &array, &err),
                             SCO_OK);
        print_message("%s\n", err.text);
        assert_non_null(strstr(err.text, cut[i].says));
    }
}

/* What is written is read again, for every datatype and some ranks. */
static void
test_round_trip(void **state)
{
    static const char zeros[64];

    (void)state;
    for (unsigned i = 0; i < SCO_DTYPES * 4; i++) {
        struct sco_v2_array array = { .dtype = (enum sco_dtype)(i / 4),
                                      .shape = { .rank = i % 4,
                                                 .dims = { 2, 1, 4 } } };
        struct sco_v2_array again = { .dtype = SCO_BYTES };
        struct sco_error err = { .status = SCO_OK };
        struct sco_text file = { 0 };
        size_t count = i % 4 == 0 ? 1 : i % 4 == 3 ? 8 : 2;

        array.data =
            (struct sco_slice){ zeros,
                                count * sco_dtype_info(array.dtype)->bytes };
        if (array.dtype == SCO_BYTES) {
            assert_int_equal(sco_v2_npy_write_head(&array, &file, &err),
                             SCO_INVALID);
            continue;
        }
        assert_int_equal(sco_v2_npy_write_head(&array, &file, &err), SCO_OK);
        assert_int_equal(file.len % 64, 0);
        sco_text_add(&file, array.data);
        assert_int_equal(sco_v2_npy_read(sco_text_slice(&file), &again, &err),
                         SCO_OK);
        assert_int_equal(again.dtype,
                         array.dtype == SCO_BF16 ? SCO_UINT16 : array.dtype);
        assert_true(sco_shape_equal(&again.shape, &array.shape));
        sco_text_finish(&file);
    }
}

/* Byte for byte what numpy.save() writes. */
static void
test_as_numpy(void **state)
{
    const struct sco_v2_array array = {
        .dtype = SCO_FP32, .shape = { .rank = 2, .dims = { 3, 4 } }
    };
    struct sco_error err = { .status = SCO_OK };
    struct sco_text head = { 0 };
    char numpy[128];

    (void)state;
    memset(numpy, ' ', sizeof(numpy));
    memcpy(numpy, "\x93NUMPY\1\0v\0", 10);
    memcpy(numpy + 10,
           "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 59);
    numpy[127] = '\n';
    assert_int_equal(sco_v2_npy_write_head(&array, &head, &err), SCO_OK);
    assert_int_equal(head.len, sizeof(numpy));
    assert_memory_equal(head.data, numpy, sizeof(numpy));
    sco_text_finish(&head);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_as_numpy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
