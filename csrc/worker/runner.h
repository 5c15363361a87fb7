/* runner.h - how a worker thread in the host calls the script
 *
 * The core knows no Python. Whoever starts the host gives it one of these,
 * and the thread kind calls it; pybridge/runner.c is the real one, the tests
 * have their own.
 */
#ifndef SCO_WORKER_RUNNER_H
#define SCO_WORKER_RUNNER_H

#include "base/status.h"
#include "link/call.h"
#include "link/child.h"

#include <stddef.h>

struct sco_runner {
    void *arg;

    /* Loads the script and runs init() in the host's own interpreter.
     *
     * Thread: main, before any other call.
     * Blocks: as long as the script's init().
     * Errors: SCO_SCRIPT when it failed; the reason has been logged. */
    enum sco_status (*load)(void *arg, struct sco_error *err);

    /* What a worker offers beside scoring, as for sco_child_ready(); holds
     * until unload(). Thread: any, after load(). */
    void (*documents)(void *arg, const struct sco_document **documents_out,
                      size_t *count_out);

    /* Makes the calling thread one that may score, and undoes it.
     *
     * Thread: the worker thread; main is prepared already by load().
     * Errors: SCO_NOMEM. */
    enum sco_status (*enter)(void *arg, void **thread_out);
    void (*leave)(void *arg, void *thread);

    /* Scores one call and gives its reply.
     *
     * Thread: one that has entered (`thread` is enter()'s).
     * Blocks: as long as the script. */
    void (*score)(void *arg, void *thread, const struct sco_call *call,
                  struct sco_sink *sink);

    /* Logs a line through Python's logging. Thread: one that has entered. */
    void (*line)(void *arg, void *thread, const struct sco_child_line *line);

    /* Asks the script that runs on `thread` to stop: ScoringTimeout is raised
     * in it as soon as it runs Python code again.
     *
     * Thread: any but the loop's own (it may wait for the GIL), or for the
     *         main thread any at all. */
    void (*interrupt)(void *arg, void *thread);

    /* Runs the pending Python signal handlers. Thread: main, entered. */
    void (*signals)(void *arg, void *thread);

    /* Lets go of the script. Thread: main, after all have left. */
    void (*unload)(void *arg);
};

#endif
