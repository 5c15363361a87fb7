/* test_head.c - what crosses to a worker comes out as it went in */
#include "link/head.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct sco_field fields[] = {
    { SCO_SLICE_INIT("Host"), SCO_SLICE_INIT("example.org") },
    { SCO_SLICE_INIT("X-Empty"), SCO_SLICE_INIT("") },
    { SCO_SLICE_INIT("X-Bytes"), { "\x00\xff\r\n", 4 } },
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static const struct sco_call_head head = {
    .method = SCO_SLICE_INIT("POST"),
    .target = SCO_SLICE_INIT("/score?x=%20"),
    .version = SCO_SLICE_INIT("HTTP/1.1"),
    .peer_host = SCO_SLICE_INIT("127.0.0.1"),
    .server_host = SCO_SLICE_INIT("::1"),
    .request_id = SCO_SLICE_INIT("id"),
    .client_request_id = SCO_SLICE_INIT(""),
    .peer_port = 65535,
    .server_port = 5001,
};

/* Writes the block above into memory of exactly its size. */
static char *
write_block(size_t *bytes_out)
{
    char *block;

    *bytes_out = sco_head_bytes(&head, fields, FIELDS);
    block = malloc(*bytes_out);
    assert_non_null(block);
    sco_head_write(&head, fields, FIELDS, block);
    return block;
}

static void
assert_slice(struct sco_slice got, struct sco_slice wanted)
{
    assert_int_equal(got.len, wanted.len);
    assert_memory_equal(got.len > 0 ? got.data : "", wanted.data, wanted.len);
}

static void
test_a_block_is_read_as_it_was_written(void **state)
{
    size_t bytes;
    char *block = write_block(&bytes);
    struct sco_reader in = sco_reader_of((struct sco_slice){ block, bytes });
    struct sco_slice name, value;
    struct sco_call_head got;
    size_t count = 0;

    (void)state;
    assert_int_equal(sco_head_read(&in, &got), SCO_OK);
    assert_slice(got.method, head.method);
    assert_slice(got.target, head.target);
    assert_slice(got.version, head.version);
    assert_slice(got.peer_host, head.peer_host);
    assert_slice(got.server_host, head.server_host);
    assert_slice(got.request_id, head.request_id);
    assert_slice(got.client_request_id, head.client_request_id);
    assert_int_equal(got.peer_port, 65535);
    assert_int_equal(got.server_port, 5001);
    assert_int_equal(sco_fields_read_count(&in, &count), SCO_OK);
    assert_int_equal(count, FIELDS);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(sco_fields_read(&in, &name, &value), SCO_OK);
        assert_slice(name, fields[i].name);
        assert_slice(value, fields[i].value);
    }
    assert_int_equal(in.left, 0);
    free(block);
}

/* Reads everything; how many fields came out sound, or -1 for no head. */
static int
read_all(struct sco_slice block)
{
    struct sco_reader in = sco_reader_of(block);
    struct sco_slice name, value;
    struct sco_call_head got;
    size_t count = 0;

    if (sco_head_read(&in, &got) != SCO_OK ||
        sco_fields_read_count(&in, &count) != SCO_OK) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (sco_fields_read(&in, &name, &value) != SCO_OK) {
            return (int)i;
        }
    }
    return (int)count;
}

static void
test_a_block_cut_at_any_byte_is_refused(void **state)
{
    size_t bytes;
    char *block = write_block(&bytes);

    (void)state;
    for (size_t cut = 0; cut < bytes; cut++) {
        char *part = malloc(cut > 0 ? cut : 1); /* exactly so long */

        assert_non_null(part);
        memcpy(part, block, cut);
        assert_true(read_all((struct sco_slice){ part, cut }) < FIELDS);
        free(part);
    }
    assert_int_equal(read_all((struct sco_slice){ block, bytes }), FIELDS);
    free(block);
}

static void
test_a_failed_read_leaves_its_outputs_alone(void **state)
{
    struct sco_reader in = sco_reader_of(SCO_SLICE("\x04\x00PO"));
    struct sco_slice name = SCO_SLICE("before");
    struct sco_slice value = SCO_SLICE("before");
    struct sco_call_head got = { .peer_port = 7 };
    size_t count = 9;

    (void)state;
    assert_int_equal(sco_head_read(&in, &got), SCO_INVALID);
    assert_int_equal(got.peer_port, 7);
    assert_int_equal(sco_fields_read_count(&in, &count), SCO_INVALID);
    assert_int_equal(count, 9);
    assert_int_equal(sco_fields_read(&in, &name, &value), SCO_INVALID);
    assert_slice(name, SCO_SLICE("before"));
    assert_slice(value, SCO_SLICE("before"));
}

static void
test_more_fields_than_any_head_has_are_refused(void **state)
{
    struct sco_reader most = sco_reader_of(SCO_SLICE("\x00\x04"));
    struct sco_reader one_more = sco_reader_of(SCO_SLICE("\x01\x04"));
    size_t count = 0;

    (void)state;
    assert_int_equal(sco_fields_read_count(&most, &count), SCO_OK);
    assert_int_equal(count, SCO_FIELDS_MAX);
    assert_int_equal(sco_fields_read_count(&one_more, &count), SCO_TOO_LARGE);
}

static void
test_a_value_may_be_longer_than_64_KiB(void **state)
{
    const size_t long_bytes = 70000;
    char *text = malloc(long_bytes);
    struct sco_field field = { SCO_SLICE("2"), { text, long_bytes } };
    size_t bytes = sco_fields_bytes(&field, 1);
    char *block = malloc(bytes);
    struct sco_slice name, value;
    struct sco_reader in;
    size_t count = 0;

    (void)state;
    assert_non_null(text);
    assert_non_null(block);
    memset(text, 'v', long_bytes);
    sco_fields_write(&field, 1, block);
    in = sco_reader_of((struct sco_slice){ block, bytes });
    assert_int_equal(sco_fields_read_count(&in, &count), SCO_OK);
    assert_int_equal(sco_fields_read(&in, &name, &value), SCO_OK);
    assert_slice(value, field.value);
    assert_int_equal(in.left, 0);
    free(block);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_is_read_as_it_was_written),
        cmocka_unit_test(test_a_block_cut_at_any_byte_is_refused),
        cmocka_unit_test(test_a_failed_read_leaves_its_outputs_alone),
        cmocka_unit_test(test_more_fields_than_any_head_has_are_refused),
        cmocka_unit_test(test_a_value_may_be_longer_than_64_KiB),
    };

    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
