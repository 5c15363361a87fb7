#include "host/cors.h"

#include "base/status.h"
#include "host/identity.h"

#include <ctype.h>
#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct origin {
    struct sco_slice text;
    bool is_pattern;
    bool compiled;
    regex_t pattern;
};

struct sco_cors {
    struct origin *origins;
    size_t count;
    bool any;               /* a lone "*" or ".*" is among them */
    bool varies;            /* the answer depends on the Origin sent */
    struct sco_slice first; /* alphabetically first literal; may be empty */
};

enum { NAMES_MAX = 64 };

/* A regular expression of Python's on its way to a POSIX extended one. */
struct translation {
    const char *at;
    struct sco_text out;
    bool in_set; /* between [ and ] */
    bool failed; /* POSIX has no such thing */
};

/* What stands for something else, outside of a set and in one; NULL: it has
 * no counterpart there. */
static const struct {
    const char *python, *outside, *inside;
} words[] = {
    { "\\d", "[0-9]", "0-9" },
    { "\\D", "[^0-9]", NULL },
    { "\\w", "[[:alnum:]_]", "[:alnum:]_" },
    { "\\W", "[^[:alnum:]_]", NULL },
    { "\\s", "[[:space:]]", "[:space:]" },
    { "\\S", "[^[:space:]]", NULL },
    { "\\b", "\\b", NULL },
    { "\\B", "\\B", NULL },
    { "\\A", "^", NULL },
    { "\\Z", "$", NULL },
    { "\\]", "\\]", "[.].]" },
    { "\\-", "-", "[.-.]" },
    { "\\^", "\\^", "[.^.]" },
    { "\\\\", "\\\\", "\\" },
};

/* Translates a backslash and what follows it. */
static void
translate_escape(struct translation *it)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *posix = it->in_set ? words[i].inside : words[i].outside;

        if (strncmp(it->at, words[i].python, 2) == 0) {
            it->failed = posix == NULL;
            sco_text_add(&it->out, sco_slice_of(posix));
            it->at += 2;
            return;
        }
    }
    /* A letter or digit that is none of these means something else. */
    it->failed = it->at[1] == '\0' || isalnum((unsigned char)it->at[1]);
    if (!it->in_set) {
        sco_text_add_char(&it->out, '\\');
    }
    sco_text_add_char(&it->out, it->at[1]);
    it->at += 2;
}

/* Enters a set, whose first character may be a "]" that does not end it. */
static void
translate_set_begin(struct translation *it)
{
    it->in_set = true;
    do {
        sco_text_add_char(&it->out, *it->at++);
    } while (it->at[-1] == '[' && *it->at == '^');
    if (*it->at == ']') {
        sco_text_add_char(&it->out, *it->at++);
    }
}

static void
translate_one(struct translation *it)
{
    if (*it->at == '\\') {
        translate_escape(it);
    } else if (it->in_set) {
        it->in_set = *it->at != ']';
        /* "[:" and its like begin nothing in Python. */
        sco_text_add(&it->out, *it->at == '['
                                   ? SCO_SLICE("[.[.]")
                                   : (struct sco_slice){ it->at, 1 });
        it->at++;
    } else if (*it->at == '[') {
        translate_set_begin(it);
    } else if (strncmp(it->at, "(?:", 3) == 0) {
        sco_text_add_char(&it->out, '(');
        it->at += 3;
    } else {
        it->failed = strncmp(it->at, "(?", 2) == 0;
        sco_text_add_char(&it->out, *it->at++);
    }
}

/* Compiles what Python's re.match() would take, without regard to case. */
static bool
compile(const char *python, regex_t *out)
{
    struct translation it = { .at = python };
    bool is_sound;

    /* Python refuses an expression that begins with a repetition. */
    it.failed = strchr("*?+", python[0]) != NULL;
    sco_text_add(&it.out, SCO_SLICE("^("));
    while (!it.failed && *it.at != '\0') {
        translate_one(&it);
    }
    sco_text_add_char(&it.out, ')');
    is_sound =
        !it.failed && !it.out.failed &&
        regcomp(out, it.out.data, REG_EXTENDED | REG_ICASE | REG_NOSUB) == 0;
    sco_text_finish(&it.out);
    return is_sound;
}

static void
read_origin(struct sco_cors *cors, const char *text, struct origin *out)
{
    out->text = sco_slice_of(text);
    if (strcmp(text, "*") == 0 || strcmp(text, ".*") == 0) {
        cors->any = true;
    } else if (strpbrk(text, "*\\]?$^[()") != NULL) {
        out->is_pattern = true;
        out->compiled = compile(text, &out->pattern);
    } else if (cors->first.len == 0 || strcmp(text, cors->first.data) < 0) {
        cors->first = out->text;
    }
    if (out->is_pattern || cors->any) {
        cors->varies = true;
    }
}

