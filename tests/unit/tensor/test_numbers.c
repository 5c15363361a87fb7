/* test_numbers.c - do JSON numbers become the tensor that they describe?
 *
 * Whether every float is rounded right is for tests/python/test_tensor.py,
 * which has Python and NumPy beside it.
 */
#include "support/failing_memory.h"

#include "tensor/numbers.c"

#include "support/test.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

enum { ROOM = 64 };

/* Reads all of a text in pieces of at most so many bytes, each in memory of
 * exactly its length, so that a sanitizer sees a read past it. */
static enum sco_status
read_pieces(struct sco_numbers *numbers, struct sco_slice text,
            size_t piece_bytes, struct sco_error *err)
{
    size_t at = 0;

    for (;;) {
        size_t left = text.len - at;
        size_t more = left < piece_bytes ? left : piece_bytes;
        char *piece = test_malloc(more + (more == 0));
        enum sco_status status;
        size_t used = 0;

        memcpy(piece, text.data + at, more);
        status = sco_numbers_feed(
            numbers, (struct sco_slice){ piece, more },
            more == left ? SCO_NUMBERS_LAST : SCO_NUMBERS_MORE, &used, err);
        test_free(piece);
        at += used;
        if (status != SCO_OK || numbers->state == SCO_NUMBERS_DONE) {
            return status;
        }
        assert_int_equal(used, more);
    }
}

/* ---- shapes ----------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char      *text;
    struct sco_shape shape;
} sound[] = {
    { "7", { 0, { 0 } } },
    { " -7 ", { 0, { 0 } } },
    { "[]", { 1, { 0 } } },
    { "[7]", { 1, { 1 } } },
    { "[[],[]]", { 2, { 2, 0 } } },
    { "[[[]],[[]]]", { 3, { 2, 1, 0 } } },
    { "[[1,2,3],\n\t[4, 5 ,6 ] ]", { 2, { 2, 3 } } },
    { "[ [ [ 1 ] , [ 2 ] ] ]", { 3, { 1, 2, 1 } } },
    { "[1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,"
      " 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 3e1]", { 1, { 30 } } },
    { "[[1e-400000000000000000000000000000000000000000000000000000000000001],"
      "[0.000000000000000000000000000000000000000000000000000000000000001],"
      "[-Infinity], [NaN]]", { 2, { 4, 1 } } },
};

/* Each is read as INT8. */
static const struct {
    const char *text;
    const char *why;
} broken[] = {
    { "", "byte 0: the text ends within the numbers" },
    { "[", "byte 1: the text ends within the numbers" },
    { "[1", "byte 2: the text ends within the numbers" },
    { "[[1,2],[3]]", "[1], byte 9: a list of 1, expected 2, which" },
    { "[[1,2],[3,4,5]]", "[1], byte 12: a list of more than 2, which" },
    { "[[1],[2],3]", "[2], byte 9: expected a list, as before, found a num" },
    { "[[1],[[2]]]", "[1][0], byte 6: expected a number, as before, found" },
    { "[[],[1]]", "[1], byte 5: a list of more than 0" },
    { "[[],[[]]]", "[1][0], byte 5: expected a number" },
    { "[[[1]],[]]", "[1], byte 8: a list of 0, expected 1" },
    { "[1,]", "[1], byte 3: INT8 needs an integer from -128 to 127, fou" },
    { "[,1]", "[0], byte 1: INT8 needs" },
    { "[1 2]", "byte 3: expected ',' or ']' behind an item" },
    { "[1}", "byte 2: expected ',' or ']'" },
    { "[\"x\"]", "[0], byte 1: INT8 needs an integer from -128 to 127, found "
      "a string" },
    { "[{}]", "found an object" },
    { "[\x01]", "found a byte that has no place in JSON" },
    { "[null]", "found null" },
    { "[128]", "found 128" },
    { "[-129]", "found -129" },
    { "[1.0]", "found 1.0" },
    { "[1e0]", "found 1e0" },
    { "[01]", "found 01" },
    { "[-]", "found -" },
    { "[+1]", "found +1" },
    { "[1x]", "found 1x" },
    { "[00000000000000000000000000000000000000000000000000000000]",
      "found 0000000000000000000000000000000000000000..." },
};
/* clang-format on */

