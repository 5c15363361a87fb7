/* test_seat.c - what is handed to the main thread runs there, in turn */
#include "base/thread.h"
#include "support/test.h"
#include "worker/seat.h"

#include <pthread.h>
#include <semaphore.h>

static struct sco_seat *seat;
static sem_t done;
static pthread_t ran_on;

static void
take_note(void *arg)
{
    ran_on = pthread_self();
    (*(unsigned *)arg)++;
    (void)sem_post(&done);
}

static void *
sit(void *arg)
{
    (void)arg;
    sco_seat_sit(seat);
    return NULL;
}

static int
make_seat(void **state)
{
    (void)state;
    seat = sco_seat_create();
    return sem_init(&done, 0, 0);
}

static int
drop_seat(void **state)
{
    (void)state;
    sco_seat_destroy(seat);
    sco_seat_destroy(NULL);
    return sem_destroy(&done);
}

static void
test_one_thing_after_another_runs_on_who_sits(void **state)
{
    unsigned count = 0;
    pthread_t sitter;

    (void)state;
    assert_int_equal(pthread_create(&sitter, NULL, sit, NULL), 0);
    for (unsigned i = 1; i <= 100; i++) {
        sco_seat_give(seat, take_note, &count);
        assert_int_equal(sem_wait(&done), 0);
        assert_int_equal(count, i);
        assert_true(pthread_equal(ran_on, sitter));
    }
    sco_seat_close(seat);
    assert_int_equal(pthread_join(sitter, NULL), 0);
}

static void
test_what_came_before_the_sitting_is_run(void **state)
{
    unsigned count = 0;

    (void)state;
    sco_seat_give(seat, take_note, &count);
    sco_seat_close(seat);
    sco_seat_sit(seat);
    assert_int_equal(count, 1);
    assert_true(pthread_equal(ran_on, pthread_self()));
}

static void
test_nobody_sits_where_it_is_closed(void **state)
{
    (void)state;
    sco_seat_close(seat);
    sco_seat_close(seat);
    sco_seat_sit(seat);
}

static void
test_it_is_lost_until_it_is_regained(void **state)
{
    (void)state;
    assert_false(sco_seat_is_lost(seat));
    sco_seat_lose(seat);
    assert_true(sco_seat_is_lost(seat));
    sco_seat_regain(seat);
    assert_false(sco_seat_is_lost(seat));
}

#define WITH_SEAT(test) \
    cmocka_unit_test_setup_teardown(test, make_seat, drop_seat)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SEAT(test_one_thing_after_another_runs_on_who_sits),
        WITH_SEAT(test_what_came_before_the_sitting_is_run),
        WITH_SEAT(test_nobody_sits_where_it_is_closed),
        WITH_SEAT(test_it_is_lost_until_it_is_regained),
    };

    return cmocka_run_group_tests_name("seat", tests, NULL, NULL);
}
