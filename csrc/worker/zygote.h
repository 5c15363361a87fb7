/* zygote.h - loads the script once, and has workers forked from there
 *
 * With worker_preload the host does not spawn workers: it spawns one process
 * that imports the script and calls init() (python/scorehost/zygote.py), and
 * asks it to fork. The workers then share its memory until they write to it,
 * and one more is there in milliseconds, however long the model takes to load.
 *
 * The host asks as if a loaded script were always there. What is asked for
 * before that waits; a script that cannot be loaded, and a process that dies,
 * are started again after a pause that grows (worker/respawn.h).
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_WORKER_ZYGOTE_H
#define SCO_WORKER_ZYGOTE_H

#include "base/list.h"
#include "base/loop.h"
#include "base/status.h"
#include "worker/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_zygote;
struct zygote_parent;

/* A worker process that is, or is to be, forked. Embedded in its owner, who
 * fills in what stands first. */
struct sco_fork {
    void *arg;

    /* It is there. */
    void (*on_forked)(void *arg, pid_t pid);

    /* It ended, or could not be had: on_forked() was not called then, and
     * `pid` is that of the process that did not load the script, or 0. The
     * owner may be gone when it returns. */
    void (*on_ended)(void *arg, pid_t pid, const struct sco_worker_end *end);

    /* The zygote's. */
    struct sco_zygote *zygote; /* NULL: not asked for */
    struct zygote_parent *parent;
    struct sco_list link;
    struct sco_watch end; /* the pidfd; watched when the parent is gone */
    int socket;           /* the worker's, until it is passed on */
    uint32_t number;
    pid_t pid; /* 0: not yet */
    bool killed;
};

/* To whom a zygote reports. */
struct sco_zygote_boss {
    void *arg;

    /* What sco_zygote_reload() has come to: new workers have the new script,
     * or it cannot be loaded and all is as it was. */
    void (*on_reloaded)(void *arg, bool loaded);
};

/* Makes a zygote; its process starts with the first fork that is asked for.
 *
 * Ownership: the caller owns *out. `setup` is borrowed (the loop, the boot
 *            text, python, threads_each), `boss` copied.
 * Errors:    SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_zygote_create(const struct sco_worker_setup *setup,
                                  const struct sco_zygote_boss *boss,
                                  struct sco_zygote **out,
                                  struct sco_error *err);

/* Ends the process. A loaded one is let end by itself, so that what init()
 * registered with atexit runs, but not for longer than a second. NULL is
 * allowed.
 *
 * Blocks: for that second at most; for the end of the host. */
void sco_zygote_destroy(struct sco_zygote *zygote);

/* Loads the script anew, beside what is there, for all workers that are asked
 * for after boss.on_reloaded(). One that still loads is given up.
 *
 * Errors: SCO_INTERNAL with the system's reason; nothing has changed then. */
SCO_NODISCARD
enum sco_status sco_zygote_reload(struct sco_zygote *zygote,
                                  struct sco_error *err);

/* Asks for a worker. on_forked() and on_ended() come later, never from here.
 *
 * Ownership: takes `socket`, which the worker gets, on SCO_OK; `fork` is
 *            borrowed until on_ended() or sco_fork_finish().
 * Errors:    SCO_INTERNAL with the system's reason. */
SCO_NODISCARD
enum sco_status sco_zygote_fork(struct sco_zygote *zygote,
                                struct sco_fork *fork, int socket,
                                struct sco_error *err);

/* Sends the worker a signal; none when there is no process yet. */
void sco_fork_signal(const struct sco_fork *fork, int number);

/* Ends the worker at once, also one that is only asked for; on_ended() comes
 * later. */
void sco_fork_kill(struct sco_fork *fork);

/* Forgets a worker that has ended, or was never asked for. */
void sco_fork_finish(struct sco_fork *fork);

#endif
