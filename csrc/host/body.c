/* body.c - where a request is laid while it comes in */
#include "host/visit.h"

#include "base/clock.h"
#include "base/copy.h"
#include "base/loop.h"
#include "deploy/deployment.h"
#include "link/head.h"

#include <string.h>

enum {
    REPLY_ROOM = 1024,         /* kept free behind a body for a small reply */
    FIRST_CHUNKED = 64 * 1024, /* of a body whose length nobody said */
};

static size_t
slot_bytes(const struct visit *visit, uint64_t body_bytes)
{
    return SCO_SLOT_MARK_BYTES + visit->head_bytes + (size_t)body_bytes +
           REPLY_ROOM;
}

/* So many bytes the body may grow to where it is. */
static uint64_t
body_room(const struct visit *visit)
{
    return visit->slot.bytes - SCO_SLOT_MARK_BYTES - visit->head_bytes;
}

/* Takes a slot for so large a body, if what others send allows it: a body
 * that comes in alone may have any size. */
static enum sco_status
take(struct visit *visit, uint64_t body_bytes, struct sco_slot *out)
{
    struct visit_host *host = visit->host;
    struct sco_arena *arena = sco_deployment_arena(host->deployment);
    uint64_t own_bytes = visit->slot.bytes > 0 ? body_room(visit) : 0;
    uint64_t others_bytes = host->upload_bytes - own_bytes;

    if (others_bytes > 0 &&
        (others_bytes > host->max_waiting_bytes ||
         body_bytes > host->max_waiting_bytes - others_bytes)) {
        return SCO_BUSY;
    }
    return sco_slots_take(sco_arena_slots(arena),
                          slot_bytes(visit, body_bytes), out);
}

static char *
bytes_of(const struct visit *visit)
{
    return sco_arena_bytes(sco_deployment_arena(visit->host->deployment),
                           visit->slot);
}

enum sco_status
visit_open_slot(struct visit *visit)
{
    const struct sco_http_head *head = visit->head;
    struct sco_call_head block = {
        .method = head->method,
        .target = head->target,
        .version = head->version,
        .peer_host = sco_slice_of(head->peer_host),
        .server_host = sco_slice_of(head->server_host),
        .request_id = visit->ids.request,
        .client_request_id = visit->ids.client,
        .peer_port = head->peer_port,
        .server_port = head->server_port,
    };
    uint64_t expected = head->chunked ? FIRST_CHUNKED : head->body_bytes;
    enum sco_status status;

    visit->head_bytes =
        (uint32_t)sco_head_bytes(&block, head->fields, head->field_count);
    status = take(visit, expected, &visit->slot);
    if (status != SCO_OK) {
        return status;
    }
    visit->host->upload_bytes += body_room(visit);
    sco_head_write(&block, head->fields, head->field_count, bytes_of(visit));
    return SCO_OK;
}

void
visit_close_slot(struct visit *visit)
{
    if (visit->slot.bytes > 0) {
        visit->host->upload_bytes -= body_room(visit);
        sco_slots_give(
            sco_arena_slots(sco_deployment_arena(visit->host->deployment)),
            visit->slot);
        visit->slot.bytes = 0;
    }
}

/* Moves a body of unknown length into a slot four times as large. */
static enum sco_status
grow(struct visit *visit, uint64_t body_bytes)
{
    struct sco_slot old = visit->slot;
    const char *from = bytes_of(visit);
    struct sco_slot larger;
    enum sco_status status = take(visit, body_bytes, &larger);

    if (status != SCO_OK) {
        return status;
    }
    visit->host->upload_bytes -= body_room(visit);
    visit->slot = larger;
    visit->host->upload_bytes += body_room(visit);
    memcpy(bytes_of(visit), from, visit->head_bytes + visit->body_bytes);
    sco_slots_give(
        sco_arena_slots(sco_deployment_arena(visit->host->deployment)), old);
    return SCO_OK;
}

enum sco_status
visit_add_body(struct visit *visit, struct sco_slice bytes)
{
    uint64_t after = visit->body_bytes + bytes.len;
    enum sco_status status;
    char *into;

    if (after > body_room(visit)) {
        status = grow(visit, after);
        if (status != SCO_OK) {
            return status;
        }
    }
    into = bytes_of(visit) + visit->head_bytes + visit->body_bytes;
    if (visit->head->body_bytes >= SCO_COPY_PAST_BYTES) {
        sco_copy_past(into, bytes.data, bytes.len);
    } else {
        memcpy(into, bytes.data, bytes.len);
    }
    visit->body_bytes = after;
    return SCO_OK;
}

static enum sco_lane_call_kind
kind_of(const struct visit *visit)
{
    if (visit->route == VISIT_INFER) {
        return SCO_LANE_INFER;
    }
    return visit->is_general ? SCO_LANE_GENERAL : SCO_LANE_PLAIN;
}

/* When the body was whole. Clients who are told want to know exactly; for
 * counters the begin of the turn in which its last bytes came will do, which
 * takes no look at the clock. */
static uint64_t
whole_ns(const struct visit *visit)
{
    uint64_t turn_ns = sco_loop_now_ns(visit->host->loop);

    if (visit->host->server_timing || visit->is_v2) {
        return sco_clock_now_ns();
    }
    return turn_ns > visit->begun_ns ? turn_ns : visit->begun_ns;
}

enum sco_status
visit_submit(struct visit *visit, sco_answer_fn on_answer)
{
    struct sco_deployment *deployment = visit->host->deployment;
    struct sco_request *req =
        sco_request_create(sco_deployment_arena(deployment), visit->slot);
    enum sco_status status;

    if (req == NULL) {
        return SCO_NOMEM;
    }
    visit->host->upload_bytes -= body_room(visit);
    visit->slot.bytes = 0;
    visit->body_ns = whole_ns(visit);
    req->head_bytes = visit->head_bytes;
    req->body_bytes = visit->body_bytes;
    req->kind = kind_of(visit);
    req->deadline_ns = visit_deadline_ns(visit);
    req->on_answer = on_answer;
    req->on_answer_arg = visit;
    status = sco_deployment_submit(deployment, req);
    if (status != SCO_OK) {
        sco_request_unref(req);
        return status;
    }
    visit->req = sco_request_ref(req);
    return SCO_OK;
}
