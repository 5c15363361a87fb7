/* zmq_term.h - SIGTERM and SIGINT end a remote worker when it has answered
 *
 * The handler is C's own: one of Python's runs between two steps of a script,
 * and not at all while the process sleeps, if the signal came right before.
 *
 * Thread: main. There is one worker in a process.
 */
#ifndef SCO_LINK_ZMQ_TERM_H
#define SCO_LINK_ZMQ_TERM_H

#include <stdint.h>

struct sco_zmq_worker;

/* From now on either signal has the worker stop (sco_zmq_worker_stop()). One
 * that comes more than `insist_ns` after the first ends the process at once;
 * sooner, it is the same one by another way. `worker` is borrowed until
 * sco_zmq_term_remove(). */
void sco_zmq_term_install(struct sco_zmq_worker *worker, uint64_t insist_ns);

/* Both signals end the process at once again. Does nothing where nothing was
 * installed. */
void sco_zmq_term_remove(void);

#endif
