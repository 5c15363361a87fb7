/* test_uuid.c - are request ids well formed, and all different? */
#include "base/uuid.h"

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

enum { MANY = 2000 }; /* several fillings of the pool */

static char ids[MANY][SCO_UUID_CHARS + 1];

static void
make_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        sco_uuid4(ids[i]);
    }
}

static void
test_form(void **state)
{
    static const char form[] = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";

    (void)state;
    make_many();
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(strlen(ids[i]), SCO_UUID_CHARS);
        for (size_t at = 0; at < SCO_UUID_CHARS; at++) {
            const char *allowed = form[at] == 'x'   ? "0123456789abcdef"
                                  : form[at] == 'v' ? "89ab"
                                  : form[at] == '4' ? "4"
                                                    : "-";

            assert_non_null(strchr(allowed, ids[i][at]));
        }
    }
}

static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, SCO_UUID_CHARS);
}

static void
test_all_different(void **state)
{
    (void)state;
    make_many();
    qsort(ids, MANY, sizeof(ids[0]), compare);
    for (size_t i = 1; i < MANY; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
}

/* Every random bit is now 0 and now 1: 122 of them. */
static void
test_all_bits_are_random(void **state)
{
    (void)state;
    make_many();
    for (size_t at = 0; at < SCO_UUID_CHARS; at++) {
        unsigned ones = 0;
        unsigned zeros = 0;

        for (size_t i = 0; i < MANY; i++) {
            char digit[2] = { ids[i][at], '\0' };
            unsigned value = (unsigned)strtoul(digit, NULL, 16);

            ones |= value;
            zeros |= ~value & 0x0f;
        }
        if (ids[0][at] != '-' && at != 14) {
            assert_int_equal(ones, at == 19 ? 0x0b : 0x0f);
            assert_int_equal(zeros, at == 19 ? 0x07 : 0x0f);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_all_different),
        cmocka_unit_test(test_all_bits_are_random),
    };

    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
