/* zygote_int.h - the insides of preloading: zygote.c, fork.c, zygote_wire.c
 *
 * Thread: the loop's.
 */
#ifndef SCO_WORKER_ZYGOTE_INT_H
#define SCO_WORKER_ZYGOTE_INT_H

#include "worker/zygote.h"
#include "worker/zygote_wire.h"

enum parent_state {
    PARENT_LOADING,
    PARENT_READY,
    PARENT_ENDING, /* nobody needs it any more */
};

struct zygote_parent {
    struct sco_zygote *zygote;
    struct sco_list link;
    struct sco_list forks; /* asked for, or alive */
    struct sco_fork *asked;
    struct sco_watch control; /* fd -1 when it is left to end by itself */
    struct sco_watch end;     /* the pidfd */
    struct sco_timer late;    /* ... and does not */
    uint64_t begun_ns;        /* when it was started, then when READY */
    enum parent_state state;
    pid_t pid;
    bool reloads; /* the boss waits to hear of it */
};

struct sco_zygote {
    const struct sco_worker_setup *setup;
    struct sco_zygote_boss boss;
    struct zygote_parent *current, *next;
    struct sco_list parents;
    struct sco_list waiting; /* of sco_fork.link, oldest first */
    struct sco_list orphans; /* alive, and their parent is not */
    struct sco_list dropped; /* killed while they waited */
    struct sco_timer again;  /* when the next parent is started */
    struct sco_timer drop;
    uint64_t failed_ns;
    unsigned failures; /* useless parents in a row */
    uint32_t last_number;
};

/* The first fork of a list, or NULL. */
struct sco_fork *zygote_first_fork(const struct sco_list *list);

/* Lets go of a fork and tells its owner, who may free it. */
void zygote_tell_end(struct sco_fork *fork, pid_t pid,
                     const struct sco_worker_end *end);

/* For a fork whose parent is gone: it ends too, at any moment, and its owner
 * is told then. */
void zygote_orphan(struct sco_fork *fork);

/* Tells of the forks that were killed while they waited. `arg` is the zygote:
 * the function of its timer. */
void zygote_on_drop(void *arg, uint64_t now_ns);

/* Closes a descriptor, if it is one, and forgets it. */
void zygote_close(int *fd);

/* Asks a parent for a fork, and passes the worker's socket. False: it cannot
 * be talked to. Blocks: never. */
bool zygote_send_fork(int control, const struct sco_fork *fork);

/* Takes one message, and the descriptor that came with it, else -1.
 *
 * Ownership: the caller has *fd_out, also on failure.
 * Errors:    SCO_NOT_FOUND when none is there, SCO_CLOSED, SCO_INVALID. */
SCO_NODISCARD
enum sco_status zygote_take(int control, struct sco_zygote_message *out,
                            int *fd_out);

#endif
