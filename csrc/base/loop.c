/* Design notes
 *
 * The loop is either in a turn or asleep in epoll. `sleeping` says which to
 * those who post: the loop stores it and then looks at the posts, a poster
 * stores its post and then looks at it, both sequentially consistent, so
 * that one of the two sees the other (Dekker). A false alarm costs an empty
 * turn and nothing else. Whoever turns `sleeping` off writes the eventfd,
 * therefore a burst of posts costs one write.
 *
 * The eventfd is watched edge-triggered and never read: each write is an
 * edge of its own, and its counter takes 2^64 of them.
 *
 * Stopping waits for nothing but the turn in hand; what was posted before
 * sco_loop_stop() is run before sco_loop_run() returns.
 */
#define _GNU_SOURCE /* syscall(), for epoll_pwait2 with an older glibc */
#include "base/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { READY_MAX = 256, TIMERS_FIRST = 64 };

struct hook {
    sco_loop_hook_fn call;
    void *arg;
};

struct sco_loop {
    int epoll_fd;
    int wake_fd;

    /* The loop's thread alone. */
    uint64_t now_ns;
    struct epoll_event ready[READY_MAX]; /* a NULL pointer: dropped */
    size_t ready_count;
    size_t ready_at;           /* the next one to be called */
    struct sco_timer **timers; /* a binary heap, the root at 1 */
    size_t timer_count;
    size_t timer_room;
    struct hook hooks[SCO_LOOP_HOOKS_MAX];
    size_t hook_count;
    bool only_ms; /* the kernel has no epoll_pwait2() */

    /* Any thread. */
    _Atomic(struct sco_post *) posts; /* newest first */
    atomic_bool sleeping;             /* and nobody has woken it yet */
    atomic_bool stopping;
};

/* ---- making and ending ------------------------------------------------ */

/* Opens the two descriptors, close-on-exec. */
static enum sco_status
loop_open(struct sco_loop *loop, struct sco_error *err)
{
    /* Its data is a null pointer: nobody is called for it. */
    struct epoll_event wake = { .events = EPOLLIN | EPOLLET };

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        return sco_fail(err, SCO_INTERNAL, "epoll: %s", strerror(errno));
    }
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        return sco_fail(err, SCO_INTERNAL, "eventfd: %s", strerror(errno));
    }
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) != 0) {
        return sco_fail(err, SCO_INTERNAL, "epoll: %s", strerror(errno));
    }
    return SCO_OK;
}

enum sco_status
sco_loop_create(struct sco_loop **out, struct sco_error *err)
{
    struct sco_loop *loop = calloc(1, sizeof(*loop));
    enum sco_status status;

    if (loop == NULL) {
        return sco_fail(err, SCO_NOMEM, "event loop");
    }
    loop->epoll_fd = -1;
    loop->wake_fd = -1;
    atomic_init(&loop->posts, NULL);
    atomic_init(&loop->sleeping, false);
    atomic_init(&loop->stopping, false);
    loop->now_ns = sco_clock_now_ns();
    status = loop_open(loop, err);
    if (status != SCO_OK) {
        sco_loop_destroy(loop);
        return status;
    }
    *out = loop;
    return SCO_OK;
}

void
sco_loop_destroy(struct sco_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (loop->wake_fd >= 0) {
        (void)close(loop->wake_fd);
    }
    if (loop->epoll_fd >= 0) {
        (void)close(loop->epoll_fd);
    }
    free(loop->timers);
    free(loop);
}

/* ---- descriptors ------------------------------------------------------ */

enum sco_status
sco_loop_add(struct sco_loop *loop, struct sco_watch *watch, uint32_t events,
             struct sco_error *err)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0) {
        return sco_fail(err, SCO_INTERNAL, "epoll: %s", strerror(errno));
    }
    return SCO_OK;
}

void
sco_loop_remove(struct sco_loop *loop, struct sco_watch *watch)
{
    /* Kernels before 2.6.9 wanted an event here; none is read. */
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (size_t i = loop->ready_at; i < loop->ready_count; i++) {
        if (loop->ready[i].data.ptr == watch) {
            loop->ready[i].data.ptr = NULL;
        }
    }
}

static void
run_ready(struct sco_loop *loop)
{
    while (loop->ready_at < loop->ready_count) {
        const struct epoll_event *event = &loop->ready[loop->ready_at++];
        const struct sco_watch *watch = event->data.ptr;

        if (watch != NULL) {
            watch->on_ready(watch->arg, event->events);
        }
    }
}

