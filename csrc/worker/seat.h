/* seat.h - the process's main thread, lent to one worker
 *
 * With one worker of kind `thread`, run() is called on Python's main thread:
 * some libraries insist on it, and so do debuggers. The main thread sits down
 * here; the loop, which starts workers, hands it what to do.
 *
 * Thread: sco_seat_sit() main; the others the loop's.
 */
#ifndef SCO_WORKER_SEAT_H
#define SCO_WORKER_SEAT_H

#include <stdbool.h>

struct sco_seat;

/* Makes a seat. It dies without memory: there is one for each process. */
struct sco_seat *sco_seat_create(void);

/* Frees a seat that nobody sits in. NULL is allowed. */
void sco_seat_destroy(struct sco_seat *seat);

/* Runs on this thread what is handed over, one thing after another.
 *
 * Blocks: until sco_seat_close(). */
void sco_seat_sit(struct sco_seat *seat);

/* Hands over something to run; waits its turn behind what runs already. */
void sco_seat_give(struct sco_seat *seat, void (*body)(void *arg), void *arg);

/* What runs there does not come back, so far: nothing more is to be handed
 * over. */
void sco_seat_lose(struct sco_seat *seat);

/* It has come back. */
void sco_seat_regain(struct sco_seat *seat);

/* Whether the seat is lost. */
bool sco_seat_is_lost(const struct sco_seat *seat);

/* Lets the main thread go when what it runs is over. */
void sco_seat_close(struct sco_seat *seat);

#endif
