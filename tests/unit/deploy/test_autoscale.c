/* test_autoscale.c - how many workers a load asks for
 *
 * Single looks in tables, and loads that come at random to simulated workers:
 * each serves `run_ns`, the clock moves in steps of a look.
 */
#include "deploy/autoscale.h"
#include "support/test.h"

#include <string.h>

#define MS SCO_NS_PER_MS

static void
test_how_long_requests_wait(void **state)
{
    static const struct {
        size_t waiting, ready;
        uint64_t run_ns, still_ns, wait_ns;
    } cases[] = {
        { 0, 1, 100 * MS, 100 * MS, 0 }, { 4, 1, 10 * MS, 0, 40 * MS },
        { 4, 2, 10 * MS, 0, 20 * MS },   { 4, 0, 10 * MS, 0, 40 * MS },
        { 1, 1, 0, 900 * MS, 900 * MS }, /* the first run is not over yet */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sco_autoscale_wait_ns(cases[i].waiting,
                                               cases[i].ready, cases[i].run_ns,
                                               cases[i].still_ns),
                         cases[i].wait_ns);
    }
}

/* Looks every 100 ms for so long; returns the last wish. */
static size_t
look_for(struct sco_autoscale *scale, struct sco_autoscale_view view,
         uint64_t time_ns)
{
    uint64_t end_ns = view.now_ns + time_ns;
    size_t wanted = view.wanted;

    for (; view.now_ns <= end_ns && wanted == view.wanted;
         view.now_ns += SCO_AUTOSCALE_TICK_NS) {
        wanted = sco_autoscale_step(scale, &view);
    }
    return wanted;
}

