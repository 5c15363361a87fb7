/* fit.h - how long a batch takes: a fixed part and a part for each row
 *
 * What a batch of n rows takes is taken to be a + b n. Both are fitted to
 * the last batches by least squares, each batch with a weight that falls with
 * its distance from the line that was known before it. So a first batch that
 * takes half a second, or one that the machine slept through, moves the line
 * for a few batches and then hardly at all, and a model that has become slow
 * for good has a new line when half of the batches remembered are new ones.
 *
 * Where all batches are of one size nobody can tell a from b. What was known
 * of b is kept then; if nothing was, all is a, until another size comes.
 *
 * Thread: that of the owner of the struct.
 */
#ifndef SCO_BATCH_FIT_H
#define SCO_BATCH_FIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SCO_BATCH_FIT_MOST = 64, /* batches remembered */
    SCO_BATCH_FIT_LEAST = 4, /* batches before anything is claimed */
};

/* One batch that was answered. */
struct sco_batch_sample {
    double rows;
    double ns;
};

/* Zeroed it knows nothing. */
struct sco_batch_fit {
    struct sco_batch_sample last[SCO_BATCH_FIT_MOST]; /* a ring */
    unsigned count; /* of them, at most SCO_BATCH_FIT_MOST */
    unsigned next;  /* place of the next one */
    double a_ns;    /* never below 0 */
    double b_ns;    /* never below 0 */
};

/* Learns from one batch. `ns` is from its hand-over to its answer, so that it
 * has in it all that a caller waits for. A batch that failed is not to be
 * told: it may have ended early. One without rows is passed over. The work is
 * bounded: one pass over what is remembered. */
void sco_batch_fit_add(struct sco_batch_fit *fit, uint64_t rows, uint64_t ns);

/* Whether enough batches were seen to go by it. */
bool sco_batch_fit_is_known(const struct sco_batch_fit *fit);

/* What a batch of so many rows will take; 0: nobody knows. */
uint64_t sco_batch_fit_ns(const struct sco_batch_fit *fit, uint64_t rows);

/* How many rows take no longer than `ns` together; 0: not even one. Without
 * knowledge, as many as one likes: UINT64_MAX. */
uint64_t sco_batch_fit_rows(const struct sco_batch_fit *fit, uint64_t ns);

/* Whether it is worth something to have so many rows in one batch: whether
 * the fixed part is at least a quarter of what the rows take by themselves.
 * Where it is less, a row gains next to nothing from company. */
bool sco_batch_fit_pays(const struct sco_batch_fit *fit, uint64_t rows);

#endif
