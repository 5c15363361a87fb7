/* runner.h - how a worker thread in the host calls the script
 *
 * The core knows no Python. Whoever starts the host gives it one of these for
 * each in-process kind, and worker/thread.c calls it; pybridge/ has the real
 * ones, the tests have their own.
 *
 * In kind `thread` all workers share the main interpreter: load() runs once.
 * In kind `interpreter` there is nothing to load in main: enter() makes an
 * interpreter with a GIL of its own and loads the script there.
 */
#ifndef SCO_WORKER_RUNNER_H
#define SCO_WORKER_RUNNER_H

#include "base/status.h"
#include "link/call.h"
#include "link/child.h"

#include <stdbool.h>
#include <stddef.h>

struct sco_runner {
    void *arg;

    /* leave() cannot undo all of enter(): interpreters of Python 3.13 and
     * before leave megabytes behind, so that to recycle one cures nothing. */
    bool leaks;

    /* Prepares the host's own interpreter: kind thread loads the script and
     * runs init() there, kind interpreter imports what must be imported in
     * main first.
     *
     * Thread: main, before any other call.
     * Blocks: as long as the script's init().
     * Errors: SCO_SCRIPT when it failed; the reason has been logged. */
    enum sco_status (*load)(void *arg, struct sco_error *err);

    /* Makes the calling thread one that may score, and undoes it. leave()
     * may block for ever: a script's own threads may not end.
     *
     * Thread: the worker thread; main is prepared already by load().
     * Blocks: kind interpreter: as long as the script's init().
     * Errors: SCO_NOMEM; SCO_SCRIPT when the script failed to load in this
     *         thread, and the reason has been logged. */
    enum sco_status (*enter)(void *arg, void **thread_out,
                             struct sco_error *err);
    void (*leave)(void *arg, void *thread);

    /* What a worker offers beside scoring, as for sco_child_ready(); holds
     * until leave(). Thread: the one that entered. */
    void (*documents)(void *arg, void *thread,
                      const struct sco_document **documents_out,
                      size_t *count_out);

    /* Scores one call and gives its reply.
     *
     * Thread: one that has entered (`thread` is enter()'s).
     * Blocks: as long as the script. */
    void (*score)(void *arg, void *thread, const struct sco_call *call,
                  struct sco_sink *sink);

    /* Scores what comes over a lane until the host says stop, if the script
     * is one whose requests are scored many at once; else false, at once. May
     * be NULL.
     *
     * Thread: one that has entered. Blocks: until then. */
    bool (*serve)(void *arg, void *thread, struct sco_child *child);

    /* Logs a line through Python's logging. Thread: one that has entered. */
    void (*line)(void *arg, void *thread, const struct sco_child_line *line);

    /* Writes the Python stack of `thread` to stderr. Never waits for a GIL.
     * Thread: any. */
    void (*dump)(void *arg, void *thread);

    /* Asks the script that runs on `thread` to stop: ScoringTimeout (or
     * Cancelled) is raised in it as soon as it runs Python code again.
     *
     * Thread: any but the loop's own (it may wait for the GIL), or for the
     *         main thread any at all. */
    void (*interrupt)(void *arg, void *thread);

    /* Runs the pending Python signal handlers. Thread: main, entered. */
    void (*signals)(void *arg, void *thread);

    /* Lets go of the script. Thread: main, after all have left. */
    void (*unload)(void *arg);
};

/* The runners of the in-process kinds; NULL where there is no Python. */
struct sco_runners {
    const struct sco_runner *thread;
    const struct sco_runner *interpreter;
};

#endif
