#include "support/one_worker.h"

struct one_worker one_worker;

static void
on_ready(void *arg, struct sco_worker *worker, struct sco_slice documents)
{
    (void)arg;
    SCO_CHECK(worker == one_worker.worker, "another worker");
    one_worker.ready++;
    one_worker.document_bytes = documents.len;
}

static void
on_through(void *arg, struct sco_worker *worker, uint64_t run_ns)
{
    (void)arg;
    (void)worker;
    one_worker.through++;
    one_worker.run_ns = run_ns;
}

static void
on_ran(void *arg, struct sco_worker *worker, const struct sco_ran *ran)
{
    (void)arg;
    SCO_CHECK(worker == one_worker.worker, "another worker");
    one_worker.ran_count++;
    one_worker.ran = *ran;
}

static void
on_return(void *arg, struct sco_worker *worker, struct sco_request *req)
{
    (void)arg;
    (void)worker;
    SCO_CHECK(one_worker.returned_count < ONE_WORKER_REQUESTS, "too many");
    SCO_CHECK(req->worker == NULL, "it has the request still");
    one_worker.returned[one_worker.returned_count++] = req;
}

static void
on_gone(void *arg, struct sco_worker *worker, const struct sco_worker_end *end)
{
    (void)arg;
    one_worker.gone++;
    one_worker.end = *end;
    SCO_CHECK(worker->held_count == 0, "it holds something still");
    sco_worker_destroy(worker);
    one_worker.worker = NULL;
}

void
one_worker_start(uint64_t limit_ns, uint64_t stream_limit_ns)
{
    const struct sco_worker_boss boss = {
        .on_ready = on_ready,
        .on_through = on_through,
        .on_ran = on_ran,
        .on_return = on_return,
        .on_gone = on_gone,
    };

    one_worker = (struct one_worker){ .ready = 0 };
    fake_crew_reset();
    turner_init(&one_worker.turner);
    SCO_CHECK(sco_arena_create(&one_worker.arena, NULL) == SCO_OK, "arena");
    one_worker.setup = (struct sco_worker_setup){
        .loop = one_worker.turner.loop,
        .arena = one_worker.arena,
        .limit_ns = limit_ns,
        .stream_limit_ns = stream_limit_ns,
    };
    SCO_CHECK(sco_worker_create(&fake_worker_kind, &one_worker.setup, &boss,
                                &one_worker.worker, NULL) == SCO_OK,
              "a worker");
    one_worker.fake = fake_crew.members[0];
}

void
one_worker_be_ready(void)
{
    fake_ready(one_worker.fake, NULL, 0);
    SCO_CHECK(sco_worker_poll(one_worker.worker), "it is not heard");
}

struct sco_request *
one_worker_give(size_t i, const char *body)
{
    struct sco_request *req =
        heard_request(one_worker.arena, body, &one_worker.heard[i]);

    SCO_CHECK(sco_worker_give(one_worker.worker, req), "its ring is full");
    SCO_CHECK(req->worker == one_worker.worker, "it has not the request");
    sco_worker_flush(one_worker.worker);
    return req;
}

void
one_worker_start_stream(void)
{
    struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct sco_sink *sink = sco_child_sink(one_worker.fake->child);

    SCO_CHECK(sink->ops->start(sink, &head, (struct sco_slice){ NULL, 0 }) ==
                  SCO_OK,
              "a stream");
    SCO_CHECK(sco_worker_poll(one_worker.worker), "it is not heard");
}

void
one_worker_stop(void)
{
    if (one_worker.worker != NULL) {
        fake_end(one_worker.fake, 0, 0);
        turner_turn(&one_worker.turner);
    }
    SCO_CHECK(one_worker.worker == NULL, "it has not gone");
    for (size_t i = 0; i < one_worker.returned_count; i++) {
        sco_request_unref(one_worker.returned[i]);
    }
    for (size_t i = 0; i < ONE_WORKER_REQUESTS; i++) {
        heard_finish(&one_worker.heard[i]);
    }
    sco_arena_destroy(one_worker.arena);
    turner_finish(&one_worker.turner);
}
