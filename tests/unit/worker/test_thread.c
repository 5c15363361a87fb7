/* test_thread.c - workers that are threads of this process
 *
 * With a runner in C. The loop runs on the test's thread as it does in the
 * host, with the arena's doorbell in it.
 */
#include "base/clock.h"
#include "request/stream.h"
#include "support/c_runner.h"
#include "support/heard.h"
#include "support/test.h"
#include "support/turner.h"
#include "worker/seat.h"
#include "worker/worker.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

static struct turner turner;
static struct sco_arena *arena;
static struct sco_watch doorbell;
static struct sco_worker_setup setup;
static struct sco_worker *worker;
static struct heard heard[2];
static size_t document_bytes;
static struct sco_worker_end last_end;
static struct sco_request *returned;
static unsigned unfit_count;
static bool is_gone;

static void
on_ready(void *arg, struct sco_worker *who, struct sco_slice documents)
{
    (void)arg;
    (void)who;
    document_bytes = documents.len;
}

static void
on_through(void *arg, struct sco_worker *who, uint64_t run_ns)
{
    (void)arg;
    (void)who;
    (void)run_ns;
}

static void
on_return(void *arg, struct sco_worker *who, struct sco_request *req)
{
    (void)arg;
    (void)who;
    returned = req;
}

static void
on_unfit(void *arg, struct sco_worker *who)
{
    (void)arg;
    (void)who;
    unfit_count++;
}

static void
on_gone(void *arg, struct sco_worker *who, const struct sco_worker_end *end)
{
    (void)arg;
    assert_int_equal(end->signal, 0);
    last_end = *end;
    sco_worker_destroy(who);
    is_gone = true;
}

/* What the host does before every sleep. */
static bool
hear(void *arg, uint64_t now_ns)
{
    bool heard_something;

    (void)arg;
    (void)now_ns;
    sco_arena_awake(arena);
    heard_something = !is_gone && worker != NULL && sco_worker_poll(worker);
    sco_arena_sleep(arena);
    return (!is_gone && worker != NULL && sco_worker_poll(worker)) ||
           heard_something;
}

static void
on_doorbell(void *arg, uint32_t events)
{
    (void)arg;
    (void)events;
}

static bool
is_ready(void *arg)
{
    (void)arg;
    return worker->state == SCO_WORKER_READY;
}

static bool
has_gone(void *arg)
{
    (void)arg;
    return is_gone;
}

static bool
is_answered(void *arg)
{
    return ((const struct heard *)arg)->count > 0;
}

static bool
nobody_is_left_behind(void *arg)
{
    (void)arg;
    return sco_thread_left_behind() == 0;
}

/* Whether the runner has counted to 1. */
static bool
is_counted(void *arg)
{
    return atomic_load((atomic_uint *)arg) > 0;
}

static void
make_loop(uint64_t limit_ns)
{
    c_runner_reset();
    is_gone = false;
    worker = NULL;
    returned = NULL;
    unfit_count = 0;
    turner_init(&turner);
    assert_int_equal(sco_arena_create(&arena, NULL), SCO_OK);
    doorbell = (struct sco_watch){ .fd = sco_arena_doorbell(arena),
                                   .on_ready = on_doorbell };
    assert_int_equal(
        sco_loop_add(turner.loop, &doorbell, EPOLLIN | EPOLLET, NULL), SCO_OK);
    sco_loop_hook(turner.loop, hear, NULL);
    setup = (struct sco_worker_setup){ .loop = turner.loop,
                                       .arena = arena,
                                       .runner = &c_runner,
                                       .limit_ns = limit_ns };
}

static void
start_worker(void)
{
    const struct sco_worker_boss boss = {
        .on_ready = on_ready,
        .on_through = on_through,
        .on_return = on_return,
        .on_unfit = on_unfit,
        .on_gone = on_gone,
    };

    is_gone = false;
    assert_int_equal(
        sco_worker_create(&sco_thread_worker, &setup, &boss, &worker, NULL),
        SCO_OK);
}

