/* test_reader.c - does the cursor stay inside its input? */
#include "base/reader.h"

#include "support/test.h"

static void
test_reads_in_order(void **state)
{
    struct sco_reader in = sco_reader_of(SCO_SLICE("\x01\x02\x03\x04\x05\x06"
                                                   "name"));

    (void)state;
    assert_int_equal(sco_read_u16le(&in), 0x0201);
    assert_int_equal(sco_read_u32le(&in), 0x06050403);
    assert_true(sco_slice_equal(sco_read_slice(&in, 4), SCO_SLICE("name")));
    assert_int_equal(in.left, 0);
    assert_false(in.failed);
}

static void
test_a_read_past_the_end_fails_for_good(void **state)
{
    struct sco_reader in = sco_reader_of(SCO_SLICE("\xff\xff\xff"));

    (void)state;
    assert_int_equal(sco_read_u32le(&in), 0xffff); /* its half was there */
    assert_true(in.failed);
    assert_null(sco_read_bytes(&in, 1)); /* though one byte is left */
    assert_int_equal(sco_read_u16le(&in), 0);
    assert_int_equal(sco_read_slice(&in, 0).len, 0);
}

static void
test_every_length(void **state)
{
    static const char bytes[] = "0123456789";

    (void)state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        for (size_t take = 0; take <= sizeof(bytes); take++) {
            struct sco_reader in =
                sco_reader_of((struct sco_slice){ bytes, len });
            const uint8_t *got = sco_read_bytes(&in, take);

            assert_int_equal(in.failed, take > len);
            assert_ptr_equal(got, take > len ? NULL : bytes);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_in_order),
        cmocka_unit_test(test_a_read_past_the_end_fails_for_good),
        cmocka_unit_test(test_every_length),
    };

    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
