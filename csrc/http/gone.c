/* Design notes
 *
 * An exchange that waits for its reply is in one of three lists, each in the
 * order of waiting, so that one timer and the first of each list are enough:
 *
 *     fresh   -> for WATCH_AFTER_NS nobody looks whether its client is still
 *                there; most replies come before and pay nothing
 *     watched -> its socket is in an epoll set of our own, for EPOLLRDHUP
 *                and for EPOLLHUP and EPOLLERR
 *     parked  -> watched, and suspended
 *
 * Suspending takes the library two epoll_ctl(), one recv() in vain, a lock
 * and a walk over all that are suspended; an exchange that is left awake is
 * asked once in each run of the daemon. So each stays awake until it has been
 * asked so often that suspending it would have been cheaper: whatever the
 * load, that costs at most twice of what the better way would have. And none
 * stays awake for longer than SLEEP_AFTER_NS, so that a host whose scripts
 * run for seconds does nothing meanwhile.
 *
 * While it is awake the library sees a dead connection too and ends the
 * exchange; a closed sending side is seen here alone. Streams that have
 * nothing to send are suspended at once.
 */
#define _GNU_SOURCE /* EPOLLRDHUP */
#include "http/http_int.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    /* Suspending and resuming costs as much as this many questions. */
    ASKED_MAX = 48,
    READY_MAX = 64,
};

#define WATCH_AFTER_NS (5 * SCO_NS_PER_MS)
#define SLEEP_AFTER_NS (20 * SCO_NS_PER_MS)

/* The first of a list, or NULL. */
static struct sco_exchange *
first_of(const struct sco_list *list)
{
    struct sco_list *link = sco_list_first(list);

    return link != NULL ? SCO_LIST_ENTRY(link, struct sco_exchange, link)
                        : NULL;
}

/* ---- waiting ---------------------------------------------------------- */

/* Sets the timer to the next change of lists. */
static void
set_patience(struct sco_http *http)
{
    const struct sco_exchange *fresh = first_of(&http->fresh);
    const struct sco_exchange *watched = first_of(&http->watched);
    uint64_t at_ns = UINT64_MAX;

    if (fresh != NULL) {
        at_ns = fresh->waits_since_ns + WATCH_AFTER_NS;
    }
    if (watched != NULL && watched->waits_since_ns + SLEEP_AFTER_NS < at_ns) {
        at_ns = watched->waits_since_ns + SLEEP_AFTER_NS;
    }
    if (at_ns != UINT64_MAX) {
        sco_loop_timer_set(http->loop, &http->patience, at_ns);
    }
}

void
sco_gone_wait(struct sco_exchange *ex, enum sco_rest rest)
{
    struct sco_http *http = ex->connection->http;

    ex->rest = rest;
    ex->waits_since_ns = sco_loop_now_ns(http->loop);
    sco_list_push(&http->fresh, &ex->link);
    if (rest == SCO_REST_AWAKE) {
        http->awake_count++;
    }
    if (http->patience.place == 0) {
        sco_loop_timer_set(http->loop, &http->patience,
                           ex->waits_since_ns + WATCH_AFTER_NS);
    }
}

bool
sco_gone_should_sleep(struct sco_exchange *ex)
{
    ex->asked_count++;
    return ex->rest == SCO_REST_AWAKE
           && (ex->is_stale || ex->asked_count > ASKED_MAX);
}

void
sco_gone_asleep(struct sco_exchange *ex)
{
    ex->rest = SCO_REST_ASLEEP;
    ex->connection->http->awake_count--;
}

bool
sco_gone_wake(struct sco_exchange *ex)
{
    struct sco_http *http = ex->connection->http;
    bool was_asleep = ex->rest == SCO_REST_ASLEEP;

    if (ex->rest == SCO_REST_NONE) {
        return false;
    }
    if (ex->rest == SCO_REST_AWAKE) {
        http->awake_count--;
    }
    if (ex->is_watched) {
        (void)epoll_ctl(http->gone_fd, EPOLL_CTL_DEL, ex->connection->fd,
                        NULL);
    }
    sco_list_remove(&ex->link);
    ex->rest = SCO_REST_NONE;
    ex->is_watched = false;
    ex->is_stale = false;
    return was_asleep;
}