static int
drop_loop(void **state)
{
    (void)state;
    c_runner_open();
    if (!is_gone) {
        sco_worker_kill(worker);
        assert_true(turner_until(&turner, has_gone, NULL));
    }
    assert_true(turner_until(&turner, nobody_is_left_behind, NULL));
    sco_request_unref(returned);
    sco_arena_destroy(arena);
    turner_finish(&turner);
    sco_seat_destroy(setup.seat);
    return 0;
}

static void
give(size_t i, const char *body)
{
    assert_true(
        sco_worker_give(worker, heard_request(arena, body, &heard[i])));
    sco_worker_flush(worker);
}

static bool
has_piece(void *arg)
{
    char bytes[8];

    return sco_stream_read(arg, bytes, sizeof(bytes)) == 3;
}

static void
test_it_scores_like_any_other(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    assert_int_equal(worker->pid, getpid());
    assert_true(document_bytes > 2);
    give(0, "hello");
    give(1, "stream");
    assert_true(turner_until(&turner, is_answered, &heard[1]));
    assert_string_equal(heard[0].body, "hello");
    assert_int_equal(heard[0].pid, getpid());
    assert_true(turner_until(&turner, has_piece, heard[1].stream));
    heard_finish(&heard[1]);
    assert_int_equal(atomic_load(&c_runner_state.entered), 1);
}

static void
test_a_line_is_logged_by_the_runner(void **state)
{
    struct sco_request *line;

    (void)state;
    make_loop(/* limit_ns */ 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    line = heard_request(arena, "line", NULL);
    line->kind = SCO_LANE_LINE;
    assert_true(sco_worker_give(worker, line));
    give(0, "after it");
    assert_true(turner_until(&turner, is_answered, &heard[0]));
    assert_int_equal(atomic_load(&c_runner_state.lines), 1);
    assert_int_equal(worker->held_count, 0);
}

static void
test_it_leaves_when_it_has_done_what_it_holds(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    give(0, "first");
    sco_worker_leave(worker);
    assert_true(turner_until(&turner, has_gone, NULL));
    assert_string_equal(heard[0].body, "first");
    assert_int_equal(atomic_load(&c_runner_state.left), 1);
}

/* What the host makes of it depends on the code. */
static void
test_one_that_cannot_enter_is_gone(void **state)
{
    static const struct {
        enum sco_status entering;
        int exit_code;
        unsigned unfit;
    } cases[] = {
        { SCO_NOMEM, 1, 0 },
        { SCO_INTERNAL, 1, 0 },
        { SCO_SCRIPT, SCO_WORKER_BOOT_FAILED, 0 },
        { SCO_UNSUPPORTED, SCO_WORKER_BOOT_FAILED, 1 },
    };

    (void)state;
    make_loop(/* limit_ns */ 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c_runner_state.entering = cases[i].entering;
        start_worker();
        assert_true(turner_until(&turner, has_gone, NULL));
        assert_int_equal(last_end.exit_code, cases[i].exit_code);
        assert_false(last_end.lost);
        assert_int_equal(unfit_count, cases[i].unfit);
    }
    assert_int_equal(atomic_load(&c_runner_state.left), 0);
}

static void
test_what_runs_too_long_is_interrupted(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 20 * SCO_NS_PER_MS);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    give(0, "hold");
    assert_true(turner_until(&turner, is_answered, &heard[0]));
    assert_int_equal(heard[0].failure, SCO_TIMEOUT);
    assert_true(turner_until(&turner, is_counted, &c_runner_state.interrupts));
    give(1, "the next one");
    assert_true(turner_until(&turner, is_answered, &heard[1]));
    assert_string_equal(heard[1].body, "the next one");
}

