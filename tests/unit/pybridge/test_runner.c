/* test_runner.c - the script in the host's own threads */
#include "embedded.h"
#include "fake_sink.h"

#include "pybridge/pythread.h"
#include "pybridge/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static const char boot_module[] =
    "boot = types.ModuleType('scorehost.boot')\n"
    "sys.modules['scorehost.boot'] = boot\n"
    "sys.modules['scorehost'].boot = boot\n"
    "boots, copies = [], []\n"
    "class Threads:\n"
    "    def __init__(self, told):\n"
    "        boots.append(told)\n"
    "        if 'exit' in told: raise SystemExit(told['exit'])\n"
    "        if 'raise' in told: raise ValueError('no')\n"
    "        self.shared = 'copies' not in told\n"
    "        self.script = make() if self.shared else None\n"
    "    def scoring(self):\n"
    "        if self.script: return self.script\n"
    "        copies.append(make())\n"
    "        if len(copies) > 2: raise SystemExit(3)\n"
    "        return copies[-1]\n"
    "def make():\n"
    "    global scoring\n"
    "    scoring = Scoring(run)\n"
    "    return scoring\n"
    "boot.Threads = Threads\n"
    "copies.clear()\n";

static struct sco_bridge *bridge;
static const struct sco_runner *runner;

/* Makes a bridge with this boot text; afterwards main is detached. */
static enum sco_status
begin(const char *script, const char *boot, struct sco_error *err)
{
    PyTypeObject *type = embedded_call_type();
    PyObject *text = PyUnicode_FromString(boot);
    enum sco_status status;

    assert_non_null(text);
    py_run(boot_module);
    py_run(script);
    py_run("unraised.clear()\n");
    bridge = sco_bridge_create(text, type);
    assert_non_null(bridge);
    Py_DECREF(text);
    Py_DECREF(type);
    runner = sco_bridge_runner(bridge);
    sco_bridge_detach(bridge);
    status = runner->load(runner->arg, err);
    return status;
}

/* Main is attached again, for the asserts. */
static void
finish(void)
{
    runner->unload(runner->arg);
    sco_bridge_attach(bridge);
    sco_bridge_destroy(bridge);
}

static void
test_loads(void **state)
{
    const struct sco_document *documents = NULL;
    struct sco_error err;
    void *thread = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(begin("run = lambda data: 1", "{\"a\": [1]}", &err),
                     SCO_OK);
    assert_int_equal(runner->enter(runner->arg, &thread, NULL), SCO_OK);
    runner->documents(runner->arg, thread, &documents, &count);
    assert_int_equal(count, 3);
    assert_true(sco_slice_equal(documents[1].name, SCO_SLICE("3")));
    runner->leave(runner->arg, thread);
    finish();
    py_assert("boots == [{'a': [1]}]");
}

/* SystemExit has been explained in the log; anything else is reported. */
static void
test_fails_to_load(void **state)
{
    struct sco_error err;

    (void)state;
    assert_int_equal(begin("", "{\"exit\": 3}", &err), SCO_SCRIPT);
    finish();
    py_assert("unraised == []");

    assert_int_equal(begin("", "{\"exit\": 4}", &err), SCO_UNSUPPORTED);
    finish();
    py_assert("unraised == []");

    assert_int_equal(begin("", "{\"raise\": 1}", &err), SCO_SCRIPT);
    assert_string_equal(err.text, "ValueError: no");
    finish();
    py_assert("unraised == ['ValueError']");

    assert_int_equal(begin("", "no JSON", &err), SCO_SCRIPT);
    finish();
    py_assert("len(unraised) == 1");
}

static void
score(void *thread, const char *body, struct fake_sink *fake)
{
    const struct sco_call call = { .way = SCO_CALL_PLAIN,
                                   .body = sco_slice_of(body) };

    runner->score(runner->arg, thread, &call, &fake->sink);
}

static void
test_scores_on_main(void **state)
{
    const struct sco_child_line line = { SCO_SLICE("azmlinfsrv"),
                                         SCO_SLICE("text") };
    struct sco_error err;
    struct fake_sink fake;
    void *thread = NULL;

    (void)state;
    assert_int_equal(
        begin("import threading\n"
              "def run(data):\n"
              "    return threading.current_thread().name + data\n",
              "{}", &err),
        SCO_OK);
    assert_int_equal(runner->enter(runner->arg, &thread, NULL), SCO_OK);
    fake_sink_init(&fake);
    score(thread, "!", &fake);
    runner->line(runner->arg, thread, &line);
    runner->signals(runner->arg, thread);
    runner->leave(runner->arg, thread);
    finish();
    assert_string_equal(fake_text(&fake.body), "\"MainThread!\"");
    py_assert("scoring.lines == [('azmlinfsrv', 20, 'text')]");
    fake_sink_finish(&fake);
}

