/* test_simulation.c - what the policy makes of whole loads
 *
 * Discrete events: clients, and workers that take a + b n for n rows (give or
 * take 5 %), with the real former, fit and policy between them. Nothing here
 * takes time but the computing; every number is that of a seeded generator,
 * so that what is asserted is the same on every machine.
 *
 * Closed loop: C clients, each of which asks again 0.15 to 0.45 ms after its
 * answer. The ideal is that all C go in one batch as soon as the slowest of
 * them is back: C / (a + b C + 0.45 ms). With more clients than a batch has
 * room for the worker is never idle: B / (a + b B). A host sends one answer
 * after another, so that the last of them is later.
 *
 * Open loop: requests come at random (Poisson), as a share of B / (a + b B).
 * There greedy is best: whatever waits goes when a worker is idle.
 */
#include "batch/former.h"

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#define MS    1e6
#define NEVER UINT64_MAX

enum { ENTRIES = 4096, WORKERS = 4, SAMPLES = 60000 };

enum way { POLICY, GREEDY };

struct model {
    double a_ms, b_ms;
    uint64_t most; /* rows of a batch */
    size_t workers;
};

static const struct model gpu_like = { 2, 0.05, 64, 1 };
static const struct model cpu_like = { 0.1, 0.5, 64, 1 };
static const struct model fast = { 0.5, 0.1, 64, 1 };
static const struct model two_workers = { 2, 0.05, 64, 2 };
static const struct model two_cpus = { 0.1, 0.5, 64, 2 };

static struct sim {
    struct model model;
    enum way way;
    struct sco_batch_former *former;
    uint64_t now_ns;
    uint64_t random;
    double per_ms; /* open loop: requests; 0: closed */
    size_t clients;
    uint64_t send_ns; /* from one answer to the next */
    struct sco_batch_entry entries[ENTRIES];
    uint64_t comes_ns[ENTRIES]; /* when it asks (again); NEVER: it waits */
    uint64_t asked_ns[ENTRIES];
    struct sco_batch *runs[WORKERS];
    uint64_t ends_ns[WORKERS];
    uint64_t timer_ns;
    uint64_t next_ns; /* open loop: the next request */
    size_t answered, batches;
    size_t timers; /* that came */
    size_t reasons[SCO_BATCH_REASON_COUNT];
    uint64_t start_ns; /* of what is counted */
    uint64_t took_ns[SAMPLES];
} sim;

/* ---- chance --------------------------------------------------------- */

static double
uniform(void)
{
    sim.random = sim.random * 6364136223846793005u + 1442695040888963407u;
    return (double)(sim.random >> 11) / 9007199254740992.0;
}

/* Exponential with mean 1, by comparisons alone: a run of falling numbers
 * has an even length with just the right probability. */
static double
exponential(void)
{
    unsigned whole = 0;

    for (;;) {
        double first = uniform();
        double last = first;
        double next = uniform();
        unsigned length = 1;

        while (next <= last) {
            last = next;
            next = uniform();
            length++;
        }
        if (length % 2 == 1) {
            return whole + first;
        }
        whole++;
    }
}

/* ---- events --------------------------------------------------------- */

static void
ask(size_t who)
{
    sim.entries[who] =
        (struct sco_batch_entry){ .rows = 1, .urgent_ns = sim.now_ns };
    sim.comes_ns[who] = NEVER;
    sim.asked_ns[who] = sim.now_ns;
    assert_int_equal(sco_batch_former_add(sim.former, &sim.entries[who], 1,
                                          SCO_SLICE("x"), sim.now_ns, NULL),
                     SCO_OK);
}

static void
answer(size_t worker)
{
    struct sco_batch *batch = sim.runs[worker];

    for (size_t i = 0; i < batch->count; i++) {
        size_t who = (size_t)(batch->parts[i].piece->entry - sim.entries);

        assert_true(sco_batch_former_done(batch, i));
        sim.comes_ns[who] = sim.now_ns + i * sim.send_ns +
                            (uint64_t)((0.15 + 0.3 * uniform()) * MS);
        if (sim.answered < SAMPLES) {
            sim.took_ns[sim.answered] = sim.now_ns - sim.asked_ns[who];
        }
        sim.answered++;
    }
    sim.batches++;
    sco_batch_former_finish(batch, SCO_BATCH_ANSWERED, sim.now_ns);
    sim.runs[worker] = NULL;
    sim.ends_ns[worker] = NEVER;
}

