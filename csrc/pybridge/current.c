#include "pybridge/current.h"

#include <stdatomic.h>
#include <stddef.h>

/* The calling thread's own. */
static _Thread_local struct {
    struct sco_sink *sink; /* NULL: it scores nothing */
    uint64_t deadline_ns;
} own;

/* That of the process's one scoring thread, for the others. A sink lives as
 * long as the process's link to its host. */
static atomic_bool is_alone;
static struct {
    _Atomic(struct sco_sink *) sink;
    _Atomic uint64_t deadline_ns;
} shared;

void
sco_current_be_alone(void)
{
    atomic_store(&is_alone, true);
}

static void
publish(struct sco_sink *sink, uint64_t deadline_ns)
{
    if (atomic_load_explicit(&is_alone, memory_order_relaxed)) {
        atomic_store_explicit(&shared.deadline_ns, deadline_ns,
                              memory_order_relaxed);
        atomic_store_explicit(&shared.sink, sink, memory_order_release);
    }
}

void
sco_current_begin(const struct sco_call *call, struct sco_sink *sink)
{
    own.sink = sink;
    own.deadline_ns = call->deadline_ns;
    publish(sink, call->deadline_ns);
}

void
sco_current_end(void)
{
    own.sink = NULL;
    own.deadline_ns = 0;
    publish(NULL, 0);
}

bool
sco_current_is_cancelled(void)
{
    struct sco_sink *sink = own.sink;

    if (sink == NULL) {
        sink = atomic_load_explicit(&shared.sink, memory_order_acquire);
    }
    return sink != NULL && sink->ops->cancelled(sink);
}

uint64_t
sco_current_deadline_ns(void)
{
    if (own.sink != NULL) {
        return own.deadline_ns;
    }
    return atomic_load_explicit(&shared.deadline_ns, memory_order_relaxed);
}
