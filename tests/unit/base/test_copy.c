/* test_copy.c - every byte is copied, and none beside it, however they lie */
#include "base/copy.h"

#include "support/test.h"

enum { ROOM = 1024 };

static char from[ROOM], to[ROOM], wanted[ROOM];

static int
fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROOM; i++) {
        from[i] = (char)(i * 7 + 1);
    }
    return 0;
}

static void
test_copies_as_memcpy_does(void **state)
{
    static const size_t sizes[] = { 0,  1,   15,  16,  63,  64,
                                    65, 127, 128, 200, 511, 700 };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t at = 0; at < 70; at++) {
            for (size_t begin = 0; begin < 70; begin += 23) {
                memset(to, -1, ROOM);
                memset(wanted, -1, ROOM);
                memcpy(wanted + at, from + begin, sizes[i]);
                sco_copy_past(to + at, from + begin, sizes[i]);
                assert_memory_equal(to, wanted, ROOM);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_copies_as_memcpy_does, fill),
    };

    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
