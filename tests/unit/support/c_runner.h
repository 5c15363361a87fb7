/* c_runner.h - a "script" in C for worker threads
 *
 * What it does with a body:
 *
 *     hold      says so on stderr, waits for c_runner_open(), then echoes
 *     stubborn  the same, and no interrupt gets through to it
 *     stream    "one" and "two" in a stream
 *     ...       anything else is echoed
 *
 * An interrupt ends "hold" with the body "interrupted". There is one runner,
 * `c_runner`, since there is one script in a process.
 *
 * Thread: any; everything that is written while threads run is atomic.
 */
#ifndef SCO_SUPPORT_C_RUNNER_H
#define SCO_SUPPORT_C_RUNNER_H

#include "worker/runner.h"

#include <stdatomic.h>
#include <stdbool.h>

struct c_runner {
    bool load_fails;          /* set before it is used, as the next two */
    enum sco_status entering; /* what enter() returns; SCO_OK */
    bool enter_is_stubborn;   /* it waits like that body does */
    atomic_uint loads, unloads, entered, left;
    atomic_uint scored, held, lines, interrupts, dumps;
};

extern struct c_runner c_runner_state;
extern const struct sco_runner c_runner;

/* Forgets an earlier test. */
void c_runner_reset(void);

/* Lets everything that is held go on, now and later. */
void c_runner_open(void);

#endif
