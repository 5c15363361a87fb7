#include "batch/fit.h"

/* Batches that are as near to the line as this share of it count in full:
 * that much any machine's times vary. Those farther away count less, in
 * proportion to their distance. */
#define NOISE_SHARE 0.05

/* How much the old slope counts against batches of nearly one size: as much
 * as batches whose sizes vary by an eighth. */
#define SPREAD_LEAST (1.0 / 64)

/* The fixed part must be this share of the rows' part. */
#define PAYS_SHARE 0.25

/* Sums over the remembered batches, each times its weight. */
struct sums {
    double weight;
    double rows, ns;              /* then: means */
    double rows_squared, product; /* then: about the means */
};

static double
distance(double x, double y)
{
    return x > y ? x - y : y - x;
}

/* The less, the farther from the line that is known. Before there is one, a
 * batch that takes long for its size is what is most likely to mislead. */
static double
weight_of(const struct sco_batch_fit *fit, const struct sco_batch_sample *at)
{
    double line_ns = fit->a_ns + fit->b_ns * at->rows;

    return 1 / (distance(at->ns, line_ns) + NOISE_SHARE * line_ns + 1);
}

static struct sums
sum_up(const struct sco_batch_fit *fit)
{
    struct sums sums = { 0 };

    for (unsigned i = 0; i < fit->count; i++) {
        const struct sco_batch_sample *at = &fit->last[i];
        double weight = weight_of(fit, at);

        sums.weight += weight;
        sums.rows += weight * at->rows;
        sums.ns += weight * at->ns;
        sums.rows_squared += weight * at->rows * at->rows;
        sums.product += weight * at->rows * at->ns;
    }
    sums.rows /= sums.weight;
    sums.ns /= sums.weight;
    sums.rows_squared =
        sums.rows_squared / sums.weight - sums.rows * sums.rows;
    sums.product = sums.product / sums.weight - sums.rows * sums.ns;
    return sums;
}

static void
draw_line(struct sco_batch_fit *fit)
{
    struct sums sums = sum_up(fit);
    double old = SPREAD_LEAST * sums.rows * sums.rows;

    fit->b_ns = (sums.product + old * fit->b_ns) / (sums.rows_squared + old);
    if (fit->b_ns < 0) {
        fit->b_ns = 0;
    }
    fit->a_ns = sums.ns - fit->b_ns * sums.rows;
    if (fit->a_ns < 0) {
        fit->a_ns = 0;
        fit->b_ns = sums.ns / sums.rows;
    }
}

void
sco_batch_fit_add(struct sco_batch_fit *fit, uint64_t rows, uint64_t ns)
{
    if (rows == 0) {
        return;
    }
    fit->last[fit->next] =
        (struct sco_batch_sample){ (double)rows, (double)ns };
    fit->next = (fit->next + 1) % SCO_BATCH_FIT_MOST;
    if (fit->count < SCO_BATCH_FIT_MOST) {
        fit->count++;
    }
    draw_line(fit);
}

bool
sco_batch_fit_is_known(const struct sco_batch_fit *fit)
{
    return fit->count >= SCO_BATCH_FIT_LEAST;
}

uint64_t
sco_batch_fit_ns(const struct sco_batch_fit *fit, uint64_t rows)
{
    double ns = fit->a_ns + fit->b_ns * (double)rows;

    if (!sco_batch_fit_is_known(fit)) {
        return 0;
    }
    return ns < (double)(UINT64_MAX / 2) ? (uint64_t)ns : UINT64_MAX / 2;
}

uint64_t
sco_batch_fit_rows(const struct sco_batch_fit *fit, uint64_t ns)
{
    double left_ns = (double)ns - fit->a_ns;

    if (!sco_batch_fit_is_known(fit)) {
        return UINT64_MAX;
    }
    if (left_ns < fit->b_ns) {
        return 0;
    }
    if (left_ns >= fit->b_ns * (double)(UINT64_MAX / 2)) {
        return UINT64_MAX;
    }
    return (uint64_t)(left_ns / fit->b_ns);
}

bool
sco_batch_fit_pays(const struct sco_batch_fit *fit, uint64_t rows)
{
    return sco_batch_fit_is_known(fit) && fit->a_ns > 0 &&
           fit->a_ns >= PAYS_SHARE * fit->b_ns * (double)rows;
}
