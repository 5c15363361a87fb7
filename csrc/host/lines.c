#include "host/lines.h"

#include "base/log.h"
#include "deploy/deployment.h"
#include "host/identity.h"

#include <time.h>
#include <unistd.h>

static pid_t
pid_for(const struct sco_lines *lines, pid_t pid)
{
    if (pid == 0) {
        pid = sco_deployment_pid(lines->deployment);
    }
    return pid != 0 ? pid : getpid();
}

/* Sends the line in the making on its way. */
static void
emit(struct sco_lines *lines, enum sco_log_level level, const char *logger,
     pid_t pid)
{
    if (lines->to_worker &&
        sco_deployment_line(lines->deployment, pid, sco_slice_of(logger),
                            sco_text_slice(&lines->line))) {
        return;
    }
    sco_log_prefix(&lines->burst, level, pid_for(lines, pid), logger);
    sco_text_add(&lines->burst, sco_text_slice(&lines->line));
    sco_text_add_char(&lines->burst, '\n');
}

void
sco_lines_warn(struct sco_lines *lines, struct sco_slice text)
{
    sco_text_clear(&lines->line);
    sco_text_add(&lines->line, text);
    emit(lines, SCO_LOG_WARNING, "azmlinfsrv", 0);
}

/* Appends a byte of the client's: `escaped` with a backslash, latin-1 as
 * UTF-8, since a log is text for whoever reads it. */
static void
add_byte(struct sco_text *line, char byte, char escaped)
{
    unsigned char code = (unsigned char)byte;

    if (byte == escaped) {
        sco_text_add_char(line, '\\');
    }
    if (code >= 0x80) {
        sco_text_add_char(line, (char)(0xc0 | code >> 6));
        byte = (char)(0x80 | (code & 0x3f));
    }
    sco_text_add_char(line, byte);
}

/* Appends bytes of the client's; the usual ones in one piece. */
static void
add_bytes(struct sco_text *line, struct sco_slice bytes, char escaped)
{
    size_t plain = 0;

    while (plain < bytes.len && bytes.data[plain] > 0 &&
           bytes.data[plain] != escaped) {
        plain++;
    }
    sco_text_add(line, (struct sco_slice){ bytes.data, plain });
    for (size_t i = plain; i < bytes.len; i++) {
        add_byte(line, bytes.data[i], escaped);
    }
}

/* Appends a query as the client meant it: browsers and libraries that do not
 * escape send UTF-8. */
static void
add_query(struct sco_text *line, struct sco_slice query)
{
    sco_text_add_char(line, '?');
    if (sco_is_utf8(query)) {
        sco_text_add(line, query);
    } else {
        add_bytes(line, query, /* escaped */ '\0');
    }
}

void
sco_lines_score(struct sco_lines *lines, const struct sco_line_facts *facts)
{
    struct sco_text *line = &lines->line;

    if (!lines->on) {
        return;
    }
    sco_text_clear(line);
    sco_text_add(line, facts->head->method);
    sco_text_add_char(line, ' ');
    sco_text_add(line, facts->head->path);
    if (facts->head->query.len > 0) {
        add_query(line, facts->head->query);
    }
    sco_text_add_char(line, ' ');
    sco_text_add_number(line, facts->status);
    sco_text_add_char(line, ' ');
    sco_text_add_ms(line, facts->took_ns);
    sco_text_add(line, SCO_SLICE("ms "));
    if (facts->streamed) {
        sco_text_add(line, SCO_SLICE("N/A"));
    } else {
        sco_text_add_number(line, facts->body_bytes);
    }
    emit(lines, SCO_LOG_INFO, "azmlinfsrv", facts->pid);
}

static void
refresh_date(struct sco_lines *lines)
{
    time_t now = time(NULL);
    struct tm local;

    if (lines->zone_second != (int64_t)now) {
        lines->zone_second = (int64_t)now;
        localtime_r(&now, &local);
        strftime(lines->date, sizeof(lines->date), "[%d/%b/%Y:%H:%M:%S %z]",
                 &local);
    }
}

