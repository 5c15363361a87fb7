/* host.c - where everything is put together, and taken apart again
 *
 * Design notes
 *
 * Main has the open sockets, starts the loop's thread, and then either waits
 * or (kind thread with one worker) runs the script. Everything else happens on
 * the loop: it makes the front end and the deployment, serves, and ends them
 * in one order:
 *
 *   a signal -> drain the front end (no new connections, "Connection: close")
 *   -> when no exchange is left, or time is up: the deployment finishes what
 *   it has, its workers end -> the loop ends -> front end, deployment and
 *   sockets go.
 *
 * A second signal, or a script that cannot be loaded, kills the workers at
 * once. But one that comes by two ways is one: systemd tells the supervisor
 * and this process, and the supervisor passes it on.
 *
 * Another host may take this one's place: one that serves on until the new
 * one is ready is *relieved*, and still takes what its clients send; one that
 * is *worn* goes first. Both then end like after a signal, but quietly, for
 * the program goes on. The sockets and their files are the supervisor's.
 */
#include "host/host.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/thread.h"
#include "config/config.h"
#include "deploy/deployment.h"
#include "host/listeners.h"
#include "host/pipeline.h"
#include "host/relief.h"
#include "host/signals.h"
#include "host/watch.h"
#include "supervisor/report.h"
#include "worker/runner.h"
#include "worker/seat.h"
#include "worker/worker.h"

#include <signal.h>
#include <unistd.h>

enum {
    EXIT_FAILED = 1,
    EXIT_BOOT = 3,
    LOG_PATIENCE_MS = 500,
    KILL_PATIENCE_MS = 2000,

    /* How long a host that another one has relieved waits for clients who
     * ask on, and who learn by its answers that they have to come anew. */
    LAST_CALL_MS = 1000,
};

/* A signal to stop that comes so soon after the first is the same one. */
#define INSIST_NS SCO_NS_PER_S

/* What those get who are in already, and ask while the host drains. */
enum late { REFUSE_LATE, SERVE_LATE };

struct host {
    const struct sco_host_setup *setup;
    const struct sco_config *config;
    const struct sco_runner *runner; /* of an in-process kind */
    const struct sco_worker_ops *kind;
    struct sco_seat *seat;
    struct sco_loop *loop;

    /* The loop's. */
    struct sco_signals signals;
    struct sco_relief relief;
    struct sco_http *http;
    struct sco_deployment *deployment;
    struct sco_file_watch *files; /* NULL: nobody asked for it */
    struct visit_host visits;
    struct sco_timer patience;
    struct sco_post loaded;
    bool load_failed;
    bool has_loaded; /* the loop's: main is not in the script any more */
    bool draining, stopping, killed;
    bool replaced;    /* another host goes on */
    uint64_t stop_ns; /* when the first signal to stop came */
    int exit_code;
};

/* ---- ending --------------------------------------------------------- */

/* Ends the workers at once; those that are still there after a while are
 * given up. */
static void
kill_all(struct host *host)
{
    host->stopping = true;
    host->killed = true;
    sco_loop_timer_set(host->loop, &host->patience,
                       sco_loop_now_ns(host->loop) +
                           KILL_PATIENCE_MS * SCO_NS_PER_MS);
    sco_deployment_kill(host->deployment);
}

static void
stop_deployment(struct host *host)
{
    if (!host->stopping) {
        host->stopping = true;
        sco_deployment_stop(host->deployment);
    }
}

static bool
on_turn(void *arg, uint64_t now_ns)
{
    struct host *host = arg;
    bool more = sco_deployment_turn(host->deployment);

    (void)now_ns;
    sco_lines_flush(&host->visits.lines);
    return more;
}

/* Draining is over when nobody is connected any more. Asked at the end of a
 * turn, when the front end has let go of those who left in it: nothing may
 * come to wake the loop for another one. */
static bool
on_turn_end(void *arg, uint64_t now_ns)
{
    struct host *host = arg;

    (void)now_ns;
    if (!host->draining || host->stopping ||
        sco_http_connections(host->http) > 0 ||
        sco_deployment_busy(host->deployment) > 0) {
        return false;
    }
    stop_deployment(host);
    return true;
}

