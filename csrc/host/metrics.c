/* metrics.c - GET /metrics: what was counted, wherever it lies
 *
 * Nothing here is done unless somebody asks, and nothing waits for a worker.
 */
#include "host/visit.h"

#include "base/text.h"
#include "deploy/deployment.h"
#include "metrics/page.h"
#include "worker/counts.h"
#include "worker/recycle.h"

#include <stdio.h>
#include <unistd.h>

/* What is scored. */
static const enum visit_route scored[] = { VISIT_SCORE, VISIT_INFER };
enum { SCORED = sizeof(scored) / sizeof(scored[0]) };

/* Adds a sample that has one label. */
static void
add(struct sco_text *page, enum sco_metric metric, const char *name,
    const char *value, uint64_t count)
{
    const struct sco_label label = { name, value };

    sco_page_add(page, metric, &label, 1, count);
}

/* ---- requests ---------------------------------------------------------- */

static void
add_answers(struct sco_text *page, const struct sco_counts *counts,
            enum visit_route route)
{
    for (unsigned i = 0; i < SCO_CODES; i++) {
        unsigned code = SCO_CODE_FIRST + i;
        char text[8];
        const struct sco_label labels[] = {
            { "route", sco_route_text(route) },
            { "code", text },
        };

        if (counts->answered[route][i] == 0 &&
            (route != VISIT_SCORE || code != 200)) {
            continue;
        }
        (void)snprintf(text, sizeof(text), "%u", code);
        sco_page_add(page, SCO_METRIC_REQUESTS, labels, 2,
                     counts->answered[route][i]);
    }
}

static void
add_times(struct sco_text *page, const struct sco_counts *counts)
{
    sco_page_begin(page, SCO_METRIC_DURATION);
    for (size_t i = 0; i < SCORED; i++) {
        const struct sco_label label = { "route", sco_route_text(scored[i]) };

        sco_page_add_histogram(page, SCO_METRIC_DURATION, &label, 1,
                               &counts->took[scored[i]]);
    }
    sco_page_begin(page, SCO_METRIC_STAGES);
    for (int i = 0; i < SCO_STAGES; i++) {
        const struct sco_label label = { "stage",
                                         sco_stage_text((enum sco_stage)i) };

        sco_page_add_histogram(page, SCO_METRIC_STAGES, &label, 1,
                               &counts->stages[i]);
    }
}

static void
add_ends(struct sco_text *page, const struct sco_counts *counts)
{
    sco_page_begin(page, SCO_METRIC_REFUSED);
    for (int i = 0; i < SCO_REFUSED_COUNT; i++) {
        add(page, SCO_METRIC_REFUSED, "reason",
            sco_refused_text((enum sco_refused)i), counts->refused[i]);
    }
    sco_page_begin(page, SCO_METRIC_FAILED);
    for (int i = 0; i < SCO_FAILED_COUNT; i++) {
        add(page, SCO_METRIC_FAILED, "reason",
            sco_failed_text((enum sco_failed)i), counts->failed[i]);
    }
    sco_page_begin(page, SCO_METRIC_ABANDONED);
    for (int i = 0; i < SCO_STAGES; i++) {
        if (i != SCO_STAGE_WAIT) { /* nobody knows when that ends */
            add(page, SCO_METRIC_ABANDONED, "stage",
                sco_stage_text((enum sco_stage)i), counts->abandoned[i]);
        }
    }
}

static void
add_requests(struct sco_text *page, const struct visit_host *host)
{
    const struct sco_counts *counts = host->counts;
    struct sco_waiting waiting = sco_deployment_waiting(host->deployment);

    sco_page_begin(page, SCO_METRIC_REQUESTS);
    for (int i = 0; i < VISIT_ROUTES; i++) {
        add_answers(page, counts, (enum visit_route)i);
    }
    add_times(page, counts);
    sco_page_begin(page, SCO_METRIC_IN_FLIGHT);
    for (size_t i = 0; i < SCORED; i++) {
        add(page, SCO_METRIC_IN_FLIGHT, "route", sco_route_text(scored[i]),
            counts->in_flight[scored[i]]);
    }
    sco_page_put(page, SCO_METRIC_WAITING, waiting.count);
    sco_page_put(page, SCO_METRIC_WAITING_BYTES, waiting.bytes);
    add_ends(page, counts);
    sco_page_put(page, SCO_METRIC_BYTES_IN, counts->bytes_in);
    sco_page_put(page, SCO_METRIC_BYTES_OUT, counts->bytes_out);
    sco_page_put(page, SCO_METRIC_CONNECTIONS,
                 sco_http_connections(host->http));
    sco_page_put(page, SCO_METRIC_ACCEPTED, sco_http_accepted(host->http));
}

