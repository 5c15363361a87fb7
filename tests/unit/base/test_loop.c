/* test_loop.c - does everything happen, in order, on the loop's thread? */
#define _GNU_SOURCE /* as in loop.c */
#include "support/failing_memory.h"

#include "base/loop.c"

#include "base/thread.h"
#include "support/dying.h"
#include "support/test.h"

#include <pthread.h>

static struct sco_loop *
new_loop(void)
{
    struct sco_loop *loop = NULL;
    struct sco_error err;

    if (sco_loop_create(&loop, &err) != SCO_OK || loop == NULL) {
        abort();
    }
    return loop;
}

static void
stop_now(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    sco_loop_stop(arg);
}

/* Runs the loop for some time, or until something else stops it. */
static void
run_for(struct sco_loop *loop, uint64_t wait_ms)
{
    struct sco_timer end = { .on_time = stop_now, .arg = loop };

    sco_loop_timer_set(loop, &end,
                       sco_clock_now_ns() + wait_ms * SCO_NS_PER_MS);
    sco_loop_run(loop);
    sco_loop_timer_clear(loop, &end);
}

static bool
count_call(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    ++*(int *)arg;
    return false;
}

/* ---- timers ----------------------------------------------------------- */

enum { TIMERS = 500 };

struct bell {
    struct sco_timer timer;
    struct chime *chime;
};

/* What has rung so far. */
struct chime {
    struct bell bells[TIMERS];
    uint64_t last_ns;
    int rung_count;
    int early_count, unordered_count;
};

static void
ring(void *arg, uint64_t now_ns)
{
    struct bell *bell = arg;
    struct chime *chime = bell->chime;

    chime->rung_count++;
    chime->early_count += now_ns < bell->timer.at_ns ? 1 : 0;
    chime->unordered_count += bell->timer.at_ns < chime->last_ns ? 1 : 0;
    chime->last_ns = bell->timer.at_ns;
}

