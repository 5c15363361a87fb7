/* pythread.h - a thread of the host that scores, as both runners have it
 *
 * It has one thread state for life, which is detached while the thread waits,
 * and what it scores with. The functions that a struct sco_runner wants of
 * every kind of thread are here; how one comes and goes is the kind's.
 *
 * Other threads may interrupt it, or have it show its stack, as long as it is
 * open. Its end waits for those who are at it.
 *
 * Thread: the one that it stands for, where a function says nothing else.
 */
#ifndef SCO_PYBRIDGE_PYTHREAD_H
#define SCO_PYBRIDGE_PYTHREAD_H

#include "pybridge/py.h"

#include "pybridge/call.h"
#include "pybridge/scoring.h"
#include "worker/runner.h"

#include <pthread.h>
#include <stdbool.h>

struct sco_pythread {
    struct sco_scorer scorer;
    struct sco_scoring scoring;
    PyInterpreterState *interpreter;
    PyThreadState *state;      /* while the thread is detached */
    struct sco_pythread *next; /* among those put aside */
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t left; /* a guest has */
        pthread_t id;
        unsigned guests; /* other threads that are at it */
        bool is_open;
    } locked;
};

/* Threads that have left. A struct is never freed before the last one has: an
 * interrupt may be on its way to a thread that has just gone, and must find
 * a closed one then, not freed memory. */
struct sco_pythreads {
    pthread_mutex_t mutex;
    struct sco_pythread *left;
};

/* Makes an empty one in place. Thread: any. */
void sco_pythreads_init(struct sco_pythreads *threads);

/* Frees the structs that are there. Thread: any, when no other uses it. */
void sco_pythreads_finish(struct sco_pythreads *threads);

/* A closed thread that was put aside, or a new one; NULL without memory.
 * Ownership: the caller's until it is put aside again. Thread: any. */
struct sco_pythread *sco_pythreads_take(struct sco_pythreads *threads);

/* Puts one aside that is closed. Thread: any. */
void sco_pythreads_put(struct sco_pythreads *threads,
                       struct sco_pythread *thread);

/* Makes a closed thread in place. Thread: any. */
void sco_pythread_init(struct sco_pythread *thread);

/* Ends it. Thread: any, when no other uses it. */
void sco_pythread_finish(struct sco_pythread *thread);

/* Attaches the thread to its interpreter. Blocks: for the GIL. */
void sco_pythread_attach(struct sco_pythread *thread);

/* Lets go of the GIL. */
void sco_pythread_detach(struct sco_pythread *thread);

/* Reads a Scoring into it, so that it can score. Attached.
 *
 * Errors: -1 with an exception, and there is nothing to let go of. */
int sco_pythread_load(struct sco_pythread *thread, PyObject *object,
                      PyTypeObject *call_type);

/* Lets go of the Scoring. One without is allowed. Attached. */
void sco_pythread_unload(struct sco_pythread *thread);

/* Lets other threads at the calling one, whose signal mask lets through what
 * they send. Attached; it is detached then. */
void sco_pythread_open(struct sco_pythread *thread);

/* Lets nobody at it any more. Detached.
 * Blocks: until those who are at it have left: they may wait for the GIL. */
void sco_pythread_close(struct sco_pythread *thread);

/* Ends the calling thread's state, which is attached. */
void sco_pythread_end_state(void);

/* For a struct sco_runner, with `thread` a struct sco_pythread. */
void sco_pythread_documents(void *arg, void *thread,
                            const struct sco_document **documents_out,
                            size_t *count_out);

/* Likewise. Blocks: as long as the script. */
void sco_pythread_score(void *arg, void *thread, const struct sco_call *call,
                        struct sco_sink *sink);

/* Likewise. Blocks: until the host says stop. */
bool sco_pythread_serve(void *arg, void *thread, struct sco_child *child);

/* Likewise. */
void sco_pythread_line(void *arg, void *thread,
                       const struct sco_child_line *line);

/* Likewise. Thread: any. Blocks: never. */
void sco_pythread_dump(void *arg, void *thread);

/* Likewise. Thread: any other. Blocks: for the GIL, perhaps for ever. */
void sco_pythread_interrupt(void *arg, void *thread);

/* Likewise: runs pending signal handlers, if this is Python's main thread. */
void sco_pythread_signals(void *arg, void *thread);

#endif
