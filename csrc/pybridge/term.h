/* term.h - SIGTERM in a worker process waits for the request in hand
 *
 * Who stops a service often tells all of its processes at once (systemd
 * does), not the first one alone. A worker that died at once would take the
 * request along that the host still waits for.
 *
 * Thread: main, the only one that scores.
 */
#ifndef SCO_PYBRIDGE_TERM_H
#define SCO_PYBRIDGE_TERM_H

#include <stdbool.h>

/* From now on SIGTERM ends this process between two requests, and the second
 * one at once; but where the script has a handler of its own, or ignores it,
 * that is as it was. Does nothing after sco_term_end_by(). */
void sco_term_install(void);

/* Has sco_term_ask() call this in place of a signal: it has the worker told
 * to stop. NULL forgets it. */
void sco_term_end_by(void (*end)(void *arg), void *arg);

/* As it was before, also for a signal that still waits. */
void sco_term_remove(void);

/* Ends this process as SIGTERM would, once nothing is in hand: what it needs
 * is broken for good. Nothing where sco_term_install() was not called. */
void sco_term_ask(void);

/* Whether it was: another process is wanted in place of this one. */
bool sco_term_was_asked(void);

/* A request may be in hand from now on. */
void sco_term_hold(void);

/* None is in hand. Does not return if there was a signal meanwhile: the
 * process ends by it. */
void sco_term_let(void);

#endif
