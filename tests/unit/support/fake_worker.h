/* fake_worker.h - one more kind of worker, whose far end is the test itself
 *
 * It speaks over a real lane, and its far end is a sco_child on the test's
 * own thread: the test takes what a worker would take and says what a worker
 * would say, one step at a time. Nothing runs by itself.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_SUPPORT_FAKE_WORKER_H
#define SCO_SUPPORT_FAKE_WORKER_H

#include "link/child.h"
#include "worker/worker.h"

#include <stdbool.h>
#include <stddef.h>

enum { FAKE_CREW_MAX = 64, FAKE_FIRST_PID = 1000 };

struct fake_worker {
    struct sco_worker base;
    struct sco_child *child;
    struct sco_post ended;
    struct sco_worker_end end;
    struct sco_call call; /* taken last */
    struct sco_child_line line;
    bool is_ended;    /* on_gone comes, or has come */
    bool is_stubborn; /* it survives a kill */
};

/* What a lost one leaves behind, as the threads of the real kinds do. */
struct fake_left {
    struct sco_child *child;
    struct sco_lane *lane;
    struct sco_request *requests[4]; /* that it had started */
    size_t request_count;
};

/* All that were started since fake_crew_reset(), also the gone ones, whose
 * places are NULL. */
struct fake_crew {
    struct fake_worker *members[FAKE_CREW_MAX];
    size_t count;
    size_t failing_starts; /* so many starts fail from now on */
    struct fake_left left[FAKE_CREW_MAX];
    size_t left_count;
    unsigned interrupts, dumps, kills;
};

extern const struct sco_worker_ops fake_worker_kind;

/* One inside the host, which a kill loses; and one that cannot be replaced
 * there, as threads that share a module. */
extern const struct sco_worker_ops fake_inside_kind;
extern const struct sco_worker_ops fake_fixed_kind;

extern struct fake_crew fake_crew;

/* Forgets those of an earlier test. */
void fake_crew_reset(void);

/* Says that init() is done, offering some documents. */
void fake_ready(struct fake_worker *fake, const struct sco_document *documents,
                size_t count);

/* Takes what comes next; a request is in `call`, a line in `line`. */
enum sco_child_event fake_take(struct fake_worker *fake);

/* Whether a request was taken just now, with this body. */
bool fake_took(struct fake_worker *fake, const char *body);

/* Replies to the request in hand with 200 and a body. */
void fake_reply(struct fake_worker *fake, const char *body);

/* The same after so much time inside run(). */
void fake_reply_after(struct fake_worker *fake, const char *body,
                      uint64_t run_ns);

/* Has a lost one reply to the request in hand after all. */
void fake_reply_late(const struct fake_left *left, const char *body);

/* Has all lost ones come back: what they left behind goes. */
void fake_come_back(void);

/* Replies that the script does not fit this kind of worker. */
void fake_reply_unfit(struct fake_worker *fake);

/* Ends it, as a process ends: on_gone comes with the next turn. */
void fake_end(struct fake_worker *fake, int exit_code, int signal);

#endif