/* Each thread's own circle must not be taken for another's. */
static void *
score_many(void *arg)
{
    unsigned *good = arg;
    void *thread = NULL;

    if (runner->enter(runner->arg, &thread, NULL) != SCO_OK) {
        return NULL;
    }
    for (int i = 0; i < 500; i++) {
        struct fake_sink fake;

        fake_sink_init(&fake);
        score(thread, "x", &fake);
        *good += strcmp(fake_text(&fake.body), "[{\"x\": [1, 2]}]") == 0;
        fake_sink_finish(&fake);
    }
    runner->leave(runner->arg, thread);
    return NULL;
}

static void
test_many_threads(void **state)
{
    unsigned good[4] = { 0 };
    pthread_t threads[4];
    struct sco_error err;

    (void)state;
    assert_int_equal(begin("class Slow(dict):\n"
                           "    def items(self):\n"
                           "        for _ in range(50): pass\n"
                           "        return dict.items(self)\n"
                           "same = [Slow(x=[1, 2])]\n"
                           "run = lambda data: same\n"
                           "sys.setswitchinterval(1e-6)\n",
                           "{}", &err),
                     SCO_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, score_many, &good[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(good[i], 500);
    }
    finish();
    py_run("sys.setswitchinterval(0.005)\n");
}

struct entrant {
    pthread_t thread;
    const struct sco_scoring *scoring; /* NULL: it could not enter */
    enum sco_status status;
};

/* Nobody leaves before all are in: a struct that was left is taken again. */
static pthread_barrier_t all_in;

static void *
enter_and_leave(void *arg)
{
    struct entrant *entrant = arg;
    void *thread = NULL;

    entrant->status = runner->enter(runner->arg, &thread, NULL);
    (void)pthread_barrier_wait(&all_in);
    if (entrant->status == SCO_OK) {
        entrant->scoring = &((struct sco_pythread *)thread)->scoring;
        runner->leave(runner->arg, thread);
    }
    return NULL;
}

/* Each thread asks for the script, and a copy may fail to load. */
static void
test_copies(void **state)
{
    struct entrant entrants[3] = { { .scoring = NULL } };
    unsigned failed = 0;

    (void)state;
    assert_int_equal(pthread_barrier_init(&all_in, NULL, 3), 0);
    assert_int_equal(begin("run = lambda data: 1", "{\"copies\": 1}", NULL),
                     SCO_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&entrants[i].thread, NULL,
                                        enter_and_leave, &entrants[i]),
                         0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(entrants[i].thread, NULL), 0);
        failed += entrants[i].status == SCO_SCRIPT;
    }
    finish();
    pthread_barrier_destroy(&all_in);
    assert_int_equal(failed, 1);
    py_assert("len(copies) == 3 and copies[0] is not copies[1]");
    py_assert("unraised == []");
}

/* A module and its functions hold each other. */
static void
test_a_copy_goes_with_its_thread(void **state)
{
    static const char script[] = "import weakref\n"
                                 "gone = []\n"
                                 "def knot(self):\n"
                                 "    made = Scoring(lambda data: 1)\n"
                                 "    made.itself = made\n"
                                 "    weakref.finalize(made, gone.append, 1)\n"
                                 "    return made\n"
                                 "boot.Threads.scoring = knot\n";
    struct entrant entrant = { .scoring = NULL };

    (void)state;
    assert_int_equal(pthread_barrier_init(&all_in, NULL, 1), 0);
    assert_int_equal(begin(script, "{\"copies\": 1}", NULL), SCO_OK);
    assert_int_equal(
        pthread_create(&entrant.thread, NULL, enter_and_leave, &entrant), 0);
    assert_int_equal(pthread_join(entrant.thread, NULL), 0);
    finish();
    pthread_barrier_destroy(&all_in);
    assert_int_equal(entrant.status, SCO_OK);
    py_assert("gone == [1]");
}

/* A thread whose script waits until it is interrupted. */
struct stuck {
    _Atomic(void *) thread;
    struct fake_sink late, next;
};

static void *
score_stuck(void *arg)
{
    struct stuck *stuck = arg;
    void *thread = NULL;

    if (runner->enter(runner->arg, &thread, NULL) != SCO_OK) {
        return NULL;
    }
    atomic_store(&stuck->thread, thread);
    score(thread, "stuck", &stuck->late);
    score(thread, "next", &stuck->next);
    runner->leave(runner->arg, thread);
    return NULL;
}

