/* test_body.c - where a body is laid while it comes in
 *
 * The file is driven as the pipeline drives it, without sockets.
 */
#include "deploy/deployment.h"
#include "host/visit.h"
#include "link/head.h"
#include "support/fake_worker.h"
#include "support/test.h"
#include "support/turner.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WAITING = 1000000 };

static struct turner turner;
static struct sco_deployment *deployment;
static struct visit_host host;
static struct sco_http_head head;
static struct visit visit;
static struct sco_answer heard;

static void
nothing(void *arg)
{
    (void)arg;
}

static int
start(void **state)
{
    struct sco_deployment_setup setup = {
        .kind = &fake_worker_kind,
        .limits = { .max_requests = 1, .max_bytes = MAX_WAITING },
        .workers = 1,
        .on_boot_failed = nothing,
        .on_empty = nothing,
    };

    (void)state;
    fake_crew_reset();
    turner_init(&turner);
    setup.loop = turner.loop;
    assert_int_equal(sco_deployment_create(&setup, &deployment, NULL), SCO_OK);
    sco_deployment_start(deployment);
    fake_ready(fake_crew.members[0], NULL, 0);
    (void)sco_deployment_turn(deployment);
    host = (struct visit_host){ .deployment = deployment,
                                .max_waiting_bytes = MAX_WAITING,
                                .loop = turner.loop };
    head = (struct sco_http_head){
        .method = SCO_SLICE("POST"),
        .target = SCO_SLICE("/score"),
        .version = SCO_SLICE("HTTP/1.1"),
        .peer_host = "127.0.0.1",
        .server_host = "127.0.0.2",
        .peer_port = 1,
        .server_port = 2,
    };
    visit = (struct visit){ .host = &host, .head = &head };
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    assert_int_equal(host.upload_bytes, 0);
    sco_deployment_kill(deployment);
    turner_turn(&turner);
    assert_int_equal(sco_slots_taken_bytes(
                         sco_arena_slots(sco_deployment_arena(deployment))),
                     0);
    sco_deployment_destroy(deployment);
    turner_finish(&turner);
    return 0;
}

static void
on_answer(void *arg, struct sco_request *req, const struct sco_answer *answer)
{
    (void)req;
    assert_ptr_equal(arg, &visit);
    heard = *answer;
}

/* What the worker is given. */
static const struct sco_call *
score(void)
{
    (void)sco_deployment_turn(deployment);
    assert_int_equal(fake_take(fake_crew.members[0]), SCO_CHILD_CALL);
    return &fake_crew.members[0]->call;
}

static void
end_score(void)
{
    fake_reply(fake_crew.members[0], "");
    (void)sco_deployment_turn(deployment);
    assert_int_equal(heard.status, 200);
    sco_request_unref(visit.req);
}

static void
test_the_worker_gets_head_and_body(void **state)
{
    const struct sco_field field = { SCO_SLICE("A"), SCO_SLICE("b") };
    struct sco_slice name, value;
    const struct sco_call *call;
    struct sco_call_head got;
    struct sco_reader in;
    size_t count = 0;

    (void)state;
    head.fields = &field;
    head.field_count = 1;
    head.body_bytes = 10;
    visit.ids.request = SCO_SLICE("id");
    assert_int_equal(visit_open_slot(&visit), SCO_OK);
    assert_true(host.upload_bytes >= 10);
    assert_int_equal(visit_add_body(&visit, SCO_SLICE("01234")), SCO_OK);
    assert_int_equal(visit_add_body(&visit, SCO_SLICE("56789")), SCO_OK);
    assert_int_equal(visit_submit(&visit, on_answer), SCO_OK);
    assert_int_equal(host.upload_bytes, 0);
    call = score();
    assert_int_equal(call->way, SCO_CALL_PLAIN);
    assert_true(sco_slice_equal(call->body, SCO_SLICE("0123456789")));
    in = sco_reader_of(call->head);
    assert_int_equal(sco_head_read(&in, &got), SCO_OK);
    assert_true(sco_slice_equal(got.target, SCO_SLICE("/score")));
    assert_true(sco_slice_equal(got.peer_host, SCO_SLICE("127.0.0.1")));
    assert_true(sco_slice_equal(got.request_id, SCO_SLICE("id")));
    assert_int_equal(got.server_port, 2);
    assert_int_equal(sco_fields_read_count(&in, &count), SCO_OK);
    assert_int_equal(sco_fields_read(&in, &name, &value), SCO_OK);
    assert_true(sco_slice_equal(value, SCO_SLICE("b")));
    end_score();
}

