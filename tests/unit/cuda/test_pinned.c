/* test_pinned.c - memory that the GPU copies from by itself */
#define _GNU_SOURCE
#include "cuda/pinned.h"

#include "support/fake_gpu.h"
#include "support/test.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const paths[] = { FAKE_CUDART };
static struct fake_gpu fake;
static struct sco_gpu *gpu;

static int
set_up(void **state)
{
    (void)state;
    fake = fake_gpu_open(FAKE_CUDART);
    return sco_gpu_open(paths, 1, 0, &gpu, NULL) == SCO_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    sco_gpu_unref(gpu);
    assert_int_equal(fake_gpu_counts(&fake).registrations, 0);
    return 0;
}

static void
test_grows_by_doubling(void **state)
{
    struct sco_pinned pinned = { .at = NULL };
    size_t room;

    (void)state;
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, 1, NULL), SCO_OK);
    room = pinned.bytes;
    assert_true(room >= 1 && pinned.is_registered);
    assert_int_equal((uintptr_t)pinned.at % (uintptr_t)getpagesize(), 0);
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, room, NULL), SCO_OK);
    assert_int_equal(pinned.bytes, room);
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, room + 1, NULL), SCO_OK);
    assert_int_equal(pinned.bytes, 2 * room);
    assert_int_equal(fake_gpu_counts(&fake).registrations, 1);
    sco_pinned_finish(&pinned, gpu);
    assert_null(pinned.at);
    sco_pinned_finish(&pinned, gpu); /* of nothing */
}

static void
test_as_it_was_when_there_is_none(void **state)
{
    struct sco_pinned pinned = { .at = NULL };
    char *at;

    (void)state;
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, 10, NULL), SCO_OK);
    at = pinned.at;
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, SIZE_MAX, NULL),
                     SCO_NOMEM);
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, (size_t)1 << 62, NULL),
                     SCO_NOMEM);
    assert_ptr_equal(pinned.at, at);
    sco_pinned_finish(&pinned, gpu);
}

static void
test_a_driver_that_will_not_have_it(void **state)
{
    struct sco_pinned pinned = { .at = NULL };

    (void)state;
    setenv("FAKE_CUDART_NO_REGISTER", "1", 1);
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, 10, NULL), SCO_OK);
    assert_false(pinned.is_registered);
    pinned.at[9] = 'x';
    unsetenv("FAKE_CUDART_NO_REGISTER");
    sco_pinned_finish(&pinned, gpu);
}

/* Of a page that both have, the first that writes to it gets another one: the
 * GPU would go on with the old. */
static void
test_a_child_has_none_of_it(void **state)
{
    struct sco_pinned pinned = { .at = NULL };
    unsigned char is_there;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(sco_pinned_reserve(&pinned, gpu, 10, NULL), SCO_OK);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(mincore(pinned.at, 1, &is_there) == -1 && errno == ENOMEM ? 0
                                                                        : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(mincore(pinned.at, 1, &is_there), 0);
    sco_pinned_finish(&pinned, gpu);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grows_by_doubling, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_as_it_was_when_there_is_none,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_driver_that_will_not_have_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_child_has_none_of_it, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("pinned", tests, NULL, NULL);
}
