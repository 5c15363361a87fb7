/* one_pool.h - a pool of fake workers, and what it told
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_SUPPORT_ONE_POOL_H
#define SCO_SUPPORT_ONE_POOL_H

#include "support/fake_worker.h"
#include "support/turner.h"
#include "worker/pool.h"

#include <stdbool.h>
#include <stddef.h>

struct one_pool {
    struct turner turner;
    struct sco_arena *arena;
    struct sco_worker_setup setup;
    struct sco_pool pool;
    unsigned ready, through, ran, unfit, returned, boot_failed, worn, empty;
    char why[128]; /* it is worn */
};

extern struct one_pool one_pool;

/* Makes it, for cmocka's set-up. */
int one_pool_make(void **state);

/* Ends it, for cmocka's tear-down. */
int one_pool_drop(void **state);

/* The fake worker that was started as the `number`-th, from 0. */
struct fake_worker *one_pool_member(size_t number);

/* Has a worker say that it is ready. */
void one_pool_make_ready(size_t number);

/* Resizes the pool and has all its workers ready. */
void one_pool_fill(size_t count);

/* Has a worker end, by itself or because it was told to. */
void one_pool_end(size_t number, int exit_code, int signal);

/* Has a ready worker answer one request. */
void one_pool_serve(size_t number);

/* Whether a worker was told to leave, and nothing else. */
bool one_pool_leaves(size_t number);

/* Turns until `count` workers have been started; false when they are not. */
bool one_pool_started(size_t count);

#endif
