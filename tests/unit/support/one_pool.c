#include "support/one_pool.h"

#include "support/heard.h"

#include <stdio.h>

struct one_pool one_pool;

static void
on_ready(void *arg, struct sco_worker *worker, struct sco_slice documents)
{
    (void)arg;
    (void)worker;
    (void)documents;
    one_pool.ready++;
}

static void
on_through(void *arg, struct sco_worker *worker, uint64_t run_ns)
{
    (void)arg;
    (void)worker;
    (void)run_ns;
    one_pool.through++;
}

static void
on_ran(void *arg, struct sco_worker *worker, const struct sco_ran *ran)
{
    (void)arg;
    (void)worker;
    (void)ran;
    one_pool.ran++;
}

static void
on_unfit(void *arg, struct sco_worker *worker)
{
    (void)arg;
    (void)worker;
    one_pool.unfit++;
}

static void
on_return(void *arg, struct sco_worker *worker, struct sco_request *req)
{
    (void)arg;
    (void)worker;
    one_pool.returned++;
    sco_request_unref(req);
}

static void
on_boot_failed(void *arg)
{
    (void)arg;
    one_pool.boot_failed++;
}

static void
on_worn(void *arg, const char *why)
{
    (void)arg;
    one_pool.worn++;
    snprintf(one_pool.why, sizeof(one_pool.why), "%s", why);
}

static void
on_empty(void *arg)
{
    (void)arg;
    one_pool.empty++;
}

int
one_pool_make(void **state)
{
    const struct sco_pool_boss boss = {
        .on_ready = on_ready,
        .on_through = on_through,
        .on_ran = on_ran,
        .on_unfit = on_unfit,
        .on_return = on_return,
        .on_boot_failed = on_boot_failed,
        .on_worn = on_worn,
        .on_empty = on_empty,
    };

    (void)state;
    one_pool = (struct one_pool){ .ready = 0 };
    fake_crew_reset();
    turner_init(&one_pool.turner);
    SCO_CHECK(sco_arena_create(&one_pool.arena, NULL) == SCO_OK, "arena");
    one_pool.setup = (struct sco_worker_setup){
        .loop = one_pool.turner.loop,
        .arena = one_pool.arena,
    };
    sco_pool_init(&one_pool.pool, &fake_worker_kind, &one_pool.setup, &boss);
    turner_turn(&one_pool.turner);
    return 0;
}

int
one_pool_drop(void **state)
{
    (void)state;
    sco_pool_stop(&one_pool.pool);
    sco_pool_kill(&one_pool.pool);
    turner_turn(&one_pool.turner);
    SCO_CHECK(one_pool.pool.count == 0, "a worker is left");
    SCO_CHECK(one_pool.pool.tally.ready == 0, "the tally of the ready");
    SCO_CHECK(one_pool.pool.tally.held == 0, "the tally of the held");
    fake_come_back();
    sco_arena_destroy(one_pool.arena);
    turner_finish(&one_pool.turner);
    return 0;
}

struct fake_worker *
one_pool_member(size_t number)
{
    SCO_CHECK(number < fake_crew.count && fake_crew.members[number] != NULL,
              "no such worker");
    return fake_crew.members[number];
}

void
one_pool_make_ready(size_t number)
{
    fake_ready(one_pool_member(number), NULL, 0);
    SCO_CHECK(sco_pool_poll(&one_pool.pool), "it is not heard");
}

void
one_pool_fill(size_t count)
{
    sco_pool_resize(&one_pool.pool, count);
    for (size_t i = 0; i < count; i++) {
        one_pool_make_ready(i);
    }
}

void
one_pool_end(size_t number, int exit_code, int signal)
{
    fake_end(one_pool_member(number), exit_code, signal);
    turner_turn(&one_pool.turner);
}

void
one_pool_serve(size_t number)
{
    struct sco_request *req = heard_request(one_pool.arena, "x", NULL);
    struct fake_worker *fake = one_pool_member(number);

    SCO_CHECK(sco_worker_give(&fake->base, req), "its ring is full");
    SCO_CHECK(fake_took(fake, "x"), "it takes something else");
    fake_reply(fake, "");
    SCO_CHECK(sco_pool_poll(&one_pool.pool), "it is not heard");
}

bool
one_pool_leaves(size_t number)
{
    return fake_take(one_pool_member(number)) == SCO_CHILD_STOP;
}

static bool
has_started(void *arg)
{
    return fake_crew.count >= *(const size_t *)arg;
}

bool
one_pool_started(size_t count)
{
    return turner_until(&one_pool.turner, has_started, &count);
}
