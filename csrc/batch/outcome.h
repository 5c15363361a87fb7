/* outcome.h - what the answer to a batch means for those who are in it
 *
 * An answer has as many rows as were given, in every output, or nobody gets
 * any of it: rows cannot be told apart, so a row too few may be anybody's.
 * sco_batch_check_rows() is the one place that says so.
 *
 * A batch that fails because of one request is run again in halves until that
 * request fails alone and all others are answered. A row may be run several
 * times then: whoever has side effects in run() turns it off. Only for what
 * the script raised: a worker that died of a batch is no test bench.
 *
 * Design notes
 *
 * The bisection knows parts by their places in the batch, and asks whether
 * one is still wanted just before it is run. Ranges of parts are ranges of
 * rows, next to each other in the batch's buffer: what is run again is a
 * slice of what is there, and nothing is gathered anew. For that, a part that
 * is not wanted any more is left out at the ends of a range, and runs along
 * in the middle of one.
 *
 *   sco_batch_bisect_init(&bisect, parts, runs_most)     the batch failed
 *   while (sco_batch_bisect_next(&bisect, ..., &range)) {
 *       run the rows of parts range.first ... range.first + range.count - 1
 *       if it failed and sco_batch_bisect_failed(&bisect)
 *           each part in the range has failed for good
 *       else if it was answered: each part in the range has its answer
 *   }
 *
 * Each part that is wanted is answered or has failed when that is over.
 *
 * Thread: any; the structs are their owner's.
 */
#ifndef SCO_BATCH_OUTCOME_H
#define SCO_BATCH_OUTCOME_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An output that is a single value, or nothing that has a length. */
#define SCO_BATCH_NO_ROWS UINT64_MAX

/* How often a batch is run again at the most, unless one says otherwise. For
 * one bad request of 64 it takes 12 runs, for two 22 at the most. */
enum { SCO_BATCH_RUNS_MOST = 32 };

/* One output of run(). */
struct sco_batch_output {
    struct sco_slice name; /* empty: it has none */
    uint64_t rows;         /* or SCO_BATCH_NO_ROWS */
};

/* Looks whether every output has a row for each that was given. The first
 * that has not is named in `err`, for the log and for the clients.
 *
 * Errors: SCO_SCRIPT. */
SCO_NODISCARD
enum sco_status sco_batch_check_rows(uint64_t rows,
                                     const struct sco_batch_output *outputs,
                                     size_t count, struct sco_error *err);

/* Some parts of a batch, next to each other. */
struct sco_batch_range {
    size_t first;
    size_t count;
};

/* More than there are halves of halves of any batch. */
enum { SCO_BATCH_BISECT_DEPTH = 65 };

/* What of a failed batch is still to be run, the next on top. */
struct sco_batch_bisect {
    struct sco_batch_range left[SCO_BATCH_BISECT_DEPTH];
    size_t left_count;
    struct sco_batch_range running;
    unsigned runs_left;
};

/* Whether anybody wants the answer of a part. */
typedef bool (*sco_batch_wanted_fn)(void *arg, size_t part);

/* A batch of so many parts has failed as a whole. With one part, or with
 * `runs_most` 0 (it is turned off), nothing is run again: the caller fails
 * them all. False then, and the struct is of no use. */
SCO_NODISCARD
bool sco_batch_bisect_init(struct sco_batch_bisect *bisect, size_t parts,
                           unsigned runs_most);

/* What is to be run next; false: nothing. When the runs are used up the rest
 * comes with `is_over` set: it is not to be run, and fails as the batch did,
 * each part of it untried. */
SCO_NODISCARD
bool sco_batch_bisect_next(struct sco_batch_bisect *bisect,
                           sco_batch_wanted_fn is_wanted, void *arg,
                           struct sco_batch_range *out, bool *is_over);

/* What was run last failed again. True: it was a single part, which has
 * failed alone. False: its halves will come. */
SCO_NODISCARD
bool sco_batch_bisect_failed(struct sco_batch_bisect *bisect);

#endif
