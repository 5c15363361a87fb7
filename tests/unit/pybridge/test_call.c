/* test_call.c - does every call get exactly one reply, and the right one? */
#include "embedded.h"
#include "fake_sink.h"

#include "base/clock.h"
#include "pybridge/call.h"

/* Scores one call; the caller ends the sink. */
static void
score(const char *script, enum sco_call_way way, struct sco_slice body,
      struct fake_sink *fake)
{
    const struct sco_call call = { .way = way,
                                   .head = fake_head("/score?x=1"),
                                   .body = body };
    struct sco_scoring scoring;
    struct sco_scorer scorer;

    fake_sink_init(fake);
    embedded_script(script, &scoring);
    assert_int_equal(sco_scorer_init(&scoring, &scorer), 0);
    sco_scorer_score(&scorer, &call, &fake->sink);
    assert_null(PyErr_Occurred());
    assert_int_equal(fake->replies, 1);
    sco_scorer_finish(&scorer);
    sco_scoring_finish(&scoring);
}

#define INTERNAL                                                    \
    "{\"message\": \"An unexpected internal error occurred. Check " \
    "the logs for more info.\"}"

/* clang-format off */
static const struct {
    const char *script;
    const char *input;
    unsigned status;
    uint32_t flags;
    const char *body;
} plain[] = {
    { "run = lambda data: None", "x", 200, SCO_REPLY_EXEC_MS, "{}" },
    { "run = lambda data: data", "", 200, SCO_REPLY_EXEC_MS, "\"\"" },
    { "run = lambda data: data", "caf\xc3\xa9", 200, SCO_REPLY_EXEC_MS,
      "\"caf\\u00e9\"" },
    { "run = lambda data: [len(data), {'a': 1.5}]", "abc", 200,
      SCO_REPLY_EXEC_MS, "[3, {\"a\": 1.5}]" },
    { "def run(*, data): return True", "x", 200, SCO_REPLY_EXEC_MS, "true" },
    { "run = lambda data: b'x'", "x", 201, 4, "finish bytes" },
    { "run = lambda data: [b'x']", "x", 201, 4, "finish list" },
    { "run = lambda data: 1 / 0", "x", 500, 1, "failed ZeroDivisionError" },
    { "run = lambda wrong: 1", "x", 500, 1, "failed TypeError" },
    { "def run(data): raise SystemExit(7)", "x", 500, 1,
      "failed SystemExit" },
    { "def run(data): raise KeyboardInterrupt", "x", 500, 1,
      "failed KeyboardInterrupt" },
    { "def run(data): return run(data)", "x", 500, 1,
      "failed RecursionError" },
    { "run = lambda data: data", "\xff", 400, 0,
      "{\"message\": \"Input cannot be decoded as UTF-8: 'utf-8' codec can't "
      "decode byte 0xff in position 0: invalid start byte\"}" },
    { "run = lambda data: data", "ab\xe2\x82", 400, 0,
      "{\"message\": \"Input cannot be decoded as UTF-8: 'utf-8' codec can't "
      "decode bytes in position 2-3: unexpected end of data\"}" },
    /* What an object does when it goes is not the request's fault. */
    { "class Bad:\n def __del__(self): 1 / 0\n"
      "def run(data):\n Bad()\n return 1", "x", 200, 4, "1" },
};
/* clang-format on */

static void
test_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct fake_sink fake;

        print_message("%s\n", plain[i].script);
        score(plain[i].script, SCO_CALL_PLAIN, sco_slice_of(plain[i].input),
              &fake);
        assert_string_equal(fake_text(&fake.body), plain[i].body);
        assert_int_equal(fake.head.status, plain[i].status);
        assert_int_equal(fake.head.flags, plain[i].flags);
        assert_int_equal(fake.head.stream_bytes, -1);
        fake_sink_finish(&fake);
    }
}

static void
test_measures_run_alone(void **state)
{
    uint64_t before_ns = sco_clock_now_ns();
    struct fake_sink fake;

    (void)state;
    score("import time\n"
          "def run(data):\n"
          " time.sleep(0.02)\n",
          SCO_CALL_PLAIN, SCO_SLICE("x"), &fake);
    assert_true(fake.head.run_ns >= 20 * 1000 * 1000);
    assert_true(fake.head.run_ns < UINT64_C(20) * 1000 * 1000 * 1000);
    assert_true(fake.head.begun_ns >= before_ns);
    assert_true(fake.head.begun_ns + fake.head.run_ns <= sco_clock_now_ns());
    fake_sink_finish(&fake);
}