/* A generator of its own: the same numbers in every run. */
static uint64_t
next_random(uint64_t *seed)
{
    *seed =
        *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static void
test_timers_ring_in_order(void **state)
{
    struct sco_loop *loop = new_loop();
    struct chime *chime = calloc(1, sizeof(*chime));
    uint64_t begin_ns = sco_clock_now_ns();
    uint64_t seed = 1;

    (void)state;
    assert_non_null(chime);
    for (int i = 0; i < TIMERS; i++) {
        struct bell *bell = &chime->bells[i];

        bell->chime = chime;
        bell->timer.on_time = ring;
        bell->timer.arg = bell;
        sco_loop_timer_set(loop, &bell->timer,
                           begin_ns + next_random(&seed) % 20000000);
    }
    /* Some are moved, some are cleared. */
    for (int i = 0; i < TIMERS; i += 3) {
        sco_loop_timer_set(loop, &chime->bells[i].timer,
                           begin_ns + next_random(&seed) % 20000000);
    }
    for (int i = 0; i < TIMERS; i += 5) {
        sco_loop_timer_clear(loop, &chime->bells[i].timer);
        sco_loop_timer_clear(loop, &chime->bells[i].timer); /* is allowed */
    }
    run_for(loop, 25);
    assert_int_equal(chime->rung_count, TIMERS - TIMERS / 5);
    assert_int_equal(chime->early_count, 0);
    assert_int_equal(chime->unordered_count, 0);
    assert_int_equal(loop->timer_count, 0);
    free(chime);
    sco_loop_destroy(loop);
}

/* A timer that is due whenever it is looked at. */
struct due {
    struct sco_loop *loop;
    struct sco_timer timer;
    int count;
};

static void
ring_again(void *arg, uint64_t now_ns)
{
    struct due *due = arg;

    (void)now_ns;
    due->count++;
    sco_loop_timer_set(due->loop, &due->timer, 0);
}

static bool
stop_in_turn_five(void *arg, uint64_t now_ns)
{
    struct due *due = arg;

    (void)now_ns;
    if (due->count == 5) {
        sco_loop_stop(due->loop);
    }
    return false;
}

static void
test_a_timer_that_is_always_due_rings_once_a_turn(void **state)
{
    struct due due = { .loop = new_loop() };
    int turns = 0;

    (void)state;
    due.timer.on_time = ring_again;
    due.timer.arg = &due;
    sco_loop_hook(due.loop, stop_in_turn_five, &due);
    sco_loop_hook(due.loop, count_call, &turns);
    sco_loop_timer_set(due.loop, &due.timer, 0);
    sco_loop_run(due.loop);
    assert_int_equal(2 * due.count, turns); /* hooks before and after it */
    sco_loop_destroy(due.loop);
}

static void
wait_for_30_ms(bool only_ms)
{
    struct sco_loop *loop = new_loop();
    uint64_t begin_ns = sco_clock_now_ns();
    int turns = 0;

    loop->only_ms = only_ms;
    sco_loop_hook(loop, count_call, &turns);
    run_for(loop, 30);
    assert_true(sco_clock_now_ns() - begin_ns >= 30 * SCO_NS_PER_MS);
    /* The first turn, before and after the timer, and the last one. It does
     * not look round. */
    assert_true(turns <= 4);
    sco_loop_destroy(loop);
}

static void
test_sleeps_until_the_timer(void **state)
{
    (void)state;
    wait_for_30_ms(/* only_ms */ false);
    wait_for_30_ms(/* only_ms */ true); /* kernels before 5.11 */
}

/* ---- posts ------------------------------------------------------------ */

enum { POSTERS = 3, POSTS = 4000 };

struct crowd {
    struct sco_loop *loop;
    atomic_int left_count; /* of all posters */
    struct poster {
        struct crowd *crowd;
        struct numbered {
            struct sco_post post;
            struct poster *poster;
            int number;
        } posts[POSTS];
        int next_number; /* the loop's */
        int unordered_count;
        pthread_t thread;
    } posters[POSTERS];
};

static void
run_numbered(void *arg)
{
    struct numbered *numbered = arg;
    struct poster *poster = numbered->poster;

    poster->unordered_count += numbered->number == poster->next_number ? 0 : 1;
    poster->next_number++;
    if (atomic_fetch_sub(&poster->crowd->left_count, 1) == 1) {
        sco_loop_stop(poster->crowd->loop);
    }
}

static void
post_all(void *arg)
{
    struct poster *poster = arg;

    for (int i = 0; i < POSTS; i++) {
        struct numbered *numbered = &poster->posts[i];

        numbered->post.run = run_numbered;
        numbered->post.arg = numbered;
        numbered->poster = poster;
        numbered->number = i;
        sco_loop_post(poster->crowd->loop, &numbered->post);
    }
}

static void
test_posts_of_many_threads(void **state)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    struct sco_error err;

    (void)state;
    assert_non_null(crowd);
    crowd->loop = new_loop();
    atomic_init(&crowd->left_count, POSTERS * POSTS);
    for (int i = 0; i < POSTERS; i++) {
        struct poster *poster = &crowd->posters[i];

        poster->crowd = crowd;
        assert_int_equal(sco_thread_start("poster", SCO_ROLE_WORK, post_all,
                                          poster, &poster->thread, &err),
                         SCO_OK);
    }
    sco_loop_run(crowd->loop);
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(crowd->posters[i].thread, NULL), 0);
        assert_int_equal(crowd->posters[i].next_number, POSTS);
        assert_int_equal(crowd->posters[i].unordered_count, 0);
    }
    sco_loop_destroy(crowd->loop);
    free(crowd);
}

/* A ball that two loops throw to each other, one post for each throw. */
struct ball {
    struct sco_post post;
    struct sco_loop *loops[2];
    int throw_count;
};

