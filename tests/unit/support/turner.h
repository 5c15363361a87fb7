/* turner.h - a loop that a test runs by hand, on its own thread
 *
 * turner_turn() is one turn: posts, timers that are due, hooks. No descriptor
 * is looked at. turner_until() runs the loop as it is in the host, until a
 * condition holds; nothing sleeps for a guessed time.
 *
 * Thread: the test's, which takes the loop's role.
 */
#ifndef SCO_SUPPORT_TURNER_H
#define SCO_SUPPORT_TURNER_H

#include "base/loop.h"

#include <stdbool.h>

struct turner {
    struct sco_loop *loop;
    struct sco_timer guard;
    bool (*done)(void *arg); /* NULL: nobody waits */
    void *arg;
    bool is_done;
};

/* Makes a loop; dies when there is none. */
void turner_init(struct turner *turner);

/* Runs one turn. */
void turner_turn(struct turner *turner);

/* Runs until `done` says so, asked before every sleep; false after ten
 * seconds. */
bool turner_until(struct turner *turner, bool (*done)(void *arg), void *arg);

/* Frees the loop. */
void turner_finish(struct turner *turner);

#endif
