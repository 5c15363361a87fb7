/* test_scoring.c - is a Scoring read whole, or refused with a reason? */
#include "embedded.h"

static void
test_reads(void **state)
{
    struct sco_scoring scoring;

    (void)state;
    embedded_script("run = lambda data: data", &scoring);
    assert_true(scoring.fast);
    assert_null(scoring.stream_failed);
    assert_int_equal(scoring.document_count, 3);
    assert_true(sco_slice_equal(scoring.documents[0].name, SCO_SLICE("2")));
    assert_true(
        sco_slice_equal(scoring.documents[0].body, SCO_SLICE("{\"two\": 2}")));
    assert_true(sco_slice_equal(scoring.documents[1].name, SCO_SLICE("3")));
    assert_true(sco_slice_equal(scoring.documents[2].name, SCO_SLICE("mode")));
    assert_true(
        sco_slice_equal(scoring.documents[2].body, SCO_SLICE("plain")));

    /* What the script does to its dict is no concern of ours. */
    py_run("scoring.swaggers.clear()\n");
    assert_true(
        sco_slice_equal(scoring.documents[0].body, SCO_SLICE("{\"two\": 2}")));
    sco_scoring_finish(&scoring);
    sco_scoring_finish(&scoring); /* a finished one is zero */
}

static void
test_has_flask(void **state)
{
    struct sco_scoring scoring;

    (void)state;
    embedded_script("run = lambda data: data", &scoring);
    assert_false(sco_scoring_has_flask(&scoring));
    py_run("sys.modules['flask'] = None\n");
    assert_true(sco_scoring_has_flask(&scoring));
    py_run("del sys.modules['flask']\n");
    assert_false(sco_scoring_has_flask(&scoring));
    sco_scoring_finish(&scoring);
}

static void
test_logs(void **state)
{
    const struct sco_child_line lines[] = {
        { SCO_SLICE("azmlinfsrv"), SCO_SLICE("POST /score 200") },
        { SCO_SLICE("gunicorn.access"), SCO_SLICE("\xff") },
    };
    struct sco_scoring scoring;

    (void)state;
    embedded_script("run = lambda data: data", &scoring);
    sco_scoring_log(&scoring, &lines[0]);
    sco_scoring_log(&scoring, &lines[1]);
    py_assert("scoring.lines == [('azmlinfsrv', 20, 'POST /score 200'),"
              " ('gunicorn.access', 20, '\\ufffd')]");
    py_run("scoring.lines = None\n");
    sco_scoring_log(&scoring, &lines[0]);
    assert_null(PyErr_Occurred());
    py_assert("unraised == ['AttributeError']");
    sco_scoring_finish(&scoring);
}

/* clang-format off */
static const struct {
    const char *spoil; /* done to the object, or to what surrounds it */
    const char *undo;
    PyObject **raised;
} bad[] = {
    { "del Scoring.invoke", "Scoring.invoke = old.invoke",
      &PyExc_AttributeError },
    { "del Scoring.log_line", "Scoring.log_line = old.log_line",
      &PyExc_AttributeError },
    { "del Scoring.fast", "Scoring.fast = True", &PyExc_AttributeError },
    { "Scoring.parameter = 5", "Scoring.parameter = 'data'",
      &PyExc_TypeError },
    { "del scoring.run", "", &PyExc_AttributeError },
    { "scoring.swaggers = []", "", &PyExc_TypeError },
    { "scoring.swaggers = {2: b''}", "", &PyExc_TypeError },
    { "scoring.swaggers = {'2': 'text'}", "", &PyExc_TypeError },
    { "del errors.ScoringTimeout", "errors.ScoringTimeout = ScoringTimeout",
      &PyExc_AttributeError },
    { "del errors.Cancelled", "errors.Cancelled = Cancelled",
      &PyExc_AttributeError },
};
/* clang-format on */

static void
test_refuses(void **state)
{
    PyTypeObject *type = embedded_call_type();

    (void)state;
    py_run("old = types.SimpleNamespace(**vars(Scoring))\n");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sco_scoring scoring;
        PyObject *object;

        print_message("%s\n", bad[i].spoil);
        py_run("scoring = Scoring(lambda data: data)\n");
        py_run(bad[i].spoil);
        object = py_eval("scoring");
        assert_int_equal(sco_scoring_read(object, type, &scoring), -1);
        assert_true(PyErr_ExceptionMatches(*bad[i].raised));
        PyErr_Clear();
        assert_null(scoring.invoke);
        assert_null(scoring.documents);
        sco_scoring_finish(&scoring);
        Py_DECREF(object);
        py_run(bad[i].undo);
    }
    Py_DECREF(type);
}

/* Without the fast road run() and its parameter are invoke()'s business. */
static void
test_slow_needs_no_run(void **state)
{
    struct sco_scoring scoring;

    (void)state;
    py_run("Scoring.fast, Scoring.parameter = False, None\n");
    embedded_script("run = None", &scoring);
    py_run("Scoring.fast, Scoring.parameter = True, 'data'\n");
    assert_false(scoring.fast);
    sco_scoring_finish(&scoring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_has_flask),
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_slow_needs_no_run),
    };

    return cmocka_run_group_tests_name("scoring", tests, embedded_start,
                                       embedded_stop);
}