static void
throw_back(void *arg)
{
    struct ball *ball = arg;

    if (++ball->throw_count == 2000) {
        sco_loop_stop(ball->loops[0]);
        sco_loop_stop(ball->loops[1]);
        return;
    }
    sco_loop_post(ball->loops[ball->throw_count % 2], &ball->post);
}

static void
run_second(void *arg)
{
    sco_loop_run(arg);
}

/* Each throw finds the other loop asleep, or about to: a wake-up that gets
 * lost would leave both asleep for ever. */
static void
test_no_wake_up_is_lost(void **state)
{
    struct ball ball = { .post.run = throw_back,
                         .loops = { new_loop(), new_loop() } };
    struct sco_error err;
    pthread_t second;

    (void)state;
    ball.post.arg = &ball;
    sco_loop_post(ball.loops[0], &ball.post);
    assert_int_equal(sco_thread_start("second", SCO_ROLE_LOOP, run_second,
                                      ball.loops[1], &second, &err),
                     SCO_OK);
    sco_loop_run(ball.loops[0]);
    assert_int_equal(pthread_join(second, NULL), 0);
    assert_int_equal(ball.throw_count, 2000);
    sco_loop_destroy(ball.loops[0]);
    sco_loop_destroy(ball.loops[1]);
}

static void
test_a_burst_is_one_wake_up(void **state)
{
    struct sco_loop *loop = new_loop();
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    uint64_t writes = 0;

    (void)state;
    assert_non_null(crowd);
    crowd->loop = loop;
    crowd->posters[0].crowd = crowd;
    atomic_init(&crowd->left_count, POSTS);

    post_all(&crowd->posters[0]); /* awake: nobody is woken */
    assert_int_equal(read(loop->wake_fd, &writes, sizeof(writes)), -1);
    sco_loop_run(loop);
    assert_int_equal(crowd->posters[0].next_number, POSTS);

    atomic_store(&crowd->left_count, POSTS);
    atomic_store(&loop->sleeping, true); /* asleep: once */
    post_all(&crowd->posters[0]);
    assert_int_equal(read(loop->wake_fd, &writes, sizeof(writes)),
                     sizeof(writes));
    assert_int_equal(writes, 1);
    sco_loop_destroy(loop);
    free(crowd);
}

/* ---- stopping --------------------------------------------------------- */

static void
count_post(void *arg)
{
    ++*(int *)arg;
}

static void
test_stop_runs_what_was_posted_before(void **state)
{
    struct sco_loop *loop = new_loop();
    int count = 0;
    struct sco_post post = { .run = count_post, .arg = &count };

    (void)state;
    sco_loop_post(loop, &post);
    sco_loop_stop(loop);
    sco_loop_run(loop); /* does not sleep */
    assert_int_equal(count, 1);

    run_for(loop, 1); /* it can run again */
    assert_int_equal(count, 1);
    sco_loop_destroy(loop);
}

static void
post_then_stop(void *arg)
{
    struct ball *ball = arg;

    sco_loop_post(ball->loops[0], &ball->post);
    sco_loop_stop(ball->loops[0]);
}

static void
count_throw(void *arg)
{
    struct ball *ball = arg;

    ball->throw_count++;
}

static void
test_stop_of_another_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct ball ball = { .post.run = count_throw,
                             .loops = { new_loop() } };
        struct sco_error err;
        pthread_t thread;

        ball.post.arg = &ball;
        assert_int_equal(sco_thread_start("stopper", SCO_ROLE_WORK,
                                          post_then_stop, &ball, &thread,
                                          &err),
                         SCO_OK);
        sco_loop_run(ball.loops[0]);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(ball.throw_count, 1);
        sco_loop_destroy(ball.loops[0]);
    }
}

/* ---- descriptors ------------------------------------------------------ */

/* Two pipes with a byte in each; whoever is called removes the other. */
struct pair {
    struct sco_loop *loop;
    struct end {
        struct pair *pair;
        struct end *other;
        struct sco_watch watch;
        int write_fd;
        int call_count;
    } ends[2];
};