/* A value of the client's between quotes. */
static void
add_quoted(struct sco_text *line, const struct sco_http_head *head,
           struct sco_slice name)
{
    struct sco_slice value;

    if (!sco_field_find(head->fields, head->field_count, name, &value)) {
        value = SCO_SLICE("-");
    }
    sco_text_add(line, SCO_SLICE(" \""));
    add_bytes(line, value, '"');
    sco_text_add_char(line, '"');
}

static int
base64_value(char letter)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;

    return found == NULL ? -1 : (int)(found - letters);
}

/* The user name of "Basic <base64 of user:password>"; never the rest. */
static void
add_user(struct sco_text *line, const struct sco_http_head *head)
{
    size_t before = line->len;
    struct sco_slice value;
    unsigned bits = 0;
    int have = 0;

    if (sco_field_find(head->fields, head->field_count,
                       SCO_SLICE("authorization"), &value) &&
        value.len > 6 && strncasecmp(value.data, "basic ", 6) == 0) {
        for (size_t i = 6; i < value.len; i++) {
            int six = base64_value(value.data[i]);
            char letter;

            if (six < 0) {
                break;
            }
            bits = bits << 6 | (unsigned)six;
            have += 6;
            if (have < 8) {
                continue;
            }
            have -= 8;
            letter = (char)(bits >> have & 0xff);
            if (letter == ':') {
                break;
            }
            sco_text_add_char(line,
                              letter < ' ' || letter == 127 ? '?' : letter);
        }
    }
    if (line->len == before) {
        sco_text_add_char(line, '-');
    }
}

static bool
is_probe(const struct sco_http_head *head)
{
    static const struct sco_slice targets[] = {
        SCO_SLICE_INIT("/"),
        SCO_SLICE_INIT("/metrics"),
        SCO_SLICE_INIT("/v2/health/live"),
        SCO_SLICE_INIT("/v2/health/ready"),
    };

    if (!sco_slice_equal(head->method, SCO_SLICE("GET")) &&
        !sco_slice_equal(head->method, SCO_SLICE("HEAD"))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (sco_slice_equal(head->target, targets[i])) {
            return true;
        }
    }
    return false;
}

void
sco_lines_access(struct sco_lines *lines, const struct sco_line_facts *facts)
{
    const struct sco_http_head *head = facts->head;
    struct sco_text *line = &lines->line;

    if (!lines->on || head->method.len == 0 || is_probe(head)) {
        return;
    }
    refresh_date(lines);
    sco_text_clear(line);
    sco_text_add(line, head->peer_host[0] != '\0'
                           ? sco_slice_of(head->peer_host)
                           : SCO_SLICE("-"));
    sco_text_add(line, SCO_SLICE(" - "));
    add_user(line, head);
    sco_text_add_char(line, ' ');
    sco_text_add(line, sco_slice_of(lines->date));
    sco_text_add(line, SCO_SLICE(" \""));
    sco_text_add(line, head->method);
    sco_text_add_char(line, ' ');
    add_bytes(line, head->target, '"');
    sco_text_add_char(line, ' ');
    sco_text_add(line, head->version);
    sco_text_add(line, SCO_SLICE("\" "));
    sco_text_add_number(line, facts->status);
    sco_text_add_char(line, ' ');
    sco_text_add_number(line, facts->body_bytes);
    add_quoted(line, head, SCO_SLICE("referer"));
    add_quoted(line, head, SCO_SLICE("user-agent"));
    emit(lines, SCO_LOG_INFO, "gunicorn.access", facts->pid);
}

void
sco_lines_flush(struct sco_lines *lines)
{
    if (lines->burst.len > 0) {
        sco_log_write(STDOUT_FILENO, sco_text_slice(&lines->burst));
        sco_text_clear(&lines->burst);
    }
}

void
sco_lines_finish(struct sco_lines *lines)
{
    sco_lines_flush(lines);
    sco_text_finish(&lines->burst);
    sco_text_finish(&lines->line);
}
