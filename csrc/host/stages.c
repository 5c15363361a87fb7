#include "host/stages.h"

/* Appends a stage that lasted until `end_ns`, if it was reached, and returns
 * where the next one begins. */
static uint64_t
add_stage(struct sco_text *out, const char *name, uint64_t begin_ns,
          uint64_t end_ns)
{
    if (out->len > 0) {
        sco_text_add(out, SCO_SLICE(", "));
    }
    sco_text_add(out, sco_slice_of(name));
    sco_text_add(out, SCO_SLICE(";dur="));
    sco_text_add_ms(out, end_ns > begin_ns ? end_ns - begin_ns : 0);
    return end_ns > begin_ns ? end_ns : begin_ns;
}

/* A moment that is known, no later than now. */
static uint64_t
until(uint64_t at_ns, uint64_t now_ns)
{
    return at_ns != 0 && at_ns < now_ns ? at_ns : now_ns;
}

void
sco_stages_write(const struct sco_stages *stages, struct sco_text *out)
{
    uint64_t now_ns = stages->now_ns;
    uint64_t at_ns = add_stage(out, "read", stages->head_ns,
                               until(stages->body_ns, now_ns));

    if (stages->body_ns == 0) {
        return;
    }
    at_ns = add_stage(out, "queue", at_ns, until(stages->started_ns, now_ns));
    if (stages->started_ns == 0) {
        return;
    }
    if (stages->begun_ns == 0) {
        /* A worker elsewhere has another clock, and says how long run() took;
         * of what was cut off nobody says even that. */
        if (stages->run_ns != 0) {
            at_ns = add_stage(out, "wait", at_ns,
                              stages->run_ns < now_ns - at_ns
                                  ? now_ns - stages->run_ns
                                  : at_ns);
        }
        (void)add_stage(out, "run", at_ns, now_ns);
        return;
    }
    at_ns = add_stage(out, "wait", at_ns, until(stages->begun_ns, now_ns));
    at_ns = add_stage(out, "run", at_ns,
                      stages->run_ns < now_ns - at_ns ? at_ns + stages->run_ns
                                                      : now_ns);
    (void)add_stage(out, "write", at_ns, now_ns);
}
