/* host.h - the whole host: listeners, front end, pipeline, workers
 *
 * Thread: main, all of it.
 */
#ifndef SCO_HOST_HOST_H
#define SCO_HOST_HOST_H

#include "base/slice.h"
#include "base/status.h"

struct sco_runners;

/* Serves until told to stop by a signal, or until it cannot go on.
 *
 * `config` is the JSON text of config/schema.def's keys, `boot` the text that
 * each worker is given. `runners` call the script in this process for the
 * in-process kinds; NULL where there is no Python.
 *
 * Blocks: until the host has ended; the caller has let go of the GIL.
 * Returns the process's exit code as the contract has it: 0 after a signal,
 * 1 when an address cannot be had, 3 when a worker cannot boot. Errors in
 * `config` are logged and give 1. */
int sco_host_serve(struct sco_slice config, struct sco_slice boot,
                   const struct sco_runners *runners);

#endif
