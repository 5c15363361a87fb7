#include "host/stages.h"

static const char *const names[SCO_STAGES] = {
    [SCO_STAGE_READ] = "read",   [SCO_STAGE_QUEUE] = "queue",
    [SCO_STAGE_WAIT] = "wait",   [SCO_STAGE_RUN] = "run",
    [SCO_STAGE_WRITE] = "write",
};

/* A stage lasted until `end_ns`, and the next one begins there. */
static void
take(struct sco_stage_times *out, enum sco_stage stage, uint64_t *at_ns,
     uint64_t end_ns)
{
    out->was_reached[stage] = true;
    if (end_ns > *at_ns) {
        out->ns[stage] = end_ns - *at_ns;
        *at_ns = end_ns;
    }
}

/* A moment that is known, no later than now. */
static uint64_t
until(uint64_t at_ns, uint64_t now_ns)
{
    return at_ns != 0 && at_ns < now_ns ? at_ns : now_ns;
}

void
sco_stages_split(const struct sco_stages *stages, struct sco_stage_times *out)
{
    uint64_t now_ns = stages->now_ns;
    uint64_t at_ns = stages->head_ns;

    *out = (struct sco_stage_times){ .ns = { 0 } };
    take(out, SCO_STAGE_READ, &at_ns, until(stages->body_ns, now_ns));
    if (stages->body_ns == 0) {
        return;
    }
    take(out, SCO_STAGE_QUEUE, &at_ns, until(stages->started_ns, now_ns));
    if (stages->started_ns == 0) {
        return;
    }
    if (stages->begun_ns == 0) {
        /* A worker elsewhere has another clock, and says how long run() took;
         * of what was cut off nobody says even that. */
        if (stages->run_ns != 0) {
            take(out, SCO_STAGE_WAIT, &at_ns,
                 stages->run_ns < now_ns - at_ns ? now_ns - stages->run_ns
                                                 : at_ns);
        }
        take(out, SCO_STAGE_RUN, &at_ns, now_ns);
        return;
    }
    take(out, SCO_STAGE_WAIT, &at_ns, until(stages->begun_ns, now_ns));
    take(out, SCO_STAGE_RUN, &at_ns,
         stages->run_ns < now_ns - at_ns ? at_ns + stages->run_ns : now_ns);
    take(out, SCO_STAGE_WRITE, &at_ns, now_ns);
}

void
sco_stages_write(const struct sco_stage_times *times, struct sco_text *out)
{
    for (int i = 0; i < SCO_STAGES; i++) {
        if (times->was_reached[i]) {
            sco_text_add(out, out->len > 0 ? SCO_SLICE(", ") : SCO_SLICE(""));
            sco_text_add(out, sco_slice_of(names[i]));
            sco_text_add(out, SCO_SLICE(";dur="));
            sco_text_add_ms(out, times->ns[i]);
        }
    }
}

const char *
sco_stage_text(enum sco_stage stage)
{
    return names[stage];
}
