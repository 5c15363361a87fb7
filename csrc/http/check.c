#include "http/check.h"

#include <stdarg.h>
#include <stdio.h>

enum { METHOD_MIN = 3, METHOD_MAX = 20, SHOWN_MAX = 40 };

/* Fills in a fault, and returns false. */
static bool __attribute__((format(printf, 3, 4)))
refuse(struct sco_head_fault *fault, unsigned status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(fault->message, sizeof(fault->message), format, args);
    va_end(args);
    fault->status = status;
    return false;
}

/* ---- bytes ------------------------------------------------------------ */

/* A byte of a token (RFC 9110, 5.6.2). */
static bool
is_token_byte(char byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
        (byte >= '0' && byte <= '9')) {
        return true;
    }
    return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

/* A byte that may stand in a value: no control but the tab. */
static bool
is_value_byte(char byte)
{
    unsigned char number = (unsigned char)byte;

    return number == '\t' || (number >= 0x20 && number != 0x7f);
}

/* Whether each byte passes. */
static bool
all_bytes(struct sco_slice text, bool (*passes)(char byte))
{
    for (size_t i = 0; i < text.len; i++) {
        if (!passes(text.data[i])) {
            return false;
        }
    }
    return true;
}

/* How much of a text that came from outside a message shows, for "%.*s". */
static int
shown(struct sco_slice text)
{
    return (int)(text.len < SHOWN_MAX ? text.len : SHOWN_MAX);
}

/* ---- the request line ------------------------------------------------- */

static bool
is_method_byte(char byte)
{
    return is_token_byte(byte) && !(byte >= 'a' && byte <= 'z') && byte != '#';
}

static bool
is_target_byte(char byte)
{
    return is_value_byte(byte) && byte != ' ' && byte != '\t';
}

/* A target begins with a slash or a scheme, or is "*"; that of CONNECT is a
 * host and a port. */
static bool
is_target(struct sco_slice method, struct sco_slice target)
{
    if (target.len == 0 || !all_bytes(target, is_target_byte)) {
        return false;
    }
    if (target.data[0] == '/' ||
        sco_slice_equal(method, SCO_SLICE("CONNECT"))) {
        return true;
    }
    if (sco_slice_equal(target, SCO_SLICE("*"))) {
        return true;
    }
    for (size_t i = 1; i + 3 <= target.len; i++) {
        if (memcmp(target.data + i, "://", 3) == 0) {
            return true;
        }
        if (!is_token_byte(target.data[i])) {
            break;
        }
    }
    return false;
}

static bool
check_line(const struct sco_http_head *head, struct sco_head_fault *fault)
{
    struct sco_slice method = head->method;
    struct sco_slice version = head->version;
    size_t length = method.len + 1 + head->target.len + 1 + version.len;

    if (length > SCO_HEAD_LINE_MAX) {
        return refuse(fault, 400, "Request line is too large (%zu > %d).",
                      length, SCO_HEAD_LINE_MAX);
    }
    if (method.len < METHOD_MIN || method.len > METHOD_MAX ||
        !all_bytes(method, is_method_byte)) {
        return refuse(fault, 400, "Invalid HTTP method.");
    }
    if (!is_target(method, head->target)) {
        return refuse(fault, 400, "Invalid request target.");
    }
    if (version.len != 8 || memcmp(version.data, "HTTP/1.", 7) != 0 ||
        version.data[7] < '0' || version.data[7] > '9') {
        return refuse(fault, 505, "HTTP version not supported.");
    }
    return true;
}

/* ---- the fields ------------------------------------------------------- */

/* What is gathered while the fields are looked at. */
struct framing {
    const struct sco_field *length, *coding, *expect;
    size_t length_count, coding_count, host_count, expect_count;
};

static bool
check_field(const struct sco_field *field, struct sco_head_fault *fault)
{
    struct sco_slice name = field->name;

    if (name.len + field->value.len + 4 > SCO_HEAD_FIELD_LINE_MAX) {
        return refuse(fault, 431, "A header field is larger than %d bytes.",
                      SCO_HEAD_FIELD_LINE_MAX);
    }
    if (name.len == 0 || !all_bytes(name, is_token_byte)) {
        return refuse(fault, 400, "Invalid HTTP header name.");
    }
    if (!all_bytes(field->value, is_value_byte)) {
        return refuse(fault, 400,
                      "Invalid HTTP header: '%.*s' has a control character "
                      "in its value.",
                      shown(name), name.data);
    }
    return true;
}