static size_t
idle_workers(void)
{
    size_t idle = 0;

    for (size_t i = 0; i < sim.model.workers; i++) {
        idle += sim.runs[i] == NULL;
    }
    return idle;
}

static void
give(struct sco_batch_group *group, uint64_t rows)
{
    double takes_ms;
    size_t worker = 0;

    while (sim.runs[worker] != NULL) {
        worker++;
    }
    sim.runs[worker] = sco_batch_former_take(group, rows, sim.now_ns);
    takes_ms =
        sim.model.a_ms + sim.model.b_ms * (double)sim.runs[worker]->rows;
    sim.ends_ns[worker] =
        sim.now_ns + (uint64_t)(takes_ms * (0.95 + 0.1 * uniform()) * MS);
}

static void
decide(void)
{
    struct sco_batch_group *group;
    struct sco_batch_decision decision;

    sim.timer_ns = NEVER;
    if (sim.way == GREEDY) {
        while (idle_workers() > 0 &&
               (group = sco_batch_former_first(sim.former)) != NULL) {
            give(group, sim.model.most);
        }
        return;
    }
    for (;;) {
        decision = sco_batch_former_choose(sim.former, idle_workers(),
                                           sim.now_ns, &group);
        if (decision.rows == 0) {
            sim.timer_ns = decision.wait_until_ns;
            return;
        }
        sim.reasons[decision.reason]++;
        give(group, decision.rows);
    }
}

static size_t
earliest(const uint64_t *times, size_t count)
{
    size_t first = 0;

    for (size_t i = 1; i < count; i++) {
        first = times[i] < times[first] ? i : first;
    }
    return first;
}

/* In the open loop whoever is not waiting may be the next to ask. */
static void
ask_anew(void)
{
    size_t who = 0;

    while (sim.comes_ns[who] == NEVER) {
        who++;
        assert_true(who < ENTRIES);
    }
    ask(who);
    sim.next_ns = sim.now_ns + (uint64_t)(exponential() / sim.per_ms * MS) + 1;
}

static void
step(void)
{
    size_t client = sim.per_ms > 0 ? 0 : earliest(sim.comes_ns, sim.clients);
    size_t worker = earliest(sim.ends_ns, sim.model.workers);
    uint64_t asks_ns = sim.per_ms > 0 ? sim.next_ns : sim.comes_ns[client];

    if (sim.ends_ns[worker] <= asks_ns &&
        sim.ends_ns[worker] <= sim.timer_ns) {
        sim.now_ns = sim.ends_ns[worker];
        answer(worker);
    } else if (sim.timer_ns <= asks_ns) {
        /* A timer that has come must lead to something. */
        assert_true(sim.timer_ns > sim.now_ns);
        sim.now_ns = sim.timer_ns;
        sim.timers++;
    } else {
        sim.now_ns = asks_ns;
        if (sim.per_ms > 0) {
            ask_anew();
        } else {
            ask(client);
        }
    }
    decide();
}

/* ---- whole runs ----------------------------------------------------- */

struct result {
    double per_ms, mean_ms, p50_ms, p99_ms, rows;
};

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
start(const struct model *model, enum way way, size_t clients, double per_ms)
{
    struct sco_batch_former_setup setup = {
        .policy = { .max_batch_size = model->most },
        .slots = 2 * model->workers,
    };

    memset(&sim, 0, sizeof(sim));
    sim.model = *model;
    sim.way = way;
    sim.clients = clients;
    sim.per_ms = per_ms;
    sim.random = 20261124;
    sim.now_ns = 1000000000;
    sim.timer_ns = NEVER;
    sim.next_ns = sim.now_ns;
    for (size_t i = 0; i < clients; i++) {
        sim.comes_ns[i] = sim.now_ns + (uint64_t)(uniform() * MS);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        sim.ends_ns[i] = NEVER;
    }
    assert_int_equal(sco_batch_former_create(&setup, &sim.former, NULL),
                     SCO_OK);
}

/* Lets `count` requests be answered, after a tenth of them that only warm
 * up. */
