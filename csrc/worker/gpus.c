#include "worker/gpus.h"

#include "base/status.h"

#include <stdlib.h>

struct place {
    const char *name;
    size_t workers;
    unsigned long taken; /* the how manieth taking was its last */
};

struct sco_gpus {
    struct place *places;
    size_t count;
    unsigned long takings;
};

struct sco_gpus *
sco_gpus_create(char *const *names, size_t count, size_t without)
{
    struct sco_gpus *gpus = sco_alloc(1, sizeof(*gpus));

    SCO_CHECK(count + without > 0, "no place for a worker");
    gpus->count = count + without;
    gpus->places = sco_alloc(gpus->count, sizeof(*gpus->places));
    for (size_t i = 0; i < gpus->count; i++) {
        gpus->places[i].name = i < count ? names[i] : "";
    }
    return gpus;
}

const char *
sco_gpus_take(struct sco_gpus *gpus, size_t *place_out)
{
    size_t best = 0;

    for (size_t i = 1; i < gpus->count; i++) {
        const struct place *a = &gpus->places[i];
        const struct place *b = &gpus->places[best];

        if (a->workers < b->workers ||
            (a->workers == b->workers && a->taken < b->taken)) {
            best = i;
        }
    }
    gpus->places[best].workers++;
    gpus->places[best].taken = ++gpus->takings;
    *place_out = best;
    return gpus->places[best].name;
}

void
sco_gpus_give(struct sco_gpus *gpus, size_t place)
{
    SCO_CHECK(place < gpus->count && gpus->places[place].workers > 0,
              "a place that nobody has");
    gpus->places[place].workers--;
}

void
sco_gpus_destroy(struct sco_gpus *gpus)
{
    if (gpus != NULL) {
        free(gpus->places);
        free(gpus);
    }
}
