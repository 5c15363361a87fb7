/* test_arena.c - how far a request is, and who is asleep */
#define _GNU_SOURCE
#include "support/failing_memory.h"

#include "link/arena.c"

#include "support/test.h"

#include <poll.h>

static struct sco_arena *arena;

static int
make_arena(void **state)
{
    (void)state;
    return sco_arena_create(&arena, NULL) == SCO_OK ? 0 : -1;
}

static int
drop_arena(void **state)
{
    (void)state;
    sco_arena_destroy(arena);
    return 0;
}

static struct sco_slot
take(size_t bytes)
{
    struct sco_slot slot = { 0 };

    assert_int_equal(sco_slots_take(sco_arena_slots(arena), bytes, &slot),
                     SCO_OK);
    return slot;
}

static void
test_the_bytes_of_slots_do_not_touch(void **state)
{
    struct sco_slot first = take(8000);
    struct sco_slot second = take(8000);
    size_t room = first.bytes - SCO_SLOT_MARK_BYTES;

    (void)state;
    memset(sco_arena_bytes(arena, first), 'a', room);
    (void)sco_arena_mark(arena, second);
    memset(sco_arena_bytes(arena, second), 'b', room);
    (void)sco_arena_mark(arena, first);
    assert_int_equal(sco_arena_bytes(arena, first)[0], 'a');
    assert_int_equal(sco_arena_bytes(arena, first)[room - 1], 'a');
    assert_int_equal(sco_arena_bytes(arena, second)[0], 'b');
}

static void
test_a_ticket_is_never_given_twice(void **state)
{
    struct sco_slot slot = take(1);
    uint64_t before = sco_arena_mark(arena, slot);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t ticket = sco_arena_mark(arena, slot);

        assert_true(ticket > before);
        before = ticket;
    }
}

static void
test_a_request_is_revoked_once(void **state)
{
    struct sco_slot slot = take(1);
    uint64_t ticket = sco_arena_mark(arena, slot);

    (void)state;
    assert_false(sco_arena_revoke(arena, slot, ticket + 1));
    assert_true(sco_arena_revoke(arena, slot, ticket));
    assert_false(sco_arena_revoke(arena, slot, ticket));
}

static void
test_a_new_mark_forgets_the_last_request(void **state)
{
    struct sco_slot slot = take(1);
    uint64_t old = sco_arena_mark(arena, slot);

    (void)state;
    sco_arena_cancel(arena, slot, SCO_CANCEL_TIMEOUT);
    atomic_store(&mark_of(arena, slot)->started_ns, 7);
    assert_int_equal(sco_arena_started_ns(arena, slot), 7);
    (void)sco_arena_mark(arena, slot);
    assert_int_equal(sco_arena_started_ns(arena, slot), 0);
    assert_int_equal(atomic_load(&mark_of(arena, slot)->cancel), 0);
    assert_false(sco_arena_revoke(arena, slot, old));
}

static void
test_both_reasons_to_cancel_add_up(void **state)
{
    struct sco_slot slot = take(1);

    (void)state;
    (void)sco_arena_mark(arena, slot);
    sco_arena_cancel(arena, slot, SCO_CANCEL_GONE);
    sco_arena_cancel(arena, slot, SCO_CANCEL_TIMEOUT);
    assert_int_equal(atomic_load(&mark_of(arena, slot)->cancel),
                     SCO_CANCEL_GONE | SCO_CANCEL_TIMEOUT);
}

static void
test_sleeping_is_seen_in_the_shared_page(void **state)
{
    struct pollfd bell = { .fd = sco_arena_doorbell(arena), .events = POLLIN };

    (void)state;
    sco_arena_sleep(arena);
    assert_int_equal(atomic_load(&arena_head(arena)->host_sleeps), 1);
    sco_arena_awake(arena);
    assert_int_equal(atomic_load(&arena_head(arena)->host_sleeps), 0);
    assert_int_equal(poll(&bell, 1, 0), 0); /* nobody rang */
}

static void
test_no_memory_is_reported(void **state)
{
    struct sco_arena *none = NULL;
    struct sco_error err = { .text = "" };

    (void)state;
    memory_fail_at(0);
    assert_int_equal(sco_arena_create(&none, &err), SCO_NOMEM);
    assert_true(memory_has_failed());
    assert_null(none);
    assert_int_equal(err.status, SCO_NOMEM);
    sco_arena_destroy(NULL);
}

#define WITH_ARENA(test) \
    cmocka_unit_test_setup_teardown(test, make_arena, drop_arena)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(test_the_bytes_of_slots_do_not_touch),
        WITH_ARENA(test_a_ticket_is_never_given_twice),
        WITH_ARENA(test_a_request_is_revoked_once),
        WITH_ARENA(test_a_new_mark_forgets_the_last_request),
        WITH_ARENA(test_both_reasons_to_cancel_add_up),
        WITH_ARENA(test_sleeping_is_seen_in_the_shared_page),
        cmocka_unit_test(test_no_memory_is_reported),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