/* From here on the supervisor knows that the end of this process is no
 * accident. Thread: any. */
static void
tell_leaving(const struct host *host)
{
    sco_report_send(host->setup->report_fd, SCO_REPORT_LEAVING,
                    host->exit_code);
}

/* A thread that does not come back cannot be ended, and nothing that it uses
 * can be freed under it, so the process ends as it is. */
_Noreturn static void
end_as_it_is(const struct host *host)
{
    if (host->setup->report_fd < 0) {
        sco_listeners_clean(host->setup->listeners);
    }
    tell_leaving(host);
    sco_log_stop(LOG_PATIENCE_MS);
    _exit(host->exit_code);
}

/* Workers were killed and are still there. */
static void
give_up(struct host *host)
{
    if (host->runner != NULL &&
        sco_deployment_pool(host->deployment)->count > 0) {
        end_as_it_is(host);
    }
    sco_loop_stop(host->loop);
}

static void
on_patience(void *arg, uint64_t now_ns)
{
    struct host *host = arg;

    (void)now_ns;
    if (host->killed) {
        give_up(host);
        return;
    }
    sco_log(SCO_EVENT_DRAIN_TIMEOUT, "%zu requests were still in hand",
            sco_deployment_busy(host->deployment));
    kill_all(host);
}

/* Lets nobody in any more. */
static void
drain(struct host *host, uint64_t patience_ms, enum late late)
{
    uint64_t now_ns = sco_loop_now_ns(host->loop);

    host->draining = true;
    host->visits.draining = late == REFUSE_LATE;
    sco_http_drain(host->http, late == SERVE_LATE ? LAST_CALL_MS : 0);
    sco_loop_timer_set(host->loop, &host->patience,
                       now_ns + patience_ms * SCO_NS_PER_MS);
}

static void
on_stop_signal(struct host *host)
{
    uint64_t now_ns = sco_loop_now_ns(host->loop);

    if (host->stop_ns == 0) {
        host->stop_ns = now_ns;
        if (!host->draining) {
            drain(host, host->config->drain_timeout_ms, REFUSE_LATE);
        }
    } else if (now_ns - host->stop_ns >= INSIST_NS) {
        kill_all(host);
    }
}

static void
on_ready(void *arg)
{
    struct host *host = arg;

    sco_relief_tell_ready(&host->relief);
}

/* Another host serves already. */
static void
on_relieved(void *arg)
{
    struct host *host = arg;

    if (!host->draining) {
        host->replaced = true;
        drain(host, host->config->drain_timeout_ms, SERVE_LATE);
    }
}

/* The host that was to take this one's place did not get ready. */
static void
on_alone(void *arg)
{
    struct host *host = arg;

    sco_pool_stay(sco_deployment_pool(host->deployment));
}

/* Only another process can help: at once if this one has lost more workers
 * than it may, else when it is ready. Two hosts cannot have the one address
 * that remote workers come to. */
static void
on_worn(void *arg, const char *why)
{
    struct host *host = arg;
    bool is_lame = sco_deployment_pool(host->deployment)->lost >
                   host->config->max_lost_workers;
    bool has_remote = host->config->remote_listen[0] != '\0';

    if (host->draining) {
        return;
    }
    if (!is_lame && !has_remote) {
        sco_relief_ask(&host->relief, why);
    } else if (sco_relief_hand_over(&host->relief, why,
                                    has_remote ? SCO_RELIEF_AFTER
                                               : SCO_RELIEF_BESIDE)) {
        host->replaced = true;
        drain(host, host->config->drain_timeout_ms, REFUSE_LATE);
    }
}

/* Where only a new host can load the script anew, and must wait for the end
 * of this one, that has happened already, and remote workers are to do so too.
 */
static void
reload(struct host *host)
{
    sco_deployment_reload(host->deployment);
    if (host->replaced) {
        sco_deployment_renew_guests(host->deployment);
    }
}