/* ---- workers ----------------------------------------------------------- */

static void
add_batches(struct sco_text *page, const struct sco_batches *batches)
{
    sco_page_begin(page, SCO_METRIC_BATCHES);
    for (unsigned i = 0; i < SCO_BATCHES_REASONS; i++) {
        add(page, SCO_METRIC_BATCHES, "reason", sco_batches_reason_text(i),
            batches->reasons[i]);
    }
    sco_page_begin(page, SCO_METRIC_BATCH_ROWS);
    sco_page_add_histogram(page, SCO_METRIC_BATCH_ROWS, NULL, 0,
                           &batches->rows);
    sco_page_put(page, SCO_METRIC_BATCHES_FAILED, batches->failed);
}

static void
add_workers(struct sco_text *page, const struct sco_pool *pool)
{
    const struct sco_worker *worker = NULL;
    uint64_t memory_bytes = 0;
    size_t busy = 0;

    while ((worker = sco_pool_next(pool, worker)) != NULL) {
        busy += worker->held_count > 0;
        if (worker->ops == &sco_process_worker && worker->pid != 0) {
            memory_bytes += sco_recycle_rss_bytes(worker->pid);
        }
    }
    sco_page_put(page, SCO_METRIC_WORKERS, pool->wanted);
    sco_page_put(page, SCO_METRIC_WORKERS_READY, sco_pool_ready_count(pool));
    sco_page_put(page, SCO_METRIC_WORKERS_BUSY, busy);
    sco_page_put(page, SCO_METRIC_WORKERS_STARTED, pool->started);
    sco_page_begin(page, SCO_METRIC_WORKERS_LOST);
    for (int i = 0; i < SCO_LOST_COUNT; i++) {
        add(page, SCO_METRIC_WORKERS_LOST, "reason",
            sco_lost_text((enum sco_lost)i), pool->counts.lost[i]);
    }
    sco_page_begin(page, SCO_METRIC_WORKERS_REPLACED);
    for (int i = 0; i < SCO_REPLACED_COUNT; i++) {
        add(page, SCO_METRIC_WORKERS_REPLACED, "reason",
            sco_replaced_text((enum sco_replaced)i), pool->counts.replaced[i]);
    }
    sco_page_put(page, SCO_METRIC_WORKERS_MEMORY, memory_bytes);
}

/* ---- the host ---------------------------------------------------------- */

static void
add_host(struct sco_text *page, const struct visit_host *host)
{
    const struct sco_label labels[] = {
        { "version", SCO_VERSION },
        { "python", host->python_version },
        { "libmicrohttpd", sco_http_library_version() },
    };

    sco_page_put(page, SCO_METRIC_HOST_MEMORY,
                 sco_recycle_rss_bytes(getpid()));
    sco_page_put(page, SCO_METRIC_HOST_RESTARTS, host->hosts_before);
    sco_page_begin(page, SCO_METRIC_START_TIME);
    sco_page_add_ns(page, SCO_METRIC_START_TIME, NULL, 0,
                    host->counts->begun_ns);
    sco_page_begin(page, SCO_METRIC_BUILD);
    sco_page_add(page, SCO_METRIC_BUILD, labels, 3, 1);
}

void
visit_send_metrics(struct visit *visit)
{
    struct visit_host *host = visit->host;
    struct sco_text page = { 0 };
    struct visit_reply reply = { .status = 200,
                                 .type = SCO_SLICE(SCO_PAGE_TYPE) };

    add_requests(&page, host);
    add_batches(&page, sco_deployment_batches(host->deployment));
    add_workers(&page, sco_deployment_pool(host->deployment));
    add_host(&page, host);
    reply.body = sco_text_slice(&page);
    if (page.failed) {
        visit_send_busy(visit, SCO_SLICE("The server is out of memory."));
    } else {
        visit_send(visit, &reply);
    }
    sco_text_finish(&page);
}
