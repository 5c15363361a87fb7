#include "batch/outcome.h"

/* Longer names are cut in messages. */
enum { NAME_MOST = 80 };

static enum sco_status
refuse(uint64_t rows, const struct sco_batch_output *output,
       struct sco_error *err)
{
    const char *quote = output->name.len > 0 ? "\"" : "";
    const char *space = output->name.len > 0 ? " " : "";
    int len = (int)(output->name.len < NAME_MOST ? output->name.len
                                                 : (size_t)NAME_MOST);
    const char *name = len > 0 ? output->name.data : "";
    unsigned long long expected = rows;
    unsigned long long given = output->rows;

    if (output->rows == SCO_BATCH_NO_ROWS) {
        return sco_fail(err, SCO_SCRIPT,
                        "the output%s%s%.*s%s of run() has no rows, and %llu "
                        "were expected: return an array or a list with one "
                        "row for each row of the batch",
                        space, quote, len, name, quote, expected);
    }
    return sco_fail(err, SCO_SCRIPT,
                    "the output%s%s%.*s%s of run() has %llu row%s, and %llu "
                    "were expected: return one row for each row of the "
                    "batch, in the same order",
                    space, quote, len, name, quote, given,
                    given == 1 ? "" : "s", expected);
}

enum sco_status
sco_batch_check_rows(uint64_t rows, const struct sco_batch_output *outputs,
                     size_t count, struct sco_error *err)
{
    if (count == 0) {
        return sco_fail(err, SCO_SCRIPT,
                        "run() returned no output for a batch of %llu rows: "
                        "return one row for each",
                        (unsigned long long)rows);
    }
    for (size_t i = 0; i < count; i++) {
        if (outputs[i].rows != rows) {
            return refuse(rows, &outputs[i], err);
        }
    }
    return SCO_OK;
}

/* ---- one bad row fails alone ---------------------------------------- */

/* Puts both halves of a range on top, the first one to be next. */
static void
push_halves(struct sco_batch_bisect *bisect, struct sco_batch_range range)
{
    size_t half = range.count / 2;

    bisect->left[bisect->left_count++] =
        (struct sco_batch_range){ range.first + half, range.count - half };
    bisect->left[bisect->left_count++] =
        (struct sco_batch_range){ range.first, half };
}

bool
sco_batch_bisect_init(struct sco_batch_bisect *bisect, size_t parts,
                      unsigned runs_most)
{
    if (parts < 2 || runs_most == 0) {
        return false;
    }
    bisect->left_count = 0;
    bisect->runs_left = runs_most;
    push_halves(bisect, (struct sco_batch_range){ 0, parts });
    return true;
}

/* Leaves out what is not wanted at both ends. */
static void
trim(struct sco_batch_range *range, sco_batch_wanted_fn is_wanted, void *arg)
{
    while (range->count > 0 && !is_wanted(arg, range->first)) {
        range->first++;
        range->count--;
    }
    while (range->count > 0 &&
           !is_wanted(arg, range->first + range->count - 1)) {
        range->count--;
    }
}

bool
sco_batch_bisect_next(struct sco_batch_bisect *bisect,
                      sco_batch_wanted_fn is_wanted, void *arg,
                      struct sco_batch_range *out, bool *is_over)
{
    while (bisect->left_count > 0) {
        struct sco_batch_range range = bisect->left[--bisect->left_count];

        trim(&range, is_wanted, arg);
        if (range.count == 0) {
            continue;
        }
        *is_over = bisect->runs_left == 0;
        if (!*is_over) {
            bisect->runs_left--;
        }
        bisect->running = range;
        *out = range;
        return true;
    }
    return false;
}

bool
sco_batch_bisect_failed(struct sco_batch_bisect *bisect)
{
    if (bisect->running.count <= 1) {
        return true;
    }
    push_halves(bisect, bisect->running);
    return false;
}
