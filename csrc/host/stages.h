/* stages.h - where the time of a request went
 *
 * How long each stage took: for the statistics of a model, and for clients,
 * who see it in the header Server-Timing, in milliseconds.
 *
 *     read    from the arrival of the head to the last byte of the body
 *     queue   until a worker began with it
 *     wait    until run() was called: the worker's interpreter was busy, or
 *             made the arguments; of a remote worker also the way there and
 *             back, and then `write` is left out
 *     run     inside run()
 *     write   until the response's head was made
 *
 * A stage that was not reached is left out; the last one that was lasts until
 * now. What a worker says of its times is believed as far as it is possible.
 *
 * Thread: any; pure.
 */
#ifndef SCO_HOST_STAGES_H
#define SCO_HOST_STAGES_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Moments on the monotonic clock; 0: not reached, or not known. */
struct sco_stages {
    uint64_t head_ns;
    uint64_t body_ns;
    uint64_t started_ns;
    uint64_t begun_ns;
    uint64_t run_ns; /* not a moment: how long run() took; 0: it did not come
                        back */
    uint64_t now_ns;
};

enum sco_stage {
    SCO_STAGE_READ,
    SCO_STAGE_QUEUE,
    SCO_STAGE_WAIT,
    SCO_STAGE_RUN,
    SCO_STAGE_WRITE,
    SCO_STAGES,
};

/* How long each took. */
struct sco_stage_times {
    uint64_t ns[SCO_STAGES];
    bool was_reached[SCO_STAGES];
};

/* Tells how long each stage took. */
void sco_stages_split(const struct sco_stages *stages,
                      struct sco_stage_times *out);

/* Appends "read;dur=0.100, queue;dur=...". */
void sco_stages_write(const struct sco_stage_times *times,
                      struct sco_text *out);

/* What a stage is called: "read". */
const char *sco_stage_text(enum sco_stage stage);

#endif