static void
on_signal(void *arg, int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        { SIGTERM, "term" }, { SIGINT, "int" },     { SIGQUIT, "quit" },
        { SIGHUP, "hup" },   { SIGTTIN, "ttin" },   { SIGTTOU, "ttou" },
        { SIGUSR1, "usr1" }, { SIGWINCH, "winch" },
    };
    struct host *host = arg;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].number == number) {
            sco_log(SCO_EVENT_SIGNAL, "Handling signal: %s", names[i].name);
        }
    }
    if (number == SIGHUP && !host->draining) {
        sco_log(SCO_EVENT_SIGNAL, "Hang up: Master");
        reload(host);
    } else if ((number == SIGTTIN || number == SIGTTOU) &&
               host->seat != NULL) {
        sco_log(SCO_EVENT_SIGNAL,
                "the one worker of kind thread is Python's main thread, and "
                "stays alone: start with --worker_count 2 or more");
    } else if (number == SIGTTIN || number == SIGTTOU) {
        sco_deployment_add_workers(host->deployment,
                                   number == SIGTTIN ? 1 : -1);
    } else if (number == SIGTERM || number == SIGINT || number == SIGQUIT) {
        on_stop_signal(host);
    }
}

static void
on_boot_failed(void *arg)
{
    struct host *host = arg;

    sco_log(SCO_EVENT_SHUTTING_DOWN, "Shutting down: Master");
    sco_log(SCO_EVENT_SHUTDOWN_REASON, "Reason: Worker failed to boot.");
    host->exit_code = EXIT_BOOT;
    drain(host, KILL_PATIENCE_MS, REFUSE_LATE);
    kill_all(host);
}

static void
on_empty(void *arg)
{
    struct host *host = arg;

    if (host->exit_code == 0 && !host->replaced) {
        sco_log(SCO_EVENT_STOPPED, "Shutting down: Master");
    }
    sco_loop_stop(host->loop);
}

/* ---- beginning ------------------------------------------------------ */

static uint64_t
smaller_limit_ms(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0) {
        return a + b;
    }
    return a < b ? a : b;
}

static enum sco_status
make_deployment(struct host *host, struct sco_error *err)
{
    const struct sco_config *config = host->config;
    uint64_t limit_ms = smaller_limit_ms(config->scoring_timeout_ms,
                                         config->worker_timeout_ms);
    struct sco_deployment_setup setup = {
        .loop = host->loop,
        .kind = host->kind,
        .fallback = &sco_process_worker,
        .recycle = { .requests = config->max_requests,
                     .jitter = config->max_requests_jitter,
                     .age_ns = config->max_worker_age_ms * SCO_NS_PER_MS,
                     .rss_bytes = config->max_worker_rss_bytes },
        .limits = { .max_requests = config->queue_max_requests,
                    .max_bytes = config->queue_max_bytes },
        .boot = host->setup->boot,
        .python = config->python,
        .runner = host->runner,
        .seat = host->seat,
        .workers = config->worker_count,
        .workers_min = config->worker_min,
        .workers_max = config->worker_max,
        .lost_max = config->max_lost_workers,
        .gpus = config->gpu_workers.items,
        .gpu_count = config->gpu_workers.count,
        .remote_listen = config->remote_listen,
        .remote_keys = config->remote_keys,
        /* Which GPU a worker sees is told to its Python at the start. */
        .preload = config->worker_preload && config->gpu_workers.count == 0,
        .limit_ns = limit_ms * SCO_NS_PER_MS,
        .stream_limit_ns = config->worker_timeout_ms * SCO_NS_PER_MS,
        .timeout_ms = limit_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)limit_ms,
        .raise_cancelled = config->raise_cancelled,
        .arg = host,
        .on_ready = on_ready,
        .on_boot_failed = on_boot_failed,
        .on_empty = on_empty,
        .on_worn = on_worn,
    };
    enum sco_status status =
        sco_deployment_create(&setup, &host->deployment, err);

    if (status != SCO_OK) {
        return status;
    }
    host->visits = (struct visit_host){
        .deployment = host->deployment,
        .cors = sco_cors_create(config->cors_origins.items,
                                config->cors_origins.count),
        .server_version = config->server_version,
        .timeout_ms = limit_ms,
        .request_timeout_ms = config->request_timeout_ms,
        .server_timing = config->server_timing,
        .max_waiting_bytes = config->queue_max_bytes,
        .lines = { .deployment = host->deployment,
                   .on = config->access_log,
                   .to_worker = config->log_to_worker },
        .counts = sco_counts_create(),
        .python_version = config->python_version,
        .hosts_before = host->setup->before,
        .loop = host->loop,
    };
    return SCO_OK;
}

