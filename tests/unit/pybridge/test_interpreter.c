/* test_interpreter.c - scripts in interpreters with GILs of their own
 *
 * With the real package scorehost from the source tree, as boot and isolation
 * are most of it. On Pythons that cannot have them there is one test.
 */
#define _GNU_SOURCE
#include "embedded.h"
#include "fake_sink.h"

#include "module/core.h"
#include "pybridge/interpreter.h"
#include "pybridge/isolated.h"
#include "pybridge/pythread.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static char folder[64] = "/tmp/scorehost-test-XXXXXX";
static char script_path[96];
static struct sco_bridge *bridge;
static struct sco_isolated *isolated;
static const struct sco_runner *runner;

static bool
has_interpreters(void)
{
    struct sco_error err;
    bool possible = sco_interpreter_possible(&err) == SCO_OK;

    return possible;
}

/* ---- set-up --------------------------------------------------------- */

static void
write_script(const char *text)
{
    FILE *file = fopen(script_path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Main has the package from the source tree: from tests/unit/pybridge/ three
 * folders up, then python/. */
static int
start_python(void **state)
{
    char source[] = __FILE__;
    char text[512];

    if (embedded_start(state) != 0 || mkdtemp(folder) == NULL) {
        return -1;
    }
    for (int parts = 0; parts < 4; parts++) {
        *strrchr(source, '/') = '\0';
    }
    (void)snprintf(text, sizeof(text),
                   "for name in list(sys.modules):\n"
                   "    if name.startswith('scorehost'):\n"
                   "        del sys.modules[name]\n"
                   "sys.path.append('%s/python')\n",
                   source);
    py_run(text);
    (void)snprintf(script_path, sizeof(script_path), "%s/score.py", folder);
    setenv("AML_APP_ROOT", folder, 1);
    setenv("AZUREML_ENTRY_SCRIPT", script_path, 1);
    return 0;
}

static int
stop_python(void **state)
{
    (void)unlink(script_path);
    (void)rmdir(folder);
    if (sco_interpreter_abandoned() > 0) {
        return 0; /* what the host does not do either */
    }
    return embedded_stop(state);
}

/* Main is detached afterwards. */
static enum sco_status
begin(const char *script, struct sco_error *err)
{
    PyObject *core = PyInit__core(); /* a definition: borrowed */
    PyTypeObject *type = embedded_call_type();
    PyObject *boot =
        PyUnicode_FromString("{\"argv\": [\"one\", \"two\"], \"auto\": true}");

    assert_non_null(boot);
    write_script(script);
    bridge = sco_bridge_create(boot, type);
    assert_non_null(bridge);
    isolated = sco_isolated_create(bridge, boot, (PyModuleDef *)core);
    assert_non_null(isolated);
    Py_DECREF(boot);
    Py_DECREF(type);
    runner = sco_isolated_runner(isolated);
    sco_bridge_detach(bridge);
    return runner->load(runner->arg, err);
}

/* Main is attached again, for the asserts. */
static void
finish(void)
{
    runner->unload(runner->arg);
    sco_bridge_attach(bridge);
    sco_isolated_destroy(isolated);
    sco_bridge_destroy(bridge);
}

/* A worker: it scores `bodies` one after the other, and leaves. */
struct worker {
    pthread_t thread;
    const char *bodies[3];
    struct fake_sink replies[3];
    enum sco_status entered;
    size_t documents;
    _Atomic(void *) handle; /* while it may be interrupted */
    void (*while_in)(struct worker *worker);
};

static void
score(void *thread, const char *body, struct fake_sink *fake)
{
    const struct sco_call call = { .way = SCO_CALL_PLAIN,
                                   .body = sco_slice_of(body) };

    runner->score(runner->arg, thread, &call, &fake->sink);
}

static void *
worker_body(void *arg)
{
    struct worker *worker = arg;
    const struct sco_document *documents;
    void *thread = NULL;

    worker->entered = runner->enter(runner->arg, &thread, NULL);
    if (worker->entered != SCO_OK) {
        return NULL;
    }
    atomic_store(&worker->handle, thread);
    runner->documents(runner->arg, thread, &documents, &worker->documents);
    for (size_t i = 0; i < 3 && worker->bodies[i] != NULL; i++) {
        score(thread, worker->bodies[i], &worker->replies[i]);
    }
    if (worker->while_in != NULL) {
        worker->while_in(worker);
    }
    runner->leave(runner->arg, thread);
    return NULL;
}

static void
start_worker(struct worker *worker)
{
    for (size_t i = 0; i < 3; i++) {
        enum sco_stop late = worker->replies[i].stop;

        fake_sink_init(&worker->replies[i]);
        worker->replies[i].stop = late;
    }
    assert_int_equal(
        pthread_create(&worker->thread, NULL, worker_body, worker), 0);
}

static void
end_worker(struct worker *worker)
{
    assert_int_equal(pthread_join(worker->thread, NULL), 0);
}

static void
drop_replies(struct worker *worker)
{
    for (size_t i = 0; i < 3; i++) {
        fake_sink_finish(&worker->replies[i]);
    }
}

static const char *
reply_text(struct worker *worker, size_t i)
{
    return fake_text(&worker->replies[i].body);
}

static void
short_sleep(void)
{
    const struct timespec moment = { .tv_nsec = 1000000 };

    nanosleep(&moment, NULL);
}

/* ---- the tests ------------------------------------------------------ */

static void
test_old_pythons_are_refused(void **state)
{
    struct sco_error err = { .text = "" };

    (void)state;
    if (has_interpreters()) {
        skip();
    }
    assert_int_equal(begin("", &err), SCO_UNSUPPORTED);
    assert_non_null(strstr(err.text, "--worker_kind"));
    finish();
}

/* Each has its own globals, and the script sees the host's arguments. */
static void
test_several_score_each_for_itself(void **state)
{
    struct worker workers[4] = { 0 };

    (void)state;
    assert_int_equal(begin("import datetime, json, sys\n"
                           "calls = 0\n"
                           "def init(): pass\n"
                           "def run(data):\n"
                           "    global calls\n"
                           "    calls += 1\n"
                           "    return [calls, data, sys.argv[1]]\n",
                           NULL),
                     SCO_OK);
    for (size_t i = 0; i < 4; i++) {
        workers[i].bodies[0] = "a";
        workers[i].bodies[1] = "b";
        start_worker(&workers[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        end_worker(&workers[i]);
        assert_int_equal(workers[i].entered, SCO_OK);
        assert_int_equal(workers[i].documents, 4);
        assert_string_equal(reply_text(&workers[i], 0), "[1, \"a\", \"two\"]");
        assert_string_equal(reply_text(&workers[i], 1), "[2, \"b\", \"two\"]");
        drop_replies(&workers[i]);
    }
    finish();
    assert_int_equal(sco_interpreter_abandoned(), 0);
}

/* The types of datetime were freed under the others once. */
static void
test_they_come_and_go_at_once(void **state)
{
    struct worker workers[4];

    (void)state;
    assert_int_equal(begin("import asyncio, datetime, decimal, hashlib\n"
                           "def init(): pass\n"
                           "def run(data):\n"
                           "    day = datetime.date.fromisoformat(data)\n"
                           "    return hashlib.md5(str(day).encode())"
                           ".hexdigest()\n",
                           NULL),
                     SCO_OK);
    for (int round = 0; round < 4; round++) {
        memset(workers, 0, sizeof(workers));
        for (size_t i = 0; i < 4; i++) {
            workers[i].bodies[0] = "2026-11-23";
            start_worker(&workers[i]);
        }
        for (size_t i = 0; i < 4; i++) {
            end_worker(&workers[i]);
            assert_int_equal(workers[i].entered, SCO_OK);
            assert_int_equal(workers[i].replies[0].head.status, 200);
            drop_replies(&workers[i]);
        }
    }
    finish();
}

/* From 3.13 on an interpreter needs main's GIL to be made. Main may be busy
 * for a while; nobody waits for the other one with what he needs. */
static void
test_main_is_busy_while_workers_start(void **state)
{
    struct worker workers[2] = { { .bodies = { "a" } },
                                 { .bodies = { "b" } } };

    (void)state;
    assert_int_equal(begin("def init(): pass\n"
                           "def run(data): return data\n",
                           NULL),
                     SCO_OK);
    start_worker(&workers[0]);
    start_worker(&workers[1]);
    sco_bridge_attach(bridge);
    py_run("import time\n"
           "end = time.monotonic() + 0.3\n"
           "while time.monotonic() < end: pass\n");
    sco_bridge_detach(bridge);
    for (size_t i = 0; i < 2; i++) {
        end_worker(&workers[i]);
        assert_int_equal(workers[i].entered, SCO_OK);
        drop_replies(&workers[i]);
    }
    finish();
}

static long
resident_kb(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long all = 0, resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &all, &resident), 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Two hundred ends, four interpreters at a time. Up to Python 3.13 each one
 * leaves some MB behind, so that there it is fewer, and hosts are replaced
 * instead (runner->leaks). */
static void
test_two_hundred_come_and_go(void **state)
{
    int rounds = PY_VERSION_HEX < 0x030E0000 ? 13 : 50;
    struct worker workers[4];
    long before_kb = 0;

    (void)state;
    assert_int_equal(begin("import datetime\n"
                           "def init(): pass\n"
                           "def run(data):\n"
                           "    return str(datetime.date(2026, 1, 2))\n",
                           NULL),
                     SCO_OK);
    assert_int_equal(runner->leaks, PY_VERSION_HEX < 0x030E0000);
    for (int round = 0; round < rounds; round++) {
        memset(workers, 0, sizeof(workers));
        for (size_t i = 0; i < 4; i++) {
            workers[i].bodies[0] = "x";
            start_worker(&workers[i]);
        }
        for (size_t i = 0; i < 4; i++) {
            end_worker(&workers[i]);
            assert_string_equal(reply_text(&workers[i], 0), "\"2026-01-02\"");
            drop_replies(&workers[i]);
        }
        if (round == 2) {
            before_kb = resident_kb();
        }
    }
    if (!runner->leaks) {
        assert_int_in_range(resident_kb(), 0, before_kb + 20000);
    }
    finish();
}

static enum sco_status
entering(const char *script)
{
    struct worker worker = { .handle = NULL };

    assert_int_equal(begin(script, NULL), SCO_OK);
    start_worker(&worker);
    end_worker(&worker);
    drop_replies(&worker);
    finish();
    return worker.entered;
}

static void
test_a_script_that_fails(void **state)
{
    (void)state;
    assert_int_equal(entering("def init(): 1 / 0\ndef run(data): pass\n"),
                     SCO_SCRIPT);
    assert_int_equal(entering("this is no Python"), SCO_SCRIPT);
    assert_int_equal(entering("import sys\nsys.exit(0)\n"), SCO_SCRIPT);
}

/* faulthandler is a module that no Python has in these interpreters. */
static void
test_a_script_that_is_not_for_interpreters(void **state)
{
    (void)state;
    assert_int_equal(entering("import faulthandler\n"), SCO_UNSUPPORTED);
    assert_int_equal(entering("def init():\n"
                              "    import faulthandler\n"
                              "def run(data): pass\n"),
                     SCO_UNSUPPORTED);
    assert_int_equal(entering("import os\n"
                              "def init(): os.fork()\n"
                              "def run(data): pass\n"),
                     SCO_UNSUPPORTED);
}

static void
test_a_request_that_is_not_for_interpreters(void **state)
{
    struct worker worker = { .bodies = { "1", "2", "3" } };

    (void)state;
    assert_int_equal(begin("import os, sys\n"
                           "def init(): pass\n"
                           "def run(data):\n"
                           "    if data == '1': import faulthandler\n"
                           "    if data == '2': os.fork()\n"
                           "    if data == '3': sys.exit(7)\n",
                           NULL),
                     SCO_OK);
    start_worker(&worker);
    end_worker(&worker);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(worker.replies[i].head.status, 503);
        assert_true(worker.replies[i].head.flags & SCO_REPLY_UNFIT);
        assert_string_equal(fake_text(&worker.replies[i].headers),
                            "Retry-After: 1\n");
    }
    assert_non_null(strstr(reply_text(&worker, 0), "needs faulthandler"));
    assert_non_null(strstr(reply_text(&worker, 1), "needs os.fork()"));
    assert_int_equal(worker.replies[2].head.status, 500);
    assert_false(worker.replies[2].head.flags & SCO_REPLY_UNFIT);
    drop_replies(&worker);
    finish();
}

static void
interrupt_until_answered(struct worker *worker)
{
    void *handle;

    while ((handle = atomic_load(&worker->handle)) == NULL) {
        short_sleep();
    }
    /* Before the call, in it, and after it: only one of them hits. */
    for (int i = 0; i < 200; i++) {
        runner->interrupt(runner->arg, handle);
        short_sleep();
    }
}

static void
test_a_late_run_is_interrupted(void **state)
{
    struct worker worker = { .bodies = { "stuck", "next" },
                             .replies = { { .stop = SCO_STOP_TIMEOUT } } };

    (void)state;
    assert_int_equal(begin("def init(): pass\n"
                           "def run(data):\n"
                           "    while data == 'stuck': pass\n"
                           "    for _ in range(1000): pass\n"
                           "    return data\n",
                           NULL),
                     SCO_OK);
    start_worker(&worker);
    interrupt_until_answered(&worker);
    end_worker(&worker);
    runner->interrupt(runner->arg, atomic_load(&worker.handle));
    assert_non_null(strstr(reply_text(&worker, 0), "Scoring timeout"));
    assert_string_equal(reply_text(&worker, 1), "\"next\"");
    drop_replies(&worker);
    finish();
}

/* Python 3.15 looks for the exception when a signal ends the sleep. */
static void
test_a_late_sleep_is_interrupted_where_it_can_be(void **state)
{
    struct worker worker = { .bodies = { "stuck", "next" },
                             .replies = { { .stop = SCO_STOP_TIMEOUT } } };

    (void)state;
    assert_int_equal(begin("import time\n"
                           "def init(): pass\n"
                           "def run(data):\n"
                           "    if data == 'stuck': time.sleep(1)\n"
                           "    return data\n",
                           NULL),
                     SCO_OK);
    start_worker(&worker);
    interrupt_until_answered(&worker);
    if (PY_VERSION_HEX >= 0x030F0000) {
        assert_int_equal(worker.replies[0].replies, 1);
    }
    end_worker(&worker);
    assert_int_equal(worker.replies[0].replies, 1);
    assert_string_equal(reply_text(&worker, 1), "\"next\"");
    drop_replies(&worker);
    finish();
}

/* The stack of the thread, in its interpreter, though it is busy. */
static void
test_the_stack_is_shown(void **state)
{
    struct worker worker = { .bodies = { "stuck" },
                             .replies = { { .stop = SCO_STOP_TIMEOUT } } };
    char said[4096] = "";
    int before = dup(STDERR_FILENO);
    int file = memfd_create("stderr", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(begin("def init(): pass\n"
                           "def run(data):\n"
                           "    spin()\n"
                           "def spin():\n"
                           "    while True: pass\n",
                           NULL),
                     SCO_OK);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    start_worker(&worker);
    while (strstr(said, "in run") == NULL) {
        void *handle = atomic_load(&worker.handle);

        if (handle != NULL) {
            runner->dump(runner->arg, handle);
        }
        short_sleep();
        assert_true(pread(file, said, sizeof(said) - 1, 0) >= 0);
    }
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    assert_non_null(strstr(said, "score.py\", line 5 in spin"));
    interrupt_until_answered(&worker);
    end_worker(&worker);
    runner->dump(runner->arg, atomic_load(&worker.handle)); /* it has left */
    drop_replies(&worker);
    close(before);
    close(file);
    finish();
}

/* A line of the host's goes through the logging of the interpreter. */
static void
log_line(struct worker *worker)
{
    const struct sco_child_line line = { SCO_SLICE("azmlinfsrv"),
                                         SCO_SLICE("a line") };
    void *thread = atomic_load(&worker->handle);

    runner->line(runner->arg, thread, &line);
    runner->signals(runner->arg, thread);
    score(thread, "told?", &worker->replies[0]);
}

static void
test_a_line_is_logged(void **state)
{
    struct worker worker = { .while_in = log_line };

    (void)state;
    assert_int_equal(
        begin(
            "import logging\n"
            "told = []\n"
            "class Keep(logging.Handler):\n"
            "    def emit(self, record): told.append(record.getMessage())\n"
            "def init(): logging.getLogger('azmlinfsrv').addHandler(Keep())\n"
            "def run(data): return 'a line' in told\n",
            NULL),
        SCO_OK);
    start_worker(&worker);
    end_worker(&worker);
    assert_string_equal(reply_text(&worker, 0), "true");
    drop_replies(&worker);
    finish();
}

/* Its pool and its thread are waited for, as at the end of a process. */
static void
test_the_scripts_threads_are_waited_for(void **state)
{
    struct worker worker = { .bodies = { "x" } };

    (void)state;
    assert_int_equal(begin("import concurrent.futures, threading, time\n"
                           "pool = concurrent.futures.ThreadPoolExecutor(2)\n"
                           "def init(): pass\n"
                           "def run(data):\n"
                           "    pool.submit(time.sleep, 0.05)\n"
                           "    threading.Thread(target=time.sleep,"
                           " args=(0.1,)).start()\n",
                           NULL),
                     SCO_OK);
    start_worker(&worker);
    end_worker(&worker);
    assert_string_equal(reply_text(&worker, 0), "{}");
    drop_replies(&worker);
    finish();
    assert_int_equal(sco_interpreter_abandoned(), 0);
}

/* A thread state that somebody else has made: Python up to 3.13 would abort,
 * so that interpreter is left as it is. */
static void
add_a_state(struct worker *worker)
{
    const struct sco_pythread *thread = atomic_load(&worker->handle);

    (void)PyThreadState_New(thread->interpreter);
}

static void
test_what_cannot_be_ended_is_abandoned(void **state)
{
    struct worker worker = { .while_in = add_a_state };

    (void)state;
    assert_int_equal(begin("def init(): pass\ndef run(data): pass\n", NULL),
                     SCO_OK);
    start_worker(&worker);
    end_worker(&worker);
    assert_int_equal(sco_interpreter_abandoned(),
                     PY_VERSION_HEX < 0x030E0000 ? 1 : 0);
    drop_replies(&worker);
    finish();
}

int
main(void)
{
    const struct CMUnitTest refusal[] = {
        cmocka_unit_test(test_old_pythons_are_refused),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_score_each_for_itself),
        cmocka_unit_test(test_they_come_and_go_at_once),
        cmocka_unit_test(test_main_is_busy_while_workers_start),
        cmocka_unit_test(test_two_hundred_come_and_go),
        cmocka_unit_test(test_a_script_that_fails),
        cmocka_unit_test(test_a_script_that_is_not_for_interpreters),
        cmocka_unit_test(test_a_request_that_is_not_for_interpreters),
        cmocka_unit_test(test_a_late_run_is_interrupted),
        cmocka_unit_test(test_a_late_sleep_is_interrupted_where_it_can_be),
        cmocka_unit_test(test_the_stack_is_shown),
        cmocka_unit_test(test_a_line_is_logged),
        cmocka_unit_test(test_the_scripts_threads_are_waited_for),
        cmocka_unit_test(test_what_cannot_be_ended_is_abandoned),
    };
    int failed;

    if (PY_VERSION_HEX < 0x030C0400) {
        return cmocka_run_group_tests_name("interpreter", refusal,
                                           start_python, stop_python);
    }
    failed = cmocka_run_group_tests_name("interpreter", tests, start_python,
                                         stop_python);
    if (sco_interpreter_abandoned() > 0) {
        _exit(failed);
    }
    return failed;
}
