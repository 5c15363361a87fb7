/* list.h - a doubly linked list whose links live in its members
 *
 * A list is a ring with a head that is no member. A link that is in no list
 * is zero or linked to itself. Thread: that of the list's owner.
 */
#ifndef SCO_BASE_LIST_H
#define SCO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct sco_list {
    struct sco_list *prev, *next;
};

/* The object of `type` whose `member` is this link. */
#define SCO_LIST_ENTRY(link, type, member) \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Makes a head of an empty list, or a link that is in none. */
static inline void
sco_list_init(struct sco_list *head)
{
    head->prev = head;
    head->next = head;
}

/* Whether the list has no member. */
static inline bool
sco_list_empty(const struct sco_list *head)
{
    return head->next == head;
}

/* Appends a link that is in no list. */
static inline void
sco_list_push(struct sco_list *head, struct sco_list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Puts a link that is in no list first. */
static inline void
sco_list_push_front(struct sco_list *head, struct sco_list *link)
{
    sco_list_push(head->next, link);
}

/* Takes a link out of its list; one that is in none is allowed. */
static inline void
sco_list_remove(struct sco_list *link)
{
    if (link->next != NULL) {
        link->prev->next = link->next;
        link->next->prev = link->prev;
    }
    sco_list_init(link);
}

/* The first link, or NULL. */
static inline struct sco_list *
sco_list_first(const struct sco_list *head)
{
    return sco_list_empty(head) ? NULL : head->next;
}

#endif
