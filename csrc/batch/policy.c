#include "batch/policy.h"

/* Whoever is back later than this share of a batch's fixed part is not
 * awaited: waiting saves one fixed part in each round of all clients, and has
 * to cost clearly less. Nor is who is back later than that share of the whole
 * batch: when requests come at random, a worker that is never idle has in its
 * next batch what came during the last one, so that as many as were answered
 * take as long as a batch does. */
#define TURN_SHARE       0.6
#define TURN_BATCH_SHARE 0.5

/* Nobody who was awaited is looked for longer than this many turns. */
#define TURNS 2

/* A wave is over when its usual turn has passed, with some to spare, and
 * nothing came for so many of its usual steps, within these limits: under 50
 * us the loop's own work is as long, and a longer wait than this share of the
 * fixed part costs more than who is missing. Before its turn is over a gap
 * says nothing: requests are read by the handful, and so they come. */
#define GAP_TURNS    1.25
#define GAP_STEPS    8
#define GAP_LEAST_NS 50000.0
#define GAP_SHARE    0.15

/* So many waves are watched before any is waited for. */
#define WAVES_LEAST 4

/* Clients that all paused for a second are soon known again: a turn counts
 * for no more than so many usual ones, or this, whichever is longer. */
#define PAUSE_TURNS    4
#define PAUSE_LEAST_NS 200000.0

/* The weight of the newest in the means. */
#define NEWEST (1.0 / 8)

/* A batch is kept smaller for one deadline as long as its rows a second are
 * this share of what the larger one would have. */
#define SMALLER_SHARE 0.5

/* One part in so many of what a batch takes. */
enum { MARGIN = 8 };

const char *
sco_batch_reason_text(enum sco_batch_reason reason)
{
#define X(name, text) text,
    static const char *const texts[] = { SCO_BATCH_REASON_MAP(X) };
#undef X

    return (unsigned)reason < SCO_BATCH_REASON_COUNT ? texts[reason] : "";
}

/* ---- waves ---------------------------------------------------------- */

static void
mean(double *of, double newest)
{
    *of = *of == 0 ? newest : *of + (newest - *of) * NEWEST;
}

static bool
is_awaited(const struct sco_batch_waves *waves)
{
    return waves->back_rows < waves->answered_rows;
}

static void
learn_turn(struct sco_batch_waves *waves, uint64_t end_ns)
{
    double turn_ns = (double)(end_ns - waves->answered_ns);
    double most_ns = PAUSE_TURNS * waves->turn_ns;

    most_ns = most_ns > PAUSE_LEAST_NS ? most_ns : PAUSE_LEAST_NS;
    if (waves->seen == WAVES_LEAST && turn_ns > most_ns) {
        turn_ns = most_ns;
    }
    mean(&waves->turn_ns, turn_ns);
    if (waves->seen < WAVES_LEAST) {
        waves->seen++;
    }
}

void
sco_batch_waves_came(struct sco_batch_waves *waves, uint64_t rows,
                     uint64_t now_ns)
{
    if (!is_awaited(waves) || now_ns < waves->answered_ns) {
        return;
    }
    if (waves->back_rows > 0) {
        mean(&waves->step_ns, (double)(now_ns - waves->last_ns));
    }
    waves->back_rows += rows;
    waves->last_ns = now_ns;
    if (!is_awaited(waves)) {
        learn_turn(waves, now_ns);
    }
}

/* A wave that has ended without all of its rows: some clients left, or they
 * are slow. When most came, their time is what counts; when few did, it takes
 * at least until now, which says something only if that is long. */
static void
end_wave(struct sco_batch_waves *waves, uint64_t now_ns)
{
    double passed_ns = (double)(now_ns - waves->answered_ns);

    if (waves->back_rows >= waves->answered_rows - waves->answered_rows / 4) {
        learn_turn(waves, waves->last_ns);
    } else if (passed_ns > waves->turn_ns) {
        learn_turn(waves, now_ns);
    }
}

void
sco_batch_waves_answered(struct sco_batch_waves *waves, uint64_t rows,
                         uint64_t now_ns)
{
    if (is_awaited(waves)) {
        end_wave(waves, now_ns);
    }
    waves->answered_ns = now_ns;
    waves->answered_rows = rows;
    waves->back_rows = 0;
}

