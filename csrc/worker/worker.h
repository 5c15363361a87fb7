/* worker.h - what runs the script, and what it takes to be one more kind
 *
 * A worker scores one request at a time, in the order given. All kinds speak
 * over a lane (link/lane.h), so what it means to give work, to hear replies,
 * to take back what was not started and to notice that time is up stands
 * once, in worker.c. A kind is one `struct sco_worker_ops`: how it starts,
 * is interrupted, is told to stop, and is killed.
 *
 * Design notes
 *
 * STARTING -> READY -> LEAVING -> GONE, and from each of the first three
 * straight to GONE. A worker is READY when init() has returned. LEAVING it
 * gets no more work and ends when what it holds is done. Only a GONE worker
 * may be destroyed; its kind says when it is (a pidfd, a thread's last post).
 *
 * `held` are the requests in the lane, oldest first; at most the oldest that
 * is not revoked has been started. An answered one stays held until the
 * worker is through with it: the client may be gone, but the worker is busy.
 *
 * Thread: the loop's, all of it, but what an op says otherwise.
 */
#ifndef SCO_WORKER_WORKER_H
#define SCO_WORKER_WORKER_H

#include "base/list.h"
#include "base/loop.h"
#include "base/slice.h"
#include "base/status.h"
#include "link/lane.h"
#include "request/request.h"
#include "worker/boss.h"
#include "worker/recycle.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_gpus;
struct sco_remote;
struct sco_runner;
struct sco_worker;
struct sco_zygote;

enum sco_worker_state {
    SCO_WORKER_STARTING,
    SCO_WORKER_READY,
    SCO_WORKER_LEAVING,
    SCO_WORKER_GONE,
};

/* The exit code with which a worker says that its script cannot be loaded. */
enum { SCO_WORKER_BOOT_FAILED = 3 };

/* What all workers of a deployment start with; constant, and outlives them. */
struct sco_worker_setup {
    struct sco_loop *loop;
    struct sco_arena *arena;
    struct sco_slice boot;           /* JSON, for the worker's Python side */
    const char *python;              /* kind process: the executable */
    unsigned threads_each;           /* ... OMP_NUM_THREADS and kin */
    struct sco_zygote *zygote;       /* ... what they fork from, or NULL */
    const struct sco_runner *runner; /* kinds thread and interpreter */
    struct sco_seat *seat; /* kind thread with one worker: the main thread */
    struct sco_remote *remote; /* kind remote: where workers come to */
    struct sco_gpus *gpus;     /* kind process: which each sees; or NULL */
    uint64_t limit_ns;         /* of one run(); 0: none */
    uint64_t stream_limit_ns;  /* of silence in a stream; 0: none */
    uint32_t timeout_ms;       /* `limit_ns` for the script's log lines */
    bool raise_cancelled;      /* interrupt a run() that nobody waits for */
};

struct sco_worker {
    const struct sco_worker_ops *ops;
    const struct sco_worker_setup *setup;
    struct sco_worker_boss boss;
    struct sco_list link; /* in the boss's list */

    struct sco_lane *lane;
    struct sco_list held; /* of sco_request.link, oldest first */
    size_t held_count;
    struct sco_timer limit;
    uint64_t overdue_ticket; /* answered as timed out; 0: none */
    bool overdue_told;       /* ... and its script was interrupted */
    uint64_t begun_ns;       /* when it was started */
    enum sco_worker_state state;
    pid_t pid; /* the process that runs the script; 0: not yet */
    unsigned served;
    bool rung; /* calls were sent since the last sco_worker_flush() */
    bool killed;
    bool was_ready;
    bool asked_to_leave;
    unsigned credits; /* calls that it may have begun; 0: one */
    const char *name; /* of a remote worker; else NULL */

    /* The pool's notes. */
    unsigned number;     /* from 1, in the order of their starts */
    unsigned generation; /* of the script that it loaded */
    bool is_guest;       /* none of the pool's own */
    struct sco_recycle_life life;
    enum sco_recycle_why worn; /* it is to be replaced */
};

struct sco_worker_ops {
    const char *name; /* as in the configuration: "process" */
    size_t bytes;     /* of the kind's struct, which begins with sco_worker */

