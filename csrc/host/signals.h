/* signals.h - what the host is told by its parent
 *
 * The signals are blocked in every thread and read by the loop from a
 * descriptor, so that none interrupts anything and none is lost while Python
 * runs. The mask of before comes back at the end: in `python` the process is
 * not ours.
 */
#ifndef SCO_HOST_SIGNALS_H
#define SCO_HOST_SIGNALS_H

#include "base/loop.h"
#include "base/status.h"

#include <signal.h>

/* What was before the signals were held. */
struct sco_signals_before {
    sigset_t mask;
    struct sigaction pipe;
};

/* Blocks the signals in the calling thread, and so in those it starts and in
 * the processes it makes, and has SIGPIPE ignored.
 *
 * Thread: main, before the first other thread. */
void sco_signals_hold(struct sco_signals_before *before);

/* Undoes it; signals that still wait are dropped. Thread: main. */
void sco_signals_release(const struct sco_signals_before *before);

struct sco_signals {
    struct sco_watch watch;
    struct sco_loop *loop;
    void (*on_signal)(void *arg, int number);
    void *arg;
};

/* Has `on_signal` called on the loop. Thread: the loop's.
 * Errors: SCO_INTERNAL; then there is nothing to close. */
SCO_NODISCARD
enum sco_status sco_signals_watch(struct sco_signals *signals,
                                  struct sco_loop *loop,
                                  void (*on_signal)(void *arg, int number),
                                  void *arg, struct sco_error *err);

/* Stops watching; a second time does nothing. Thread: the loop's. */
void sco_signals_close(struct sco_signals *signals);

#endif