/* ---- waiting -------------------------------------------------------- */

static uint64_t
later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* The longest turn of a wave of so many rows that is waited for. */
static double
turn_limit_ns(const struct sco_batch_fit *fit, uint64_t rows)
{
    double batch_ns = fit->a_ns + fit->b_ns * (double)rows;
    double most_ns = TURN_SHARE * fit->a_ns;

    return most_ns < TURN_BATCH_SHARE * batch_ns ? most_ns
                                                 : TURN_BATCH_SHARE * batch_ns;
}

/* Until when the wave that has been answered last is waited for; 0: it is
 * not. */
static uint64_t
cork_until_ns(const struct sco_batch_fit *fit,
              const struct sco_batch_waves *waves)
{
    double turn_most_ns = turn_limit_ns(fit, waves->answered_rows);
    double turns_ns = TURNS * waves->turn_ns;
    double gap_ns = GAP_STEPS * waves->step_ns;
    double gap_most_ns = GAP_SHARE * fit->a_ns;
    uint64_t until_ns, gap_until_ns, turn_until_ns;

    if (waves->seen < WAVES_LEAST || !is_awaited(waves) ||
        waves->turn_ns > turn_most_ns ||
        !sco_batch_fit_pays(fit, waves->answered_rows)) {
        return 0;
    }
    until_ns = waves->answered_ns +
               (uint64_t)(turns_ns < turn_most_ns ? turns_ns : turn_most_ns);
    if (waves->back_rows > 0) {
        gap_ns = gap_ns < gap_most_ns ? gap_ns : gap_most_ns;
        gap_ns = gap_ns > GAP_LEAST_NS ? gap_ns : GAP_LEAST_NS;
        gap_until_ns = waves->last_ns + (uint64_t)gap_ns;
        turn_until_ns =
            waves->answered_ns + (uint64_t)(GAP_TURNS * waves->turn_ns);
        gap_until_ns = later(gap_until_ns, turn_until_ns);
        until_ns = gap_until_ns < until_ns ? gap_until_ns : until_ns;
    }
    return until_ns;
}

static uint64_t
largest_preferred(const struct sco_batch_setup *setup, uint64_t rows)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < setup->preferred_count; i++) {
        if (setup->preferred_batch_sizes[i] <= rows) {
            largest = setup->preferred_batch_sizes[i];
        }
    }
    return largest;
}

/* The rows of one of several idle workers. Another worker is worth a fixed
 * part when it takes away as much again in rows. */
static uint64_t
shared_rows(const struct sco_batch_fit *fit, const struct sco_batch_view *view)
{
    uint64_t each = (view->rows + view->idle - 1) / view->idle;

    if (!sco_batch_fit_is_known(fit) || fit->b_ns * (double)each < fit->a_ns) {
        return view->rows;
    }
    return each;
}

static struct sco_batch_decision
fire(uint64_t rows, enum sco_batch_reason reason)
{
    return (struct sco_batch_decision){ rows, reason, SCO_BATCH_NO_TIME };
}

/* What would be done if nobody had a deadline. A wait may be one whose time
 * has come; `reason` is then that of the batch, of so many rows. */
static struct sco_batch_decision
decide_at_leisure(const struct sco_batch_setup *setup,
                  const struct sco_batch_fit *fit,
                  const struct sco_batch_waves *waves,
                  const struct sco_batch_view *view)
{
    uint64_t preferred = largest_preferred(setup, view->rows);
    uint64_t until_ns;

    if (view->rows >= setup->max_batch_size) {
        return fire(setup->max_batch_size, SCO_BATCH_FULL);
    }
    if (preferred > 0) {
        return fire(preferred, SCO_BATCH_PREFERRED);
    }
    if (setup->max_queue_delay_ns > 0) {
        until_ns = view->oldest_ns + setup->max_queue_delay_ns;
        return (struct sco_batch_decision){ view->rows, SCO_BATCH_DELAY,
                                            until_ns };
    }
    until_ns = cork_until_ns(fit, waves);
    if (until_ns <= view->oldest_ns) {
        return fire(shared_rows(fit, view), SCO_BATCH_IDLE);
    }
    return (struct sco_batch_decision){ shared_rows(fit, view), SCO_BATCH_GAP,
                                        until_ns };
}

