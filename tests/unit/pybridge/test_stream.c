/* test_stream.c - what comes out of an iterator, and who hears of its end? */
#include "embedded.h"
#include "fake_sink.h"

#include "pybridge/call.h"

/* Streams what `body`, an expression, gives; -> the length that was said. */
static void
stream(const char *setup, const char *body, struct fake_sink *fake)
{
    const struct sco_call call = { .way = SCO_CALL_GENERAL,
                                   .head = fake_head("/score") };
    struct sco_scoring scoring;
    struct sco_scorer scorer;
    struct sco_text script = { 0 };

    sco_text_addf(&script,
                  "closed = []\n"
                  "headers = [('A', 'b')]\n"
                  "%s\n"
                  "run = lambda call: (200, headers, %s, 16, 5)\n",
                  setup, body);
    embedded_script(script.data, &scoring);
    sco_text_finish(&script);
    assert_int_equal(sco_scorer_init(&scoring, &scorer), 0);
    sco_scorer_score(&scorer, &call, &fake->sink);
    assert_null(PyErr_Occurred());
    assert_int_equal(fake->head.stream_bytes != 0, 1);
    sco_scorer_finish(&scorer);
    sco_scoring_finish(&scoring);
}

/* clang-format off */
static const struct {
    const char *setup, *body, *sent;
    enum sco_status end;
} cases[] = {
    { "", "iter(())",                       "",          SCO_OK },
    { "", "[b'a', b'', 'caf\\xe9', '']",    "a|caf\xc3\xa9|", SCO_OK },
    { "", "iter([bytearray(b'a'), memoryview(b'bc')])", "a|bc|", SCO_OK },
    { "", "iter([b'a', 5, b'b'])",          "a|",        SCO_SCRIPT },
    { "", "iter(['\\ud800'])",              "",          SCO_SCRIPT },
    { "def items():\n yield b'a'\n 1 / 0\n", "items()",  "a|", SCO_SCRIPT },
    { "def items():\n yield b'a'\n raise SystemExit\n", "items()", "a|",
      SCO_SCRIPT },
    { "class Next:\n def __iter__(self): return self\n"
      " def __next__(self): raise StopIteration\n"
      " def close(self): closed.append(1); 1 / 0\n", "Next()", "", SCO_OK },
};
/* clang-format on */

static void
test_sends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_sink fake;

        print_message("%s%s\n", cases[i].setup, cases[i].body);
        fake_sink_init(&fake);
        stream(cases[i].setup, cases[i].body, &fake);
        assert_string_equal(fake_text(&fake.body), cases[i].sent);
        assert_string_equal(fake_text(&fake.headers), "A: b\n");
        assert_int_equal(fake.replies, 0);
        assert_int_equal(fake.starts, 1);
        assert_int_equal(fake.ends, 1);
        assert_int_equal(fake.end_status, cases[i].end);
        assert_int_equal(fake.head.stream_bytes, -1);
        assert_int_equal(fake.head.run_ns, 5);
        fake_sink_finish(&fake);
    }
    py_assert("closed == [1]");
    py_assert("unraised == ['ZeroDivisionError']");
}

static const char endless[] = "def items():\n"
                              "    try:\n"
                              "        while True: yield b'x'\n"
                              "    finally:\n"
                              "        closed.append('finally')\n";

static void
test_stops_when_the_client_leaves(void **state)
{
    struct fake_sink fake;

    (void)state;
    fake_sink_init(&fake);
    fake.cancel_after = 3;
    stream(endless, "items()", &fake);
    assert_int_equal(fake.chunks, 3);
    assert_int_equal(fake.ends, 1);
    assert_int_equal(fake.end_status, SCO_CANCELLED);
    py_assert("closed == ['finally']");
    fake_sink_finish(&fake);
}

/* A generator that never began has no finally to run. */
static void
test_never_starts_for_nobody(void **state)
{
    struct fake_sink fake;

    (void)state;
    fake_sink_init(&fake);
    fake.cancel_start = true;
    stream(endless, "items()", &fake);
    assert_int_equal(fake.chunks, 0);
    assert_int_equal(fake.ends, 1);
    assert_int_equal(fake.end_status, SCO_CANCELLED);
    py_assert("closed == []");
    fake_sink_finish(&fake);
}

static void
test_tells_who_wants_to_know(void **state)
{
    struct fake_sink fake;

    (void)state;
    fake_sink_init(&fake);
    py_run("Scoring.stream_failed = lambda self, e: told.append(repr(e))\n"
           "told = []\n");
    stream("def items():\n    yield b'a'\n    raise KeyError('k')\n",
           "items()", &fake);
    py_run("del Scoring.stream_failed\n");
    assert_int_equal(fake.end_status, SCO_SCRIPT);
    py_assert("told == [\"KeyError('k')\"]");
    py_assert("unraised == []");
    fake_sink_finish(&fake);
}

/* clang-format off */
static const struct {
    const char *value;
    int64_t length;
    const char *headers;
} lengths[] = {
    { "3", 3, "" },
    { "007", 7, "" },
    { "123456789012345678", INT64_C(123456789012345678), "" },
    { "1234567890123456789", -1, "content-length: 1234567890123456789\n" },
    { "", -1, "content-length: \n" },
    { "-1", -1, "content-length: -1\n" },
    { "3 ", -1, "content-length: 3 \n" },
};
/* clang-format on */

static void
test_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct sco_text setup = { 0 };
        struct fake_sink fake;

        sco_text_addf(&setup, "headers = [('content-length', '%s')]",
                      lengths[i].value);
        fake_sink_init(&fake);
        stream(setup.data, "[b'abc']", &fake);
        assert_int_equal(fake.head.stream_bytes, lengths[i].length);
        assert_string_equal(fake_text(&fake.headers), lengths[i].headers);
        fake_sink_finish(&fake);
        sco_text_finish(&setup);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sends),
        cmocka_unit_test(test_stops_when_the_client_leaves),
        cmocka_unit_test(test_never_starts_for_nobody),
        cmocka_unit_test(test_tells_who_wants_to_know),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests_name("stream", tests, embedded_start,
                                       embedded_stop);
}
