/* test_list.c - do members come and go in order? */
#include "base/list.h"

#include "support/test.h"

struct item {
    int number;
    struct sco_list link;
};

/* The numbers of a list's members, as decimal digits. */
static int
numbers(const struct sco_list *head)
{
    int all = 0;

    for (struct sco_list *at = head->next; at != head; at = at->next) {
        all = all * 10 + SCO_LIST_ENTRY(at, struct item, link)->number;
    }
    return all;
}

static void
test_order(void **state)
{
    struct item items[] = { { .number = 1 },
                            { .number = 2 },
                            { .number = 3 } };
    struct sco_list head;

    (void)state;
    sco_list_init(&head);
    assert_true(sco_list_empty(&head));
    assert_null(sco_list_first(&head));

    sco_list_push(&head, &items[0].link);
    sco_list_push(&head, &items[1].link);
    sco_list_push_front(&head, &items[2].link);
    assert_false(sco_list_empty(&head));
    assert_int_equal(numbers(&head), 312);
    assert_ptr_equal(sco_list_first(&head), &items[2].link);
}

static void
test_remove(void **state)
{
    struct item items[] = { { .number = 1 },
                            { .number = 2 },
                            { .number = 3 } };
    struct sco_list head;

    (void)state;
    sco_list_init(&head);
    for (size_t i = 0; i < 3; i++) {
        sco_list_push(&head, &items[i].link);
    }
    sco_list_remove(&items[1].link);
    assert_int_equal(numbers(&head), 13);
    sco_list_remove(&items[1].link); /* is in none: allowed */
    assert_int_equal(numbers(&head), 13);
    sco_list_remove(&items[0].link);
    sco_list_remove(&items[2].link);
    assert_true(sco_list_empty(&head));

    sco_list_push(&head, &items[1].link); /* it can come back */
    assert_int_equal(numbers(&head), 2);
}

static void
test_remove_a_zeroed_link(void **state)
{
    struct item item = { 0 };

    (void)state;
    sco_list_remove(&item.link);
    assert_true(sco_list_empty(&item.link));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_remove_a_zeroed_link),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