struct sco_cors *
sco_cors_create(char *const *origins, size_t count)
{
    struct sco_cors *cors;

    if (count == 0) {
        return NULL;
    }
    cors = sco_alloc(1, sizeof(*cors));
    cors->origins = sco_alloc(count, sizeof(*cors->origins));
    cors->count = count;
    cors->varies = count > 1;
    for (size_t i = 0; i < count; i++) {
        read_origin(cors, origins[i], &cors->origins[i]);
    }
    return cors;
}

void
sco_cors_destroy(struct sco_cors *cors)
{
    if (cors == NULL) {
        return;
    }
    for (size_t i = 0; i < cors->count; i++) {
        if (cors->origins[i].compiled) {
            regfree(&cors->origins[i].pattern);
        }
    }
    free(cors->origins);
    free(cors);
}

static bool
matches_one(const struct origin *origin, struct sco_slice sent,
            const char *terminated)
{
    if (origin->is_pattern) {
        return origin->compiled &&
               regexec(&origin->pattern, terminated, 0, NULL, 0) == 0;
    }
    return sco_slice_equal_nocase(origin->text, sent);
}

static bool
matches(const struct sco_cors *cors, struct sco_slice sent)
{
    char *terminated = strndup(sent.data, sent.len);
    bool found = cors->any;

    for (size_t i = 0; terminated != NULL && !found && i < cors->count; i++) {
        found = matches_one(&cors->origins[i], sent, terminated);
    }
    free(terminated);
    return found;
}

static void
add(struct sco_cors_fields *out, struct sco_slice name, struct sco_slice value)
{
    out->fields[out->count++] = (struct sco_field){ name, value };
}

static int
compare_names(const void *a, const void *b)
{
    const struct sco_slice *x = a;
    const struct sco_slice *y = b;
    size_t shorter = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->data, y->data, shorter);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static struct sco_slice
trimmed(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) {
        from++;
    }
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) {
        to--;
    }
    return (struct sco_slice){ from, (size_t)(to - from) };
}

/* The names of a comma list, trimmed, sorted, joined by ", ". */
static void
sort_names(struct sco_slice list, struct sco_text *out)
{
    struct sco_slice names[NAMES_MAX];
    const char *end = list.data + list.len;
    const char *at = list.data;
    size_t count = 0;

    while (at < end && count < NAMES_MAX) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;

        names[count++] = trimmed(at, stop);
        at = stop + 1;
    }
    qsort(names, count, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < count; i++) {
        sco_text_add(out, i == 0 ? SCO_SLICE("") : SCO_SLICE(", "));
        sco_text_add(out, names[i]);
    }
}

static void
add_preflight(const struct sco_field *fields, size_t field_count,
              struct sco_cors_fields *out)
{
    struct sco_slice method, names;

    if (!sco_field_find(fields, field_count,
                        SCO_SLICE("access-control-request-method"), &method) ||
        !(sco_slice_equal_nocase(method, SCO_SLICE("GET")) ||
          sco_slice_equal_nocase(method, SCO_SLICE("POST")))) {
        return;
    }
    if (sco_field_find(fields, field_count,
                       SCO_SLICE("access-control-request-headers"), &names)) {
        sort_names(names, &out->names);
        if (out->names.len > 0 && !out->names.failed) {
            add(out, SCO_SLICE("Access-Control-Allow-Headers"),
                sco_text_slice(&out->names));
        }
    }
    add(out, SCO_SLICE("Access-Control-Allow-Methods"),
        SCO_SLICE("GET, POST"));
}

/* The origin that is allowed; empty: none. */
static struct sco_slice
allowed_origin(const struct sco_cors *cors, const struct sco_field *fields,
               size_t field_count)
{
    struct sco_slice sent;

    if (sco_field_find(fields, field_count, SCO_SLICE("origin"), &sent) &&
        sent.len > 0) {
        return matches(cors, sent) ? sent : (struct sco_slice){ NULL, 0 };
    }
    return cors->any ? SCO_SLICE("*") : cors->first;
}

void
sco_cors_apply(const struct sco_cors *cors, struct sco_slice method,
               const struct sco_field *fields, size_t field_count,
               struct sco_cors_fields *out)
{
    struct sco_slice origin, private_network;

    *out = (struct sco_cors_fields){ 0 };
    if (cors == NULL) {
        return;
    }
    origin = allowed_origin(cors, fields, field_count);
    if (origin.len == 0) {
        return;
    }
    add(out, SCO_SLICE("Access-Control-Allow-Origin"), origin);
    if (sco_field_find(fields, field_count,
                       SCO_SLICE("access-control-request-private-network"),
                       &private_network) &&
        sco_slice_equal(private_network, SCO_SLICE("true"))) {
        add(out, SCO_SLICE("Access-Control-Allow-Private-Network"),
            SCO_SLICE("false"));
    }
    if (sco_slice_equal(method, SCO_SLICE("OPTIONS"))) {
        add_preflight(fields, field_count, out);
    }
    if (cors->varies && !sco_slice_equal(origin, SCO_SLICE("*"))) {
        add(out, SCO_SLICE("Vary"), SCO_SLICE("Origin"));
    }
}

void
sco_cors_fields_finish(struct sco_cors_fields *fields)
{
    sco_text_finish(&fields->names);
}
