/* one_worker.h - a fake worker alone, and what its boss is told
 *
 * What the tests of worker/worker.c have in common. Everything is in
 * `one_worker`; a worker that has gone is destroyed, and `worker` NULL.
 *
 * Thread: the test's.
 */
#ifndef SCO_SUPPORT_ONE_WORKER_H
#define SCO_SUPPORT_ONE_WORKER_H

#include "support/fake_worker.h"
#include "support/heard.h"
#include "support/turner.h"
#include "worker/ran.h"

enum { ONE_WORKER_REQUESTS = 8 };

struct one_worker {
    struct turner turner;
    struct sco_arena *arena;
    struct sco_worker_setup setup;
    struct sco_worker *worker;
    struct fake_worker *fake;
    struct heard heard[ONE_WORKER_REQUESTS];

    /* What the boss was told. */
    unsigned ready, through, gone;
    uint64_t run_ns; /* of the last one through */
    unsigned ran_count;
    struct sco_ran ran; /* the last run() of a batch */
    size_t document_bytes;
    struct sco_request *returned[ONE_WORKER_REQUESTS]; /* in this order */
    size_t returned_count;
    struct sco_worker_end end;
};

extern struct one_worker one_worker;

/* Starts one with these limits of time; 0: none. */
void one_worker_start(uint64_t limit_ns, uint64_t stream_limit_ns);

/* Has it say that init() is done. */
void one_worker_be_ready(void);

/* Gives it a request, whose answer is heard in heard[i]. */
struct sco_request *one_worker_give(size_t i, const char *body);

/* Has it begin a streamed reply to the request in hand. */
void one_worker_start_stream(void);

/* Has it end, if it has not, and frees everything. */
void one_worker_stop(void);

#endif
