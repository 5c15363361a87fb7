/* test_thread.c - does a thread get its name, its role and no signals? */
#define _GNU_SOURCE /* pthread_getname_np() */
#include "support/failing_memory.h"

#include "base/thread.c"

#include "support/dying.h"
#include "support/test.h"

#include <stdbool.h>

/* What a thread sees of itself. */
struct seen {
    char name[32];
    bool blocks_term, blocks_pipe, blocks_crash;
};

static void
look(void *arg)
{
    struct seen *seen = arg;
    sigset_t mask;

    sco_thread_check(SCO_ROLE_LOOP);
    (void)pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->blocks_term = sigismember(&mask, SIGTERM) == 1;
    seen->blocks_pipe = sigismember(&mask, SIGPIPE) == 1;
    seen->blocks_crash = sigismember(&mask, SIGSEGV) == 1;
}

static void
test_start(void **state)
{
    struct seen seen = { 0 };
    struct sco_error err;
    pthread_t thread = pthread_self();
    sigset_t mask;

    (void)state;
    assert_int_equal(
        sco_thread_start("loop", SCO_ROLE_LOOP, look, &seen, &thread, &err),
        SCO_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(seen.name, "loop");
    assert_true(seen.blocks_term);
    assert_true(seen.blocks_pipe);
    assert_false(seen.blocks_crash); /* it would end us unheard */

    /* The starter's own mask is as it was. */
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static void
test_a_long_name_is_cut(void **state)
{
    struct seen seen = { 0 };
    struct sco_error err;
    pthread_t thread = pthread_self();

    (void)state;
    assert_int_equal(sco_thread_start("work-deployment-12", SCO_ROLE_LOOP,
                                      look, &seen, &thread, &err),
                     SCO_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(seen.name, "work-deployment");
}

static void
test_failing_memory(void **state)
{
    struct seen seen = { 0 };
    struct sco_error err;
    pthread_t thread = pthread_self();

    (void)state;
    memory_fail_at(0);
    assert_int_equal(
        sco_thread_start("loop", SCO_ROLE_LOOP, look, &seen, &thread, &err),
        SCO_NOMEM);
    assert_true(memory_has_failed());
    assert_true(pthread_equal(thread, pthread_self()));
    assert_string_equal(seen.name, "");
}

static void
check_as_loop(void)
{
    sco_thread_check(SCO_ROLE_LOOP);
}

static void
test_check(void **state)
{
    (void)state;
    sco_thread_check(SCO_ROLE_NONE);
    assert_true(dies(check_as_loop));
    sco_thread_take_role(SCO_ROLE_LOOP);
    assert_false(dies(check_as_loop));
    sco_thread_take_role(SCO_ROLE_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_a_long_name_is_cut),
        cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_check),
    };

    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