static void
remove_other(void *arg, uint32_t events)
{
    struct end *end = arg;

    assert_true((events & EPOLLIN) != 0);
    end->call_count++;
    sco_loop_remove(end->pair->loop, &end->other->watch);
    sco_loop_remove(end->pair->loop, &end->watch);
}

static void
pair_open(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];
        struct sco_error err;
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_int_equal(write(fds[1], "x", 1), 1);
        end->pair = pair;
        end->other = &pair->ends[1 - i];
        end->write_fd = fds[1];
        end->watch = (struct sco_watch){ fds[0], remove_other, end };
        assert_int_equal(sco_loop_add(pair->loop, &end->watch, EPOLLIN, &err),
                         SCO_OK);
    }
}

static void
pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        (void)close(pair->ends[i].watch.fd);
        (void)close(pair->ends[i].write_fd);
    }
}

static void
test_remove_drops_the_readiness_of_this_turn(void **state)
{
    struct pair pair = { .loop = new_loop() };

    (void)state;
    pair_open(&pair);
    run_for(pair.loop, 5);
    assert_int_equal(pair.ends[0].call_count + pair.ends[1].call_count, 1);
    pair_close(&pair);
    sco_loop_destroy(pair.loop);
}

static void
test_remove_of_what_was_never_added(void **state)
{
    struct sco_loop *loop = new_loop();
    struct sco_watch watch = { .fd = -1 };

    (void)state;
    sco_loop_remove(loop, &watch);
    sco_loop_destroy(loop);
}

static void
test_add_of_what_is_no_descriptor(void **state)
{
    struct sco_loop *loop = new_loop();
    struct sco_watch watch = { .fd = -1 };
    struct sco_error err;

    (void)state;
    assert_int_equal(sco_loop_add(loop, &watch, EPOLLIN, &err), SCO_INTERNAL);
    assert_true(strlen(err.text) > 0);
    sco_loop_destroy(loop);
}

/* ---- turns ------------------------------------------------------------ */

struct hooked {
    int asked;
    char order[16];
    size_t order_len;
};

static bool
first_hook(void *arg, uint64_t now_ns)
{
    struct hooked *hooked = arg;

    (void)now_ns;
    hooked->order[hooked->order_len++] = 'a';
    return hooked->asked-- > 0;
}

static bool
second_hook(void *arg, uint64_t now_ns)
{
    struct hooked *hooked = arg;

    (void)now_ns;
    hooked->order[hooked->order_len++] = 'b';
    return false;
}

static void
test_hooks_run_until_none_asks(void **state)
{
    struct sco_loop *loop = new_loop();
    struct hooked hooked = { .asked = 2 };

    (void)state;
    sco_loop_hook(loop, first_hook, &hooked);
    sco_loop_hook(loop, second_hook, &hooked);
    sco_loop_stop(loop);
    sco_loop_run(loop);
    assert_string_equal(hooked.order, "ababab");
    sco_loop_destroy(loop);
}

/* Notes in what order the parts of a turn come. */
static struct hooked notes;

static void
note_ready(void *arg, uint32_t events)
{
    struct end *end = arg;

    (void)events;
    notes.order[notes.order_len++] = 'r';
    sco_loop_remove(end->pair->loop, &end->watch);
    sco_loop_remove(end->pair->loop, &end->other->watch);
}

static void
note_post(void *arg)
{
    (void)arg;
    notes.order[notes.order_len++] = 'p';
}

static void
note_timer(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    notes.order[notes.order_len++] = 't';
    sco_loop_stop(arg);
}

static bool
note_hook(void *arg, uint64_t now_ns)
{
    struct sco_post *post = arg;
    struct sco_timer *timer = post->arg;
    struct sco_loop *loop = timer->arg;

    (void)now_ns;
    notes.order[notes.order_len++] = 'h';
    if (notes.order_len == 1) {
        /* All is due in the second turn. */
        sco_loop_post(loop, post);
        sco_loop_timer_set(loop, timer, 0);
    }
    return false;
}

