#include "worker/counts.h"

#include <stddef.h>

const char *
sco_lost_text(enum sco_lost how)
{
#define X(name, text) text,
    static const char *const texts[] = { SCO_LOST_MAP(X) };
#undef X

    return (unsigned)how < SCO_LOST_COUNT ? texts[how] : "";
}

const char *
sco_replaced_text(enum sco_replaced why)
{
#define X(name, text) text,
    static const char *const texts[] = { SCO_REPLACED_MAP(X) };
#undef X

    return (unsigned)why < SCO_REPLACED_COUNT ? texts[why] : "";
}

enum sco_lost
sco_lost_of(const struct sco_worker_end *end, bool is_guest, bool was_killed)
{
    if (is_guest) {
        return end->reason != NULL ? SCO_LOST_REMOTE : SCO_LOST_COUNT;
    }
    if (end->lost) {
        return SCO_LOST_STUCK;
    }
    if (end->with_parent) {
        return SCO_LOST_PARENT;
    }
    if (was_killed) {
        return SCO_LOST_KILLED;
    }
    return end->signal != 0 ? SCO_LOST_SIGNAL : SCO_LOST_EXIT;
}

enum sco_replaced
sco_replaced_of(enum sco_recycle_why worn)
{
    switch (worn) {
    case SCO_RECYCLE_REQUESTS:
        return SCO_REPLACED_REQUESTS;
    case SCO_RECYCLE_AGE:
        return SCO_REPLACED_AGE;
    case SCO_RECYCLE_MEMORY:
        return SCO_REPLACED_MEMORY;
    case SCO_RECYCLE_NOT:
        break;
    }
    return SCO_REPLACED_RELOAD;
}