/* clang-format off */
static const struct {
    const char *script;
    unsigned status;
    const char *headers;
    const char *body;
} general[] = {
    { "run = lambda call: (200, [], b'x', 0, 0)", 200, "", "x" },
    { "run = lambda call: ((299, 'Fine'), [('A', 'b')], 'caf\\xe9', 0, 0)",
      299, ": Fine\nA: b\n", "caf\xc3\xa9" },
    { "run = lambda call: (200, [('A', '\\xe9')], bytearray(b'x'), 0, 0)",
      200, "A: \xe9\n", "x" },
    { "run = lambda call: (200, [], memoryview(b'abc')[1:], 0, 0)", 200, "",
      "bc" },
    { "run = lambda call: (200, [('Content-Length', '3')], 'abc', 0, 0)", 200,
      "Content-Length: 3\n", "abc" },
    { "def run(call): raise ValueError", 500, "", "failed ValueError" },
    { "def run(call): raise SystemExit", 500, "", "failed SystemExit" },
    { "run = lambda call: None", 500, "", INTERNAL },
    { "run = lambda call: (200, [], b'')", 500, "", INTERNAL },
    { "run = lambda call: (99, [], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (1000, [], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: ('200', [], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (2**80, [], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: ((200, 5), [], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: ((200, 'a\\nb'), [], b'', 0, 0)", 500, "",
      INTERNAL },
    { "run = lambda call: (200, {}, b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (200, ['A'], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (200, [('A',)], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (200, [('A', 1)], b'', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (200, [('A', 'b\\r\\nC: d')], b'', 0, 0)", 500, "",
      INTERNAL },
    { "run = lambda call: (200, [('A', '\\0')], b'', 0, 0)", 500, "",
      INTERNAL },
    { "run = lambda call: (200, [('A', '\\u20ac')], b'', 0, 0)", 500, "",
      INTERNAL },
    { "run = lambda call: (200, [('A' * 70000, 'b')], b'', 0, 0)", 500, "",
      INTERNAL },
    { "run = lambda call: (200, [('A', 'b')] * 5000, b'', 0, 0)", 500, "",
      INTERNAL },
    { "run = lambda call: (200, [], 5, 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (200, [], '\\ud800', 0, 0)", 500, "", INTERNAL },
    { "run = lambda call: (200, [], b'', 'x', 0)", 500, "", INTERNAL },
    { "run = lambda call: (200, [], b'', 0, None)", 500, "", INTERNAL },
    { "run = lambda call: (200, [], 5, 16, 0)", 500, "", INTERNAL },
};
/* clang-format on */

static void
test_general(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++) {
        struct fake_sink fake;

        print_message("%s\n", general[i].script);
        score(general[i].script, SCO_CALL_GENERAL, SCO_SLICE("x"), &fake);
        assert_string_equal(fake_text(&fake.body), general[i].body);
        assert_string_equal(fake_text(&fake.headers), general[i].headers);
        assert_int_equal(fake.head.status, general[i].status);
        if (strcmp(general[i].body, INTERNAL) == 0) {
            py_assert("len(unraised) == 1");
        }
        fake_sink_finish(&fake);
    }
}

static void
test_takes_flags_and_time(void **state)
{
    struct fake_sink fake;

    (void)state;
    score("run = lambda call: (200, [], b'', 1 | 4 | 32, 12345678901)",
          SCO_CALL_GENERAL, SCO_SLICE("x"), &fake);
    assert_int_equal(fake.head.flags, SCO_REPLY_FAILED | SCO_REPLY_EXEC_MS |
                                          SCO_REPLY_HTTP_RESPONSE);
    assert_int_equal(fake.head.run_ns, UINT64_C(12345678901));
    fake_sink_finish(&fake);
}

/* On the general road the script's own side says when run() is called; a
 * reply that does not say how long it took is measured. */
static void
test_measures_on_the_general_road_too(void **state)
{
    uint64_t before_ns = sco_clock_now_ns();
    struct fake_sink fake;

    (void)state;
    score("import time\n"
          "def run(call):\n"
          "    time.sleep(0.005)\n"
          "    assert call.begin() <= time.perf_counter_ns()\n"
          "    time.sleep(0.002)\n"
          "    return 500, [], b'', 1, 0\n",
          SCO_CALL_GENERAL, SCO_SLICE("x"), &fake);
    assert_true(fake.head.begun_ns >= before_ns + 5 * SCO_NS_PER_MS);
    assert_true(fake.head.run_ns >= 2 * SCO_NS_PER_MS);
    assert_true(fake.head.begun_ns + fake.head.run_ns <= sco_clock_now_ns());
    fake_sink_finish(&fake);
    score("run = lambda call: (405, [], b'', 0, 0)", SCO_CALL_GENERAL,
          SCO_SLICE("x"), &fake);
    assert_int_equal(fake.head.begun_ns, 0);
    assert_int_equal(fake.head.run_ns, 0);
    fake_sink_finish(&fake);
}