/* Resumes the suspended ones of a list. */
static void
wake_list(struct sco_list *list)
{
    struct sco_exchange *ex;

    while ((ex = first_of(list)) != NULL) {
        if (sco_gone_wake(ex)) {
            MHD_resume_connection(ex->connection->mhd);
        }
    }
}

void
sco_gone_wake_all(struct sco_http *http)
{
    wake_list(&http->fresh);
    wake_list(&http->watched);
    wake_list(&http->parked);
}

/* ---- patience --------------------------------------------------------- */

/* Begins to watch the client. */
static void
watch_client(struct sco_exchange *ex)
{
    struct sco_http *http = ex->connection->http;
    struct epoll_event event = { .events = EPOLLRDHUP, .data.ptr = ex };

    ex->is_watched = epoll_ctl(http->gone_fd, EPOLL_CTL_ADD,
                               ex->connection->fd, &event)
                     == 0;
    sco_list_remove(&ex->link);
    sco_list_push(&http->watched, &ex->link);
}

/* Moves on those who have waited long enough. */
static void
on_patience(void *arg, uint64_t now_ns)
{
    struct sco_http *http = arg;
    struct sco_exchange *ex;

    while ((ex = first_of(&http->fresh)) != NULL
           && ex->waits_since_ns + WATCH_AFTER_NS <= now_ns) {
        watch_client(ex);
    }
    while ((ex = first_of(&http->watched)) != NULL
           && ex->waits_since_ns + SLEEP_AFTER_NS <= now_ns) {
        ex->is_stale = true;
        sco_list_remove(&ex->link);
        sco_list_push(&http->parked, &ex->link);
    }
    if (http->awake_count > 0) {
        sco_http_due(http, 0, 0);
    }
    set_patience(http);
}

/* ---- hang-ups --------------------------------------------------------- */

/* The connection is dead: the daemon is to end it. */
static void
end_exchange(struct sco_exchange *ex)
{
    struct sco_http *http = ex->connection->http;
    bool was_asleep = sco_gone_wake(ex);

    ex->is_cut = true;
    sco_exchange_tell_gone(ex, SCO_GONE_ALL);
    if (was_asleep) {
        MHD_resume_connection(ex->connection->mhd);
    }
    sco_http_due(http, 1, 0);
}

/* The client has closed its sending side: its last news but for the end. */
static void
half_closed(struct sco_exchange *ex)
{
    struct sco_http *http = ex->connection->http;
    struct epoll_event event = { .events = 0, .data.ptr = ex };

    (void)epoll_ctl(http->gone_fd, EPOLL_CTL_MOD, ex->connection->fd, &event);
    sco_exchange_tell_gone(ex, SCO_GONE_SENDING);
}

static void
on_gone_ready(void *arg, uint32_t events)
{
    struct sco_http *http = arg;
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(http->gone_fd, ready, READY_MAX, /* wait */ 0);

    (void)events;
    for (int i = 0; i < count; i++) {
        struct sco_exchange *ex = ready[i].data.ptr;

        if (sco_linger_is(ready[i].data.ptr)) {
            sco_linger_ready(http, ready[i].data.ptr);
        } else if (!ex->is_watched) {
            continue; /* over since the epoll_wait() */
        } else if ((ready[i].events & (EPOLLHUP | EPOLLERR)) != 0) {
            end_exchange(ex);
        } else {
            half_closed(ex);
        }
    }
}

/* ---- making and ending ------------------------------------------------ */

enum sco_status
sco_gone_init(struct sco_http *http, struct sco_error *err)
{
    sco_list_init(&http->fresh);
    sco_list_init(&http->watched);
    sco_list_init(&http->parked);
    http->patience = (struct sco_timer){ .on_time = on_patience, .arg = http };
    http->gone_fd = epoll_create1(EPOLL_CLOEXEC);
    if (http->gone_fd < 0) {
        return sco_fail(err, SCO_INTERNAL, "epoll: %s", strerror(errno));
    }
    http->gone_watch = (struct sco_watch){
        .fd = http->gone_fd,
        .on_ready = on_gone_ready,
        .arg = http,
    };
    return sco_loop_add(http->loop, &http->gone_watch, EPOLLIN, err);
}

void
sco_gone_finish(struct sco_http *http)
{
    sco_loop_timer_clear(http->loop, &http->patience);
    if (http->gone_fd >= 0) {
        sco_loop_remove(http->loop, &http->gone_watch);
        (void)close(http->gone_fd);
    }
}