/* Notes the fields that say where the body ends. */
static void
note_field(const struct sco_field *field, struct framing *framing)
{
    switch (field->name.len) {
    case 4:
        if (sco_slice_equal_nocase(field->name, SCO_SLICE("Host"))) {
            framing->host_count++;
        }
        break;
    case 6:
        if (sco_slice_equal_nocase(field->name, SCO_SLICE("Expect"))) {
            framing->expect = field;
            framing->expect_count++;
        }
        break;
    case 14:
        if (sco_slice_equal_nocase(field->name, SCO_SLICE("Content-Length"))) {
            framing->length = field;
            framing->length_count++;
        }
        break;
    case 17:
        if (sco_slice_equal_nocase(field->name,
                                   SCO_SLICE("Transfer-Encoding"))) {
            framing->coding = field;
            framing->coding_count++;
        }
        break;
    default:
        break;
    }
}

/* Reads a Content-Length: digits and nothing else, 19 of them at most, which
 * no overflow can come of. */
static bool
read_length(struct sco_slice text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        if (number > (UINT64_MAX - 9) / 10) {
            number = UINT64_MAX; /* as large as any: too large */
            continue;
        }
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = number;
    return true;
}

static bool
check_coding(const struct sco_http_head *head, const struct framing *framing,
             struct sco_head_fault *fault)
{
    if (framing->length != NULL) {
        return refuse(fault, 400,
                      "Invalid HTTP header: 'Content-Length' together with "
                      "'Transfer-Encoding'.");
    }
    if (framing->coding_count > 1) {
        return refuse(fault, 400,
                      "Invalid HTTP header: 'Transfer-Encoding' is repeated.");
    }
    if (!sco_slice_equal_nocase(framing->coding->value,
                                SCO_SLICE("chunked"))) {
        return refuse(fault, 501, "Unsupported transfer coding: '%.*s'.",
                      shown(framing->coding->value),
                      framing->coding->value.data);
    }
    if (head->version.data[7] == '0') {
        return refuse(fault, 400,
                      "Invalid HTTP header: 'Transfer-Encoding' in "
                      "HTTP/1.0.");
    }
    return true;
}

/* Where the body ends. */
static bool
check_body(const struct sco_http_head *head, const struct framing *framing,
           struct sco_head_facts *facts, struct sco_head_fault *fault)
{
    facts->chunked = framing->coding != NULL;
    facts->body_bytes = 0;
    if (facts->chunked) {
        return check_coding(head, framing, fault);
    }
    if (framing->length_count > 1) {
        return refuse(fault, 400,
                      "Invalid HTTP header: 'Content-Length' is repeated.");
    }
    if (framing->length != NULL &&
        !read_length(framing->length->value, &facts->body_bytes)) {
        return refuse(fault, 400,
                      "Invalid HTTP header: 'Content-Length' is no number.");
    }
    return true;
}

static bool
check_host(const struct sco_http_head *head, const struct framing *framing,
           struct sco_head_fault *fault)
{
    if (framing->host_count > 1) {
        return refuse(fault, 400, "Invalid HTTP header: 'Host' is repeated.");
    }
    if (framing->host_count == 0 && head->version.data[7] != '0') {
        return refuse(fault, 400,
                      "An HTTP/1.1 request needs a 'Host' header.");
    }
    return true;
}

/* HTTP/1.0 has no expectations: the field says nothing there. */
static bool
check_expect(const struct sco_http_head *head, const struct framing *framing,
             struct sco_head_facts *facts, struct sco_head_fault *fault)
{
    facts->expects_continue = false;
    if (framing->expect == NULL || head->version.data[7] == '0') {
        return true;
    }
    if (framing->expect_count > 1 ||
        !sco_slice_equal_nocase(framing->expect->value,
                                SCO_SLICE("100-continue"))) {
        return refuse(fault, 417, "Unsupported expectation: '%.*s'.",
                      shown(framing->expect->value),
                      framing->expect->value.data);
    }
    facts->expects_continue = true;
    return true;
}

bool
sco_head_check(const struct sco_http_head *head, struct sco_head_facts *facts,
               struct sco_head_fault *fault)
{
    struct framing framing = { 0 };
    struct sco_head_facts found = { 0 };

    if (!check_line(head, fault)) {
        return false;
    }
    if (head->field_count > SCO_HEAD_FIELDS_MAX) {
        sco_head_fault_fields(fault);
        return false;
    }
    for (size_t i = 0; i < head->field_count; i++) {
        if (!check_field(&head->fields[i], fault)) {
            return false;
        }
        note_field(&head->fields[i], &framing);
    }
    if (!check_body(head, &framing, &found, fault) ||
        !check_host(head, &framing, fault) ||
        !check_expect(head, &framing, &found, fault)) {
        return false;
    }
    *facts = found;
    return true;
}

void
sco_head_fault_fields(struct sco_head_fault *fault)
{
    (void)refuse(fault, 431, "The request has more than %d header fields.",
                 SCO_HEAD_FIELDS_MAX);
}
