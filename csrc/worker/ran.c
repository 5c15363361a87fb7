#include "worker/ran.h"

#include "link/call.h"

static uint64_t
since(uint64_t then_ns, uint64_t now_ns)
{
    return then_ns != 0 && then_ns < now_ns ? now_ns - then_ns : 0;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What the worker says of its times is believed as far as it is possible. One
 * elsewhere has another clock, and does not say when it called run(). */
static void
split(const struct sco_lane_reply *reply, uint64_t started_ns, uint64_t now_ns,
      struct sco_ran *out)
{
    uint64_t begun_ns = reply->begun_ns;
    bool is_known = begun_ns != 0 && begun_ns <= now_ns;
    uint64_t most_ns = since(is_known ? begun_ns : started_ns, now_ns);

    out->run_ns = smaller(reply->run_ns, most_ns);
    if (is_known) {
        out->input_ns = since(started_ns, begun_ns);
        out->output_ns = most_ns - out->run_ns;
    } else {
        out->input_ns = most_ns - out->run_ns;
    }
}

bool
sco_ran_read(const struct sco_lane_reply *reply, enum sco_lane_call_kind kind,
             uint64_t started_ns, uint64_t now_ns, struct sco_ran *out)
{
    unsigned reason = reply->batch_told & SCO_BATCH_TOLD_REASON;

    if (reason == 0) {
        return false;
    }
    *out = (struct sco_ran){
        .reason = reason - 1,
        .rows = reply->batch_rows,
        .has_failed = (reply->batch_told & SCO_BATCH_TOLD_FAILED) != 0,
        .is_infer = kind == SCO_LANE_INFER,
    };
    split(reply, started_ns, now_ns, out);
    return true;
}
