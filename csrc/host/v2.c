/* v2.c - the Open Inference Protocol, as far as the host answers it
 *
 * Everything below /v2 but what needs run(): the documents, and refusals of
 * infer requests that need no look into their bodies. Those bodies are the
 * workers' to read.
 */
#include "host/visit.h"

#include "base/text.h"
#include "deploy/deployment.h"
#include "v2/coding.h"
#include "v2/documents.h"
#include "v2/path.h"
#include "v2/request.h"

#include <stdlib.h>

/* ---- who is there ----------------------------------------------------- */

static struct sco_model *
model_of(const struct visit *visit)
{
    return sco_deployment_model(visit->host->deployment);
}

static enum sco_pool_health
health_of(const struct visit *visit)
{
    return sco_pool_health(sco_deployment_pool(visit->host->deployment));
}

static bool
is_ready(const struct visit *visit)
{
    return !visit->host->draining && health_of(visit) == SCO_POOL_SERVING;
}

/* ---- documents -------------------------------------------------------- */

static void
send_document(struct visit *visit, unsigned status, struct sco_text *document)
{
    struct visit_reply reply = { .status = status,
                                 .type = SCO_SLICE("application/json"),
                                 .body = sco_text_slice(document) };

    if (document->failed) {
        visit_send_busy(visit, SCO_SLICE("The server is out of memory."));
    } else {
        visit_send(visit, &reply);
    }
    sco_text_finish(document);
}

/* What is told of the server, whatever its script. False: it is the model
 * that is asked for. */
static bool
send_server(struct visit *visit, enum sco_v2_what what)
{
    struct sco_text document = { 0 };
    bool ready = is_ready(visit);

    if (what == SCO_V2_SERVER) {
        sco_v2_server_document(SCO_SLICE(SCO_VERSION), &document);
        send_document(visit, 200, &document);
    } else if (what == SCO_V2_LIVE) {
        sco_v2_live_document(&document);
        send_document(visit, 200, &document);
    } else if (what == SCO_V2_READY) {
        sco_v2_ready_document(ready, &document);
        send_document(visit, ready ? 200 : 503, &document);
    } else {
        return false;
    }
    return true;
}

static void
add_stats(struct visit *visit, struct sco_text *document)
{
    const struct sco_model *model = model_of(visit);
    const struct sco_v2_signature *signature = sco_model_signature(model);
    const struct sco_batches *batches =
        sco_deployment_batches(visit->host->deployment);
    struct sco_v2_batch_reason reasons[SCO_BATCHES_REASONS];
    struct sco_v2_stats stats = model->stats;

    for (unsigned i = 0; i < SCO_BATCHES_REASONS; i++) {
        reasons[i] = (struct sco_v2_batch_reason){ sco_batches_reason_text(i),
                                                   batches->reasons[i] };
    }
    stats.reasons = reasons;
    stats.reason_count = signature->is_batch ? SCO_BATCHES_REASONS : 0;
    sco_v2_stats_document(signature, &stats, document);
}

static void
send_model(struct visit *visit, enum sco_v2_what what)
{
    const struct sco_v2_signature *signature =
        sco_model_signature(model_of(visit));
    struct sco_text document = { 0 };
    unsigned status = 200;

    switch (what) {
    case SCO_V2_MODEL:
        sco_v2_model_document(signature, &document);
        break;
    case SCO_V2_MODEL_READY:
        status = is_ready(visit) ? 200 : 503;
        sco_v2_model_ready_document(signature, status == 200, &document);
        break;
    case SCO_V2_CONFIG:
        sco_v2_config_document(signature, &document);
        break;
    case SCO_V2_STATS:
    case SCO_V2_STATS_ALL:
        add_stats(visit, &document);
        break;
    case SCO_V2_OPENAPI:
        sco_v2_openapi_document(signature, &document);
        break;
    case SCO_V2_SERVER:
    case SCO_V2_LIVE:
    case SCO_V2_READY:
    case SCO_V2_INFER:
        break; /* answered elsewhere */
    }
    send_document(visit, status, &document);
}

/* Answers where there is no signature: none yet, or none at all. */
static void
send_no_model(struct visit *visit, enum sco_v2_what what)
{
    struct sco_text document = { 0 };
    enum sco_pool_health health = health_of(visit);

    if (health == SCO_POOL_SERVING && what == SCO_V2_STATS_ALL) {
        sco_text_add(&document, SCO_SLICE("{\"model_stats\":[]}"));
        send_document(visit, 200, &document);
    } else if (health == SCO_POOL_SERVING) {
        visit_send_message(
            visit, 404,
            SCO_SLICE("the script declares no tensors, so it is no model of "
                      "this protocol: put @scorehost.tensor(inputs={...}, "
                      "outputs={...}) on its run(), or ask POST /score"));
    } else if (what == SCO_V2_MODEL_READY) {
        sco_v2_ready_document(/* is_ready */ false, &document);
        send_document(visit, 503, &document);
    } else {
        if (what == SCO_V2_INFER) {
            visit_refused(visit, SCO_REFUSED_NO_WORKER);
        }
        visit_send_busy(visit,
                        health == SCO_POOL_STARTING
                            ? SCO_SLICE("The server is starting: the script's "
                                        "init() has not finished yet.")
                            : SCO_SLICE("No worker is there. Check the logs "
                                        "for more info."));
    }
}

