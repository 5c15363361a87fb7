/* test_tensors.c - are arrays what requests say, and replies what they are? */
#include "embedded.h"
#include "fake_sink.h"

#include "pybridge/call.h"
#include "pybridge/memory.h"

#include <stdio.h>
#include <string.h>

/* A Scoring with tensors, whose arrays are memoryviews, or lists of bytes. */
static const char tensor_scoring[] =
    "import array, struct\n"
    "class Tensors(Scoring):\n"
    "    mode, fast, tensor_way, batching = 'tensor', False, 'tensor', None\n"
    "    signature = '{\"name\":\"m\",\"version\":\"1\",\"inputs\":['\\\n"
    "        '{\"name\":\"x\",\"datatype\":\"INT32\",\"shape\":[-1,2]},'\\\n"
    "        '{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[-1]}],'\\\n"
    "        '\"outputs\":[{\"name\":\"y\",\"datatype\":\"INT32\",'\\\n"
    "        '\"shape\":[-1]}]}'\n"
    "    def array(self, tensor):\n"
    "        kept.append(tensor)\n"
    "        return tensor.items() if tensor.datatype == 'BYTES' else \\\n"
    "            memoryview(tensor)\n"
    "    def call(self, arguments):\n"
    "        return self.run(**arguments)\n"
    "    def outputs(self, result):\n"
    "        return result\n"
    "    def unpack(self, coding, body, most):\n"
    "        asked.append((coding, most))\n"
    "        return packed[bytes(body)]\n"
    "asked, packed = [], {}\n"
    "kept = []\n"
    "Scoring = Tensors\n";

static int
start(void **state)
{
    if (embedded_start(state) != 0) {
        return -1;
    }
    py_run(tensor_scoring);
    return 0;
}

static void
score_with(const char *script, enum sco_call_way way, struct sco_slice head,
           const char *body, struct fake_sink *fake)
{
    const struct sco_call call = { .way = way,
                                   .head = head,
                                   .body = sco_slice_of(body) };
    struct sco_scoring scoring;
    struct sco_scorer scorer;

    fake_sink_init(fake);
    py_run("kept.clear()\n");
    embedded_script(script, &scoring);
    assert_int_equal(sco_scorer_init(&scoring, &scorer), 0);
    sco_scorer_score(&scorer, &call, &fake->sink);
    assert_null(PyErr_Occurred());
    assert_int_equal(fake->replies, 1);
    sco_scorer_finish(&scorer);
    sco_scoring_finish(&scoring);
}

static void
score(const char *script, enum sco_call_way way, const char *body,
      struct fake_sink *fake)
{
    score_with(script, way, fake_head("/score"), body, fake);
}

#define ECHO \
    "run = lambda x, s: array.array('i', [a + b for a, b in x.tolist()])"
#define BODY "{\"x\": [[1, 2], [3, 4]], \"s\": [\"a\", \"bc\"]}"

/* clang-format off */
static const struct {
    const char *script;
    const char *body;
    unsigned status;
    const char *reply;
} plain[] = {
    { ECHO, BODY, 200, "[3, 7]" },
    { ECHO, "{\"x\": [], \"s\": []}", 400,
      "{\"message\": \"input \\\"x\\\": its shape is [0], and the model takes "
      "[-1,2]\"}" },
    { ECHO, "{\"x\": [[1, 2], [3]], \"s\": []}", 400,
      "{\"message\": \"[1], byte 17: a list of 1, expected 2, which is how "
      "many the lists before it have\"}" },
    { ECHO, "{\"x\": [[1, 2]]}", 400,
      "{\"message\": \"input \\\"s\\\" is missing: the model takes 2\"}" },
    { "run = lambda x, s: [('y', 'BYTES', (2,), s)]", BODY, 200,
      "[\"a\", \"bc\"]" },
    { "run = lambda x, s: [('a', 'INT32', (2, 2), x), "
      "('b', 'BYTES', (1, 2), s)]", BODY, 200,
      "{\"a\": [[1, 2], [3, 4]], \"b\": [[\"a\", \"bc\"]]}" },
    { "run = lambda x, s: []", BODY, 200, "{}" },
    { "def run(x, s): raise ValueError('no')", BODY, 500,
      "failed ValueError" },
    { "run = lambda x, s: [('y', 'INT32', (3,), x)]", BODY, 500,
      "failed ValueError" },
    { "run = lambda x, s: [('y', 'BYTES', (3,), s)]", BODY, 500,
      "failed TypeError" },
    { "run = lambda x, s: [('y', 'NONE', (3,), s)]", BODY, 500,
      "failed ValueError" },
    { "run = lambda x, s: 7", BODY, 500, "failed TypeError" },
};
/* clang-format on */

