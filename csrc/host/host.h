/* host.h - the process that serves: front end, pipeline, workers
 *
 * Thread: main, all of it.
 */
#ifndef SCO_HOST_HOST_H
#define SCO_HOST_HOST_H

#include "base/slice.h"

#include <stdbool.h>

struct sco_config;
struct sco_listeners;
struct sco_runners;

/* What a host is made from; all of it is borrowed. */
struct sco_host_setup {
    const struct sco_config *config;
    struct sco_slice boot; /* what each worker is given */
    const struct sco_runners *runners;
    struct sco_listeners *listeners; /* open; the host closes them */
    int report_fd;                   /* to the supervisor; -1: there is none */
    bool kind_unfit;  /* subinterpreters crashed hosts: take processes */
    bool unfit_known; /* ... and the next start knows it */
    unsigned before;  /* how many hosts there were before this one */
};

/* Serves until told to stop by a signal, until another host has taken its
 * place, or until it cannot go on. The signals that it obeys are held
 * (host/signals.h).
 *
 * Blocks: until the host has ended; the caller has let go of the GIL.
 * Returns the exit code, of which the supervisor has been told. */
int sco_host_serve(const struct sco_host_setup *setup);

#endif
