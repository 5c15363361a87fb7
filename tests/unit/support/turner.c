#include "support/turner.h"

#include "base/clock.h"
#include "base/thread.h"

#define PATIENCE_NS (10 * SCO_NS_PER_S)

static bool
ask(void *arg, uint64_t now_ns)
{
    struct turner *turner = arg;

    (void)now_ns;
    if (turner->done != NULL && turner->done(turner->arg)) {
        turner->is_done = true;
        turner->done = NULL;
        sco_loop_stop(turner->loop);
    }
    return false;
}

static void
give_up(void *arg, uint64_t now_ns)
{
    struct turner *turner = arg;

    (void)now_ns;
    sco_loop_stop(turner->loop);
}

void
turner_init(struct turner *turner)
{
    *turner =
        (struct turner){ .guard = { .on_time = give_up, .arg = turner } };
    sco_thread_take_role(SCO_ROLE_LOOP);
    SCO_CHECK(sco_loop_create(&turner->loop, NULL) == SCO_OK, "a loop");
    sco_loop_hook(turner->loop, ask, turner);
}

void
turner_turn(struct turner *turner)
{
    sco_loop_stop(turner->loop);
    sco_loop_run(turner->loop);
}

bool
turner_until(struct turner *turner, bool (*done)(void *arg), void *arg)
{
    turner->is_done = false;
    turner->done = done;
    turner->arg = arg;
    sco_loop_timer_set(turner->loop, &turner->guard,
                       sco_clock_now_ns() + PATIENCE_NS);
    sco_loop_run(turner->loop);
    sco_loop_timer_clear(turner->loop, &turner->guard);
    turner->done = NULL;
    return turner->is_done;
}

void
turner_finish(struct turner *turner)
{
    sco_loop_destroy(turner->loop);
    turner->loop = NULL;
}
