/* swagger.c - /swagger.json, from the documents that the workers sent */
#include "host/visit.h"

#include "base/text.h"
#include "deploy/deployment.h"

/* What may be asked for, and the document that it means. */
static const struct {
    struct sco_slice asked;
    struct sco_slice document;
} versions[] = {
    { SCO_SLICE_INIT("2"), SCO_SLICE_INIT("2") },
    { SCO_SLICE_INIT("2.0"), SCO_SLICE_INIT("2") },
    { SCO_SLICE_INIT("3"), SCO_SLICE_INIT("3") },
    { SCO_SLICE_INIT("3.0"), SCO_SLICE_INIT("3") },
    { SCO_SLICE_INIT("3.1"), SCO_SLICE_INIT("3.1") },
};

/* Appends a query value with its escapes undone. */
static void
unescape(struct sco_slice value, struct sco_text *out)
{
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.data[i] == '+' ? ' ' : value.data[i];
        int escaped = sco_slice_escape(value, i);

        sco_text_add_char(out, escaped < 0 ? byte : (char)escaped);
        i += escaped < 0 ? 0 : 2;
    }
}

/* The first `version` of a query, or false. */
static bool
find_version(struct sco_slice query, struct sco_slice *out)
{
    static const struct sco_slice name = SCO_SLICE_INIT("version");
    const char *end = query.data + query.len;
    const char *at = query.data;

    while (at < end) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        const char *stop = amp != NULL ? amp : end;
        size_t len = (size_t)(stop - at);

        if (len >= name.len && memcmp(at, name.data, name.len) == 0 &&
            (len == name.len || at[name.len] == '=')) {
            at += len == name.len ? name.len : name.len + 1;
            *out = (struct sco_slice){ at, (size_t)(stop - at) };
            return true;
        }
        at = stop + 1;
    }
    return false;
}

static void
add_available(const struct visit *visit, struct sco_text *text)
{
    static const struct sco_slice names[] = { SCO_SLICE_INIT("2"),
                                              SCO_SLICE_INIT("3"),
                                              SCO_SLICE_INIT("3.1") };
    bool first = true;

    sco_text_add_char(text, '[');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (sco_deployment_document(visit->host->deployment, names[i]).len ==
            0) {
            continue;
        }
        sco_text_add(text, first ? SCO_SLICE("") : SCO_SLICE(", "));
        sco_text_add(text, names[i]);
        first = false;
    }
    sco_text_add(text, SCO_SLICE("]."));
}

static void
refuse(struct visit *visit, struct sco_slice version, bool is_known)
{
    struct sco_text text = { 0 };

    sco_text_add(&text, SCO_SLICE("Swagger version ["));
    sco_text_add(&text, version);
    sco_text_add(&text,
                 is_known ? SCO_SLICE("] is not supported for the scoring "
                                      "script. Supported swagger versions: ")
                          : SCO_SLICE("] is not valid. Supported versions: "));
    add_available(visit, &text);
    visit_send_message(visit, 404, sco_text_slice(&text));
    sco_text_finish(&text);
}

static void
send_version(struct visit *visit, struct sco_slice version)
{
    struct visit_reply reply = { .status = 200,
                                 .type = SCO_SLICE("application/json") };

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (!sco_slice_equal(versions[i].asked, version)) {
            continue;
        }
        reply.body = sco_deployment_document(visit->host->deployment,
                                             versions[i].document);
        if (reply.body.len > 0) {
            visit_send(visit, &reply);
            return;
        }
        refuse(visit, version, true);
        return;
    }
    refuse(visit, version, false);
}

void
visit_send_swagger(struct visit *visit)
{
    struct sco_text asked = { 0 };
    struct sco_slice raw = SCO_SLICE("2");

    enum sco_pool_health health =
        sco_pool_health(sco_deployment_pool(visit->host->deployment));

    if (health == SCO_POOL_STARTING || health == SCO_POOL_EMPTY) {
        visit_send_busy(visit, SCO_SLICE("The server is starting: the "
                                         "script's init() has not finished "
                                         "yet."));
        return;
    }
    (void)find_version(visit->head->query, &raw);
    unescape(raw, &asked);
    send_version(visit, sco_text_slice(&asked));
    sco_text_finish(&asked);
}