static void
test_a_body_of_unknown_length_grows(void **state)
{
    enum { PIECE = 7001, PIECES = 100 };
    static char piece[PIECE];
    const struct sco_call *call;

    (void)state;
    head.chunked = true;
    visit.is_general = true;
    assert_int_equal(visit_open_slot(&visit), SCO_OK);
    for (int i = 0; i < PIECES; i++) {
        memset(piece, i, sizeof(piece));
        assert_int_equal(
            visit_add_body(&visit, (struct sco_slice){ piece, PIECE }),
            SCO_OK);
    }
    assert_int_equal(visit_submit(&visit, on_answer), SCO_OK);
    call = score();
    assert_int_equal(call->way, SCO_CALL_GENERAL);
    assert_int_equal(call->body.len, PIECE * PIECES);
    for (size_t i = 0; i < call->body.len; i++) {
        assert_int_equal(call->body.data[i], (char)(i / PIECE));
    }
    end_score();
}

static void
test_closing_gives_the_slot_back(void **state)
{
    (void)state;
    head.body_bytes = 100000;
    assert_int_equal(visit_open_slot(&visit), SCO_OK);
    assert_true(host.upload_bytes >= 100000);
    visit_close_slot(&visit);
    visit_close_slot(&visit); /* once more does nothing */
    assert_int_equal(host.upload_bytes, 0);
}

static void
test_bodies_that_come_in_are_limited_together(void **state)
{
    struct visit other = { .host = &host, .head = &head };

    (void)state;
    head.body_bytes = MAX_WAITING / 2;
    assert_int_equal(visit_open_slot(&visit), SCO_OK);
    head.body_bytes = MAX_WAITING;
    assert_int_equal(visit_open_slot(&other), SCO_BUSY);
    assert_int_equal(other.slot.bytes, 0);
    visit_close_slot(&visit);
    assert_int_equal(visit_open_slot(&other), SCO_OK); /* alone it may */
    visit_close_slot(&other);
}

static void
test_one_that_cannot_grow_is_refused_and_can_be_closed(void **state)
{
    struct visit other = { .host = &host, .head = &head };
    char *piece = calloc(1, MAX_WAITING);

    (void)state;
    head.body_bytes = 1;
    assert_int_equal(visit_open_slot(&other), SCO_OK);
    head.chunked = true;
    assert_int_equal(visit_open_slot(&visit), SCO_OK);
    assert_int_equal(
        visit_add_body(&visit, (struct sco_slice){ piece, MAX_WAITING }),
        SCO_BUSY);
    visit_close_slot(&visit);
    visit_close_slot(&other);
    free(piece);
}

static void
test_what_is_not_taken_stays_with_the_visit(void **state)
{
    (void)state;
    sco_deployment_stop(deployment);
    head.body_bytes = 1;
    assert_int_equal(visit_open_slot(&visit), SCO_OK);
    assert_int_equal(visit_submit(&visit, on_answer), SCO_CLOSED);
    assert_null(visit.req);
    visit_close_slot(&visit);
}

#define STARTED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STARTED(test_the_worker_gets_head_and_body),
        STARTED(test_a_body_of_unknown_length_grows),
        STARTED(test_closing_gives_the_slot_back),
        STARTED(test_bodies_that_come_in_are_limited_together),
        STARTED(test_one_that_cannot_grow_is_refused_and_can_be_closed),
        STARTED(test_what_is_not_taken_stays_with_the_visit),
    };

    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