static void
test_shapes(void **state)
{
    static const size_t pieces[] = { 1, 2, 3, 5, 64, 10000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sound) * COUNT_OF(pieces); i++) {
        const char *text = sound[i / COUNT_OF(pieces)].text;
        float first[ROOM] = { 0 };
        struct sco_numbers_out out = { .data = (char *)first,
                                       .room_bytes = sizeof(first) };
        struct sco_error err = { .text = "" };
        struct sco_numbers numbers;
        struct sco_shape shape;
        size_t count = 99;

        sco_numbers_begin(&numbers, SCO_FP32, ROOM, &out);
        if (read_pieces(&numbers, sco_slice_of(text),
                        pieces[i % COUNT_OF(pieces)], &err) != SCO_OK) {
            fail_msg("%s: %s", text, err.text);
        }
        sco_numbers_shape(&numbers, &shape);
        assert_true(
            sco_shape_equal(&shape, &sound[i / COUNT_OF(pieces)].shape));
        assert_int_equal(sco_shape_count(&shape, &count, NULL), SCO_OK);
        assert_int_equal(numbers.count, count);
        assert_int_equal(out.used_bytes, count * sizeof(float));
        sco_numbers_finish(&numbers);
    }
}

static void
test_refused_the_same_in_pieces(void **state)
{
    static const size_t pieces[] = { 1, 2, 10000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken) * COUNT_OF(pieces); i++) {
        const char *text = broken[i / COUNT_OF(pieces)].text;
        const char *why = broken[i / COUNT_OF(pieces)].why;
        int8_t elements[ROOM];
        struct sco_numbers_out out = { .data = (char *)elements,
                                       .room_bytes = sizeof(elements) };
        struct sco_error err = { .text = "" };
        struct sco_numbers numbers;

        sco_numbers_begin(&numbers, SCO_INT8, ROOM, &out);
        assert_int_equal(read_pieces(&numbers, sco_slice_of(text),
                                     pieces[i % COUNT_OF(pieces)], &err),
                         SCO_INVALID);
        if (strstr(err.text, why) == NULL) {
            fail_msg("%s: %s", text, err.text);
        }
        sco_numbers_finish(&numbers);
    }
}

/* ---- limits ----------------------------------------------------------- */

static enum sco_status
read_limited(const char *text, size_t count_max, size_t room_bytes,
             struct sco_error *err)
{
    int16_t elements[ROOM];
    struct sco_numbers_out out = { .data = (char *)elements,
                                   .room_bytes = room_bytes };
    struct sco_numbers numbers;
    enum sco_status status;

    sco_numbers_begin(&numbers, SCO_INT16, count_max, &out);
    status = read_pieces(&numbers, sco_slice_of(text), 1000, err);
    sco_numbers_finish(&numbers);
    return status;
}

static void
test_limits(void **state)
{
    char deep[SCO_RANK_MAX + 2];
    struct sco_error err = { .text = "" };

    (void)state;
    assert_int_equal(read_limited("[1,2,3]", 3, 6, &err), SCO_OK);
    assert_int_equal(read_limited("[1,2,3]", 2, 6, &err), SCO_TOO_LARGE);
    assert_string_equal(err.text, "[2], byte 5: more than 2 elements");
    assert_int_equal(read_limited("[1,2,3]", 3, 5, &err), SCO_TOO_LARGE);
    assert_string_equal(err.text,
                        "[2], byte 5: no room for more than 2 elements");
    memset(deep, '[', sizeof(deep));
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(read_limited(deep, 3, 6, &err), SCO_TOO_LARGE);
    assert_non_null(
        strstr(err.text, "lists lie deeper in each other than 32"));
}

/* Reads more than fits at first, and a number that two pieces share. */
static enum sco_status
read_growing(struct sco_numbers_out *out, struct sco_error *err)
{
    struct sco_numbers numbers;
    enum sco_status status;
    char text[8001] = "[1";

    for (size_t i = 2; i + 2 < sizeof(text); i += 2) {
        memcpy(text + i, ",1", 2);
    }
    text[sizeof(text) - 1] = ']';
    sco_numbers_begin(&numbers, SCO_INT32, SIZE_MAX, out);
    status = read_pieces(&numbers, (struct sco_slice){ text, sizeof(text) }, 2,
                         err);
    sco_numbers_finish(&numbers);
    return status;
}

static void
test_growing(void **state)
{
    struct sco_numbers_out out = { .grow = sco_numbers_grow };
    struct sco_error err = { .text = "" };
    size_t failures = 0;

    (void)state;
    for (size_t i = 0; memory_fail_at(i), true; i++) {
        enum sco_status status = read_growing(&out, &err);

        if (!memory_has_failed()) {
            assert_int_equal(status, SCO_OK);
            break;
        }
        assert_int_equal(status, SCO_NOMEM);
        failures++;
        out.used_bytes = 0;
    }
    assert_true(failures > 0);
    assert_int_equal(out.used_bytes, 4000 * sizeof(int32_t));
    assert_int_equal(((int32_t *)(void *)out.data)[3999], 1);
    free(out.data);
}