/* A script that imports flask expects its contexts from then on. */
static void
test_flask_takes_the_general_road(void **state)
{
    struct fake_sink fake;

    (void)state;
    py_run("sys.modules['flask'] = errors\n");
    score("run = lambda call: (200, [], 'invoked', 0, 0)", SCO_CALL_PLAIN,
          SCO_SLICE("x"), &fake);
    py_run("del sys.modules['flask']\n");
    assert_string_equal(fake_text(&fake.body), "invoked");
    py_assert("scoring.calls == ['/score?x=1']");
    fake_sink_finish(&fake);
}

static void
test_not_fast_takes_the_general_road(void **state)
{
    struct fake_sink fake;

    (void)state;
    py_run("Scoring.fast = False\n");
    score("run = lambda call: (200, [], 'invoked', 0, 0)", SCO_CALL_PLAIN,
          SCO_SLICE("x"), &fake);
    py_run("Scoring.fast = True\n");
    assert_string_equal(fake_text(&fake.body), "invoked");
    fake_sink_finish(&fake);
}

/* What a script is given as "a failed request" must not end the worker, even
 * when reporting it fails as well. */
static void
test_failing_to_fail(void **state)
{
    struct fake_sink fake;

    (void)state;
    py_run("def failed(self, exc): raise MemoryError\n"
           "old, Scoring.failed = Scoring.failed, failed\n");
    score("def run(data): raise ValueError", SCO_CALL_PLAIN, SCO_SLICE("x"),
          &fake);
    py_run("Scoring.failed = old\n");
    assert_string_equal(fake_text(&fake.body), INTERNAL);
    assert_int_equal(fake.head.status, 500);
    py_assert("unraised == ['MemoryError']");
    fake_sink_finish(&fake);
}

/* A large body is copied while other threads may run; it stays whole. */
static void
test_large(void **state)
{
    struct fake_sink fake;

    (void)state;
    score("run = lambda data: 'x' * 1000000", SCO_CALL_PLAIN, SCO_SLICE("x"),
          &fake);
    assert_int_equal(fake.body.len, 1000002);
    fake_sink_finish(&fake);
}

/* Nothing stays behind: no reference, no memory. */
static void
test_leaks_nothing(void **state)
{
    static const char script[] =
        "def run(data):\n"
        "    if not isinstance(data, str):\n"
        "        data.headers, data.body, data.path\n"
        "        return 200, [('A', 'b')], data.body, 0, 0\n"
        "    if data == 'raise':\n"
        "        raise ValueError(data)\n"
        "    return {'data': data, 'list': [1.5] * 100}\n"
        "import gc\n"
        "def blocks():\n"
        "    scoring.raised.clear(); scoring.calls.clear()\n"
        "    gc.collect()\n"
        "    return sys.getallocatedblocks()\n";
    const struct sco_call calls[] = {
        { .way = SCO_CALL_PLAIN, .body = SCO_SLICE("caf\xc3\xa9") },
        { .way = SCO_CALL_PLAIN, .body = SCO_SLICE("raise") },
        { .way = SCO_CALL_PLAIN, .body = SCO_SLICE("\xff") },
        { .way = SCO_CALL_GENERAL,
          .head = fake_head("/score"),
          .body = SCO_SLICE("body") },
    };
    struct sco_scoring scoring;
    struct sco_scorer scorer;

    (void)state;
    embedded_script(script, &scoring);
    assert_int_equal(sco_scorer_init(&scoring, &scorer), 0);
    for (int i = 0; i < 10000; i++) {
        struct fake_sink fake;

        if (i == 1000) {
            py_run("before = blocks()\n");
        }
        fake_sink_init(&fake);
        sco_scorer_score(&scorer, &calls[i % 4], &fake.sink);
        assert_int_equal(fake.replies, 1);
        fake_sink_finish(&fake);
    }
    py_assert("blocks() - before < 50");
    sco_scorer_finish(&scorer);
    sco_scoring_finish(&scoring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_measures_run_alone),
        cmocka_unit_test(test_general),
        cmocka_unit_test(test_takes_flags_and_time),
        cmocka_unit_test(test_measures_on_the_general_road_too),
        cmocka_unit_test(test_flask_takes_the_general_road),
        cmocka_unit_test(test_not_fast_takes_the_general_road),
        cmocka_unit_test(test_failing_to_fail),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_leaks_nothing),
    };

    return cmocka_run_group_tests_name("call", tests, embedded_start,
                                       embedded_stop);
}
