#include "deploy/batches.h"

void
sco_batches_init(struct sco_batches *batches)
{
    *batches = (struct sco_batches){ .failed = 0 };
    sco_histogram_init(&batches->rows, &sco_buckets_rows);
}

void
sco_batches_count(struct sco_batches *batches, const struct sco_ran *ran)
{
    unsigned reason =
        ran->reason < SCO_BATCHES_OTHER ? ran->reason : SCO_BATCHES_OTHER;

    batches->reasons[reason]++;
    batches->failed += ran->has_failed;
    sco_histogram_observe(&batches->rows, ran->rows);
}

const char *
sco_batches_reason_text(unsigned reason)
{
    return reason < SCO_BATCHES_OTHER
               ? sco_batch_reason_text((enum sco_batch_reason)reason)
               : "other";
}
