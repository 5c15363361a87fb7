/* Design notes
 *
 * The library's timer knows inactivity alone, and a client that sends a byte
 * a second is never inactive. Ours are measured in a sweep over the
 * connections every few seconds, so that no request pays for a timer, and a
 * host without connections does not wake up at all.
 *
 * The first byte of a head cannot be seen through the library before the
 * request line is complete. But we know how many bytes the requests so far
 * had, and the kernel knows how many bytes came (TCP_INFO): while both are
 * the same nothing has been begun. So a head's time is counted from the
 * sweep that first saw a byte of it, which is late by one interval at most.
 * A Unix socket has no such count; there the limit of idle connections holds.
 *
 * A connection that is too slow is shut down in both directions; the library
 * sees that as a hang-up and ends it in the ordinary way.
 */

#include "http/deadline.h"

#include "base/clock.h"
#include "http/linger.h"

#include <linux/tcp.h>
#include <sys/socket.h>

enum {
    SWEEP_MAX_MS = 5000,
    SWEEP_MIN_MS = 1,

    /* How many sweeps a limit is cut into, so that the lateness of a sweep
     * is small beside it. */
    SWEEPS_A_LIMIT = 6,
};

/* ---- the lists -------------------------------------------------------- */

void
sco_deadline_move(struct sco_connection *connection, struct sco_list *list)
{
    struct sco_http *http = connection->http;

    sco_list_remove(&connection->link);
    if (list == NULL) {
        return;
    }
    connection->since_ns = sco_loop_now_ns(http->loop);
    connection->progress_ns = connection->since_ns;
    sco_list_push(list, &connection->link);
    if (http->sweep.place == 0 && !http->is_destroyed) {
        sco_loop_timer_set(http->loop, &http->sweep,
                           connection->since_ns + http->sweep_ns);
    }
}

/* What the kernel has counted; false where it does not count. */
static bool
read_counts(const struct sco_connection *connection, uint64_t *received_out,
            uint64_t *acked_out)
{
    struct tcp_info info = { 0 };
    socklen_t length = sizeof(info);

    if (!connection->is_tcp || getsockopt(connection->fd, IPPROTO_TCP,
                                          TCP_INFO, &info, &length) != 0) {
        return false;
    }
    *received_out = info.tcpi_bytes_received;
    *acked_out = info.tcpi_bytes_acked;
    return true;
}

void
sco_deadline_count(const struct sco_exchange *ex)
{
    struct sco_connection *connection = ex->connection;
    uint64_t acked;

    /* How a body was chunked is not told; ask who knows. */
    if (!ex->head.chunked ||
        !read_counts(connection, &connection->taken_bytes, &acked)) {
        connection->taken_bytes += ex->head_bytes + ex->body_bytes;
    }
}

/* ---- the sweep -------------------------------------------------------- */

static void
cut(const struct sco_connection *connection)
{
    (void)shutdown(connection->fd, SHUT_RDWR);
}

/* Whether `limit_ms`, where there is one, is over since `since_ns`. */
static bool
is_over(uint64_t since_ns, uint32_t limit_ms, uint64_t now_ns)
{
    return limit_ms != 0 && now_ns > since_ns &&
           now_ns - since_ns > limit_ms * SCO_NS_PER_MS;
}

/* Notes whether a head has begun. */
static void
look_for_head(struct sco_connection *connection, uint64_t now_ns)
{
    uint64_t received, acked;

    if (connection->head_since_ns == 0 &&
        read_counts(connection, &received, &acked) &&
        received != connection->taken_bytes) {
        connection->head_since_ns = now_ns;
    }
}

static void
sweep_idle(const struct sco_http *http, struct sco_connection *connection,
           uint64_t now_ns)
{
    look_for_head(connection, now_ns);
    if (connection->head_since_ns != 0
            ? is_over(connection->head_since_ns, http->limits.head_timeout_ms,
                      now_ns)
            : is_over(connection->since_ns, http->limits.keepalive_timeout_ms,
                      now_ns)) {
        cut(connection);
    }
}

