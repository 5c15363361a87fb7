/* gpus.h - which GPU a worker process sees
 *
 * Each GPU is a place for a worker, and so is each CPU worker that was asked
 * for beside them. A new worker takes the place that has the fewest, and of
 * those the one that was taken longest ago: so a worker that is replaced
 * beside the old one gets the same GPU in the end, and every GPU keeps one.
 *
 * Thread: the loop's.
 */
#ifndef SCO_WORKER_GPUS_H
#define SCO_WORKER_GPUS_H

#include <stddef.h>

struct sco_gpus;

/* Makes the places: `count` GPUs by their names, and so many without one.
 * Ownership: the caller owns it; the names are borrowed. */
struct sco_gpus *sco_gpus_create(char *const *names, size_t count,
                                 size_t without);

/* Takes a place: what CUDA_VISIBLE_DEVICES is to be, "" for no GPU. */
const char *sco_gpus_take(struct sco_gpus *gpus, size_t *place_out);

/* Gives a place back. */
void sco_gpus_give(struct sco_gpus *gpus, size_t place);

/* NULL is allowed. */
void sco_gpus_destroy(struct sco_gpus *gpus);

#endif
