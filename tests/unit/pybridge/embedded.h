/* embedded.h - a CPython inside a unit test, a script, and a sink
 *
 * Every test of pybridge/ is a program that embeds CPython. The package
 * scorehost is not needed: the little of it that the bridge calls stands
 * here. Include it before everything else, as it brings Python.h.
 */
#ifndef SCO_TESTS_PYBRIDGE_EMBEDDED_H
#define SCO_TESTS_PYBRIDGE_EMBEDDED_H

#include "pybridge/py.h"

#include "base/text.h"
#include "link/call.h"
#include "link/head.h"
#include "pybridge/call_object.h"
#include "pybridge/scoring.h"
#include "support/test.h"

#include <stdbool.h>

/* What stands in for scorehost: the exception, and a Scoring that logs into
 * lists. `make(run)` gives one. */
static const char embedded_package[] =
    "import json, sys, types\n"
    "class ScoringTimeout(BaseException): pass\n"
    "errors = types.ModuleType('scorehost.errors')\n"
    "errors.ScoringTimeout = ScoringTimeout\n"
    "sys.modules['scorehost'] = types.ModuleType('scorehost')\n"
    "sys.modules['scorehost.errors'] = errors\n"
    "unraised = []\n"
    "sys.unraisablehook = lambda a: unraised.append(a.exc_type.__name__)\n"
    "class Scoring:\n"
    "    mode, fast = 'plain', True\n"
    "    parameter = 'data'\n"
    "    def __init__(self, run):\n"
    "        self.run = run\n"
    "        self.swaggers = {'2': b'{\"two\": 2}', '3': b'{}'}\n"
    "        self.calls, self.raised, self.lines = [], [], []\n"
    "    def invoke(self, call):\n"
    "        self.calls.append(call.target)\n"
    "        return self.run(call)\n"
    "    def finish(self, result, run_ns):\n"
    "        text = 'finish ' + type(result).__name__\n"
    "        return 201, [('X-Kind', 'finish')], text, 4, run_ns\n"
    "    def failed(self, exc):\n"
    "        self.raised.append(exc)\n"
    "        return 500, [], 'failed ' + type(exc).__name__, 1, 0\n"
    "    def log_line(self, logger, level, message):\n"
    "        self.lines.append((logger, level, message))\n";

/* The namespace that all Python text of the test runs in. Borrowed. */
static PyObject *embedded_names;

/* Runs statements; a failure of theirs fails the test. */
static inline void
py_run(const char *text)
{
    PyObject *done =
        PyRun_String(text, Py_file_input, embedded_names, embedded_names);

    if (done == NULL) {
        PyErr_Print();
    }
    assert_non_null(done);
    Py_DECREF(done);
}

/* The value of an expression: a new reference. */
static inline PyObject *
py_eval(const char *text)
{
    PyObject *value =
        PyRun_String(text, Py_eval_input, embedded_names, embedded_names);

    if (value == NULL) {
        PyErr_Print();
    }
    assert_non_null(value);
    return value;
}

/* Fails the test unless an expression is true. */
static inline void
py_assert(const char *text)
{
    PyObject *value = py_eval(text);
    bool truth = PyObject_IsTrue(value) == 1;

    Py_DECREF(value);
    if (!truth) {
        print_error("not true: %s\n", text);
    }
    assert_true(truth);
}

/* A group's setup and teardown: starts and ends CPython. */
static inline int
embedded_start(void **state)
{
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    (void)state;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
#ifdef __SANITIZE_ADDRESS__
    before.allocator = PYMEM_ALLOCATOR_MALLOC; /* one that it sees */
#endif
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        return -1;
    }
    PyConfig_InitIsolatedConfig(&config);
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        return -1;
    }
    embedded_names = PyModule_GetDict(PyImport_AddModule("__main__"));
    py_run(embedded_package);
    return 0;
}

static inline int
embedded_stop(void **state)
{
    (void)state;
    return Py_FinalizeEx();
}

/* The type _core.Call without its module. New reference. */
static inline PyTypeObject *
embedded_call_type(void)
{
    PyObject *module = PyModule_New("scorehost._core");
    PyTypeObject *type;

    assert_non_null(module);
    type = sco_call_type_create(module);
    assert_non_null(type);
    Py_DECREF(module);
    return type;
}

/* A Scoring around the run() that `script` defines, read. */
static inline void
embedded_script(const char *script, struct sco_scoring *out)
{
    PyTypeObject *type = embedded_call_type();
    PyObject *object;

    py_run(script);
    py_run("unraised.clear()\n"
           "scoring = Scoring(run)\n");
    object = py_eval("scoring");
    assert_int_equal(sco_scoring_read(object, type, out), 0);
    Py_DECREF(object);
    Py_DECREF(type);
}

