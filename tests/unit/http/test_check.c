/* test_check.c - which heads do we take? */
#include "http/check.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>

/* A slice where the compiler wants a constant. */
#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }
#define FIELD(name, value)      \
    {                           \
        TEXT(name), TEXT(value) \
    }
#define HOST FIELD("Host", "a")

/* clang-format off */
static const struct {
    const char *why;
    struct sco_slice method, target, version;
    struct sco_field fields[4]; /* up to the first without a name */
    uint64_t status;            /* 0: sound */
    uint64_t body_bytes;
    bool chunked, expects_continue;
} cases[] = {
    { "the least", TEXT("GET"), TEXT("/"), TEXT("HTTP/1.1"),
      { HOST }, 0, 0, false, false },
    { "HTTP/1.0 needs no Host", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.0"), { FIELD("A", "b") }, 0, 0, false, false },
    { "an empty Host is one", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { FIELD("host", "") }, 0, 0, false, false },
    { "a later HTTP/1", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.2"), { HOST }, 0, 0, false, false },
    { "a length", TEXT("POST"), TEXT("/"), TEXT("HTTP/1.1"),
      { HOST, FIELD("content-length", "17") }, 0, 17, false, false },
    { "leading zeros", TEXT("POST"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("Content-Length", "0017") },
      0, 17, false, false },
    { "a length beyond any is large", TEXT("POST"), TEXT("/"),
      TEXT("HTTP/1.1"),
      { HOST, FIELD("Content-Length", "99999999999999999999999") },
      0, UINT64_MAX, false, false },
    { "chunks", TEXT("POST"), TEXT("/"), TEXT("HTTP/1.1"),
      { HOST, FIELD("transfer-encoding", "CHUNKED") }, 0, 0, true, false },
    { "an expectation", TEXT("POST"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("Expect", "100-Continue") },
      0, 0, false, true },
    { "which says nothing in HTTP/1.0", TEXT("POST"), TEXT("/"),
      TEXT("HTTP/1.0"), { HOST, FIELD("Expect", "100-continue") },
      0, 0, false, false },
    { "a tab and Latin-1 in a value", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("A", "b\t\344") },
      0, 0, false, false },
    { "Latin-1 in a target", TEXT("GET"), TEXT("/\344"),
      TEXT("HTTP/1.1"), { HOST }, 0, 0, false, false },
    { "an absolute target", TEXT("GET"), TEXT("http://a/"),
      TEXT("HTTP/1.1"), { HOST }, 0, 0, false, false },
    { "CONNECT names a host", TEXT("CONNECT"), TEXT("a:80"),
      TEXT("HTTP/1.1"), { HOST }, 0, 0, false, false },
    { "a star", TEXT("OPTIONS"), TEXT("*"), TEXT("HTTP/1.1"),
      { HOST }, 0, 0, false, false },
    { "an odd method", TEXT("M-SEARCH.2"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST }, 0, 0, false, false },

    { "no method", TEXT(""), TEXT("/"), TEXT("HTTP/1.1"),
      { HOST }, 400, 0, false, false },
    { "a short method", TEXT("GO"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST }, 400, 0, false, false },
    { "a lower-case letter", TEXT("GeT"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST }, 400, 0, false, false },
    { "a NUL in a method", TEXT("GET\0"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST }, 400, 0, false, false },
    { "no target", TEXT("GET"), TEXT(""), TEXT("HTTP/1.1"),
      { HOST }, 400, 0, false, false },
    { "a target that is no path", TEXT("GET"), TEXT("a/b"),
      TEXT("HTTP/1.1"), { HOST }, 400, 0, false, false },
    { "a scheme without a name", TEXT("GET"), TEXT("://a/"),
      TEXT("HTTP/1.1"), { HOST }, 400, 0, false, false },
    { "half a scheme", TEXT("GET"), TEXT("http:/"),
      TEXT("HTTP/1.1"), { HOST }, 400, 0, false, false },
    { "a blank in a target", TEXT("GET"), TEXT("/a b"),
      TEXT("HTTP/1.1"), { HOST }, 400, 0, false, false },
    { "HTTP/2", TEXT("GET"), TEXT("/"), TEXT("HTTP/2.0"),
      { HOST }, 505, 0, false, false },
    { "a long version", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.10"), { HOST }, 505, 0, false, false },
    { "no Host", TEXT("GET"), TEXT("/"), TEXT("HTTP/1.1"),
      { FIELD("A", "b") }, 400, 0, false, false },
    { "two Hosts", TEXT("GET"), TEXT("/"), TEXT("HTTP/1.1"),
      { HOST, HOST }, 400, 0, false, false },
    { "two lengths", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"),
      { HOST, FIELD("Content-Length", "1"), FIELD("Content-Length", "1") },
      400, 0, false, false },
    { "no digits", TEXT("GET"), TEXT("/"), TEXT("HTTP/1.1"),
      { HOST, FIELD("Content-Length", "") }, 400, 0, false, false },
    { "a sign", TEXT("GET"), TEXT("/"), TEXT("HTTP/1.1"),
      { HOST, FIELD("Content-Length", "+1") }, 400, 0, false, false },
    { "a length and chunks", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"),
      { HOST, FIELD("Content-Length", "1"),
        FIELD("Transfer-Encoding", "chunked") }, 400, 0, false, false },
    { "the coding twice", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"),
      { HOST, FIELD("Transfer-Encoding", "chunked"),
        FIELD("Transfer-Encoding", "chunked") }, 400, 0, false, false },
    { "chunks in HTTP/1.0", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.0"), { FIELD("Transfer-Encoding", "chunked") },
      400, 0, false, false },
    { "another coding", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("Transfer-Encoding", "gzip") },
      501, 0, false, false },
    { "a coding and a blank", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("Transfer-Encoding", "chunked ") },
      501, 0, false, false },
    { "another expectation", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("Expect", "magic") },
      417, 0, false, false },
    { "two expectations", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"),
      { HOST, FIELD("Expect", "magic"), FIELD("Expect", "100-continue") },
      417, 0, false, false },
    { "a blank in a name", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("A B", "c") },
      400, 0, false, false },
    { "a control byte in a value", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("A", "b\003") },
      400, 0, false, false },
    { "a NUL in a value", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("A", "b\0c") },
      400, 0, false, false },
    { "a line end in a value", TEXT("GET"), TEXT("/"),
      TEXT("HTTP/1.1"), { HOST, FIELD("A", "b\r\nC: d") },
      400, 0, false, false },
};
/* clang-format on */