static void
short_sleep(void)
{
    const struct timespec moment = { .tv_nsec = 1000000 };

    nanosleep(&moment, NULL);
}

static void
test_interrupts_a_thread(void **state)
{
    struct stuck stuck = { .thread = NULL };
    struct sco_error err;
    pthread_t thread;
    void *entered;

    (void)state;
    fake_sink_init(&stuck.late);
    fake_sink_init(&stuck.next);
    stuck.late.stop = SCO_STOP_TIMEOUT;
    assert_int_equal(begin("stop = False\n"
                           "def run(data):\n"
                           "    while data == 'stuck' and not stop: pass\n"
                           "    for _ in range(1000): pass\n"
                           "    return data\n",
                           "{}", &err),
                     SCO_OK);
    assert_int_equal(pthread_create(&thread, NULL, score_stuck, &stuck), 0);
    while ((entered = atomic_load(&stuck.thread)) == NULL) {
        short_sleep();
    }
    /* Before the call, in it, and after it: only one of them hits. */
    for (int i = 0; i < 200; i++) {
        runner->interrupt(runner->arg, entered);
        short_sleep();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    runner->interrupt(runner->arg, entered); /* it has left */
    assert_string_equal(fake_text(&stuck.late.body), "failed ScoringTimeout");
    assert_string_equal(fake_text(&stuck.next.body), "\"next\"");
    finish();
    fake_sink_finish(&stuck.late);
    fake_sink_finish(&stuck.next);
}

/* The client leaves, the script does not care, and then its time is over:
 * each is raised once. */
static void
test_first_cancelled_then_too_late(void **state)
{
    struct stuck stuck = { .thread = NULL };
    struct sco_error err;
    pthread_t thread;
    void *entered;

    (void)state;
    fake_sink_init(&stuck.late);
    fake_sink_init(&stuck.next);
    stuck.late.stop = SCO_STOP_CANCELLED;
    assert_int_equal(begin("caught = []\n"
                           "def run(data):\n"
                           "    if data != 'stuck': return caught\n"
                           "    try:\n"
                           "        while True: pass\n"
                           "    except BaseException as e:\n"
                           "        caught.append(type(e).__name__)\n"
                           "    while True: pass\n",
                           "{}", &err),
                     SCO_OK);
    assert_int_equal(pthread_create(&thread, NULL, score_stuck, &stuck), 0);
    while ((entered = atomic_load(&stuck.thread)) == NULL) {
        short_sleep();
    }
    for (int i = 0; i < 100; i++) {
        runner->interrupt(runner->arg, entered);
        short_sleep();
    }
    stuck.late.stop = SCO_STOP_TIMEOUT;
    runner->interrupt(runner->arg, entered);
    runner->interrupt(runner->arg, entered);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(fake_text(&stuck.late.body), "failed ScoringTimeout");
    assert_string_equal(fake_text(&stuck.next.body), "[\"Cancelled\"]");
    finish();
    fake_sink_finish(&stuck.late);
    fake_sink_finish(&stuck.next);
}

static void *
interrupt_main(void *thread)
{
    for (int i = 0; i < 20; i++) {
        short_sleep();
        runner->interrupt(runner->arg, thread);
    }
    return NULL;
}

/* On main even a system call is interrupted. */
static void
test_interrupts_main(void **state)
{
    struct sco_error err;
    struct fake_sink fake;
    pthread_t interrupter;
    void *thread = NULL;

    (void)state;
    fake_sink_init(&fake);
    fake.stop = SCO_STOP_TIMEOUT;
    assert_int_equal(begin("import time\n"
                           "run = lambda data: time.sleep(600)\n",
                           "{}", &err),
                     SCO_OK);
    assert_int_equal(runner->enter(runner->arg, &thread, NULL), SCO_OK);
    assert_int_equal(
        pthread_create(&interrupter, NULL, interrupt_main, thread), 0);
    score(thread, "x", &fake);
    assert_int_equal(pthread_join(interrupter, NULL), 0);
    assert_string_equal(fake_text(&fake.body), "failed ScoringTimeout");
    runner->signals(runner->arg, thread);
    runner->leave(runner->arg, thread);
    finish();
    fake_sink_finish(&fake);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads),
        cmocka_unit_test(test_fails_to_load),
        cmocka_unit_test(test_scores_on_main),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_a_copy_goes_with_its_thread),
        cmocka_unit_test(test_interrupts_a_thread),
        cmocka_unit_test(test_first_cancelled_then_too_late),
        cmocka_unit_test(test_interrupts_main),
    };

    return cmocka_run_group_tests_name("runner", tests, embedded_start,
                                       embedded_stop);
}