/* ---- timers ----------------------------------------------------------- */

static void
timer_put(struct sco_loop *loop, struct sco_timer *timer, size_t place)
{
    loop->timers[place] = timer;
    timer->place = place;
}

/* Moves a timer towards the root as far as it belongs. */
static void
timer_rise(struct sco_loop *loop, struct sco_timer *timer)
{
    size_t place = timer->place;

    while (place > 1 && loop->timers[place / 2]->at_ns > timer->at_ns) {
        timer_put(loop, loop->timers[place / 2], place);
        place /= 2;
    }
    timer_put(loop, timer, place);
}

/* Moves a timer towards the leaves as far as it belongs. */
static void
timer_sink(struct sco_loop *loop, struct sco_timer *timer)
{
    size_t place = timer->place;

    while (place * 2 <= loop->timer_count) {
        size_t below = place * 2;

        if (below < loop->timer_count &&
            loop->timers[below + 1]->at_ns < loop->timers[below]->at_ns) {
            below++;
        }
        if (loop->timers[below]->at_ns >= timer->at_ns) {
            break;
        }
        timer_put(loop, loop->timers[below], place);
        place = below;
    }
    timer_put(loop, timer, place);
}

/* Makes room for one more timer and for the unused place 0. */
static void
timers_grow(struct sco_loop *loop)
{
    size_t room = loop->timer_room > 0 ? loop->timer_room * 2 : TIMERS_FIRST;
    struct sco_timer **timers;

    if (loop->timer_count + 2 <= loop->timer_room) {
        return;
    }
    timers = realloc(loop->timers, room * sizeof(struct sco_timer *));
    SCO_CHECK(timers != NULL, "no memory for a timer");
    loop->timers = timers;
    loop->timer_room = room;
}

void
sco_loop_timer_set(struct sco_loop *loop, struct sco_timer *timer,
                   uint64_t at_ns)
{
    if (timer->place == 0) {
        timers_grow(loop);
        timer_put(loop, timer, ++loop->timer_count);
    }
    timer->at_ns = at_ns;
    timer_rise(loop, timer);
    timer_sink(loop, timer);
}

void
sco_loop_timer_clear(struct sco_loop *loop, struct sco_timer *timer)
{
    struct sco_timer *last;
    size_t place = timer->place;

    if (place == 0) {
        return;
    }
    last = loop->timers[loop->timer_count--];
    timer->place = 0;
    if (last != timer) {
        timer_put(loop, last, place);
        timer_rise(loop, last);
        timer_sink(loop, last);
    }
}

static bool
is_due(const struct sco_loop *loop)
{
    return loop->timer_count > 0 && loop->timers[1]->at_ns <= loop->now_ns;
}

/* Rings what is due. A timer that sets itself to a time gone by has its turn
 * in the next round, after the descriptors. */
static void
run_timers(struct sco_loop *loop)
{
    for (size_t most = loop->timer_count; most > 0; most--) {
        struct sco_timer *first;

        if (!is_due(loop)) {
            return;
        }
        first = loop->timers[1];
        sco_loop_timer_clear(loop, first);
        first->on_time(first->arg, loop->now_ns);
    }
}

/* ---- posts ------------------------------------------------------------ */

/* Wakes the loop if it sleeps and nobody else has. */
static void
loop_wake(struct sco_loop *loop)
{
    const uint64_t one = 1;

    if (atomic_load(&loop->sleeping) &&
        atomic_exchange(&loop->sleeping, false)) {
        ssize_t wrote = write(loop->wake_fd, &one, sizeof(one));

        SCO_CHECK(wrote == sizeof(one), "the loop cannot be woken");
    }
}

void
sco_loop_post(struct sco_loop *loop, struct sco_post *post)
{
    struct sco_post *newest = atomic_load(&loop->posts);

    do {
        post->next = newest;
    } while (!atomic_compare_exchange_weak(&loop->posts, &newest, post));
    loop_wake(loop);
}

static void
run_posts(struct sco_loop *loop)
{
    struct sco_post *post;
    struct sco_post *oldest = NULL;

    if (atomic_load_explicit(&loop->posts, memory_order_relaxed) == NULL) {
        return;
    }
    post = atomic_exchange(&loop->posts, NULL);
    while (post != NULL) {
        struct sco_post *next = post->next;

        post->next = oldest;
        oldest = post;
        post = next;
    }
    while (oldest != NULL) {
        /* Once it runs it may be posted again, or be gone. */
        struct sco_post *next = oldest->next;

        oldest->run(oldest->arg);
        oldest = next;
    }
}

