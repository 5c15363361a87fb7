/* loop.h - one thread that waits for everything
 *
 * An epoll set with three more things in it: timers (a heap, whose first one
 * limits the sleep), posts from other threads (a lock-free list with one
 * eventfd write for each burst), and hooks that run before every sleep, where
 * what a turn gathered is sent in one go. With nothing to do it sleeps; it
 * never looks round by itself.
 *
 * The order of a turn: ready descriptors, posts, timers, then the hooks until
 * none asks for another round, then sleep. Before timers that are due the
 * descriptors are looked at again and the hooks run, too: a loop that was kept
 * from its CPU hears all that has come meanwhile before it judges who is late.
 *
 * Thread: the loop's own, except sco_loop_post() and sco_loop_stop().
 */
#ifndef SCO_BASE_LOOP_H
#define SCO_BASE_LOOP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCO_LOOP_HOOKS_MAX = 8 };

struct sco_loop;

/* A descriptor that the loop watches. Embedded in its owner, which keeps it
 * until it is removed. `events` of the call are epoll's. */
struct sco_watch {
    int fd;
    void (*on_ready)(void *arg, uint32_t events);
    void *arg;
};

/* A moment to be called at. Embedded in its owner; zero it before first use
 * but for the two pointers. */
struct sco_timer {
    void (*on_time)(void *arg, uint64_t now_ns);
    void *arg;
    uint64_t at_ns;
    size_t place; /* in the heap, from 1; 0 while it is not set */
};

/* Something to be run on the loop's thread. Embedded in its owner; it may be
 * posted again once `run` has begun. */
struct sco_post {
    struct sco_post *next;
    void (*run)(void *arg);
    void *arg;
};

/* Called before the loop sleeps; true asks for another round of hooks. */
typedef bool (*sco_loop_hook_fn)(void *arg, uint64_t now_ns);

/* Makes a loop that runs nowhere yet.
 *
 * Ownership: the caller owns *out and ends it with sco_loop_destroy().
 * Errors:    SCO_NOMEM, SCO_INTERNAL when the kernel gives no descriptor. */
SCO_NODISCARD
enum sco_status sco_loop_create(struct sco_loop **out, struct sco_error *err);

/* Frees a loop that no longer runs. NULL is allowed. */
void sco_loop_destroy(struct sco_loop *loop);

/* Runs the loop on the calling thread until sco_loop_stop().
 *
 * Blocks: until then. */
void sco_loop_run(struct sco_loop *loop);

/* Makes sco_loop_run() return after the turn in hand; what was posted before
 * is still run. Before sco_loop_run() it allows that one turn.
 *
 * Thread: any. */
void sco_loop_stop(struct sco_loop *loop);

/* Adds a descriptor with epoll `events`.
 *
 * Ownership: `watch` is borrowed until it is removed.
 * Errors:    SCO_INTERNAL with the system's reason. */
SCO_NODISCARD
enum sco_status sco_loop_add(struct sco_loop *loop, struct sco_watch *watch,
                             uint32_t events, struct sco_error *err);

/* Stops watching; a readiness of this very turn is dropped too. To be called
 * before the descriptor is closed, which stays open. A watch that was never
 * added is allowed if its descriptor is -1 or nobody else's. */
void sco_loop_remove(struct sco_loop *loop, struct sco_watch *watch);

/* Sets a timer, or moves one that is set. Ownership: borrowed until it rings
 * or is cleared. Errors: none; a heap that cannot grow ends the program,
 * since its timers are made at start-up and counted. */
void sco_loop_timer_set(struct sco_loop *loop, struct sco_timer *timer,
                        uint64_t at_ns);

/* Clears a timer; one that is not set is allowed. */
void sco_loop_timer_clear(struct sco_loop *loop, struct sco_timer *timer);

/* Has `post->run` called on the loop's thread, in the order of posting of
 * each thread. One eventfd write for a burst: only the post that finds the
 * list empty and the loop asleep wakes it.
 *
 * Thread:    any. Blocks: never.
 * Ownership: `post` is borrowed until `run` begins. */
void sco_loop_post(struct sco_loop *loop, struct sco_post *post);

/* Adds a hook for the time before each sleep, in the order of adding. At most
 * SCO_LOOP_HOOKS_MAX of them. */
void sco_loop_hook(struct sco_loop *loop, sco_loop_hook_fn hook, void *arg);

/* The monotonic time at the begin of this turn, read once a turn. */
uint64_t sco_loop_now_ns(const struct sco_loop *loop);

#endif