static void
test_every_one_that_runs_too_long_is_interrupted(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 20 * SCO_NS_PER_MS);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    for (int i = 0; i < 3; i++) {
        atomic_store(&c_runner_state.interrupts, 0);
        give(0, "hold");
        assert_true(
            turner_until(&turner, is_counted, &c_runner_state.interrupts));
        give(1, "the next one");
        assert_true(turner_until(&turner, is_answered, &heard[1]));
        assert_int_equal(heard[0].failure, SCO_TIMEOUT);
        assert_true(sco_worker_is_able(worker));
    }
}

static void
wait_for_held(unsigned count)
{
    while (atomic_load(&c_runner_state.held) < count) {
    }
}

static void
test_what_overstays_shows_its_stack(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 20 * SCO_NS_PER_MS);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    worker->ops->dump(worker);
    assert_int_equal(atomic_exchange(&c_runner_state.dumps, 0), 1);
    give(0, "hold");
    assert_true(turner_until(&turner, is_counted, &c_runner_state.dumps));
}

static void
test_one_that_has_nothing_in_hand_just_ends(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    sco_worker_kill(worker);
    assert_false(is_gone);
    assert_true(turner_until(&turner, has_gone, NULL));
    assert_false(last_end.lost);
    assert_int_equal(atomic_load(&c_runner_state.left), 1);
}

/* Its worker is gone before the thread is back; what it wrote goes nowhere,
 * and its slot is nobody else's before that. */
static void
test_what_does_not_come_back_is_left_behind(void **state)
{
    struct sco_slot lost_slot, next_slot;
    struct sco_request *lost;
    struct sco_request *next;

    (void)state;
    make_loop(/* limit_ns */ 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    lost = heard_request(arena, "stubborn", &heard[0]);
    lost_slot = lost->slot;
    assert_true(sco_worker_give(worker, lost));
    give(1, "not begun");
    wait_for_held(1);
    sco_worker_kill(worker);
    sco_worker_kill(worker);
    assert_false(sco_worker_is_able(worker));
    assert_false(is_gone);
    assert_true(turner_until(&turner, has_gone, NULL));
    assert_true(last_end.lost);
    assert_int_equal(sco_thread_left_behind(), 1);
    assert_int_equal(heard[0].failure, SCO_WORKER_LOST);
    assert_int_equal(heard[0].count, 1);
    assert_non_null(returned);
    assert_int_equal(heard[1].count, 0);

    next = heard_request(arena, "next", NULL);
    next_slot = next->slot;
    assert_int_not_equal(next_slot.offset, lost_slot.offset);
    sco_request_unref(next);
    c_runner_open();
    assert_true(turner_until(&turner, nobody_is_left_behind, NULL));
    assert_int_equal(heard[0].count, 1);
    assert_int_equal(atomic_load(&c_runner_state.left), 1);
    assert_int_equal(atomic_load(&c_runner_state.scored), 1);
}

static void
test_another_one_works_beside_what_was_left_behind(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    give(0, "stubborn");
    wait_for_held(1);
    sco_worker_kill(worker);
    assert_true(turner_until(&turner, has_gone, NULL));
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    give(1, "hello");
    assert_true(turner_until(&turner, is_answered, &heard[1]));
    assert_string_equal(heard[1].body, "hello");
    assert_int_equal(sco_thread_left_behind(), 1);
}

/* init() that takes its time when the host ends. */
static void
test_one_that_is_still_coming_in_is_left_behind(void **state)
{
    (void)state;
    make_loop(/* limit_ns */ 0);
    c_runner_state.enter_is_stubborn = true;
    start_worker();
    wait_for_held(1);
    sco_worker_leave(worker);
    turner_turn(&turner);
    assert_false(is_gone); /* it may take its time for that */
    sco_worker_kill(worker);
    assert_true(turner_until(&turner, has_gone, NULL));
    assert_true(last_end.lost);
    c_runner_open();
    assert_true(turner_until(&turner, nobody_is_left_behind, NULL));
    assert_int_equal(atomic_load(&c_runner_state.left), 1);
    assert_int_equal(atomic_load(&c_runner_state.scored), 0);
}

/* It comes back between the kill and the look that follows. */
static void
test_one_that_ends_in_time_is_not_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        make_loop(/* limit_ns */ 0);
        start_worker();
        assert_true(turner_until(&turner, is_ready, NULL));
        give(0, "stubborn");
        wait_for_held(1);
        c_runner_open();
        sco_worker_kill(worker);
        while (atomic_load(&c_runner_state.left) == 0) {
        }
        assert_true(turner_until(&turner, has_gone, NULL));
        assert_int_equal(heard[0].count, 1);
        assert_true(turner_until(&turner, nobody_is_left_behind, NULL));
        sco_arena_destroy(arena);
        turner_finish(&turner);
    }
    make_loop(/* limit_ns */ 0);
    is_gone = true;
}

