/* test_gpus.c - every GPU keeps one worker */
#include "support/test.h"
#include "worker/gpus.h"

static char *names[] = { (char[]){ "0" }, (char[]){ "3" } };

/* Takes a place; its name is to be this one. */
static size_t
take(struct sco_gpus *gpus, const char *name)
{
    size_t place;

    assert_string_equal(sco_gpus_take(gpus, &place), name);
    return place;
}

static void
test_each_gpu_is_taken_before_one_is_taken_twice(void **state)
{
    struct sco_gpus *gpus = sco_gpus_create(names, 2, 1);

    (void)state;
    (void)take(gpus, "0");
    (void)take(gpus, "3");
    (void)take(gpus, "");
    (void)take(gpus, "0");
    (void)take(gpus, "3");
    sco_gpus_destroy(gpus);
}

static void
test_a_lost_workers_gpu_is_the_next_ones(void **state)
{
    struct sco_gpus *gpus = sco_gpus_create(names, 2, 0);
    size_t second;

    (void)state;
    (void)take(gpus, "0");
    second = take(gpus, "3");
    sco_gpus_give(gpus, second);
    (void)take(gpus, "3");
    sco_gpus_destroy(gpus);
}

/* A reload starts the new worker before the old one leaves. */
static void
test_replaced_side_by_side_each_gpu_has_one_again(void **state)
{
    struct sco_gpus *gpus = sco_gpus_create(names, 2, 0);
    size_t first = take(gpus, "0");
    size_t second = take(gpus, "3");

    (void)state;
    for (int round = 0; round < 3; round++) {
        size_t newer = take(gpus, "0");

        sco_gpus_give(gpus, first);
        first = newer;
        newer = take(gpus, "3");
        sco_gpus_give(gpus, second);
        second = newer;
    }
    sco_gpus_destroy(gpus);
    sco_gpus_destroy(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_gpu_is_taken_before_one_is_taken_twice),
        cmocka_unit_test(test_a_lost_workers_gpu_is_the_next_ones),
        cmocka_unit_test(test_replaced_side_by_side_each_gpu_has_one_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
