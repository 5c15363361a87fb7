#include "link/zmq_term.h"

#include "base/clock.h"
#include "link/zmq_worker.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

/* All that the handler knows. It runs on the main thread, as no other has
 * these signals unblocked unless the script made it. */
static _Atomic(struct sco_zmq_worker *) served;
static atomic_ullong first_ns, patience_ns;

static void
on_term(int number)
{
    int kept_errno = errno;
    unsigned long long now_ns = sco_clock_now_ns();
    unsigned long long begun_ns = 0;
    struct sco_zmq_worker *worker = atomic_load(&served);

    if (worker != NULL) {
        sco_zmq_worker_stop(worker);
    }
    if (!atomic_compare_exchange_strong(&first_ns, &begun_ns, now_ns) &&
        now_ns - begun_ns > atomic_load(&patience_ns)) {
        (void)signal(number, SIG_DFL);
        (void)raise(number); /* taken when the handler is through */
    }
    errno = kept_errno;
}

void
sco_zmq_term_install(struct sco_zmq_worker *worker, uint64_t insist_ns)
{
    const struct sigaction ours = { .sa_handler = on_term,
                                    .sa_flags = SA_RESTART };

    atomic_store(&first_ns, 0);
    atomic_store(&patience_ns, insist_ns);
    atomic_store(&served, worker);
    (void)sigaction(SIGTERM, &ours, NULL);
    (void)sigaction(SIGINT, &ours, NULL);
}

void
sco_zmq_term_remove(void)
{
    if (atomic_exchange(&served, NULL) != NULL) {
        (void)signal(SIGTERM, SIG_DFL);
        (void)signal(SIGINT, SIG_DFL);
    }
}