/* A sink that keeps what it was given. */
struct fake_sink {
    struct sco_sink sink; /* first: a sink is its fake */
    struct sco_reply_head head;
    struct sco_text headers; /* "name: value\n" each */
    struct sco_text body;
    unsigned replies, starts, chunks, ends;
    enum sco_status end_status;
    unsigned cancel_after; /* chunks; 0: never */
    bool cancel_start;
    bool timed_out;
};

static inline struct fake_sink *
fake_of(struct sco_sink *sink)
{
    return (struct fake_sink *)(void *)sink;
}

static inline void
fake_read_headers(struct fake_sink *fake, struct sco_slice block)
{
    struct sco_reader in = sco_reader_of(block);
    struct sco_slice name, value;
    size_t count;

    assert_int_equal(sco_fields_read_count(&in, &count), SCO_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(sco_fields_read(&in, &name, &value), SCO_OK);
        sco_text_add(&fake->headers, name);
        sco_text_add(&fake->headers, SCO_SLICE(": "));
        sco_text_add(&fake->headers, value);
        sco_text_add_char(&fake->headers, '\n');
    }
    assert_int_equal(in.left, 0);
}

static inline void
fake_reply(struct sco_sink *sink, const struct sco_reply_head *head,
           struct sco_slice headers, struct sco_slice body)
{
    struct fake_sink *fake = fake_of(sink);

    fake->replies++;
    fake->head = *head;
    fake_read_headers(fake, headers);
    sco_text_add(&fake->body, body);
}

static inline enum sco_status
fake_start(struct sco_sink *sink, const struct sco_reply_head *head,
           struct sco_slice headers)
{
    struct fake_sink *fake = fake_of(sink);

    fake->starts++;
    fake->head = *head;
    fake_read_headers(fake, headers);
    return fake->cancel_start ? SCO_CANCELLED : SCO_OK;
}

static inline enum sco_status
fake_chunk(struct sco_sink *sink, struct sco_slice bytes)
{
    struct fake_sink *fake = fake_of(sink);

    fake->chunks++;
    sco_text_add(&fake->body, bytes);
    sco_text_add_char(&fake->body, '|');
    return fake->cancel_after != 0 && fake->chunks >= fake->cancel_after
               ? SCO_CANCELLED
               : SCO_OK;
}

static inline void
fake_end(struct sco_sink *sink, enum sco_status how)
{
    struct fake_sink *fake = fake_of(sink);

    fake->ends++;
    fake->end_status = how;
}

static inline bool
fake_cancelled(struct sco_sink *sink)
{
    return fake_of(sink)->timed_out;
}

static inline bool
fake_timed_out(struct sco_sink *sink)
{
    return fake_of(sink)->timed_out;
}

static const struct sco_sink_ops fake_sink_ops = {
    .reply = fake_reply,
    .start = fake_start,
    .chunk = fake_chunk,
    .end = fake_end,
    .cancelled = fake_cancelled,
    .timed_out = fake_timed_out,
};

static inline void
fake_sink_init(struct fake_sink *fake)
{
    *fake = (struct fake_sink){ .sink = { .ops = &fake_sink_ops } };
}

static inline void
fake_sink_finish(struct fake_sink *fake)
{
    sco_text_finish(&fake->headers);
    sco_text_finish(&fake->body);
}

/* What was given, as terminated text. */
static inline const char *
fake_text(const struct sco_text *text)
{
    return text->data != NULL && text->len > 0 ? text->data : "";
}

/* A head block for POST `target` with two fields, in static memory. */
static inline struct sco_slice
fake_head(const char *target)
{
    static char block[1024];
    const struct sco_call_head head = {
        .method = SCO_SLICE("POST"),
        .target = sco_slice_of(target),
        .version = SCO_SLICE("HTTP/1.1"),
        .peer_host = SCO_SLICE("127.0.0.1"),
        .server_host = SCO_SLICE("::1"),
        .request_id = SCO_SLICE("id-1"),
        .client_request_id = SCO_SLICE(""),
        .peer_port = 40000,
        .server_port = 5001,
    };
    const struct sco_field fields[] = {
        { SCO_SLICE("Host"), SCO_SLICE("localhost") },
        { SCO_SLICE("X-Name"), SCO_SLICE("caf\xe9") },
    };
    size_t bytes = sco_head_bytes(&head, fields, 2);

    assert_true(bytes <= sizeof(block));
    sco_head_write(&head, fields, 2, block);
    return (struct sco_slice){ block, bytes };
}

#endif