static enum sco_status
make_front(struct host *host, struct sco_error *err)
{
    const struct sco_config *config = host->config;
    struct sco_listeners *listeners = host->setup->listeners;
    struct sco_http_app app = sco_pipeline_app(&host->visits);
    struct sco_http_limits limits = {
        .max_connections = config->max_connections,
        .max_connections_per_address = config->max_connections_per_address,
        .max_body_bytes = config->max_body_bytes,
        .head_timeout_ms = config->head_timeout_ms,
        .body_timeout_ms = config->body_timeout_ms,
        .body_min_bytes_per_s = config->body_min_bytes_per_s,
        .keepalive_timeout_ms = config->keepalive_timeout_ms,
    };
    enum sco_status status =
        sco_http_create(host->loop, &app, &limits, &host->http, err);

    host->visits.http = host->http;
    for (size_t i = 0; status == SCO_OK && i < listeners->count; i++) {
        status = sco_http_listen(host->http, listeners->items[i].fd, err);
        if (status == SCO_OK) {
            listeners->items[i].fd = -1;
        }
    }
    return status;
}

static void
on_loaded(void *arg)
{
    struct host *host = arg;

    host->has_loaded = true;
    if (host->load_failed) {
        on_boot_failed(host);
    } else {
        sco_deployment_start(host->deployment);
    }
}

static void
on_change(void *arg, const char *path)
{
    struct host *host = arg;

    if (!host->draining) {
        sco_log(SCO_EVENT_FILE_CHANGED, "%s", path);
        reload(host);
    }
}

static enum sco_status
make_watch(struct host *host, struct sco_error *err)
{
    const struct sco_config *config = host->config;

    if (!config->reload) {
        return SCO_OK;
    }
    return sco_file_watch_create(host->loop, config->watch.items,
                                 config->watch.count, on_change, host,
                                 &host->files, err);
}

static enum sco_status
make_all(struct host *host, struct sco_error *err)
{
    enum sco_status status =
        sco_signals_watch(&host->signals, host->loop, on_signal, host, err);

    if (status == SCO_OK) {
        status =
            sco_relief_watch(&host->relief, host->loop, host->setup->report_fd,
                             on_relieved, on_alone, host, err);
    }
    if (status == SCO_OK) {
        status = make_deployment(host, err);
    }
    if (status == SCO_OK) {
        status = make_watch(host, err);
    }
    if (status == SCO_OK) {
        /* Before the front end's own hook: what a turn hears from workers
         * and logs is there when the replies are sent. */
        sco_loop_hook(host->loop, on_turn, host);
        status = make_front(host, err);
    }
    if (status == SCO_OK) {
        sco_loop_hook(host->loop, on_turn_end, host);
    }
    return status;
}

static void
log_kind(const struct host *host)
{
    bool is_process = host->runner == NULL;

    sco_log(SCO_EVENT_LISTENING, "Using worker: %s", host->kind->name);
    if (host->config->worker_preload &&
        (!is_process || host->config->gpu_workers.count > 0)) {
        sco_log(SCO_EVENT_PRELOAD_UNUSED,
                "WORKER_PRELOAD is for worker kind process, not for %s",
                is_process ? "GPU_WORKERS" : host->kind->name);
    }
}

static void
loop_body(void *arg)
{
    struct host *host = arg;
    struct sco_error err = { .text = "" };
    enum sco_status status = make_all(host, &err);

    if (status == SCO_OK) {
        log_kind(host);
        if (host->runner == NULL) {
            sco_deployment_start(host->deployment);
        }
        sco_loop_run(host->loop);
    } else {
        sco_log(status == SCO_INVALID || status == SCO_UNSUPPORTED
                    ? SCO_EVENT_MISCONFIGURED
                    : SCO_EVENT_INTERNAL,
                "%s", err.text);
        host->exit_code = EXIT_FAILED;
    }
    sco_http_destroy(host->http);
    if (host->deployment != NULL) {
        sco_lines_finish(&host->visits.lines);
    }
    if (sco_thread_left_behind() > 0 ||
        (host->runner != NULL && !host->has_loaded)) {
        end_as_it_is(host);
    }
    sco_cors_destroy(host->visits.cors);
    sco_counts_destroy(host->visits.counts);
    sco_signals_close(&host->signals);
    sco_file_watch_destroy(host->files);
    sco_relief_close(&host->relief);
    sco_loop_timer_clear(host->loop, &host->patience);
    sco_deployment_destroy(host->deployment);
    if (host->seat != NULL) {
        sco_seat_close(host->seat);
    }
}

