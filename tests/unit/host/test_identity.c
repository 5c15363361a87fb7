/* test_identity.c - which ids go back, for whatever ids came
 *
 * The rows are those of the contract.
 */
#include "host/identity.h"
#include "support/test.h"

#include <string.h>

#define HUNDRED                                         \
    "0123456789012345678901234567890123456789012345678" \
    "9012345678901234567890123456789012345678901234567" \
    "89"

static const char rid_too_long[] =
    "x-request-id must not exceed 100 characters";
static const char others_too_long[] =
    "x-ms-request-id and x-ms-client-request-id must not exceed 100 "
    "characters";

/* What stands for an id that is made; no client sends it. */
static const char made[] = "(made)";

/* clang-format off */
static const struct {
    const char *why;
    const char *rid, *legacy, *client; /* sent; NULL: not sent */
    const char *rid_back, *legacy_back, *client_back; /* "": absent */
    const char *refusal;
    bool        used_legacy;
} cases[] = {
    { "nothing",       NULL, NULL, NULL, made, made, "",  NULL, false },
    { "an id",         "A",  NULL, NULL, "A",  "A",  "",  NULL, false },
    { "a legacy id",   NULL, "B",  NULL, made, "B",  "B", NULL, true },
    { "a client's id", NULL, NULL, "C",  made, "C",  "C", NULL, false },
    { "B and C",       NULL, "B",  "C",  made, "B",  "C", NULL, true },
    { "all three",     "A",  "B",  "C",  "A",  "B",  "C", NULL, true },
    { "A and C",       "A",  NULL, "C",  "A",  "C",  "C", NULL, false },
    { "an empty id: one is made",
                       "",   NULL, NULL, made, made, "",  NULL, false },
    { "an empty legacy id counts as none",
                       "A",  "",   NULL, "A",  "A",  "",  NULL, false },
    { "an empty client's id counts as none",
                       "A",  "B",  "",   "A",  "B",  "B", NULL, true },
    { "100 characters are allowed",
      HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED, NULL, true },
    { "101 are not: nothing goes back",
      HUNDRED "x", "B", "C", "", "", "", rid_too_long, false },
    { "a long legacy id: only the request's goes back",
      "A", HUNDRED "x", "C", "A", "", "", others_too_long, true },
    { "a long client's id: the same, and one is made",
      NULL, "B", HUNDRED "x", made, "", "", others_too_long, true },
};
/* clang-format on */

static size_t
add(struct sco_field *fields, size_t count, struct sco_slice name,
    const char *value)
{
    if (value == NULL) {
        return count;
    }
    fields[count] = (struct sco_field){ name, sco_slice_of(value) };
    return count + 1;
}

static void
assert_id(struct sco_slice got, const char *wanted)
{
    if (wanted == made) {
        assert_int_equal(got.len, SCO_UUID_CHARS);
        assert_int_equal(got.data[14], '4');
    } else {
        assert_true(sco_slice_equal(got, sco_slice_of(wanted)));
    }
}

static void
test_the_ids_that_go_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sco_identity ids;
        struct sco_field fields[3];
        const char *refusal;
        size_t count = 0;

        print_message("%s\n", cases[i].why);
        count = add(fields, count, SCO_SLICE("X-Request-Id"), cases[i].rid);
        count =
            add(fields, count, SCO_SLICE("x-ms-request-id"), cases[i].legacy);
        count = add(fields, count, SCO_SLICE("x-ms-CLIENT-request-id"),
                    cases[i].client);
        refusal = sco_identity_read(fields, count, &ids);
        if (cases[i].refusal == NULL) {
            assert_null(refusal);
        } else {
            assert_string_equal(refusal, cases[i].refusal);
        }
        assert_id(ids.request, cases[i].rid_back);
        assert_id(ids.legacy, cases[i].legacy_back);
        assert_id(ids.client, cases[i].client_back);
        assert_int_equal(ids.used_legacy, cases[i].used_legacy);
        assert_false(ids.has_trace);
    }
}

static void
test_two_requests_have_two_ids(void **state)
{
    struct sco_identity one, other;

    (void)state;
    assert_null(sco_identity_read(NULL, 0, &one));
    assert_null(sco_identity_read(NULL, 0, &other));
    assert_false(sco_slice_equal(one.request, other.request));
    assert_true(sco_slice_equal(one.request, one.legacy));
}

static void
test_a_trace_id_goes_back_even_if_it_is_empty(void **state)
{
    struct sco_field field = { SCO_SLICE("TRACEID"), SCO_SLICE("") };
    struct sco_identity ids;

    (void)state;
    assert_null(sco_identity_read(&field, 1, &ids));
    assert_true(ids.has_trace);
    assert_int_equal(ids.trace.len, 0);
    field = (struct sco_field){ SCO_SLICE("trace-id"), SCO_SLICE("x") };
    assert_null(sco_identity_read(&field, 1, &ids));
    assert_false(ids.has_trace);
}

static void
test_an_id_that_is_sent_twice_is_joined(void **state)
{
    const struct sco_field fields[] = {
        { SCO_SLICE("x-request-id"), SCO_SLICE("a") },
        { SCO_SLICE("x-ms-request-id"), SCO_SLICE("") },
        { SCO_SLICE("X-Request-Id"), SCO_SLICE("b") },
        { SCO_SLICE("x-ms-request-id"), SCO_SLICE("c") },
        { SCO_SLICE("x-request-id"), SCO_SLICE("d") },
    };
    struct sco_identity ids;

    (void)state;
    assert_null(sco_identity_read(fields, 5, &ids));
    assert_id(ids.request, "a,b,d");
    assert_id(ids.legacy, ",c");
}

/* The limit is that of what goes back, comma and all. */
static void
test_what_is_too_long_together_is_too_long(void **state)
{
    struct sco_field fields[2] = {
        { SCO_SLICE("x-request-id"), { HUNDRED, 50 } },
        { SCO_SLICE("x-request-id"), { HUNDRED, 49 } },
    };
    struct sco_identity ids;

    (void)state;
    assert_null(sco_identity_read(fields, 2, &ids));
    assert_int_equal(ids.request.len, 100);
    fields[1].value.len = 50;
    assert_non_null(sco_identity_read(fields, 2, &ids));
    assert_int_equal(ids.request.len, 0);
    fields[0].value.len = 100;
    fields[1].value.len = 100;
    assert_non_null(sco_identity_read(fields, 2, &ids));
}

static void
test_the_first_field_of_a_name_counts(void **state)
{
    const struct sco_field fields[] = {
        { SCO_SLICE("a"), SCO_SLICE("0") },
        { SCO_SLICE("B"), SCO_SLICE("1") },
        { SCO_SLICE("b"), SCO_SLICE("2") },
    };
    struct sco_slice value = SCO_SLICE("before");

    (void)state;
    assert_true(sco_field_find(fields, 3, SCO_SLICE("b"), &value));
    assert_true(sco_slice_equal(value, SCO_SLICE("1")));
    assert_false(sco_field_find(fields, 3, SCO_SLICE("bb"), &value));
    assert_true(sco_slice_equal(value, SCO_SLICE("1")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_ids_that_go_back),
        cmocka_unit_test(test_two_requests_have_two_ids),
        cmocka_unit_test(test_a_trace_id_goes_back_even_if_it_is_empty),
        cmocka_unit_test(test_an_id_that_is_sent_twice_is_joined),
        cmocka_unit_test(test_what_is_too_long_together_is_too_long),
        cmocka_unit_test(test_the_first_field_of_a_name_counts),
    };

    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
