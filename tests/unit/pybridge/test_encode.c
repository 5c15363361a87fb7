/* test_encode.c - is it what json.dumps() makes, byte for byte? */
#include "embedded.h"

#include "pybridge/encode.h"

static const char *const same[] = {
    "''",
    "'plain'",
    "'quote \" backslash \\\\ slash / tab \\t line \\n nul \\0 del \\x7f'",
    "'caf\\xe9 \\u20ac \\U0001f600 lone \\ud800'",
    "True",
    "False",
    "0",
    "-1",
    "2**63",
    "-10**40",
    "0.1",
    "-0.0",
    "1e16",
    "1e-7",
    "1.0",
    "float('nan')",
    "float('inf')",
    "-float('inf')",
    "[]",
    "()",
    "{}",
    "[[], {}, ()]",
    "[None, True, False, 1, 2.5, 'x', [1, [2]], {'a': (1, 2)}]",
    "{'a': 1, 'b': {'c': [1.5, None]}}",
    "{1: 2, 1.5: 3, True: 4, None: 5, 'caf\\xe9': 6}",
    "[type('L', (list,), {})([1]), type('D', (dict,), {})(a=1)]",
    "[type('S', (str,), {})('s'), type('I', (int,), {})(7)]",
    "deep_enough",
    "[[i / 7, -i, str(i)] for i in range(2000)]",
    "{str(i): {'k': [i]} for i in range(500)}",
    "'x' * 100000",
};

/* The text as a Python string `text`, or None. */
static bool
encode(struct sco_encoder *encoder, PyObject *value)
{
    struct sco_slice out;
    bool encoded = sco_encode(encoder, value, &out);
    PyObject *text = Py_NewRef(Py_None);

    assert_null(PyErr_Occurred());
    if (encoded) {
        Py_SETREF(text,
                  PyUnicode_DecodeASCII(out.data, (Py_ssize_t)out.len, NULL));
        assert_non_null(text);
    }
    assert_int_equal(PyDict_SetItemString(embedded_names, "text", text), 0);
    assert_int_equal(PyDict_SetItemString(embedded_names, "value", value), 0);
    Py_DECREF(text);
    sco_encoder_clear(encoder);
    return encoded;
}

static void
test_is_json_dumps(void **state)
{
    struct sco_encoder encoder;

    (void)state;
    py_run("deep_enough = []\n"
           "for _ in range(200): deep_enough = [deep_enough]\n");
    assert_int_equal(sco_encoder_init(&encoder), 0);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        PyObject *value = py_eval(same[i]);

        print_message("%s\n", same[i]);
        assert_true(encode(&encoder, value));
        py_assert("text == json.dumps(value)");
        Py_DECREF(value);
    }
    sco_encoder_finish(&encoder);
}

/* Left to Scoring.finish(), which knows what it means. */
static const char *const others[] = {
    "b'bytes'",
    "{1, 2}",
    "object()",
    "(i for i in ())",
    "type('S', (str,), {})('s')",
    "type('L', (list,), {})([1])",
    "[object()]",
    "{(1, 2): 3}",
    "[1, {'a': b''}]",
    "circle",
    "deep",
};

static void
test_leaves_the_rest(void **state)
{
    struct sco_encoder encoder;

    (void)state;
    py_run("circle = [1]\n"
           "circle.append({'a': circle})\n"
           "deep = []\n"
           "for _ in range(200000): deep = [deep]\n");
    assert_int_equal(sco_encoder_init(&encoder), 0);
    /* Twice: a failure leaves nothing behind for the next. */
    for (size_t i = 0; i < 2 * sizeof(others) / sizeof(others[0]); i++) {
        const char *source = others[i / 2];
        PyObject *value = py_eval(source);

        print_message("%s\n", source);
        assert_false(encode(&encoder, value));
        Py_DECREF(value);
    }
    py_run("circle.pop()\n");
    {
        PyObject *value = py_eval("circle");

        assert_true(encode(&encoder, value));
        py_assert("text == '[1]'");
        Py_DECREF(value);
    }
    sco_encoder_finish(&encoder);
}

/* A large text's memory is not kept. */
static void
test_gives_memory_back(void **state)
{
    struct sco_encoder encoder;
    PyObject *value = py_eval("'x' * 1000000");

    (void)state;
    assert_int_equal(sco_encoder_init(&encoder), 0);
    assert_true(encode(&encoder, value));
    assert_int_equal(encoder.text.room, 0);
    Py_DECREF(value);
    sco_encoder_finish(&encoder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_json_dumps),
        cmocka_unit_test(test_leaves_the_rest),
        cmocka_unit_test(test_gives_memory_back),
    };

    return cmocka_run_group_tests_name("encode", tests, embedded_start,
                                       embedded_stop);
}
