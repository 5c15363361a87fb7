/* test_current.c - who is told of which request */
#include "fake_sink.h"

#include "pybridge/current.h"

#include <pthread.h>

static struct fake_sink fake;

/* What a thread of its own is told. */
struct told {
    bool is_cancelled;
    uint64_t deadline_ns;
};

static void *
ask(void *arg)
{
    struct told *told = arg;

    told->is_cancelled = sco_current_is_cancelled();
    told->deadline_ns = sco_current_deadline_ns();
    return NULL;
}

static struct told
ask_elsewhere(void)
{
    struct told told;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, ask, &told), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return told;
}

static void
begin(void)
{
    const struct sco_call call = { .deadline_ns = 1234 };

    fake_sink_init(&fake);
    sco_current_begin(&call, &fake.sink);
}

static void
test_outside_of_a_request(void **state)
{
    (void)state;
    assert_false(sco_current_is_cancelled());
    assert_int_equal(sco_current_deadline_ns(), 0);
}

static void
test_in_a_request(void **state)
{
    (void)state;
    begin();
    assert_false(sco_current_is_cancelled());
    assert_int_equal(sco_current_deadline_ns(), 1234);
    fake.left = true;
    assert_true(sco_current_is_cancelled());
    sco_current_end();
    test_outside_of_a_request(state);
}

static void
test_other_threads_of_the_host_have_none(void **state)
{
    struct told told;

    (void)state;
    begin();
    fake.left = true;
    told = ask_elsewhere();
    assert_false(told.is_cancelled);
    assert_int_equal(told.deadline_ns, 0);
    sco_current_end();
}

/* The last one: a process that is alone stays alone. */
static void
test_other_threads_of_a_worker_process_have_the_one(void **state)
{
    struct told told;

    (void)state;
    sco_current_be_alone();
    begin();
    fake.left = true;
    told = ask_elsewhere();
    assert_true(told.is_cancelled);
    assert_int_equal(told.deadline_ns, 1234);
    sco_current_end();
    told = ask_elsewhere();
    assert_false(told.is_cancelled);
    assert_int_equal(told.deadline_ns, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outside_of_a_request),
        cmocka_unit_test(test_in_a_request),
        cmocka_unit_test(test_other_threads_of_the_host_have_none),
        cmocka_unit_test(test_other_threads_of_a_worker_process_have_the_one),
    };

    return cmocka_run_group_tests_name("current", tests, NULL, NULL);
}