static void
test_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct fake_sink fake;

        print_message("%s %s\n", plain[i].script, plain[i].body);
        score(plain[i].script, SCO_CALL_PLAIN, plain[i].body, &fake);
        assert_string_equal(fake_text(&fake.body), plain[i].reply);
        assert_int_equal(fake.head.status, plain[i].status);
        fake_sink_finish(&fake);
    }
}

static void
test_infer(void **state)
{
    struct fake_sink fake;

    (void)state;
    score(ECHO, SCO_CALL_INFER,
          "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"INT32\",\"shape\":"
          "[1,2],\"data\":[4,5]},{\"name\":\"s\",\"datatype\":\"BYTES\","
          "\"shape\":[0],\"data\":[]}],\"outputs\":[{\"name\":\"y\","
          "\"parameters\":{\"binary_data\":true}}]}",
          &fake);
    assert_int_equal(fake.head.status, 200);
    assert_non_null(strstr(fake.headers.data, "application/octet-stream"));
    assert_non_null(
        strstr(fake.headers.data, "Inference-Header-Content-Length: "));
    assert_memory_equal(fake.body.data + fake.body.len - 4, "\x09\0\0\0", 4);
    fake_sink_finish(&fake);

    score("def run(x, s): raise ValueError('no')", SCO_CALL_INFER, "{}",
          &fake);
    assert_int_equal(fake.head.status, 400);
    assert_string_equal(fake_text(&fake.body),
                        "{\"error\":\"an infer request is an object with "
                        "inputs, a list\"}");
    fake_sink_finish(&fake);
}

/* clang-format off */
static const struct {
    const char *body;
    const char *made; /* of it, by Scoring.unpack() */
    unsigned status;
    const char *reply;
} packed_bodies[] = {
    { "sound", "bytearray(b'{\"inputs\":[{\"name\":\"x\",\"datatype\":"
      "\"INT32\",\"shape\":[1,2],\"data\":[4,5]},{\"name\":\"s\","
      "\"datatype\":\"BYTES\",\"shape\":[0],\"data\":[]}]}')", 200,
      "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{"
      "\"name\":\"y\",\"datatype\":\"INT32\",\"shape\":[1],\"data\":[9]}]}" },
    { "long", "b' ' * 100000", 400,
      "{\"error\":\"line 1, column 100001: the text ends where an object "
      "should stand\"}" },
    { "empty", "b''", 400,
      "{\"error\":\"line 1, column 1: the text ends where an object should "
      "stand\"}" },
    { "broken", "(400, 'it is broken')", 400,
      "{\"error\":\"it is broken\"}" },
    { "huge", "(413, 'too much')", 413, "{\"error\":\"too much\"}" },
    { "odd", "(415, 'none here')", 415, "{\"error\":\"none here\"}" },
    { "wrong", "(400,)", 500, "{\"error\":\"TypeError: " },
    { "worse", "'text'", 500, "{\"error\":\"TypeError: " },
};
/* clang-format on */

static void
test_bodies_that_are_packed(void **state)
{
    const struct sco_field field = { SCO_SLICE("content-encoding"),
                                     SCO_SLICE("gzip") };

    (void)state;
    for (size_t i = 0; i < sizeof(packed_bodies) / sizeof(packed_bodies[0]);
         i++) {
        char line[512];
        struct fake_sink fake;

        print_message("%s\n", packed_bodies[i].body);
        (void)snprintf(line, sizeof(line), "packed[b'%s'] = %s\n",
                       packed_bodies[i].body, packed_bodies[i].made);
        py_run(line);
        score_with(ECHO, SCO_CALL_INFER, fake_head_with("/", field),
                   packed_bodies[i].body, &fake);
        assert_int_equal(fake.head.status, packed_bodies[i].status);
        assert_non_null(strstr(fake_text(&fake.body), packed_bodies[i].reply));
        fake_sink_finish(&fake);
    }
    py_assert("set(asked) == {('gzip', 32 * 1024 * 1024)}");
}

static void
test_a_body_that_is_not_packed_is_not_unpacked(void **state)
{
    const struct sco_field field = { SCO_SLICE("Content-Encoding"),
                                     SCO_SLICE("identity") };
    struct fake_sink fake;

    (void)state;
    py_run("asked.clear()\n");
    score_with(ECHO, SCO_CALL_INFER, fake_head_with("/", field), "{}", &fake);
    assert_int_equal(fake.head.status, 400);
    fake_sink_finish(&fake);
    py_assert("asked == []");
}