static void
test_what_one_steady_view_leads_to(void **state)
{
    static const struct {
        const char *name;
        struct sco_autoscale_view view;
        uint64_t time_ns;
        size_t wanted;
    } cases[] = {
        { "all is well", { 0, 2, 2, 2, 4 * MS, 10 * MS }, 60000 * MS, 2 },
        { "a short burst", { 0, 2, 2, 2, 100 * MS, 10 * MS }, 200 * MS, 2 },
        { "it stays", { 0, 2, 2, 2, 100 * MS, 10 * MS }, 400 * MS, 3 },
        { "twice the run", { 0, 2, 2, 2, 21 * MS, 10 * MS }, 400 * MS, 3 },
        { "nobody sees it", { 0, 2, 2, 2, 4 * MS, 1 }, 60000 * MS, 2 },
        { "a long run", { 0, 2, 2, 2, 60 * MS, 9000 * MS }, 400 * MS, 3 },
        { "much too long", { 0, 2, 2, 2, 800 * MS, 10 * MS }, 400 * MS, 4 },
        { "to the most", { 0, 3, 3, 3, 800 * MS, 10 * MS }, 400 * MS, 4 },
        { "not beyond", { 0, 4, 4, 4, 800 * MS, 10 * MS }, 60000 * MS, 4 },
        { "some still load", { 0, 3, 2, 2, 900 * MS, 1 * MS }, 9000 * MS, 3 },
        { "half idle", { 0, 2, 2, 1, 0, 10 * MS }, 60000 * MS, 2 },
        { "idle, not long", { 0, 3, 3, 0, 0, 10 * MS }, 29000 * MS, 3 },
        { "idle", { 0, 3, 3, 0, 0, 10 * MS }, 31000 * MS, 2 },
        { "to the least", { 0, 1, 1, 0, 0, 10 * MS }, 90000 * MS, 1 },
        { "below it", { 0, 0, 0, 0, 0, 0 }, 0, 1 },
        { "above it", { 0, 9, 9, 9, 0, 0 }, 0, 4 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sco_autoscale scale = { .least = 1, .most = 4 };
        struct sco_autoscale_view view = cases[i].view;

        view.now_ns = 1000 * MS;
        if (look_for(&scale, view, cases[i].time_ns) != cases[i].wanted) {
            fail_msg("%s", cases[i].name);
        }
    }
}

static void
test_after_a_change_it_waits_for_the_effect(void **state)
{
    struct sco_autoscale scale = { .least = 1, .most = 8 };
    struct sco_autoscale_view view = { 1000 * MS, 1, 1, 1, 100 * MS, 9 * MS };

    (void)state;
    assert_int_equal(look_for(&scale, view, 400 * MS), 2);
    view.wanted = view.ready = view.at_work = 2;
    view.now_ns = scale.changed_ns + 100 * MS;
    assert_int_equal(look_for(&scale, view, 800 * MS), 2);
    view.now_ns = scale.changed_ns + 1000 * MS;
    assert_int_equal(look_for(&scale, view, 400 * MS), 3);
}

/* ---- simulated loads ------------------------------------------------ */

struct model {
    struct sco_autoscale scale;
    uint64_t now_ns;
    uint64_t run_ns;
    size_t wanted;
    double backlog_ns; /* of work, for all workers together */
    uint64_t random;
    size_t changes;
};

/* Requests that come in this look: about `rate` in the mean, at random. */
static double
arrivals(struct model *model, double rate)
{
    double count = 0;

    for (int i = 0; i < 1000; i++) {
        model->random =
            model->random * 6364136223846793005u + 1442695040888963407u;
        count +=
            (double)(model->random >> 11) / 9007199254740992.0 < rate / 1000;
    }
    return count;
}

/* Lets a load of so many requests a second come for so long; returns the
 * number of workers at its end. Workers are ready at once. */
static size_t
run_load(struct model *model, double per_s, uint64_t time_ns)
{
    const double look_s = (double)SCO_AUTOSCALE_TICK_NS / 1e9;
    uint64_t end_ns = model->now_ns + time_ns;

    while (model->now_ns < end_ns) {
        double room_ns = (double)model->wanted * 1e9 * look_s;
        double work_ns = model->backlog_ns + arrivals(model, per_s * look_s) *
                                                 (double)model->run_ns;
        double share = work_ns < room_ns ? work_ns / room_ns : 1;
        double rest_ns = work_ns < room_ns ? 0 : work_ns - room_ns;
        struct sco_autoscale_view view = {
            .now_ns = model->now_ns,
            .wanted = model->wanted,
            .ready = model->wanted,
            .at_work = (size_t)(share * (double)model->wanted + 0.5),
            .wait_ns = (uint64_t)(rest_ns / (double)model->wanted),
            .run_ns = model->run_ns,
        };
        size_t wanted = sco_autoscale_step(&model->scale, &view);

        model->changes += wanted != model->wanted;
        model->wanted = wanted;
        model->backlog_ns = rest_ns;
        model->now_ns += SCO_AUTOSCALE_TICK_NS;
    }
    return model->wanted;
}

static struct model
new_model(void)
{
    return (struct model){ .scale = { .least = 1, .most = 16 },
                           .now_ns = 1000 * MS,
                           .run_ns = 20 * MS,
                           .wanted = 1,
                           .random = 4711 };
}

static void
test_a_step_of_load_is_followed_up_fast_and_down_slowly(void **state)
{
    struct model model = new_model();
    uint64_t before_ns;

    (void)state;
    assert_int_equal(run_load(&model, 10, 60000 * MS), 1);
    assert_true(run_load(&model, 250, 10000 * MS) >= 5); /* 5 have enough */
    assert_true(model.wanted >= 5 && model.wanted <= 16);
    assert_true(model.backlog_ns < 1e9);
    before_ns = model.now_ns;
    while (model.wanted > 1 && model.now_ns < before_ns + 3600000 * MS) {
        (void)run_load(&model, 1, 1000 * MS);
    }
    assert_int_equal(model.wanted, 1);
    assert_true(model.now_ns - before_ns >= 60000 * MS);
}

/* Whatever the load is, it does not go up and down for it. */
static void
test_a_steady_load_does_not_make_it_swing(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        double per_s = 5 + i * i / 2.0; /* to 425 */
        struct model model = new_model();
        size_t settled;

        (void)run_load(&model, per_s, 300000 * MS);
        settled = model.changes;
        (void)run_load(&model, per_s, 600000 * MS);
        if (model.changes - settled > 2) {
            fail_msg("%.0f a second: %zu changes", per_s,
                     model.changes - settled);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_long_requests_wait),
        cmocka_unit_test(test_what_one_steady_view_leads_to),
        cmocka_unit_test(test_after_a_change_it_waits_for_the_effect),
        cmocka_unit_test(
            test_a_step_of_load_is_followed_up_fast_and_down_slowly),
        cmocka_unit_test(test_a_steady_load_does_not_make_it_swing),
    };

    return cmocka_run_group_tests_name("autoscale", tests, NULL, NULL);
}