/* Behind what is there already, as rows of a batch stand. */
static void
test_several_into_one_block(void **state)
{
    uint8_t elements[6] = { 0 };
    const uint8_t wanted[6] = { 1, 2, 3, 4, 5, 6 };
    struct sco_numbers_out out = { .data = (char *)elements,
                                   .room_bytes = sizeof(elements) };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sco_numbers numbers;

        sco_numbers_begin(&numbers, SCO_UINT8, 3, &out);
        assert_int_equal(
            read_pieces(&numbers,
                        sco_slice_of(i == 0 ? "[[1,2,3]]" : "[[4,5,6]]"), 4,
                        NULL),
            SCO_OK);
        sco_numbers_finish(&numbers);
    }
    assert_memory_equal(elements, wanted, sizeof(wanted));
}

/* ---- a shape that was given, and JSON around -------------------------- */

static void
test_a_given_shape(void **state)
{
    const struct sco_shape shape = { 2, { 2, 2 } };
    static const struct {
        const char *text;
        bool fits;
    } texts[] = {
        { "[1,2,3,4]", true },
        { "[[1,2],[3,4]]", true },
        { "[[1,2,3,4]]", false },
        { "[[1],[2],[3],[4]]", false },
        { "[1,2,3]", false },
        { "[[1,2],[3,4],[5,6]]", false },
        { "[[[1],[2]],[[3],[4]]]", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        double elements[ROOM];
        struct sco_numbers_out out = { .data = (char *)elements,
                                       .room_bytes = sizeof(elements) };
        struct sco_error err = { .text = "" };
        struct sco_numbers numbers;

        sco_numbers_begin(&numbers, SCO_FP64, ROOM, &out);
        assert_int_equal(
            read_pieces(&numbers, sco_slice_of(texts[i].text), 100, &err),
            SCO_OK);
        assert_int_equal(sco_numbers_fit(&numbers, &shape, &err),
                         texts[i].fits ? SCO_OK : SCO_INVALID);
        assert_int_equal(err.text[0] == '\0', texts[i].fits);
        sco_numbers_finish(&numbers);
    }
}

static void
test_within_json(void **state)
{
    float elements[ROOM];
    struct sco_numbers_out out = { .data = (char *)elements,
                                   .room_bytes = sizeof(elements) };
    struct sco_error err = { .text = "" };
    struct sco_shape shape = { 0, { 0 } };
    struct sco_slice key;
    struct sco_json json;

    (void)state;
    sco_json_begin(&json, SCO_SLICE("{\"x\": [[0.5], [2]], \"y\": [1, {}]}"),
                   4);
    sco_json_enter_object(&json);
    assert_true(sco_json_next_key(&json, &key));
    assert_int_equal(sco_numbers_pull(&json, SCO_FP32, ROOM, &out, &shape),
                     SCO_OK);
    assert_int_equal(shape.rank, 2);
    assert_int_equal(shape.dims[0], 2);
    assert_true(elements[0] == 0.5F && elements[1] == 2.0F);
    assert_true(sco_json_next_key(&json, &key));
    assert_int_equal(sco_numbers_pull(&json, SCO_FP32, ROOM, &out, &shape),
                     SCO_INVALID);
    assert_false(sco_json_next_key(&json, &key));
    assert_int_equal(sco_json_status(&json, &err), SCO_INVALID);
    assert_string_equal(err.text,
                        "[1], byte 29: FP32 needs a number, found an object");
    assert_int_equal(sco_numbers_pull(&json, SCO_FP32, ROOM, &out, &shape),
                     SCO_INVALID);
    sco_json_finish(&json);
}

/* A number in no list ends before the comma, however long the text is. */
static void
test_a_scalar_within_json(void **state)
{
    int8_t element = 0;
    struct sco_numbers_out out = { .data = (char *)&element,
                                   .room_bytes = sizeof(element) };
    struct sco_shape shape = { 9, { 0 } };
    struct sco_slice key;
    struct sco_json json;

    (void)state;
    sco_json_begin(&json,
                   SCO_SLICE("{\"x\": 7, \"y\": \"long enough that what reads "
                             "many numbers at once would read this one\"}"),
                   4);
    sco_json_enter_object(&json);
    assert_true(sco_json_next_key(&json, &key));
    assert_int_equal(sco_numbers_pull(&json, SCO_INT8, 1, &out, &shape),
                     SCO_OK);
    assert_int_equal(element, 7);
    assert_int_equal(shape.rank, 0);
    assert_true(sco_json_next_key(&json, &key));
    assert_true(sco_slice_equal(key, SCO_SLICE("y")));
    sco_json_finish(&json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_refused_the_same_in_pieces),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_several_into_one_block),
        cmocka_unit_test(test_a_given_shape),
        cmocka_unit_test(test_within_json),
        cmocka_unit_test(test_a_scalar_within_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
