/* test_term.c - a worker process that is sent SIGTERM
 *
 * Each case is played in a process of its own, which ends with code 0 where
 * nothing else ends it.
 */
#define _GNU_SOURCE
#include "support/test.h"

#include "pybridge/term.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* How a process ended: minus the signal, or the code. */
static int
end_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int
played(void (*play)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        play();
        _exit(0);
    }
    return end_of(pid);
}

static void
idle(void)
{
    sco_term_install();
    (void)raise(SIGTERM);
    _exit(1);
}

static void
busy(void)
{
    sco_term_install();
    sco_term_hold();
    (void)raise(SIGTERM);
    sco_term_let();
    _exit(1);
}

/* It is still there after the signal. */
static void
busy_until_it_exits(void)
{
    sco_term_install();
    sco_term_hold();
    (void)raise(SIGTERM);
}

static void
busy_and_told_twice(void)
{
    sco_term_install();
    sco_term_hold();
    (void)raise(SIGTERM);
    (void)raise(SIGTERM);
    _exit(1);
}

static void
left_alone(void)
{
    sco_term_install();
    sco_term_hold();
    sco_term_let();
    sco_term_remove();
}

static void
removed_while_it_waits(void)
{
    sco_term_install();
    sco_term_hold();
    (void)raise(SIGTERM);
    sco_term_remove();
    _exit(1);
}

static void
of_the_scripts_own(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    sco_term_install();
    (void)raise(SIGTERM);
    sco_term_remove();
    (void)raise(SIGTERM);
}

/* What it needs is broken, which no handler of the script's knows of. */
static void
asked(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    sco_term_install();
    sco_term_hold();
    sco_term_ask();
    (void)raise(SIGTERM);
    sco_term_let();
    _exit(1);
}

static void
note_end(void *arg)
{
    *(bool *)arg = true;
}

/* By its own means: no signal of ours comes into it. */
static void
asked_of_another(void)
{
    bool has_ended = false;

    sco_term_end_by(note_end, &has_ended);
    sco_term_install();
    sco_term_hold();
    if (sco_term_was_asked() || has_ended) {
        _exit(1);
    }
    sco_term_ask();
    sco_term_let();
    sco_term_remove();
    sco_term_end_by(NULL, NULL);
    _exit(has_ended && sco_term_was_asked() ? 0 : 2);
}

/* What run() forks is no worker. */
static void
forked_by_the_script(void)
{
    pid_t pid;

    sco_term_install();
    sco_term_hold();
    pid = fork();
    if (pid == 0) {
        (void)raise(SIGTERM);
        _exit(1);
    }
    _exit(end_of(pid) == -SIGTERM ? 0 : 2);
}

static void
test_it_waits_for_the_request_in_hand(void **state)
{
    (void)state;
    assert_int_equal(played(idle), -SIGTERM);
    assert_int_equal(played(busy_until_it_exits), 0);
    assert_int_equal(played(busy), -SIGTERM);
    assert_int_equal(played(busy_and_told_twice), -SIGTERM);
    assert_int_equal(played(removed_while_it_waits), -SIGTERM);
    assert_int_equal(played(left_alone), 0);
}

static void
test_it_ends_itself(void **state)
{
    (void)state;
    assert_int_equal(played(asked), -SIGTERM);
    assert_int_equal(played(asked_of_another), 0);
}

static void
test_others_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(played(of_the_scripts_own), 0);
    assert_int_equal(played(forked_by_the_script), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_waits_for_the_request_in_hand),
        cmocka_unit_test(test_it_ends_itself),
        cmocka_unit_test(test_others_are_left_alone),
    };

    return cmocka_run_group_tests_name("term", tests, NULL, NULL);
}