/* ---- deadlines ------------------------------------------------------ */

/* When the first of those that wait should have its answer; 0: whenever. */
static uint64_t
wanted_by_ns(const struct sco_batch_setup *setup,
             const struct sco_batch_view *view)
{
    uint64_t by_ns = view->deadline_ns;

    if (setup->objective_ns > 0 &&
        (by_ns == 0 || view->oldest_ns + setup->objective_ns < by_ns)) {
        by_ns = view->oldest_ns + setup->objective_ns;
    }
    return by_ns;
}

/* The latest moment to begin with so many rows that are to be answered by
 * then: a batch may take a little longer, and a timer come late. */
static uint64_t
begin_by_ns(const struct sco_batch_fit *fit, uint64_t rows, uint64_t by_ns)
{
    uint64_t takes_ns = sco_batch_fit_ns(fit, rows);

    takes_ns += takes_ns / MARGIN;
    return takes_ns < by_ns ? by_ns - takes_ns : 0;
}

/* As many of `rows` as can be answered by then, where that makes sense. */
static uint64_t
rows_in_time(const struct sco_batch_fit *fit, uint64_t rows, uint64_t left_ns)
{
    uint64_t fitting = sco_batch_fit_rows(fit, left_ns);
    double smaller, larger;

    if (fitting == 0 || fitting >= rows) {
        return rows;
    }
    smaller = (double)fitting * (double)sco_batch_fit_ns(fit, rows);
    larger = (double)rows * (double)sco_batch_fit_ns(fit, fitting);
    return smaller >= SMALLER_SHARE * larger ? fitting : rows;
}

struct sco_batch_decision
sco_batch_decide(const struct sco_batch_setup *setup,
                 const struct sco_batch_fit *fit,
                 const struct sco_batch_waves *waves,
                 const struct sco_batch_view *view)
{
    struct sco_batch_decision decision;
    uint64_t by_ns = wanted_by_ns(setup, view);
    uint64_t begin_ns;
    uint64_t rows;

    if (view->rows == 0 || view->idle == 0) {
        return fire(0, SCO_BATCH_IDLE);
    }
    decision = decide_at_leisure(setup, fit, waves, view);
    if (decision.wait_until_ns != SCO_BATCH_NO_TIME) {
        begin_ns = by_ns == 0 ? SCO_BATCH_NO_TIME
                              : begin_by_ns(fit, decision.rows, by_ns);
        if (view->now_ns < decision.wait_until_ns && view->now_ns < begin_ns) {
            decision.rows = 0;
            if (begin_ns < decision.wait_until_ns) {
                decision.wait_until_ns = begin_ns;
            }
            return decision;
        }
        if (view->now_ns < decision.wait_until_ns) {
            decision.reason = SCO_BATCH_DEADLINE;
        }
    }
    if (by_ns > view->now_ns) {
        rows = rows_in_time(fit, decision.rows, by_ns - view->now_ns);
        if (rows < decision.rows) {
            decision.rows = rows;
            decision.reason = SCO_BATCH_DEADLINE;
        }
    }
    decision.wait_until_ns = SCO_BATCH_NO_TIME;
    return decision;
}

/* Whole rounds of all workers go by before one of them is free. */
uint64_t
sco_batch_late_ns(const struct sco_batch_setup *setup,
                  const struct sco_batch_fit *fit, uint64_t ahead,
                  uint64_t rows, size_t workers, uint64_t left_ns)
{
    uint64_t most = setup->max_batch_size;
    uint64_t rounds = workers == 0 ? 0 : ahead / most / workers;
    uint64_t before_last = rows == 0 ? 0 : (rows - 1) / most;
    double late_ns;

    if (rounds == 0) {
        return 0;
    }
    late_ns =
        (double)(rounds + before_last) * (double)sco_batch_fit_ns(fit, most) +
        (double)sco_batch_fit_ns(fit, rows - before_last * most) -
        (double)left_ns;
    if (late_ns <= 0) {
        return 0;
    }
    return late_ns < (double)(UINT64_MAX / 2) ? (uint64_t)late_ns
                                              : UINT64_MAX / 2;
}