static struct result
run(size_t count)
{
    struct result result = { 0 };
    double sum_ns = 0;
    uint64_t p50_ns, p99_ns;

    while (sim.answered < count / 10) {
        step();
    }
    sim.answered = sim.batches = sim.timers = 0;
    memset(sim.reasons, 0, sizeof(sim.reasons));
    sim.start_ns = sim.now_ns;
    while (sim.answered < count) {
        step();
    }
    count = sim.answered < SAMPLES ? sim.answered : SAMPLES;
    for (size_t i = 0; i < count; i++) {
        sum_ns += (double)sim.took_ns[i];
    }
    qsort(sim.took_ns, count, sizeof(sim.took_ns[0]), compare);
    p50_ns = sim.took_ns[count / 2];
    p99_ns = sim.took_ns[count * 99 / 100];
    result.per_ms =
        (double)sim.answered / ((double)(sim.now_ns - sim.start_ns) / MS);
    result.mean_ms = sum_ns / (double)count / MS;
    result.p50_ms = (double)p50_ns / MS;
    result.p99_ms = (double)p99_ns / MS;
    result.rows = (double)sim.answered / (double)sim.batches;
    return result;
}

static void
end(void)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        sco_batch_former_leave(&sim.entries[i]);
    }
    sco_batch_former_destroy(sim.former);
    sim.former = NULL;
}

static struct result
closed(const struct model *model, enum way way, size_t clients, size_t count)
{
    struct result result;

    start(model, way, clients, 0);
    result = run(count);
    end();
    return result;
}

static double
capacity(const struct model *model)
{
    return (double)model->most /
           (model->a_ms + model->b_ms * (double)model->most);
}

static struct result
opened(const struct model *model, enum way way, double load)
{
    struct result result;

    start(model, way, ENTRIES, load * capacity(model));
    result = run(SAMPLES);
    end();
    return result;
}

/* ---- tests ---------------------------------------------------------- */

static void
test_clients_that_wait_for_answers_go_together(void **state)
{
    static const size_t clients[] = { 8, 32, 64, 128 };

    (void)state;
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        double ideal =
            (double)clients[i] / (2 + 0.05 * (double)clients[i] + 0.45);
        struct result ours = closed(&gpu_like, POLICY, clients[i], 20000);
        struct result greedy = closed(&gpu_like, GREEDY, clients[i], 20000);

        ideal = ideal < capacity(&gpu_like) ? ideal : capacity(&gpu_like);
        print_message("C = %zu: %.0f/s, p50 %.2f ms, %.1f rows, %.3f of the "
                      "ideal; greedy %.0f/s, p50 %.2f ms, %.1f rows\n",
                      clients[i], ours.per_ms * 1e3, ours.p50_ms, ours.rows,
                      ours.per_ms / ideal, greedy.per_ms * 1e3, greedy.p50_ms,
                      greedy.rows);
        assert_true(ours.per_ms >= 0.95 * ideal);
        assert_true(ours.p50_ms <= 1.01 * greedy.p50_ms);
        assert_true(ours.p99_ms <= 1.05 * greedy.p99_ms);
    }
}

/* The host is at work for 8 us with each answer: nobody is given up for that.
 */
static void
test_answers_that_go_out_one_after_another(void **state)
{
    static const size_t clients[] = { 8, 32, 64 };

    (void)state;
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        double cycle_ms = 2 + 0.058 * (double)clients[i] + 0.45;
        double ideal = (double)clients[i] / cycle_ms;
        struct result ours;

        start(&gpu_like, POLICY, clients[i], 0);
        sim.send_ns = 8000;
        ours = run(20000);
        end();
        print_message("C = %zu: %.0f/s, %.1f rows, %.3f of the ideal\n",
                      clients[i], ours.per_ms * 1e3, ours.rows,
                      ours.per_ms / ideal);
        assert_true(ours.per_ms >= 0.95 * ideal);
        assert_true(ours.rows >= 0.95 * (double)clients[i]);
    }
}

static void
test_requests_at_random_wait_for_nobody(void **state)
{
    static const double loads[] = { 0.02, 0.1, 0.3, 0.6, 0.9 };

    (void)state;
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        struct result ours = opened(&gpu_like, POLICY, loads[i]);
        struct result greedy = opened(&gpu_like, GREEDY, loads[i]);

        print_message("%.0f %%: mean %.2f, p99 %.2f ms, %.1f rows; greedy "
                      "%.2f, %.2f ms, %.1f rows\n",
                      100 * loads[i], ours.mean_ms, ours.p99_ms, ours.rows,
                      greedy.mean_ms, greedy.p99_ms, greedy.rows);
        assert_true(ours.mean_ms <= 1.01 * greedy.mean_ms);
        assert_true(ours.p50_ms <= 1.01 * greedy.p50_ms);
        assert_true(ours.p99_ms <= 1.02 * greedy.p99_ms);
    }
}