/* ---- infer requests --------------------------------------------------- */

uint64_t
visit_body_max(const struct visit *visit)
{
    return visit->route == VISIT_INFER ? SCO_V2_BODY_BYTES : UINT64_MAX;
}

/* What the request says of its body's coding: the one field, or none of those
 * that are known where it comes twice. */
static struct sco_slice
coding_of(const struct visit *visit)
{
    const struct sco_http_head *head = visit->head;
    struct sco_slice found = { NULL, 0 };
    size_t count = 0;

    for (size_t i = 0; i < head->field_count; i++) {
        if (sco_slice_equal_nocase(head->fields[i].name,
                                   SCO_SLICE("Content-Encoding"))) {
            found = head->fields[i].value;
            count++;
        }
    }
    return count > 1 ? SCO_SLICE("(several)") : found;
}

/* Refuses a body that is packed as nobody here can unpack it. One that can be
 * is the worker's to unpack. */
static bool
is_packed_oddly(struct visit *visit)
{
    enum { SHOWN_MAX = 40 };
    struct sco_slice value = coding_of(visit);
    struct sco_field known = { SCO_SLICE("Accept-Encoding"),
                               sco_v2_codings() };
    struct visit_reply reply = { .status = 415,
                                 .fields = &known,
                                 .field_count = 1 };
    struct sco_text text = { 0 };
    enum sco_v2_coding coding;

    if (sco_v2_coding_find(value, &coding)) {
        return false;
    }
    sco_text_addf(&text,
                  "bodies in Content-Encoding '%.*s' are not understood: send "
                  "them in one of %.*s, or as they are",
                  value.len > SHOWN_MAX ? SHOWN_MAX : (int)value.len,
                  value.data, (int)known.value.len, known.value.data);
    visit_refused(visit, SCO_REFUSED_INVALID);
    visit_send_text(visit, &reply, sco_text_slice(&text));
    sco_text_finish(&text);
    return true;
}

void
visit_count_inference(struct visit *visit, const struct visit_reply *reply,
                      uint64_t now_ns, const struct sco_stage_times *times)
{
    sco_model_count(model_of(visit),
                    &(struct sco_inference){
                        .went_well = reply->status < 400,
                        .rows = reply->rows,
                        .took_ns = now_ns - visit->begun_ns,
                        .queue_ns = times->ns[SCO_STAGE_QUEUE],
                        .input_ns = times->ns[SCO_STAGE_WAIT],
                        .run_ns = times->ns[SCO_STAGE_RUN],
                        .output_ns = times->ns[SCO_STAGE_WRITE],
                    });
}

/* ---- what is asked for ------------------------------------------------ */

/* Finds the path, if there is such a one and it has the method. */
static bool
find(struct visit *visit, char *room, struct sco_v2_path *path)
{
    const struct sco_http_head *head = visit->head;
    struct sco_error err = { .text = "" };

    if (sco_v2_path_read(head->target, room, path, &err) != SCO_OK) {
        visit_send_message(visit, 404, sco_slice_of(err.text));
        return false;
    }
    if (!sco_v2_method_is_allowed(path->what, head->method)) {
        visit_send_not_allowed(visit, sco_v2_methods(path->what));
        return false;
    }
    return true;
}

/* Goes on with a path that is there. True: it is to be scored. */
static bool
go(struct visit *visit, const struct sco_v2_path *path)
{
    const struct sco_v2_signature *signature =
        sco_model_signature(model_of(visit));
    struct sco_error err = { .text = "" };

    if (sco_slice_equal(visit->head->method, SCO_SLICE("OPTIONS"))) {
        visit->is_plumbing = true;
        visit_send_options(visit, sco_v2_methods(path->what));
        return false;
    }
    if (send_server(visit, path->what)) {
        return false;
    }
    if (signature == NULL) {
        send_no_model(visit, path->what);
        return false;
    }
    if (path->what != SCO_V2_STATS_ALL &&
        sco_v2_signature_is(signature, path->model, path->version, &err) !=
            SCO_OK) {
        visit_send_message(visit, 404, sco_slice_of(err.text));
        return false;
    }
    if (path->what != SCO_V2_INFER) {
        send_model(visit, path->what);
        return false;
    }
    visit->route = VISIT_INFER;
    return !is_packed_oddly(visit);
}

bool
visit_begin_v2(struct visit *visit)
{
    char *room = malloc(visit->head->target.len + 1);
    struct sco_v2_path path = { .what = SCO_V2_SERVER };
    bool is_to_score = false;

    visit->route = VISIT_V2;
    if (room == NULL) {
        visit_send_busy(visit, SCO_SLICE("The server is out of memory."));
        return false;
    }
    if (find(visit, room, &path) && visit_match(visit)) {
        is_to_score = go(visit, &path);
    }
    free(room);
    return is_to_score;
}
