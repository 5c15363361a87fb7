/* relief.h - the host's line to its supervisor: telling how it is, and being
 * relieved by another host
 *
 * Thread: the loop's, where a function says nothing else.
 */
#ifndef SCO_HOST_RELIEF_H
#define SCO_HOST_RELIEF_H

#include "base/loop.h"
#include "base/status.h"

#include <stdbool.h>

struct sco_relief {
    struct sco_watch watch; /* fd -1: there is no supervisor */
    struct sco_loop *loop;
    void (*on_relieved)(void *arg);
    void (*on_alone)(void *arg);
    void *arg;
    bool has_told_ready;
    bool is_asking; /* for a successor */
};

/* Watches the line `fd`, which may be -1. `on_relieved` is called once
 * another host serves, `on_alone` each time that one was asked for and could
 * not be had.
 *
 * Ownership: `fd` stays the caller's.
 * Errors:    SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_relief_watch(struct sco_relief *relief,
                                 struct sco_loop *loop, int fd,
                                 void (*on_relieved)(void *arg),
                                 void (*on_alone)(void *arg), void *arg,
                                 struct sco_error *err);

/* A worker is ready; only the first call is told. */
void sco_relief_tell_ready(struct sco_relief *relief);

/* Asks for another host, because of `why`, and serves on meanwhile. Without a
 * supervisor that is logged, and nothing comes of it. */
void sco_relief_ask(struct sco_relief *relief, const char *why);

/* When the next host may start: at once, or when this one has ended. */
enum sco_relief_when { SCO_RELIEF_BESIDE, SCO_RELIEF_AFTER };

/* Says that this host cannot go on, because of `why`, and takes no new
 * clients. False without a supervisor: then it is logged and must go on. */
bool sco_relief_hand_over(struct sco_relief *relief, const char *why,
                          enum sco_relief_when when);

/* Stops watching. */
void sco_relief_close(struct sco_relief *relief);

#endif