/* Where the rows are what costs, company is worth nothing. */
static void
test_a_model_that_gains_nothing_is_never_corked(void **state)
{
    static const size_t clients[] = { 2, 8, 32, 128 };
    static const double loads[] = { 0.1, 0.6, 0.9 };

    (void)state;
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        struct result greedy = closed(&cpu_like, GREEDY, clients[i], 20000);
        struct result ours = closed(&cpu_like, POLICY, clients[i], 20000);

        assert_int_equal(sim.reasons[SCO_BATCH_GAP], 0);
        assert_int_equal(sim.timers, 0);
        assert_true(ours.per_ms >= 0.99 * greedy.per_ms);
    }
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        struct result greedy = opened(&cpu_like, GREEDY, loads[i]);
        struct result ours = opened(&cpu_like, POLICY, loads[i]);

        assert_int_equal(sim.reasons[SCO_BATCH_GAP], 0);
        assert_int_equal(sim.timers, 0);
        assert_true(ours.mean_ms <= 1.001 * greedy.mean_ms);
    }
}

/* Turns that are as long as the fixed part are not worth waiting for. */
static void
test_nobody_is_worse_off_than_without_it(void **state)
{
    static const struct {
        const struct model *model;
        size_t clients;
        double least; /* throughput, against greedy's */
    } cases[] = {
        { &fast, 8, 0.99 },         { &fast, 32, 0.99 },
        { &fast, 128, 0.99 },       { &two_workers, 8, 0.99 },
        { &two_workers, 64, 0.99 }, { &two_workers, 200, 0.99 },
        { &two_cpus, 2, 0.99 },     { &two_cpus, 32, 0.99 },
        { &gpu_like, 1, 1 },        { &gpu_like, 2, 1.4 },
        { &gpu_like, 100, 0.99 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result greedy =
            closed(cases[i].model, GREEDY, cases[i].clients, 20000);
        struct result ours =
            closed(cases[i].model, POLICY, cases[i].clients, 20000);

        print_message("a %.1f, b %.2f, %zu workers, C = %zu: %.0f/s, greedy "
                      "%.0f/s\n",
                      cases[i].model->a_ms, cases[i].model->b_ms,
                      cases[i].model->workers, cases[i].clients,
                      ours.per_ms * 1e3, greedy.per_ms * 1e3);
        assert_true(ours.per_ms >= cases[i].least * greedy.per_ms);
        /* No ticks: a timer is the end of a wait, and that of a batch. */
        assert_true(sim.timers <= sim.batches);
    }
}

/* Throughput of so many clients, against their ideal. */
static double
share_of_ideal(size_t clients, size_t count)
{
    sim.clients = clients;
    sim.answered = 0;
    return run(count).per_ms * (2 + 0.05 * (double)clients + 0.45) /
           (double)clients;
}

/* Half of the clients leave for good; then all others pause for a second, and
 * the rest comes back with them. */
static void
test_clients_that_leave_and_come_back(void **state)
{
    (void)state;
    start(&gpu_like, POLICY, 32, 0);
    assert_true(share_of_ideal(32, 20000) >= 0.95);
    assert_true(share_of_ideal(16, 4000) >= 0.95);
    for (size_t i = 0; i < 32; i++) {
        if (sim.comes_ns[i] != NEVER) {
            sim.comes_ns[i] = sim.now_ns + 1000000000 + i * 10000;
        }
    }
    assert_true(share_of_ideal(32, 4000) >= 0.95);
    end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_that_wait_for_answers_go_together),
        cmocka_unit_test(test_answers_that_go_out_one_after_another),
        cmocka_unit_test(test_requests_at_random_wait_for_nobody),
        cmocka_unit_test(test_a_model_that_gains_nothing_is_never_corked),
        cmocka_unit_test(test_nobody_is_worse_off_than_without_it),
        cmocka_unit_test(test_clients_that_leave_and_come_back),
    };

    return cmocka_run_group_tests_name("batch simulation", tests, NULL, NULL);
}