/* ---- main ----------------------------------------------------------- */

/* The main thread's part while the loop serves: kind thread loads the script
 * here, since Python's main thread is where it belongs. */
static void
serve_main(struct host *host)
{
    const struct sco_runner *runner = host->runner;
    struct sco_error err = { .text = "" };

    if (runner == NULL) {
        return;
    }
    host->load_failed = runner->load(runner->arg, &err) != SCO_OK;
    host->loaded.run = on_loaded;
    host->loaded.arg = host;
    sco_loop_post(host->loop, &host->loaded);
    if (host->seat != NULL) {
        sco_seat_sit(host->seat);
    }
}

static void
run(struct host *host)
{
    struct sco_error err = { .text = "" };
    pthread_t thread;

    host->patience = (struct sco_timer){ .on_time = on_patience, .arg = host };
    if (sco_loop_create(&host->loop, &err) != SCO_OK ||
        sco_thread_start("loop", SCO_ROLE_LOOP, loop_body, host, &thread,
                         &err) != SCO_OK) {
        sco_log(SCO_EVENT_INTERNAL, "%s", err.text);
        host->exit_code = EXIT_FAILED;
        tell_leaving(host);
        return;
    }
    serve_main(host);
    pthread_join(thread, NULL);
    tell_leaving(host);
    if (host->runner != NULL) {
        host->runner->unload(host->runner->arg);
    }
}

static void
log_unfit(const struct host *host)
{
    sco_log(SCO_EVENT_WORKER_KIND_UNFIT,
            "the script has crashed the host more than once in worker kind "
            "interpreter: its workers are processes now%s (--worker_kind "
            "process makes them so from the start)",
            host->setup->unfit_known
                ? ", and will be where --worker_kind is auto, until the "
                  "script changes"
                : "");
}

static enum sco_status
choose_kind(struct host *host, struct sco_error *err)
{
    const struct sco_runners *runners = host->setup->runners;

    switch (host->config->worker_kind) {
    case SCO_CONFIG_PROCESS:
        host->kind = &sco_process_worker;
        return SCO_OK;
    case SCO_CONFIG_INTERPRETER:
        if (host->setup->kind_unfit) {
            log_unfit(host);
            host->kind = &sco_process_worker;
            return SCO_OK;
        }
        host->kind = &sco_interpreter_worker;
        host->runner = runners != NULL ? runners->interpreter : NULL;
        break;
    case SCO_CONFIG_THREAD:
        host->kind = &sco_thread_worker;
        host->runner = runners != NULL ? runners->thread : NULL;
        break;
    }
    if (host->runner == NULL) {
        return sco_fail(err, SCO_UNSUPPORTED,
                        "this Python has no worker kind %s in the host",
                        host->kind->name);
    }
    if (host->kind == &sco_thread_worker && host->config->worker_count == 1 &&
        host->config->worker_max <= 1) {
        host->seat = sco_seat_create();
    }
    return SCO_OK;
}

int
sco_host_serve(const struct sco_host_setup *setup)
{
    struct host host = {
        .setup = setup,
        .config = setup->config,
        .signals.watch.fd = -1,
        .relief.watch.fd = -1,
        .exit_code = 0,
    };
    struct sco_error err = { .text = "" };

    if (choose_kind(&host, &err) != SCO_OK || sco_log_start(&err) != SCO_OK) {
        sco_log(SCO_EVENT_INTERNAL, "%s", err.text);
        host.exit_code = EXIT_FAILED;
        tell_leaving(&host);
    } else {
        run(&host);
        sco_log_stop(LOG_PATIENCE_MS);
    }
    sco_listeners_close(setup->listeners);
    sco_loop_destroy(host.loop);
    sco_seat_destroy(host.seat);
    return host.exit_code;
}