static void *
sit(void *arg)
{
    sco_seat_sit(arg);
    return NULL;
}

static void
test_with_a_seat_it_runs_on_who_sits_there(void **state)
{
    pthread_t sitter;

    (void)state;
    make_loop(/* limit_ns */ 0);
    setup.seat = sco_seat_create();
    assert_int_equal(pthread_create(&sitter, NULL, sit, setup.seat), 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    give(0, "hello");
    assert_true(turner_until(&turner, is_answered, &heard[0]));
    sco_worker_leave(worker);
    assert_true(turner_until(&turner, has_gone, NULL));
    start_worker(); /* and the next one sits in the same place */
    assert_true(turner_until(&turner, is_ready, NULL));
    sco_worker_leave(worker);
    assert_true(turner_until(&turner, has_gone, NULL));
    sco_seat_close(setup.seat);
    assert_int_equal(pthread_join(sitter, NULL), 0);
    assert_int_equal(atomic_load(&c_runner_state.left), 2);
}

static void
test_a_lost_seat_is_left_alone_until_it_is_back(void **state)
{
    pthread_t sitter;

    (void)state;
    make_loop(/* limit_ns */ 0);
    setup.seat = sco_seat_create();
    assert_int_equal(pthread_create(&sitter, NULL, sit, setup.seat), 0);
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    give(0, "stubborn");
    wait_for_held(1);
    sco_worker_kill(worker);
    assert_true(turner_until(&turner, has_gone, NULL));
    assert_true(sco_seat_is_lost(setup.seat));
    start_worker();
    assert_true(turner_until(&turner, is_ready, NULL));
    give(1, "hello");
    assert_true(turner_until(&turner, is_answered, &heard[1]));
    c_runner_open();
    assert_true(turner_until(&turner, nobody_is_left_behind, NULL));
    assert_false(sco_seat_is_lost(setup.seat));
    sco_seat_close(setup.seat);
    assert_int_equal(pthread_join(sitter, NULL), 0);
}

#define STOPPED(test) cmocka_unit_test_teardown(test, drop_loop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_it_scores_like_any_other),
        STOPPED(test_a_line_is_logged_by_the_runner),
        STOPPED(test_it_leaves_when_it_has_done_what_it_holds),
        STOPPED(test_one_that_cannot_enter_is_gone),
        STOPPED(test_what_runs_too_long_is_interrupted),
        STOPPED(test_every_one_that_runs_too_long_is_interrupted),
        STOPPED(test_what_overstays_shows_its_stack),
        STOPPED(test_one_that_has_nothing_in_hand_just_ends),
        STOPPED(test_what_does_not_come_back_is_left_behind),
        STOPPED(test_another_one_works_beside_what_was_left_behind),
        STOPPED(test_one_that_is_still_coming_in_is_left_behind),
        STOPPED(test_one_that_ends_in_time_is_not_lost),
        STOPPED(test_with_a_seat_it_runs_on_who_sits_there),
        STOPPED(test_a_lost_seat_is_left_alone_until_it_is_back),
    };

    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
