/* Design notes
 *
 * An exchange that waits for its reply, or for more of a stream, is awake or
 * asleep. Asleep is suspended, which takes the library two epoll_ctl(), one
 * recv() in vain, a lock and a walk over all that are suspended; one that is
 * awake is asked once in each run of the daemon. So each stays awake until it
 * has been asked so often that suspending it would have been cheaper:
 * whatever the load, that costs at most twice of what the better way would
 * have. And none stays awake for longer than SLEEP_AFTER_NS, so that a host
 * whose scripts run for seconds does nothing meanwhile. Streams that have
 * nothing to send are suspended at once.
 *
 * Each connection is in an epoll set of our own from its begin to its end,
 * edge-triggered and for EPOLLRDHUP alone, which costs nothing while data
 * comes and goes. The library does without: it learns of a closed sending
 * side by reading, and does not read while it waits; it also overlooks one
 * that arrives together with the last bytes. So:
 *
 * - who waits for a reply is told (on_gone), and the reply is still sent;
 * - who has nothing to wait for and nothing unread is shut down, in
 *   sco_gone_settle(), when the daemon has run and the answer to "nothing
 *   unread" is final;
 * - a dead connection whose exchange waits, or streams, is resumed if it was
 *   asleep, and ended when the daemon asks for the reply.
 */
#define _GNU_SOURCE /* EPOLLRDHUP */

#include "http/gone.h"

#include "base/clock.h"
#include "http/exchange.h"
#include "http/linger.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Suspending and resuming costs as much as this many questions. */
    ASKED_MAX = 48,
    READY_MAX = 64,
};

#define PATIENCE_NS    (5 * SCO_NS_PER_MS)
#define SLEEP_AFTER_NS (20 * SCO_NS_PER_MS)

/* The first exchange of a list, or NULL. */
static struct sco_exchange *
first_of(const struct sco_list *list)
{
    struct sco_list *link = sco_list_first(list);

    return link != NULL ? SCO_LIST_ENTRY(link, struct sco_exchange, link)
                        : NULL;
}

/* ---- waiting ---------------------------------------------------------- */

void
sco_gone_wait(struct sco_exchange *ex, enum sco_rest rest)
{
    struct sco_http *http = ex->connection->http;

    ex->rest = rest;
    ex->waits_since_ns = sco_loop_now_ns(http->loop);
    if (rest == SCO_REST_ASLEEP) {
        sco_list_push(&http->asleep, &ex->link);
        return;
    }
    sco_list_push(&http->awake, &ex->link);
    http->awake_count++;
    if (http->patience.place == 0) {
        sco_loop_timer_set(http->loop, &http->patience,
                           ex->waits_since_ns + PATIENCE_NS);
    }
    if (ex->connection->is_half_closed) {
        sco_exchange_tell_gone(ex, SCO_GONE_SENDING);
    }
}

bool
sco_gone_should_sleep(struct sco_exchange *ex)
{
    const struct sco_http *http = ex->connection->http;

    ex->asked_count++;
    return ex->rest == SCO_REST_AWAKE &&
           (ex->asked_count > ASKED_MAX ||
            sco_loop_now_ns(http->loop) - ex->waits_since_ns >=
                SLEEP_AFTER_NS);
}

void
sco_gone_asleep(struct sco_exchange *ex)
{
    struct sco_http *http = ex->connection->http;

    ex->rest = SCO_REST_ASLEEP;
    http->awake_count--;
    sco_list_remove(&ex->link);
    sco_list_push(&http->asleep, &ex->link);
}

bool
sco_gone_wake(struct sco_exchange *ex)
{
    bool was_asleep = ex->rest == SCO_REST_ASLEEP;

    if (ex->rest == SCO_REST_AWAKE) {
        ex->connection->http->awake_count--;
    }
    sco_list_remove(&ex->link);
    ex->rest = SCO_REST_NONE;
    return was_asleep;
}

void
sco_gone_wake_all(struct sco_http *http)
{
    struct sco_exchange *ex;

    while ((ex = first_of(&http->asleep)) != NULL) {
        (void)sco_gone_wake(ex);
        MHD_resume_connection(ex->connection->mhd);
    }
}

/* Has the daemon ask those who are awake, so that those who have waited long
 * enough go to sleep. */
static void
on_patience(void *arg, uint64_t now_ns)
{
    struct sco_http *http = arg;

    if (http->awake_count > 0) {
        sco_http_due(http, 0, 0);
        sco_loop_timer_set(http->loop, &http->patience, now_ns + PATIENCE_NS);
    }
}

/* ---- hang-ups --------------------------------------------------------- */

/* The connection of an exchange that waits, or whose stream runs, is dead:
 * the daemon is to end it. One that is awake would be seen by the library
 * too, but not if it is suspended before the daemon has looked at it. */
static void
end_exchange(struct sco_exchange *ex)
{
    bool was_asleep = sco_gone_wake(ex);

    ex->is_cut = true;
    sco_exchange_tell_gone(ex, SCO_GONE_ALL);
    if (was_asleep) {
        MHD_resume_connection(ex->connection->mhd);
    }
    sco_http_due(ex->connection->http, 1, 0);
}

/* The client has closed its sending side. */
static void
half_closed(struct sco_connection *connection)
{
    struct sco_http *http = connection->http;
    struct sco_exchange *ex = &connection->exchange;

    connection->is_half_closed = true;
    sco_list_remove(&connection->half);
    sco_list_push(&http->half_closed, &connection->half);
    http->is_due = true;
    if (ex->stage == SCO_STAGE_WAITING && !ex->replied) {
        sco_exchange_tell_gone(ex, SCO_GONE_SENDING);
    }
}

static void
on_gone_ready(void *arg, uint32_t events)
{
    struct sco_http *http = arg;
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(http->gone_fd, ready, READY_MAX, /* wait */ 0);

    (void)events;
    for (int i = 0; i < count; i++) {
        struct sco_connection *connection = ready[i].data.ptr;

        if (sco_linger_is(connection)) {
            sco_linger_ready(http, connection);
        } else if ((ready[i].events & (EPOLLHUP | EPOLLERR)) == 0) {
            half_closed(connection);
        } else if (connection->exchange.stage >= SCO_STAGE_WAITING) {
            end_exchange(&connection->exchange);
        }
    }
}

/* Whether bytes have come that the library has not read. */
static bool
has_unread(const struct sco_connection *connection)
{
    int unread = 0;

    return ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0;
}

void
sco_gone_settle(struct sco_http *http)
{
    struct sco_list *next;

    for (struct sco_list *at = http->half_closed.next;
         at != &http->half_closed; at = next) {
        const struct sco_connection *connection =
            SCO_LIST_ENTRY(at, struct sco_connection, half);

        next = at->next;
        if (connection->exchange.stage < SCO_STAGE_WAITING &&
            !has_unread(connection)) {
            (void)shutdown(connection->fd, SHUT_RDWR);
            sco_list_remove(at);
        }
    }
}

/* ---- making and ending ------------------------------------------------ */

void
sco_gone_watch(struct sco_connection *connection)
{
    struct epoll_event event = {
        .events = EPOLLRDHUP | EPOLLET,
        .data.ptr = connection,
    };

    /* Without it the connection works, and lives until its deadline. */
    (void)epoll_ctl(connection->http->gone_fd, EPOLL_CTL_ADD, connection->fd,
                    &event);
}

enum sco_status
sco_gone_init(struct sco_http *http, struct sco_error *err)
{
    sco_list_init(&http->awake);
    sco_list_init(&http->asleep);
    sco_list_init(&http->half_closed);
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
