/* Design notes
 *
 * The daemon is run by us alone, in the hook before the loop sleeps, and only
 * when something has happened: one of its sockets is ready, a connection has
 * come, a reply has been given. Its own opinion on when it wants to run
 * (MHD_get_timeout) is "now" for as long as any exchange waits for its reply,
 * because we do not suspend those (gone.c says why); so the opinion is asked
 * only when none waits, and otherwise we know how often it must run:
 *
 * - a reply that was queued is sent in the next run, and one more run closes
 *   the books and looks into the read buffer for another request;
 * - a body of which the buffer was full may have more in the socket. What we
 *   do not see (a head larger than the buffer) is read at the next run,
 *   after SCO_PATIENCE_NS at the latest.
 *
 * All runs of a turn come after the hooks that were added before
 * sco_http_create(): replies that the app gives there go out in this turn,
 * together. A run that called the app asks for another round of hooks.
 */

#include "http/deadline.h"
#include "http/exchange.h"
#include "http/gone.h"
#include "http/linger.h"
#include "http/listen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* Runs of one turn; then the loop looks at its other descriptors. */
enum { RUNS_MAX = 32 };

/* What 1.0 knows and the headers of 0.9 do not: MHD_USE_NO_THREAD_SAFETY and
 * MHD_OPTION_CLIENT_DISCIPLINE_LVL. */
enum {
    NO_THREAD_SAFETY = 1 << 19,
    DISCIPLINE_LEVEL = 38,
    DISCIPLINE_HIGHEST = 3,
};

/* The library's own limit lies above ours, which counts a connection until
 * it is freed. */
enum { CONNECTIONS_SPARE = 64 };

void
sco_http_due(struct sco_http *http, unsigned reads, unsigned sends)
{
    http->is_due = true;
    if (http->read_runs < reads) {
        http->read_runs = reads;
    }
    if (http->send_runs < sends) {
        http->send_runs = sends;
    }
}

/* Whether the daemon should run once more in this turn. */
static bool
wants_run(struct sco_http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 1;

    if (http->read_runs > 0 ||
        (http->send_runs > 0 && http->sending_count > 0)) {
        return true;
    }
    http->send_runs = 0;
    return http->awake_count == 0 && http->connection_count > 0 &&
           MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

/* One run, and its share of the runs that are asked for. */
static void
run_once(struct sco_http *http)
{
    if (http->read_runs > 0) {
        http->read_runs--;
    }
    if (http->send_runs > 0) {
        http->send_runs--;
    }
    (void)MHD_run(http->daemon);
}

/* The hook. */
static bool
run_daemon(void *arg, uint64_t now_ns)
{
    struct sco_http *http = arg;
    unsigned runs = 0;

    if (!http->is_due) {
        return false;
    }
    http->is_due = false;
    http->app_called = false;
    do {
        run_once(http);
        runs++;
    } while (wants_run(http) && runs < RUNS_MAX);
    http->is_due = false;
    if (runs == RUNS_MAX) {
        sco_loop_timer_set(http->loop, &http->again, now_ns);
    }
    sco_gone_settle(http);
    sco_listen_resume(http);
    return http->app_called;
}

/* The rest of a turn that was too long for one. */
static void
on_again(void *arg, uint64_t now_ns)
{
    struct sco_http *http = arg;

    (void)now_ns;
    http->is_due = true;
}

/* A socket of the daemon's is ready. */
static void
on_daemon_ready(void *arg, uint32_t events)
{
    struct sco_http *http = arg;

    (void)events;
    http->is_due = true;
    http->edges++;
}

/* The library decodes neither paths nor arguments: we keep the target as it
 * was received (head.c). */
static size_t
keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

/* The daemon's flags. One that is new in 1.0 has it not defer what is done by
 * threads that it does not have. */
static unsigned
daemon_flags(const struct sco_http *http)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;

    return http->is_lenient ? flags : flags | NO_THREAD_SAFETY;
}

