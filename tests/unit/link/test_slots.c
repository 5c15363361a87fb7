/* test_slots.c - who gets which stretch of the mapping */
#define _GNU_SOURCE
#include "link/slots.h"
#include "support/test.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd;

static int
make_file(void **state)
{
    struct sco_slots *slots;

    fd = memfd_create("test-slots", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)SCO_SLOTS_BYTES), 0);
    assert_int_equal(sco_slots_create(fd, 0, &slots, NULL), SCO_OK);
    *state = slots;
    return 0;
}

static int
drop_file(void **state)
{
    sco_slots_destroy(*state);
    close(fd);
    return 0;
}

static struct sco_slot
take(struct sco_slots *slots, size_t bytes)
{
    struct sco_slot slot = { 0 };

    assert_int_equal(sco_slots_take(slots, bytes, &slot), SCO_OK);
    return slot;
}

/* clang-format off */
static const struct {
    const char *why;
    size_t      asked, given;
} sizes[] = {
    { "nothing still has a place",     0,                 8 * 1024 },
    { "one byte",                      1,                 8 * 1024 },
    { "exactly the least class",       8 * 1024,          8 * 1024 },
    { "one more: the next class",      8 * 1024 + 1,     32 * 1024 },
    { "a megabyte and a bit",          (1 << 20) + 1, 2 * 1024 * 1024 },
    { "exactly the largest class",     (size_t)2 << 30, (size_t)2 << 30 },
};
/* clang-format on */

static void
test_gives_the_least_class_that_fits(void **state)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct sco_slot slot = take(*state, sizes[i].asked);

        print_message("%s\n", sizes[i].why);
        assert_int_equal(slot.bytes, sizes[i].given);
        assert_true(slot.offset + slot.bytes <= SCO_SLOTS_BYTES);
        sco_slots_give(*state, slot);
    }
    assert_int_equal(sco_slots_taken_bytes(*state), 0);
}

static void
test_more_than_the_largest_class_is_too_large(void **state)
{
    struct sco_slot slot = { .offset = 7, .bytes = 7 };

    assert_int_equal(sco_slots_take(*state, ((size_t)2 << 30) + 1, &slot),
                     SCO_TOO_LARGE);
    assert_int_equal(slot.bytes, 7);
}

static void
test_last_given_back_is_first_given_out(void **state)
{
    struct sco_slot first = take(*state, 100);
    struct sco_slot second = take(*state, 100);

    sco_slots_give(*state, first);
    sco_slots_give(*state, second);
    assert_int_equal(take(*state, 100).offset, second.offset);
    assert_int_equal(take(*state, 100).offset, first.offset);
}

static void
test_taken_slots_never_overlap(void **state)
{
    struct sco_slot slots[500];

    for (size_t i = 0; i < 500; i++) {
        slots[i] = take(*state, i % 3 == 0 ? 40000 : 100);
        for (size_t j = 0; j < i; j++) {
            assert_true(slots[i].offset + slots[i].bytes <= slots[j].offset ||
                        slots[j].offset + slots[j].bytes <= slots[i].offset);
        }
    }
    for (size_t i = 0; i < 500; i++) {
        sco_slots_give(*state, slots[i]);
    }
}

static void
test_a_class_runs_out(void **state)
{
    struct sco_slot slots[2];
    struct sco_slot none;

    slots[0] = take(*state, (size_t)2 << 30);
    slots[1] = take(*state, (size_t)2 << 30);
    assert_int_equal(sco_slots_take(*state, (size_t)2 << 30, &none),
                     SCO_NOMEM);
    sco_slots_give(*state, slots[0]);
    assert_int_equal(take(*state, (size_t)2 << 30).offset, slots[0].offset);
}

static off_t
file_blocks(void)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    return status.st_blocks;
}

static void
test_trim_returns_what_nobody_used_for_two_rounds(void **state)
{
    struct sco_slot slot = take(*state, 500 * 1024);

    assert_int_equal(pwrite(fd, "x", 1, (off_t)slot.offset), 1);
    sco_slots_give(*state, slot);
    assert_true(sco_slots_trim(*state)); /* seen as unused */
    assert_true(file_blocks() > 0);
    assert_false(sco_slots_trim(*state)); /* still unused: given back */
    assert_int_equal(file_blocks(), 0);
}

static void
test_trim_leaves_what_was_used_between(void **state)
{
    struct sco_slot slot = take(*state, 500 * 1024);

    assert_int_equal(pwrite(fd, "x", 1, (off_t)slot.offset), 1);
    sco_slots_give(*state, slot);
    sco_slots_trim(*state);
    slot = take(*state, 500 * 1024);
    sco_slots_give(*state, slot);
    sco_slots_trim(*state);
    assert_true(file_blocks() > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gives_the_least_class_that_fits,
                                        make_file, drop_file),
        cmocka_unit_test_setup_teardown(
            test_more_than_the_largest_class_is_too_large, make_file,
            drop_file),
        cmocka_unit_test_setup_teardown(
            test_last_given_back_is_first_given_out, make_file, drop_file),
        cmocka_unit_test_setup_teardown(test_taken_slots_never_overlap,
                                        make_file, drop_file),
        cmocka_unit_test_setup_teardown(test_a_class_runs_out, make_file,
                                        drop_file),
        cmocka_unit_test_setup_teardown(
            test_trim_returns_what_nobody_used_for_two_rounds, make_file,
            drop_file),
        cmocka_unit_test_setup_teardown(test_trim_leaves_what_was_used_between,
                                        make_file, drop_file),
    };

    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
