/* test_problem.c - has each failure its HTTP status? */
#include "http/problem.h"
#include "support/test.h"

static void
test_none_is_missing(void **state)
{
    (void)state;
    for (int i = 0; i < SCO_STATUS_COUNT; i++) {
        enum sco_status status = (enum sco_status)i;

        print_message("%s\n", sco_status_text(status));
        assert_true(sco_problem_http(status) >=
                    (status == SCO_OK ? 200 : 400));
        assert_true(sco_problem_http(status) <=
                    (status == SCO_OK ? 299 : 599));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_is_missing),
    };

    return cmocka_run_group_tests_name("http problem", tests, NULL, NULL);
}