static void
test_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sco_http_head head = {
            .method = cases[i].method,
            .target = cases[i].target,
            .version = cases[i].version,
            .fields = cases[i].fields,
        };
        struct sco_head_facts facts = { 0 };
        struct sco_head_fault fault = { 0 };
        bool is_sound;

        while (head.field_count < 4 &&
               cases[i].fields[head.field_count].name.len > 0) {
            head.field_count++;
        }
        print_message("%s\n", cases[i].why);
        is_sound = sco_head_check(&head, &facts, &fault);
        assert_int_equal(is_sound, cases[i].status == 0);
        assert_int_equal(fault.status, cases[i].status);
        assert_int_equal(fault.message[0] == '\0', is_sound);
        assert_int_equal(facts.body_bytes, cases[i].body_bytes);
        assert_int_equal(facts.chunked, cases[i].chunked);
        assert_int_equal(facts.expects_continue, cases[i].expects_continue);
    }
}

/* A head with sizes instead of words. */
static unsigned
status_of(size_t target_len, size_t value_len, size_t field_count)
{
    static char target[8192], value[16384];
    static struct sco_field fields[256];
    struct sco_http_head head = {
        .method = SCO_SLICE("GET"),
        .target = { target, target_len },
        .version = SCO_SLICE("HTTP/1.1"),
        .fields = fields,
        .field_count = field_count,
    };
    struct sco_head_facts facts;
    struct sco_head_fault fault = { 0 };

    memset(target, 't', sizeof(target));
    memset(value, 'v', sizeof(value));
    target[0] = '/';
    for (size_t i = 0; i < field_count; i++) {
        fields[i] = (struct sco_field)FIELD("Name", "value");
    }
    fields[0] = (struct sco_field)HOST;
    fields[field_count - 1].value = (struct sco_slice){ value, value_len };
    (void)sco_head_check(&head, &facts, &fault);
    return fault.status;
}

static void
test_sizes(void **state)
{
    size_t line = strlen("GET  HTTP/1.1");
    size_t field = strlen("Name: \r\n");

    (void)state;
    assert_int_equal(status_of(4094 - line, 1, 2), 0);
    assert_int_equal(status_of(4095 - line, 1, 2), 400);
    assert_int_equal(status_of(1, 8190 - field, 2), 0);
    assert_int_equal(status_of(1, 8191 - field, 2), 431);
    assert_int_equal(status_of(1, 1, 100), 0);
    assert_int_equal(status_of(1, 1, 101), 431);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests_name("http check", tests, NULL, NULL);
}
