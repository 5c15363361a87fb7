/* test_json.c - plain data in one go: json.dumps()'s bytes, or a refusal */
#include "embedded.h"

#include "base/text.h"
#include "pybridge/json.h"

/* Writes `value` and compares with json.dumps(): in Python, as `text`. */
static bool
write_json(PyObject *value)
{
    struct sco_text text = { 0 };
    bool written = sco_json_write(&text, value);
    PyObject *object = Py_NewRef(Py_None);

    assert_null(PyErr_Occurred());
    if (written) {
        Py_SETREF(object, PyUnicode_DecodeASCII(text.data,
                                                (Py_ssize_t)text.len, NULL));
        assert_non_null(object);
    }
    assert_int_equal(PyDict_SetItemString(embedded_names, "text", object), 0);
    assert_int_equal(PyDict_SetItemString(embedded_names, "value", value), 0);
    Py_DECREF(object);
    sco_text_finish(&text);
    return written;
}

static const char *const same[] = {
    "None",
    "True",
    "False",
    "0",
    "-1",
    "2**63 - 1",
    "-2**63",
    "''",
    "''.join(map(chr, range(128)))",
    "''.join(map(chr, range(256)))",
    "''.join(map(chr, range(250, 300)))",
    "'\\ud7ff\\ud800\\udfff\\ue000\\uffff\\U00010000\\U0010ffff'",
    "'\\u20ac\\\\\"\\n'",
    "[]",
    "()",
    "{}",
    "[1, [2.5, ['x', None]], (True, {})]",
    "{'a': {'b': [1, 2]}, '\\xe9': 'x'}",
};

static void
test_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        PyObject *value = py_eval(same[i]);

        print_message("%s\n", same[i]);
        assert_true(write_json(value));
        py_assert("text == json.dumps(value)");
        Py_DECREF(value);
    }
}

static const char *const refused[] = {
    "2**63",
    "-2**63 - 1",
    "b''",
    "{1: 2}",
    "[1, {None: 2}]",
    "type('S', (str,), {})('s')",
    "type('L', (list,), {})()",
    "type('D', (dict,), {})()",
    "type('I', (int,), {})(1)",
    "type('F', (float,), {})(1)",
    "deep",
    "{'a': circle}",
};

static void
test_refused(void **state)
{
    (void)state;
    py_run("circle = []\n"
           "circle.append(circle)\n"
           "deep = []\n"
           "for _ in range(100): deep = [deep]\n");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        PyObject *value = py_eval(refused[i]);

        print_message("%s\n", refused[i]);
        assert_false(write_json(value));
        Py_DECREF(value);
    }
}

/* Floats are where a shortcut could go wrong: many of every kind, the
 * shortcut's borders among them. */
static void
test_floats(void **state)
{
    PyObject *all;

    (void)state;
    py_run("import math, random, struct\n"
           "random.seed(1)\n"
           "floats = [0.0, -0.0, 1e22, 5e-324, 1.7976931348623157e308,\n"
           "          math.inf, -math.inf, 1e-3, 1e-4, 1e-5, 1e15, 1e16,\n"
           "          999999999.0, 1e9, 123456789.123456, 0.1 + 0.2]\n"
           "for places in range(9):\n"
           "    for digits in range(1, 16):\n"
           "        for _ in range(40):\n"
           "            units = random.randrange(10 ** digits)\n"
           "            x = units / 10 ** places\n"
           "            floats += [x, -x, math.nextafter(x, 9e99),\n"
           "                       math.nextafter(x, 0.0)]\n"
           "for _ in range(20000):\n"
           "    bits = random.getrandbits(64)\n"
           "    x = struct.unpack('d', struct.pack('Q', bits))[0]\n"
           "    floats += [x, random.random(), random.uniform(-1e9, 1e9)]\n"
           "for border in (1e-3, 1e9, 1e-4, 1e16, 0.5, 1.0):\n"
           "    x = y = border\n"
           "    for _ in range(20):\n"
           "        x, y = math.nextafter(x, 9e99), math.nextafter(y, 0.0)\n"
           "        floats += [x, y]\n");
    all = py_eval("floats");
    assert_true(write_json(all));
    py_assert("len(value) > 80000");
    py_assert("text == json.dumps(value)");
    Py_DECREF(all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_floats),
    };

    return cmocka_run_group_tests_name("json", tests, embedded_start,
                                       embedded_stop);
}
