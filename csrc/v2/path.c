#include "v2/path.h"

#include "base/text.h"
#include "v2/v2_int.h"

#include <stdint.h>

enum { SEGMENTS_MAX = 6 }; /* v2 models M versions V infer */

/* A path, cut at its slashes and without the first part, `v2`. */
struct segments {
    struct sco_slice at[SEGMENTS_MAX];
    size_t count;
};

/* What stands behind a model, or its version. */
static const struct {
    struct sco_slice name;
    enum sco_v2_what what;
} about_model[] = {
    { SCO_SLICE_INIT("ready"), SCO_V2_MODEL_READY },
    { SCO_SLICE_INIT("infer"), SCO_V2_INFER },
    { SCO_SLICE_INIT("config"), SCO_V2_CONFIG },
    { SCO_SLICE_INIT("stats"), SCO_V2_STATS },
    { SCO_SLICE_INIT("openapi.json"), SCO_V2_OPENAPI },
};

static bool
is_word(struct sco_slice segment, const char *word)
{
    return sco_slice_equal(segment, sco_slice_of(word));
}

/* The path of a target: no scheme and host, no query, no fragment. */
static struct sco_slice
path_of(struct sco_slice target)
{
    if (target.data == NULL) {
        return SCO_SLICE("");
    }
    target.len = sco_slice_find(target, '?');
    target.len = sco_slice_find(target, '#');
    if (target.len > 0 && target.data[0] != '/') {
        size_t scheme = sco_slice_find(target, ':');

        if (target.len > scheme + 3 &&
            memcmp(target.data + scheme, "://", 3) == 0) {
            target = sco_slice_from(target, scheme + 3);
            target = sco_slice_from(target, sco_slice_find(target, '/'));
        }
    }
    return target;
}

bool
sco_v2_path_is(struct sco_slice path)
{
    const struct sco_slice begin = SCO_SLICE("/v2");

    return path.len >= begin.len &&
           memcmp(path.data, begin.data, begin.len) == 0 &&
           (path.len == begin.len || path.data[begin.len] == '/');
}

/* Decodes one segment into `room`; false: an escape that is none, or one of
 * a NUL, which no name can have. */
static bool
decode(struct sco_slice raw, char *room, struct sco_slice *out)
{
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        int escaped;

        if (raw.data[i] != '%') {
            room[len++] = raw.data[i];
            continue;
        }
        escaped = sco_slice_escape(raw, i);
        if (escaped <= 0) {
            return false;
        }
        room[len++] = (char)escaped;
        i += 2;
    }
    *out = (struct sco_slice){ room, len };
    return true;
}

/* Cuts a path at its slashes. */
static bool
cut(struct sco_slice path, char *room, struct segments *out)
{
    while (path.len > 0 && path.data[0] == '/') {
        path = sco_slice_from(path, 1);
    }
    if (path.len > 0 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    for (;;) {
        size_t len = sco_slice_find(path, '/');

        if (out->count == SEGMENTS_MAX ||
            !decode((struct sco_slice){ path.data, len }, room,
                    &out->at[out->count])) {
            return false;
        }
        room += len;
        out->count++;
        if (len == path.len) {
            return true;
        }
        path = sco_slice_from(path, len + 1);
    }
}

/* /v2/models/..., from its third segment on. */
static bool
read_model(const struct segments *s, struct sco_v2_path *out)
{
    size_t next = 3;

    if (s->count < next || s->at[2].len == 0) {
        return false;
    }
    if (s->count == 3 && is_word(s->at[2], "stats")) {
        out->what = SCO_V2_STATS_ALL;
        return true;
    }
    out->model = s->at[2];
    if (s->count > next && is_word(s->at[next], "versions")) {
        if (s->count < 5 || s->at[4].len == 0) {
            return false;
        }
        out->version = s->at[4];
        next = 5;
    }
    if (s->count == next) {
        out->what = SCO_V2_MODEL;
        return true;
    }
    for (size_t i = 0; i < sizeof(about_model) / sizeof(about_model[0]); i++) {
        if (s->count == next + 1 &&
            sco_slice_equal(s->at[next], about_model[i].name)) {
            out->what = about_model[i].what;
            return true;
        }
    }
    return false;
}

/* The path as a whole. */
static bool
read_segments(const struct segments *s, struct sco_v2_path *out)
{
    if (!is_word(s->at[0], "v2")) {
        return false;
    }
    if (s->count == 1) {
        out->what = SCO_V2_SERVER;
        return true;
    }
    if (s->count == 3 && is_word(s->at[1], "health")) {
        out->what = is_word(s->at[2], "live") ? SCO_V2_LIVE : SCO_V2_READY;
        return out->what == SCO_V2_LIVE || is_word(s->at[2], "ready");
    }
    return is_word(s->at[1], "models") && read_model(s, out);
}

enum sco_status
sco_v2_path_read(struct sco_slice target, char *room, struct sco_v2_path *out,
                 struct sco_error *err)
{
    struct segments segments = { .count = 0 };
    struct sco_v2_path path = { .what = SCO_V2_SERVER };
    struct sco_slice given = path_of(target);

    if (!cut(given, room, &segments) || !read_segments(&segments, &path)) {
        return sco_fail(err, SCO_NOT_FOUND,
                        "there is no %.*s: see /v2, /v2/health/live, "
                        "/v2/health/ready, and /v2/models/NAME with nothing, "
                        "/ready, /infer, /config, /stats or /openapi.json "
                        "behind it",
                        SCO_V2_SHOWN(given));
    }
    *out = path;
    return SCO_OK;
}

struct sco_slice
sco_v2_methods(enum sco_v2_what what)
{
    return what == SCO_V2_INFER ? SCO_SLICE("POST, OPTIONS")
                                : SCO_SLICE("GET, HEAD, OPTIONS");
}

bool
sco_v2_method_is_allowed(enum sco_v2_what what, struct sco_slice method)
{
    if (is_word(method, "OPTIONS")) {
        return true; /* browsers ask so before they ask */
    }
    if (what == SCO_V2_INFER) {
        return is_word(method, "POST");
    }
    return is_word(method, "GET") || is_word(method, "HEAD");
}

void
sco_v2_path_add_segment(struct sco_text *text, struct sco_slice segment)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~";

    for (size_t i = 0; i < segment.len; i++) {
        char byte = segment.data[i];

        if (memchr(plain, byte, sizeof(plain) - 1) != NULL) {
            sco_text_add_char(text, byte);
        } else {
            sco_text_addf(text, "%%%02X", (unsigned)(unsigned char)byte);
        }
    }
}