    /* It is a part of the host, whose memory it shares. */
    bool is_inside;

    /* A new one beside the old ones loads the script anew. */
    bool is_replaceable;

    /* Starts the script's loading; the lane is there already.
     *
     * Blocks: for a millisecond (a spawn), never for the script.
     * Errors: SCO_INTERNAL with the system's reason; nothing runs then. */
    enum sco_status (*start)(struct sco_worker *worker, struct sco_error *err);

    /* Writes the stack of the script to stderr, without waiting for it. */
    void (*dump)(struct sco_worker *worker);

    /* Raises what the request's mark asks for, if the script runs Python. */
    void (*interrupt)(struct sco_worker *worker);

    /* Ends the worker at once; on_gone follows, in a later turn. A thread
     * cannot be ended: if it has anything in hand it is left behind, and its
     * worker's end has `lost`. What it may yet come back to is the kind's to
     * keep: its end of the lane, a reference to each request it started. */
    void (*kill)(struct sco_worker *worker);

    /* Frees what start() made. Also half of it. */
    void (*finish)(struct sco_worker *worker);
};

extern const struct sco_worker_ops sco_process_worker;
extern const struct sco_worker_ops sco_remote_worker;
extern const struct sco_worker_ops sco_interpreter_worker;
extern const struct sco_worker_ops sco_thread_worker;

/* Writes how a worker ended, as the end of "it ...". Thread: any. */
void sco_worker_tell_end(const struct sco_worker_end *end, char *text,
                         size_t text_bytes);

/* Makes a worker and starts it.
 *
 * Ownership: the caller owns *out. `setup` is borrowed, `boss` copied.
 * Errors:    SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_worker_create(const struct sco_worker_ops *ops,
                                  const struct sco_worker_setup *setup,
                                  const struct sco_worker_boss *boss,
                                  struct sco_worker **out,
                                  struct sco_error *err);

/* Whether a worker is there to be given work: READY, and neither killed nor
 * busy with what was answered as timed out. */
static inline bool
sco_worker_is_able(const struct sco_worker *worker)
{
    return worker->state == SCO_WORKER_READY && !worker->killed &&
           worker->overdue_ticket == 0;
}

/* Gives a READY worker a request. False when its ring is full; the request
 * is then still the caller's. The worker is woken by sco_worker_flush().
 *
 * Ownership: takes the work when it returns true. */
bool sco_worker_give(struct sco_worker *worker, struct sco_request *req);

/* Wakes a worker that was given something. */
void sco_worker_flush(struct sco_worker *worker);

/* Hears the worker's replies. True when there was one. */
bool sco_worker_poll(struct sco_worker *worker);

/* Takes back what was not started: true, and then the caller has the work. */
bool sco_worker_take_back(struct sco_worker *worker, struct sco_request *req);

/* Returns all that the worker has not started to its boss. */
void sco_worker_return(struct sco_worker *worker);

/* The newest request that could be taken back, or NULL. */
struct sco_request *sco_worker_spare(struct sco_worker *worker);

/* Nobody wants what runs: the script sees it, and may be interrupted. */
void sco_worker_cancel(struct sco_worker *worker, struct sco_request *req,
                       enum sco_cancel why);

/* Tells a worker to end when it is through with what it holds. */
void sco_worker_leave(struct sco_worker *worker);

/* Ends a worker at once; what it holds is lost or returned. */
void sco_worker_kill(struct sco_worker *worker);

/* For the kinds: the worker has ended. Hears its last replies, answers what
 * it had started with SCO_WORKER_LOST, returns the rest, and tells the boss.
 * The worker may be destroyed when this returns. */
void sco_worker_gone(struct sco_worker *worker,
                     const struct sco_worker_end *end);

/* Frees a worker that is GONE or was never started. NULL is allowed. */
void sco_worker_destroy(struct sco_worker *worker);

/* How many threads of lost workers have not come back. While there is one,
 * neither the arena nor the loop nor Python may be taken down under it: the
 * process leaves by _exit(). Thread: any. */
size_t sco_thread_left_behind(void);

#endif
