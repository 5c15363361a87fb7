/* ran.h - a call of run() for a batch, as its worker tells of it
 *
 * Thread: any; pure.
 */
#ifndef SCO_WORKER_RAN_H
#define SCO_WORKER_RAN_H

#include "link/lane.h"

#include <stdbool.h>
#include <stdint.h>

struct sco_ran {
    /* What the worker says. Whoever counts it looks whether it can be. */
    unsigned reason; /* an enum sco_batch_reason; or anything else */
    uint32_t rows;
    bool has_failed; /* it raised, or its rows were lost */

    bool is_infer; /* a request of the v2 protocol was in it */

    /* Where its time went: to the arguments, into run(), to the answers. */
    uint64_t input_ns, run_ns, output_ns;
};

/* Reads what a reply tells of the run() that it comes from; `kind` is that of
 * its request, which the worker began at `started_ns` (0: not known). False:
 * it tells nothing. */
bool sco_ran_read(const struct sco_lane_reply *reply,
                  enum sco_lane_call_kind kind, uint64_t started_ns,
                  uint64_t now_ns, struct sco_ran *out);

#endif