static void
sweep_body(const struct sco_http *http, struct sco_connection *connection,
           uint64_t now_ns)
{
    const struct sco_http_limits *limits = &http->limits;
    uint64_t least = (now_ns - connection->since_ns) / SCO_NS_PER_MS *
                     limits->body_min_bytes_per_s / 1000;

    if (is_over(connection->progress_ns, limits->body_timeout_ms, now_ns) ||
        (is_over(connection->since_ns, limits->body_timeout_ms, now_ns) &&
         connection->exchange.body_bytes < least)) {
        cut(connection);
    }
}

/* A client that does not read its reply is cut after the time in which one
 * that sends a body must have sent something. */
static void
sweep_sender(const struct sco_http *http, struct sco_connection *connection,
             uint64_t now_ns)
{
    uint64_t received, acked;

    if (!read_counts(connection, &received, &acked)) {
        return;
    }
    if (acked != connection->acked_bytes ||
        connection->exchange.rest == SCO_REST_ASLEEP) {
        connection->acked_bytes = acked;
        connection->progress_ns = now_ns;
    } else if (is_over(connection->progress_ns, http->limits.body_timeout_ms,
                       now_ns)) {
        cut(connection);
    }
}

/* Looks at each connection of a list. */
static void
sweep_list(struct sco_http *http, struct sco_list *list, uint64_t now_ns,
           void (*look)(const struct sco_http *http,
                        struct sco_connection *connection, uint64_t now_ns))
{
    for (struct sco_list *at = list->next; at != list; at = at->next) {
        look(http, SCO_LIST_ENTRY(at, struct sco_connection, link), now_ns);
    }
}

static void
on_sweep(void *arg, uint64_t now_ns)
{
    struct sco_http *http = arg;

    sweep_list(http, &http->idle, now_ns, sweep_idle);
    sweep_list(http, &http->bodies, now_ns, sweep_body);
    sweep_list(http, &http->senders, now_ns, sweep_sender);
    sco_linger_sweep(http, now_ns);
    if (http->connection_count > 0 || http->lingerer_count > 0) {
        sco_loop_timer_set(http->loop, &http->sweep, now_ns + http->sweep_ns);
    }
}

/* ---- making and draining ---------------------------------------------- */

/* Cuts those who are between two requests. */
static void
on_last_call(void *arg, uint64_t now_ns)
{
    struct sco_http *http = arg;

    for (struct sco_list *at = http->idle.next; at != &http->idle;
         at = at->next) {
        struct sco_connection *connection =
            SCO_LIST_ENTRY(at, struct sco_connection, link);

        look_for_head(connection, now_ns);
        if (connection->head_since_ns == 0) {
            cut(connection);
        }
    }
}

/* Makes the interval small enough for a limit. */
static void
suit(uint64_t *interval_ms, uint32_t limit_ms)
{
    if (limit_ms != 0 && limit_ms / SWEEPS_A_LIMIT < *interval_ms) {
        *interval_ms = limit_ms / SWEEPS_A_LIMIT;
    }
}

void
sco_deadline_init(struct sco_http *http)
{
    uint64_t interval_ms = SWEEP_MAX_MS;

    suit(&interval_ms, http->limits.head_timeout_ms);
    suit(&interval_ms, http->limits.body_timeout_ms);
    suit(&interval_ms, http->limits.keepalive_timeout_ms);
    if (interval_ms < SWEEP_MIN_MS) {
        interval_ms = SWEEP_MIN_MS;
    }
    http->sweep_ns = interval_ms * SCO_NS_PER_MS;
    http->sweep = (struct sco_timer){ .on_time = on_sweep, .arg = http };
    http->last_call =
        (struct sco_timer){ .on_time = on_last_call, .arg = http };
    sco_list_init(&http->idle);
    sco_list_init(&http->bodies);
    sco_list_init(&http->senders);
}

void
sco_deadline_drain(struct sco_http *http, uint64_t idle_ms)
{
    uint64_t now_ns = sco_loop_now_ns(http->loop);

    if (idle_ms == 0) {
        on_last_call(http, now_ns);
    } else {
        sco_loop_timer_set(http->loop, &http->last_call,
                           now_ns + idle_ms * SCO_NS_PER_MS);
    }
}
