#include "request/request.h"

#include "request/stream.h"

#include <stdlib.h>

struct sco_request *
sco_request_create(struct sco_arena *arena, struct sco_slot slot)
{
    struct sco_request *req = calloc(1, sizeof(*req));

    if (req == NULL) {
        return NULL;
    }
    sco_list_init(&req->link);
    req->refs = 1;
    req->arena = arena;
    req->slot = slot;
    return req;
}

struct sco_request *
sco_request_ref(struct sco_request *req)
{
    req->refs++;
    return req;
}

void
sco_request_unref(struct sco_request *req)
{
    if (req != NULL && --req->refs == 0) {
        SCO_CHECK(sco_list_empty(&req->link) && !sco_request_is_queued(req),
                  "a request dies where it waits");
        sco_ranks_remove(&req->due);
        sco_stream_unref(req->stream);
        sco_slots_give(sco_arena_slots(req->arena), req->slot);
        free(req);
    }
}

bool
sco_request_answer(struct sco_request *req, struct sco_answer *answer)
{
    sco_answer_fn on_answer = req->on_answer;

    if (on_answer == NULL) {
        sco_answer_release(answer);
        return false;
    }
    sco_request_forget(req);
    on_answer(req->on_answer_arg, req, answer);
    return true;
}

void
sco_request_forget(struct sco_request *req)
{
    req->on_answer = NULL;
    sco_ranks_remove(&req->due);
}

bool
sco_request_fail(struct sco_request *req, enum sco_status failure,
                 const char *detail, pid_t pid)
{
    struct sco_answer answer = { .failure = failure,
                                 .detail = detail,
                                 .pid = pid };

    return sco_request_answer(req, &answer);
}

void
sco_answer_release(struct sco_answer *answer)
{
    if (answer->lane != NULL) {
        sco_lane_release(answer->lane, answer->block);
        sco_lane_unref(answer->lane);
        answer->lane = NULL;
    }
    if (answer->stream != NULL) {
        sco_stream_drop(answer->stream);
        sco_stream_unref(answer->stream);
        answer->stream = NULL;
    }
}