static void
test_the_order_of_a_turn(void **state)
{
    struct pair pair = { .loop = new_loop() };
    struct sco_timer timer = { .on_time = note_timer, .arg = pair.loop };
    struct sco_post post = { .run = note_post, .arg = &timer };

    (void)state;
    pair_open(&pair);
    pair.ends[0].watch.on_ready = note_ready;
    pair.ends[1].watch.on_ready = note_ready;
    sco_loop_hook(pair.loop, note_hook, &post);
    sco_loop_run(pair.loop);
    assert_memory_equal(notes.order, "hrphth", 6);
    pair_close(&pair);
    sco_loop_destroy(pair.loop);
}

static void
test_now_is_the_begin_of_the_turn(void **state)
{
    struct sco_loop *loop = new_loop();
    uint64_t before_ns = sco_clock_now_ns();

    (void)state;
    run_for(loop, 2);
    assert_true(sco_loop_now_ns(loop) >= before_ns + 2 * SCO_NS_PER_MS);
    assert_true(sco_loop_now_ns(loop) <= sco_clock_now_ns());
    sco_loop_destroy(loop);
}

/* ---- what runs out ---------------------------------------------------- */

static void
set_without_memory(void)
{
    struct sco_loop *loop = new_loop();
    struct sco_timer timer = { 0 };

    memory_fail_at(0);
    sco_loop_timer_set(loop, &timer, 1);
}

static void
add_too_many_hooks(void)
{
    struct sco_loop *loop = new_loop();

    for (int i = 0; i <= SCO_LOOP_HOOKS_MAX; i++) {
        sco_loop_hook(loop, first_hook, NULL);
    }
}

static void
test_failing_memory(void **state)
{
    struct sco_loop *loop = NULL;
    struct sco_error err;

    (void)state;
    memory_fail_at(0);
    assert_int_equal(sco_loop_create(&loop, &err), SCO_NOMEM);
    assert_true(memory_has_failed());
    assert_null(loop);
    assert_true(dies(set_without_memory));
    assert_true(dies(add_too_many_hooks));
    sco_loop_destroy(NULL);
}

static void
test_failing_descriptors(void **state)
{
    struct sco_loop *loop = NULL;
    struct sco_error err;
    struct rlimit before, few;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t more = 0; more < 2; more++) { /* no epoll; no eventfd */
        int lowest = dup(STDOUT_FILENO);

        assert_true(lowest >= 0);
        assert_int_equal(close(lowest), 0);
        few = before;
        few.rlim_cur = (rlim_t)lowest + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_int_equal(sco_loop_create(&loop, &err), SCO_INTERNAL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_null(loop);
        assert_int_equal(dup(STDOUT_FILENO), lowest); /* none is left open */
        assert_int_equal(close(lowest), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_ring_in_order),
        cmocka_unit_test(test_a_timer_that_is_always_due_rings_once_a_turn),
        cmocka_unit_test(test_sleeps_until_the_timer),
        cmocka_unit_test(test_posts_of_many_threads),
        cmocka_unit_test(test_no_wake_up_is_lost),
        cmocka_unit_test(test_a_burst_is_one_wake_up),
        cmocka_unit_test(test_stop_runs_what_was_posted_before),
        cmocka_unit_test(test_stop_of_another_thread),
        cmocka_unit_test(test_remove_drops_the_readiness_of_this_turn),
        cmocka_unit_test(test_remove_of_what_was_never_added),
        cmocka_unit_test(test_add_of_what_is_no_descriptor),
        cmocka_unit_test(test_hooks_run_until_none_asks),
        cmocka_unit_test(test_the_order_of_a_turn),
        cmocka_unit_test(test_now_is_the_begin_of_the_turn),
        cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_failing_descriptors),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