/* Starts the daemon; NULL when the library does not want to. Which library
 * it is shows when it runs, so the last option is one or the end. */
static struct MHD_Daemon *
daemon_start(struct sco_http *http)
{
    unsigned connections =
        (unsigned)http->limits.max_connections + CONNECTIONS_SPARE;
    int strictness = http->is_lenient ? MHD_OPTION_END : DISCIPLINE_LEVEL;

    return MHD_start_daemon(
        daemon_flags(http), /* port */ 0, /* accept policy */ NULL, NULL,
        sco_exchange_on_access, http, /* options: */
        MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SCO_POOL_BYTES,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)SCO_READ_BYTES,
        MHD_OPTION_URI_LOG_CALLBACK, sco_exchange_on_target, http,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, sco_exchange_on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, sco_exchange_on_connection, http,
        strictness, DISCIPLINE_HIGHEST, MHD_OPTION_END);
}

/* Starts the daemon and watches its epoll set in our loop. */
static enum sco_status
daemon_open(struct sco_http *http, struct sco_error *err)
{
    const union MHD_DaemonInfo *info;

    http->is_lenient = MHD_get_version()[0] == '0';
    http->daemon = daemon_start(http);
    if (http->daemon == NULL) {
        return sco_fail(err, SCO_INTERNAL, "libmicrohttpd does not start");
    }
    info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || info->epoll_fd < 0) {
        return sco_fail(err, SCO_INTERNAL, "libmicrohttpd without epoll");
    }
    http->daemon_watch = (struct sco_watch){
        .fd = info->epoll_fd,
        .on_ready = on_daemon_ready,
        .arg = http,
    };
    return sco_loop_add(http->loop, &http->daemon_watch, EPOLLIN, err);
}

enum sco_status
sco_http_create(struct sco_loop *loop, const struct sco_http_app *app,
                const struct sco_http_limits *limits, struct sco_http **out,
                struct sco_error *err)
{
    struct sco_http *http = calloc(1, sizeof(*http));
    enum sco_status status;

    if (http == NULL) {
        return sco_fail(err, SCO_NOMEM, "HTTP front end");
    }
    http->loop = loop;
    http->app = *app;
    http->limits = *limits;
    http->gone_fd = -1;
    http->again = (struct sco_timer){ .on_time = on_again, .arg = http };
    sco_listen_init(http);
    sco_deadline_init(http);
    sco_linger_init(http);
    status = sco_gone_init(http, err);
    if (status != SCO_OK) {
        goto fail;
    }
    status = daemon_open(http, err);
    if (status != SCO_OK) {
        goto fail;
    }
    sco_loop_hook(loop, run_daemon, http);
    *out = http;
    return SCO_OK;

fail:
    sco_http_destroy(http);
    return status;
}

void
sco_http_drain(struct sco_http *http, uint64_t idle_ms)
{
    http->is_draining = true;
    sco_listen_finish(http);
    sco_deadline_drain(http, idle_ms);
}

size_t
sco_http_connections(const struct sco_http *http)
{
    return http->connection_count;
}

uint64_t
sco_http_accepted(const struct sco_http *http)
{
    return http->accepted;
}

void
sco_http_destroy(struct sco_http *http)
{
    if (http == NULL) {
        return;
    }
    http->is_destroyed = true;
    sco_listen_finish(http);
    sco_gone_wake_all(http); /* the daemon cannot end one that is suspended */
    if (http->daemon != NULL) {
        sco_loop_remove(http->loop, &http->daemon_watch);
        MHD_stop_daemon(http->daemon);
    }
    sco_linger_finish(http);
    sco_gone_finish(http);
    sco_loop_timer_clear(http->loop, &http->again);
    sco_loop_timer_clear(http->loop, &http->sweep);
    sco_loop_timer_clear(http->loop, &http->last_call);
    sco_loop_timer_clear(http->loop, &http->accept_timer);
    sco_text_finish(&http->scratch);
    free(http);
}