/* ---- turns ------------------------------------------------------------ */

void
sco_loop_hook(struct sco_loop *loop, sco_loop_hook_fn hook, void *arg)
{
    SCO_CHECK(loop->hook_count < SCO_LOOP_HOOKS_MAX, "too many hooks");
    loop->hooks[loop->hook_count++] = (struct hook){ hook, arg };
}

static void
run_hooks(struct sco_loop *loop)
{
    bool again;

    do {
        again = false;
        for (size_t i = 0; i < loop->hook_count; i++) {
            const struct hook *hook = &loop->hooks[i];

            again = hook->call(hook->arg, loop->now_ns) || again;
        }
    } while (again);
}

/* epoll_wait() in whole milliseconds, rounded up: woken early, the loop
 * would turn without anything to do. */
static int
wait_ms(struct sco_loop *loop, uint64_t wait_ns)
{
    uint64_t ms = wait_ns / SCO_NS_PER_MS;

    ms += wait_ns % SCO_NS_PER_MS != 0 ? 1 : 0;
    return epoll_wait(loop->epoll_fd, loop->ready, READY_MAX,
                      ms < INT_MAX ? (int)ms : INT_MAX);
}

/* Sleeps until a descriptor is ready or the first timer is due. */
static int
wait_for_timer(struct sco_loop *loop)
{
    uint64_t now_ns = sco_clock_now_ns();
    uint64_t at_ns = loop->timers[1]->at_ns;
    uint64_t wait_ns = at_ns > now_ns ? at_ns - now_ns : 0;

#ifdef SYS_epoll_pwait2
    if (wait_ns > 0 && !loop->only_ms) {
        struct timespec wait = {
            .tv_sec = (time_t)(wait_ns / SCO_NS_PER_S),
            .tv_nsec = (long)(wait_ns % SCO_NS_PER_S),
        };
        int count = (int)syscall(SYS_epoll_pwait2, loop->epoll_fd, loop->ready,
                                 READY_MAX, &wait, NULL, (size_t)0);

        /* A sandbox may refuse what its profile does not know. */
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return count;
        }
        loop->only_ms = true;
    }
#endif
    return wait_ms(loop, wait_ns);
}

/* Waits without missing a post or the stop. */
static int
loop_wait(struct sco_loop *loop)
{
    int count;

    atomic_store(&loop->sleeping, true);
    if (atomic_load(&loop->posts) != NULL || atomic_load(&loop->stopping)) {
        count = epoll_wait(loop->epoll_fd, loop->ready, READY_MAX, 0);
    } else if (loop->timer_count == 0) {
        count = epoll_wait(loop->epoll_fd, loop->ready, READY_MAX, -1);
    } else {
        count = wait_for_timer(loop);
    }
    /* A poster may have turned it off; its wake-up is then spent on the next
     * sleep, which it ends early once. */
    atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
    return count;
}

static void
take_ready(struct sco_loop *loop, int count)
{
    SCO_CHECK(count >= 0 || errno == EINTR, "epoll does not wait");
    loop->ready_at = 0;
    loop->ready_count = count > 0 ? (size_t)count : 0;
}

static void
loop_sleep(struct sco_loop *loop)
{
    take_ready(loop, loop_wait(loop));
    loop->now_ns = sco_clock_now_ns();
}

/* Before a timer rings: what has come until now, while the loop may have been
 * kept from its CPU, is heard, and so does not count as late. */
static void
hear_first(struct sco_loop *loop)
{
    if (is_due(loop)) {
        take_ready(loop,
                   epoll_wait(loop->epoll_fd, loop->ready, READY_MAX, 0));
        run_ready(loop);
        run_hooks(loop);
    }
}

void
sco_loop_run(struct sco_loop *loop)
{
    bool stopping;

    loop->now_ns = sco_clock_now_ns();
    do {
        run_ready(loop);
        /* Asked before the posts: those before the stop are then run. */
        stopping = atomic_exchange(&loop->stopping, false);
        run_posts(loop);
        hear_first(loop);
        run_timers(loop);
        run_hooks(loop);
        if (!stopping) {
            loop_sleep(loop);
        }
    } while (!stopping);
}

void
sco_loop_stop(struct sco_loop *loop)
{
    atomic_store(&loop->stopping, true);
    loop_wake(loop);
}

uint64_t
sco_loop_now_ns(const struct sco_loop *loop)
{
    return loop->now_ns;
}
