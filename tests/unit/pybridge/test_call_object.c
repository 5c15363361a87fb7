/* test_call_object.c - a request as Python sees it, now and afterwards */
#include "embedded.h"
#include "fake_sink.h"

#include <string.h>

/* Makes a Call over a copy that the test can spoil, as `call` in Python. */
struct borrowed {
    char head[1024];
    char body[16];
    PyObject *object;
};

static void
make(struct borrowed *made, const char *target)
{
    struct sco_slice head = fake_head(target);
    PyTypeObject *type = embedded_call_type();
    struct sco_call call = { .way = SCO_CALL_GENERAL };

    memcpy(made->head, head.data, head.len);
    memcpy(made->body, "body\0\xff", 6);
    call.head = (struct sco_slice){ made->head, head.len };
    call.body = (struct sco_slice){ made->body, 6 };
    made->object = sco_call_object_create(type, &call);
    assert_non_null(made->object);
    Py_DECREF(type);
    assert_int_equal(
        PyDict_SetItemString(embedded_names, "call", made->object), 0);
}

static void
spoil(struct borrowed *made)
{
    memset(made->head, 0xee, sizeof(made->head));
    memset(made->body, 0xee, sizeof(made->body));
}

static const char *const parts[] = {
    "call.method == 'POST'",
    "call.target == '/sc%6Fre/%ff?x=%20#f'",
    "call.path == '/score/\\udcff'",
    "call.query == b'x=%20'",
    "call.version == 'HTTP/1.1'",
    "call.headers == [('Host', 'localhost'), ('X-Name', 'caf\\xe9')]",
    "call.headers is not call.headers",
    "call.body == b'body\\0\\xff'",
    "call.body is call.body",
    "call.peer == ('127.0.0.1', 40000)",
    "call.server == ('::1', 5001)",
    "call.scheme == 'http'",
    "call.request_id == 'id-1'",
    "call.client_request_id == ''",
};

static void
assert_parts(void)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        py_assert(parts[i]);
    }
}

static void
test_parts(void **state)
{
    struct borrowed made;

    (void)state;
    make(&made, "/sc%6Fre/%ff?x=%20#f");
    assert_parts();
    py_run("del call\n");
    sco_call_object_detach(made.object);
}

static void
test_kept_is_whole(void **state)
{
    struct borrowed made;

    (void)state;
    make(&made, "/sc%6Fre/%ff?x=%20#f");
    sco_call_object_detach(made.object);
    spoil(&made);
    assert_parts();
    py_run("del call\n");
}

/* An exception on its way is not lost to the copying. */
static void
test_detach_keeps_the_exception(void **state)
{
    struct borrowed made;

    (void)state;
    make(&made, "/");
    PyErr_SetString(PyExc_KeyError, "k");
    sco_call_object_detach(made.object);
    assert_true(PyErr_ExceptionMatches(PyExc_KeyError));
    PyErr_Clear();
    py_run("del call\n");
}

/* The bytes come from another process: a damaged block is an exception. */
static void
test_damaged_block(void **state)
{
    struct sco_slice head = fake_head("/score");
    PyTypeObject *type = embedded_call_type();

    (void)state;
    for (size_t len = 0; len < head.len; len++) {
        struct sco_call call = { .head = { head.data, len } };
        PyObject *object = sco_call_object_create(type, &call);
        PyObject *headers;

        assert_non_null(object);
        headers = PyObject_GetAttrString(object, "headers");
        assert_null(headers);
        assert_true(PyErr_ExceptionMatches(PyExc_ValueError));
        PyErr_Clear();
        sco_call_object_detach(object);
    }
    Py_DECREF(type);
}

static void
test_is_made_by_us_alone(void **state)
{
    struct borrowed made;

    (void)state;
    make(&made, "/");
    py_run("def raises(what, exc):\n"
           "    try: what()\n"
           "    except exc: return True\n"
           "    return False\n");
    py_assert("raises(lambda: type(call)(), TypeError)");
    py_assert("raises(lambda: setattr(call, 'body', b''), AttributeError)");
    py_assert("raises(lambda: setattr(type(call), 'x', 1), TypeError)");
    py_run("del call\n");
    sco_call_object_detach(made.object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_kept_is_whole),
        cmocka_unit_test(test_detach_keeps_the_exception),
        cmocka_unit_test(test_damaged_block),
        cmocka_unit_test(test_is_made_by_us_alone),
    };

    return cmocka_run_group_tests_name("call object", tests, embedded_start,
                                       embedded_stop);
}
