#include "support/tiny_host.h"

#include "base/clock.h"
#include "base/loop.h"
#include "base/thread.h"
#include "deploy/deployment.h"
#include "host/listeners.h"
#include "host/pipeline.h"
#include "support/tiny_script.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#define PATIENCE_NS (10 * SCO_NS_PER_S)

struct tiny_host {
    struct tiny_host_options options;
    struct sco_loop *loop;
    struct sco_deployment *deployment;
    struct visit_host visits;
    struct sco_http *http;
    pthread_t thread;
    uint16_t port;
    struct tiny_script script;
    atomic_size_t busy;

    /* What the test asks the loop to do; one thing at a time. */
    struct sco_post post;
    void (*task)(struct tiny_host *host);
    atomic_uint done;
};

/* ---- the host --------------------------------------------------------- */

static bool
turn(void *arg, uint64_t now_ns)
{
    struct tiny_host *host = arg;
    bool more = sco_deployment_turn(host->deployment);

    (void)now_ns;
    atomic_store(&host->busy, sco_deployment_busy(host->deployment));
    return more;
}

static void
on_boot_failed(void *arg)
{
    (void)arg;
}

static void
on_empty(void *arg)
{
    struct tiny_host *host = arg;

    sco_loop_stop(host->loop);
}

static void
make_deployment(struct tiny_host *host)
{
    const struct tiny_host_options *options = &host->options;
    struct sco_deployment_setup setup = {
        .loop = host->loop,
        .kind = &fake_worker_kind,
        .limits = { .max_requests = options->max_requests,
                    .max_bytes = options->max_body },
        .workers = 1,
        .limit_ns = options->limit_ms * SCO_NS_PER_MS,
        .arg = host,
        .on_boot_failed = on_boot_failed,
        .on_empty = on_empty,
    };

    SCO_CHECK(sco_deployment_create(&setup, &host->deployment, NULL) == SCO_OK,
              "a deployment");
    host->visits = (struct visit_host){
        .deployment = host->deployment,
        .cors = sco_cors_create((char *const *)(uintptr_t)&options->cors,
                                options->cors != NULL),
        .server_version = options->version != NULL ? options->version : "",
        .timeout_ms = options->limit_ms,
        .request_timeout_ms = options->request_ms,
        .server_timing = options->server_timing,
        .max_waiting_bytes = options->max_body,
        .lines = { .deployment = host->deployment },
        .counts = sco_counts_create(),
        .python_version = "3.13.0",
        .hosts_before = 2,
        .loop = host->loop,
    };
}

static void
make_front(struct tiny_host *host)
{
    struct sco_http_app app = sco_pipeline_app(&host->visits);
    struct sco_http_limits limits = {
        .max_connections = 100,
        .max_body_bytes = host->options.max_body,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .keepalive_timeout_ms = 10000,
    };
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    int fd;

    SCO_CHECK(sco_listen_open("127.0.0.1:0", &fd, NULL) == SCO_OK, "a port");
    SCO_CHECK(getsockname(fd, (struct sockaddr *)(void *)&address, &length) ==
                  0,
              "its number");
    host->port = ntohs(address.sin_port);
    SCO_CHECK(sco_http_create(host->loop, &app, &limits, &host->http, NULL) ==
                  SCO_OK,
              "a front end");
    host->visits.http = host->http;
    SCO_CHECK(sco_http_listen(host->http, fd, NULL) == SCO_OK, "a listener");
}

static void
loop_body(void *arg)
{
    struct tiny_host *host = arg;

    make_deployment(host);
    sco_loop_hook(host->loop, turn, host);
    sco_loop_hook(host->loop, tiny_script_work, &host->script);
    make_front(host);
    sco_deployment_start(host->deployment);
    atomic_store(&host->done, 1);
    sco_loop_run(host->loop);
    sco_http_destroy(host->http);
    sco_lines_finish(&host->visits.lines);
    sco_cors_destroy(host->visits.cors);
    sco_counts_destroy(host->visits.counts);
    sco_deployment_destroy(host->deployment);
}