static void
test_a_kept_tensor_holds(void **state)
{
    struct fake_sink fake;

    (void)state;
    score(ECHO, SCO_CALL_PLAIN, BODY, &fake);
    fake_sink_finish(&fake);
    py_assert("kept[0].shape == (2, 2) and kept[0].datatype == 'INT32'");
    py_assert("memoryview(kept[0]).tolist() == [[1, 2], [3, 4]]");
    py_assert("memoryview(kept[0]).readonly");
    py_assert("kept[1].items() == [b'a', b'bc']");
    py_assert("kept[0].__dlpack_device__() == (1, 0)");
    py_assert("'dltensor_versioned' in "
              "repr(kept[0].__dlpack__(max_version=(1, 0)))");
    py_run("import gc\n"
           "for wrong in (lambda: kept[0].items(),\n"
           "              lambda: kept[0].__dlpack__(),\n"
           "              lambda: kept[1].__dlpack__(max_version=(1, 0)),\n"
           "              lambda: memoryview(kept[1]),\n"
           "              lambda: type(kept[0])()):\n"
           "    try: wrong()\n"
           "    except (TypeError, BufferError): pass\n"
           "    else: raise AssertionError(wrong)\n"
           "kept.clear()\n");
}

static void
test_memory_is_used_again(void **state)
{
    struct sco_memory_shelf shelf = { .next = 0 };
    struct sco_memory *first = sco_memory_take(&shelf, 5000);
    struct sco_memory *second = sco_memory_take(&shelf, 5000);

    (void)state;
    assert_ptr_not_equal(first, second);
    assert_int_equal((uintptr_t)first->data % SCO_MEMORY_ALIGN, 0);
    sco_memory_unref(first);
    assert_ptr_equal(sco_memory_take(&shelf, 5000), first);
    memcpy(first->data, "kept", 5);
    first = sco_memory_grow(&shelf, first, 5, 100000);
    assert_string_equal(first->data, "kept");
    assert_true(first->room >= 100000);
    sco_memory_shelf_finish(&shelf);
    sco_memory_unref(first);
    sco_memory_unref(second);
}

/* How many bytes a shelf keeps. */
static size_t
kept_bytes(const struct sco_memory_shelf *shelf)
{
    size_t bytes = 0;

    for (size_t i = 0; i < SCO_MEMORY_SHELF; i++) {
        bytes += shelf->blocks[i] != NULL ? shelf->blocks[i]->room : 0;
    }
    return bytes;
}

static void
test_large_memory_is_not_kept_for_ever(void **state)
{
    const size_t million = 1000 * 1000;
    struct sco_memory_shelf shelf = { .next = 0 };
    struct sco_memory *first, *second;

    (void)state;
    for (size_t i = 1; i <= 20; i++) {
        sco_memory_unref(sco_memory_take(&shelf, i * 2 * million));
    }
    assert_true(kept_bytes(&shelf) <= 41 * million);

    /* Two at a time are of use again and again. */
    first = sco_memory_take(&shelf, 30 * million);
    second = sco_memory_take(&shelf, 20 * million);
    sco_memory_unref(first);
    sco_memory_unref(second);
    for (size_t i = 0; i < 200; i++) {
        struct sco_memory *large = sco_memory_take(&shelf, 30 * million);
        struct sco_memory *small = sco_memory_take(&shelf, 20 * million);

        assert_true(large == first && small == second);
        sco_memory_unref(large);
        sco_memory_unref(small);
    }

    /* When nobody needs them any more they go. */
    for (size_t i = 0; i < 100; i++) {
        sco_memory_unref(sco_memory_take(&shelf, 100));
    }
    assert_true(kept_bytes(&shelf) < million);

    /* One that is held stays with who holds it. */
    first = sco_memory_take(&shelf, 3 * million);
    memset(first->data, 7, 3 * million);
    for (size_t i = 0; i < 100; i++) {
        sco_memory_unref(sco_memory_take(&shelf, 4 * million + i * 5000));
    }
    assert_int_equal(first->data[3 * million - 1], 7);
    sco_memory_unref(first);
    sco_memory_shelf_finish(&shelf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_infer),
        cmocka_unit_test(test_bodies_that_are_packed),
        cmocka_unit_test(test_a_body_that_is_not_packed_is_not_unpacked),
        cmocka_unit_test(test_a_kept_tensor_holds),
        cmocka_unit_test(test_memory_is_used_again),
        cmocka_unit_test(test_large_memory_is_not_kept_for_ever),
    };

    return cmocka_run_group_tests(tests, start, embedded_stop);
}
