#include "support/heard.h"

#include "request/stream.h"

#include <stdio.h>
#include <string.h>

static void
on_answer(void *arg, struct sco_request *req, const struct sco_answer *answer)
{
    struct heard *heard = arg;
    struct sco_answer rest = *answer;

    (void)req;
    heard->count++;
    heard->failure = answer->failure;
    heard->status = answer->status;
    heard->flags = answer->flags;
    heard->pid = answer->pid;
    (void)snprintf(heard->detail, sizeof(heard->detail), "%s",
                   answer->detail != NULL ? answer->detail : "");
    (void)snprintf(heard->body, sizeof(heard->body), "%.*s",
                   (int)answer->body.len,
                   answer->body.len > 0 ? answer->body.data : "");
    heard->stream = answer->stream;
    rest.stream = NULL;
    sco_answer_release(&rest);
}

struct sco_request *
heard_request(struct sco_arena *arena, const char *body, struct heard *heard)
{
    size_t len = strlen(body);
    struct sco_request *req;
    struct sco_slot slot;

    SCO_CHECK(sco_slots_take(sco_arena_slots(arena),
                             SCO_SLOT_MARK_BYTES + len + 1024,
                             &slot) == SCO_OK,
              "a slot");
    req = sco_request_create(arena, slot);
    SCO_CHECK(req != NULL, "a request");
    memcpy(sco_arena_bytes(arena, slot), body, len);
    req->body_bytes = len;
    req->kind = SCO_LANE_PLAIN;
    if (heard != NULL) {
        *heard = (struct heard){ .count = 0 };
        req->on_answer = on_answer;
        req->on_answer_arg = heard;
    }
    return req;
}

void
heard_finish(struct heard *heard)
{
    if (heard->stream != NULL) {
        sco_stream_drop(heard->stream);
        sco_stream_unref(heard->stream);
        heard->stream = NULL;
    }
}
