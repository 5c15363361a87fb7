#include "support/fake_worker.h"

#include <signal.h>
#include <string.h>

struct fake_crew fake_crew;

static struct fake_worker *
fake_of(struct sco_worker *worker)
{
    return (struct fake_worker *)worker;
}

static void
leave_behind(struct fake_worker *fake)
{
    struct fake_left *left = &fake_crew.left[fake_crew.left_count++];
    struct sco_list *link = fake->base.held.next;

    *left = (struct fake_left){ .child = fake->child,
                                .lane = sco_lane_ref(fake->base.lane) };
    fake->child = NULL;
    for (; link != &fake->base.held; link = link->next) {
        struct sco_request *req =
            SCO_LIST_ENTRY(link, struct sco_request, link);

        if (sco_arena_started_ns(req->arena, req->slot) != 0) {
            left->requests[left->request_count++] = sco_request_ref(req);
        }
    }
}

void
fake_come_back(void)
{
    while (fake_crew.left_count > 0) {
        struct fake_left *left = &fake_crew.left[--fake_crew.left_count];

        for (size_t i = 0; i < left->request_count; i++) {
            sco_request_unref(left->requests[i]);
        }
        sco_child_destroy(left->child);
        sco_lane_unref(left->lane);
    }
}

static void
on_ended(void *arg)
{
    struct fake_worker *fake = arg;

    if (fake->end.lost) {
        leave_behind(fake);
    }
    sco_worker_gone(&fake->base, &fake->end);
}

static enum sco_status
fake_start(struct sco_worker *worker, struct sco_error *err)
{
    struct fake_worker *fake = fake_of(worker);
    enum sco_status status;

    if (fake_crew.failing_starts > 0) {
        fake_crew.failing_starts--;
        return sco_fail(err, SCO_INTERNAL, "the test has it fail");
    }
    status = sco_child_join(worker->lane, &fake->child, err);
    if (status != SCO_OK) {
        return status;
    }
    SCO_CHECK(fake_crew.count < FAKE_CREW_MAX, "too many fake workers");
    worker->pid = (pid_t)(FAKE_FIRST_PID + fake_crew.count);
    fake->ended.run = on_ended;
    fake->ended.arg = fake;
    fake_crew.members[fake_crew.count++] = fake;
    return SCO_OK;
}

static void
fake_dump(struct sco_worker *worker)
{
    (void)worker;
    fake_crew.dumps++;
}

static void
fake_interrupt(struct sco_worker *worker)
{
    (void)worker;
    fake_crew.interrupts++;
}

static void
fake_kill(struct sco_worker *worker)
{
    struct fake_worker *fake = fake_of(worker);

    fake_crew.kills++;
    if (worker->ops->is_inside) {
        fake->end.lost = true;
    }
    if (!fake->is_stubborn) {
        fake_end(fake, 0, worker->ops->is_inside ? 0 : SIGKILL);
    }
}

static void
fake_finish(struct sco_worker *worker)
{
    for (size_t i = 0; i < fake_crew.count; i++) {
        if (fake_crew.members[i] == fake_of(worker)) {
            fake_crew.members[i] = NULL;
        }
    }
    sco_child_destroy(fake_of(worker)->child);
}

const struct sco_worker_ops fake_worker_kind = {
    .name = "fake",
    .bytes = sizeof(struct fake_worker),
    .is_replaceable = true,
    .start = fake_start,
    .dump = fake_dump,
    .interrupt = fake_interrupt,
    .kill = fake_kill,
    .finish = fake_finish,
};

const struct sco_worker_ops fake_inside_kind = {
    .name = "fake inside",
    .bytes = sizeof(struct fake_worker),
    .is_inside = true,
    .is_replaceable = true,
    .start = fake_start,
    .dump = fake_dump,
    .interrupt = fake_interrupt,
    .kill = fake_kill,
    .finish = fake_finish,
};

const struct sco_worker_ops fake_fixed_kind = {
    .name = "fake fixed",
    .bytes = sizeof(struct fake_worker),
    .is_inside = true,
    .start = fake_start,
    .dump = fake_dump,
    .interrupt = fake_interrupt,
    .kill = fake_kill,
    .finish = fake_finish,
};

void
fake_crew_reset(void)
{
    fake_crew = (struct fake_crew){ .count = 0 };
}

void
fake_ready(struct fake_worker *fake, const struct sco_document *documents,
           size_t count)
{
    SCO_CHECK(sco_child_ready(fake->child, documents, count, NULL) == SCO_OK,
              "a fake worker's documents");
}

enum sco_child_event
fake_take(struct fake_worker *fake)
{
    return sco_child_try_next(fake->child, &fake->call, &fake->line);
}

bool
fake_took(struct fake_worker *fake, const char *body)
{
    return fake_take(fake) == SCO_CHILD_CALL &&
           sco_slice_equal(fake->call.body, sco_slice_of(body));
}

void
fake_reply(struct fake_worker *fake, const char *body)
{
    fake_reply_after(fake, body, /* run_ns */ 1000);
}

static void
reply(struct sco_child *child, const struct sco_reply_head *head,
      const char *body)
{
    struct sco_sink *sink = sco_child_sink(child);

    sink->ops->reply(sink, head, (struct sco_slice){ NULL, 0 },
                     sco_slice_of(body));
}

void
fake_reply_after(struct fake_worker *fake, const char *body, uint64_t run_ns)
{
    const struct sco_reply_head head = { .status = 200,
                                         .run_ns = run_ns,
                                         .stream_bytes = -1 };

    reply(fake->child, &head, body);
}

void
fake_reply_late(const struct fake_left *left, const char *body)
{
    const struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };

    reply(left->child, &head, body);
}

void
fake_reply_unfit(struct fake_worker *fake)
{
    const struct sco_reply_head head = { .status = 503,
                                         .flags = SCO_REPLY_UNFIT,
                                         .stream_bytes = -1 };

    reply(fake->child, &head, "unfit");
}

void
fake_end(struct fake_worker *fake, int exit_code, int signal)
{
    if (!fake->is_ended) {
        fake->is_ended = true;
        fake->end.exit_code = exit_code;
        fake->end.signal = signal;
        sco_loop_post(fake->base.setup->loop, &fake->ended);
    }
}