/* ---- what the test asks for ------------------------------------------- */

/* Gives the others a moment while a count is not there yet; false when that
 * has lasted for ten seconds. */
static bool
wait_a_moment(uint64_t begin_ns)
{
    (void)sched_yield();
    return sco_clock_now_ns() - begin_ns < PATIENCE_NS;
}

static void
run_task(void *arg)
{
    struct tiny_host *host = arg;

    host->task(host);
    atomic_store(&host->done, 1);
}

/* Has the loop do something, and waits for it. */
static void
ask_loop(struct tiny_host *host, void (*task)(struct tiny_host *host))
{
    uint64_t begin_ns = sco_clock_now_ns();

    atomic_store(&host->done, 0);
    host->task = task;
    host->post.run = run_task;
    host->post.arg = host;
    sco_loop_post(host->loop, &host->post);
    while (atomic_load(&host->done) == 0) {
        SCO_CHECK(wait_a_moment(begin_ns), "the loop does not answer");
    }
}

static void
be_ready(struct tiny_host *host)
{
    host->script.is_starting = false;
}

static void
be_open(struct tiny_host *host)
{
    host->script.is_open = true;
}

static void
be_failing(struct tiny_host *host)
{
    host->script.is_failing = true;
}

static void
drain(struct tiny_host *host)
{
    host->visits.draining = true;
    sco_http_drain(host->http, 0);
}

static void
stop(struct tiny_host *host)
{
    sco_deployment_kill(host->deployment);
}

struct tiny_host *
tiny_host_start(const struct tiny_host_options *options)
{
    struct tiny_host *host = sco_alloc(1, sizeof(*host));
    uint64_t begin_ns = sco_clock_now_ns();

    fake_crew_reset();
    host->options = *options;
    if (options->max_requests == 0) {
        host->options.max_requests = 100;
    }
    if (options->max_body == 0) {
        host->options.max_body = 10000000;
    }
    host->script.documents = options->documents;
    host->script.document_count = options->document_count;
    host->script.is_starting = options->is_starting;
    SCO_CHECK(sco_loop_create(&host->loop, NULL) == SCO_OK, "a loop");
    SCO_CHECK(sco_thread_start("loop", SCO_ROLE_LOOP, loop_body, host,
                               &host->thread, NULL) == SCO_OK,
              "a thread");
    while (atomic_load(&host->done) == 0) {
        SCO_CHECK(wait_a_moment(begin_ns), "the host does not start");
    }
    return host;
}

uint16_t
tiny_host_port(const struct tiny_host *host)
{
    return host->port;
}

void
tiny_host_ready(struct tiny_host *host)
{
    ask_loop(host, be_ready);
}

void
tiny_host_open(struct tiny_host *host)
{
    ask_loop(host, be_open);
}

void
tiny_host_fail(struct tiny_host *host)
{
    ask_loop(host, be_failing);
}

void
tiny_host_drain(struct tiny_host *host)
{
    ask_loop(host, drain);
}

bool
tiny_host_wait_busy(struct tiny_host *host, size_t count)
{
    uint64_t begin_ns = sco_clock_now_ns();

    while (atomic_load(&host->busy) != count && wait_a_moment(begin_ns)) {
    }
    return atomic_load(&host->busy) == count;
}

bool
tiny_host_wait_cancelled(struct tiny_host *host)
{
    uint64_t begin_ns = sco_clock_now_ns();

    while (atomic_load(&host->script.cancelled) == 0 &&
           wait_a_moment(begin_ns)) {
    }
    return atomic_load(&host->script.cancelled) > 0;
}

unsigned
tiny_host_scored(struct tiny_host *host)
{
    return atomic_load(&host->script.scored);
}

void
tiny_host_stop(struct tiny_host *host)
{
    ask_loop(host, stop);
    (void)pthread_join(host->thread, NULL);
    sco_loop_destroy(host->loop);
    free(host);
}
