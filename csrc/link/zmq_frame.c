/* Design notes
 *
 * Each kind's layout stands once: walk_kind() goes over the members in the
 * order of the wire, and reads or writes them as its codec says. So the two
 * directions cannot disagree. What the numbers may be is checked after
 * reading, in is_sound().
 */
#include "link/zmq_frame.h"

#include "base/reader.h"
#include "link/lane.h"

#include <string.h>

#define MAGIC 0x31524353U /* "SCR1" */

/* A walk over a head: reading it, or writing it into `out`. */
struct codec {
    struct sco_reader in;
    char *out; /* NULL while reading */
    size_t written;
};

static void
put(struct codec *codec, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        codec->out[codec->written++] = (char)(number >> (8 * i) & 0xff);
    }
}

static void
walk_u16(struct codec *codec, uint32_t *number)
{
    if (codec->out != NULL) {
        put(codec, *number, 2);
    } else {
        *number = sco_read_u16le(&codec->in);
    }
}

static void
walk_u32(struct codec *codec, uint32_t *number)
{
    if (codec->out != NULL) {
        put(codec, *number, 4);
    } else {
        *number = sco_read_u32le(&codec->in);
    }
}

static void
walk_u64(struct codec *codec, uint64_t *number)
{
    uint64_t low;

    if (codec->out != NULL) {
        put(codec, *number, 8);
    } else {
        low = sco_read_u32le(&codec->in);
        *number = low | (uint64_t)sco_read_u32le(&codec->in) << 32;
    }
}

static uint32_t
cut(size_t len)
{
    return len < SCO_FRAME_TEXT_MAX ? (uint32_t)len : SCO_FRAME_TEXT_MAX;
}

static void
walk_text(struct codec *codec, struct sco_slice *text)
{
    uint32_t len = text->data != NULL ? cut(text->len) : 0;

    walk_u16(codec, &len);
    if (codec->out == NULL) {
        *text = sco_read_slice(&codec->in, len);
    } else if (text->data != NULL) {
        memcpy(codec->out + codec->written, text->data, len);
        codec->written += len;
    }
}

static void
walk_hello(struct codec *codec, struct sco_frame *frame)
{
    walk_u32(codec, &frame->pid);
    walk_u16(codec, &frame->credits);
    walk_u64(codec, &frame->script_hash);
    walk_text(codec, &frame->name);
    walk_text(codec, &frame->machine);
    walk_text(codec, &frame->gpu);
    walk_text(codec, &frame->script);
}

static void
walk_reply(struct codec *codec, struct sco_reply_head *head)
{
    uint32_t status = head->status;
    uint32_t has_reason = head->has_reason;
    uint32_t batch_told = head->batch_told;
    uint64_t stream_bytes = (uint64_t)head->stream_bytes;

    walk_u16(codec, &status);
    walk_u16(codec, &has_reason);
    walk_u32(codec, &head->flags);
    walk_u64(codec, &head->run_ns);
    walk_u64(codec, &stream_bytes);
    walk_u32(codec, &head->rows);
    walk_u32(codec, &head->batch_rows);
    walk_u16(codec, &batch_told);
    head->status = status;
    head->has_reason = has_reason != 0;
    head->stream_bytes = (int64_t)stream_bytes;
    head->batch_told = (uint16_t)batch_told;
    if (has_reason > 1) {
        codec->in.failed = true;
    }
}

static void
walk_kind(struct codec *codec, struct sco_frame *frame)
{
    switch (frame->kind) {
    case SCO_FRAME_HELLO:
        walk_hello(codec, frame);
        return;
    case SCO_FRAME_WELCOME:
        walk_u32(codec, &frame->beat_ms);
        return;
    case SCO_FRAME_CALL:
        walk_u16(codec, &frame->way);
        walk_u32(codec, &frame->timeout_ms);
        walk_u32(codec, &frame->left_ms);
        return;
    case SCO_FRAME_REFUSED:
    case SCO_FRAME_BYE:
        walk_u64(codec, &frame->number);
        walk_text(codec, &frame->text);
        return;
    case SCO_FRAME_CANCEL:
    case SCO_FRAME_ACK:
    case SCO_FRAME_END:
    case SCO_FRAME_BEAT:
        walk_u64(codec, &frame->number);
        return;
    case SCO_FRAME_WHOLE:
    case SCO_FRAME_START:
    case SCO_FRAME_RAN:
        walk_reply(codec, &frame->head);
        return;
    case SCO_FRAME_LINE:
    case SCO_FRAME_CHUNK:
    case SCO_FRAME_KINDS:
        return;
    }
}

size_t
sco_frame_write(const struct sco_frame *frame, char into[SCO_FRAME_HEAD_MAX])
{
    struct sco_frame copy = *frame;
    struct codec codec = { .out = into };

    put(&codec, MAGIC, 4);
    put(&codec, SCO_FRAME_VERSION, 2);
    put(&codec, (uint64_t)frame->kind, 2);
    walk_u64(&codec, &copy.session);
    walk_u64(&codec, &copy.id);
    walk_kind(&codec, &copy);
    return codec.written;
}

size_t
sco_frame_parts(enum sco_frame_kind kind)
{
    switch (kind) {
    case SCO_FRAME_CALL:
    case SCO_FRAME_LINE:
    case SCO_FRAME_WHOLE:
        return 2;
    case SCO_FRAME_HELLO:
    case SCO_FRAME_START:
    case SCO_FRAME_CHUNK:
        return 1;
    case SCO_FRAME_WELCOME:
    case SCO_FRAME_REFUSED:
    case SCO_FRAME_CANCEL:
    case SCO_FRAME_ACK:
    case SCO_FRAME_END:
    case SCO_FRAME_BEAT:
    case SCO_FRAME_BYE:
    case SCO_FRAME_RAN:
    case SCO_FRAME_KINDS:
        break;
    }
    return 0;
}

static bool
is_text(struct sco_slice text)
{
    if (text.len > SCO_FRAME_TEXT_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Whether the numbers and texts are such as may be. */
static bool
is_sound(const struct sco_frame *frame)
{
    switch (frame->kind) {
    case SCO_FRAME_HELLO:
        return frame->credits >= 1 &&
               frame->credits <= SCO_FRAME_CREDITS_MAX && frame->pid != 0 &&
               frame->pid <= INT32_MAX && frame->name.len > 0 &&
               is_text(frame->name) && is_text(frame->machine) &&
               is_text(frame->gpu) && is_text(frame->script);
    case SCO_FRAME_WELCOME:
        return frame->beat_ms > 0 && frame->session != 0;
    case SCO_FRAME_CALL:
        return frame->way < SCO_CALL_WAYS;
    case SCO_FRAME_CANCEL:
        return frame->number != 0 && frame->number < 2 * SCO_CANCEL_RAISE;
    case SCO_FRAME_REFUSED:
        return frame->number < SCO_REFUSED_REASONS && is_text(frame->text);
    case SCO_FRAME_BYE:
        return frame->number < SCO_BYE_REASONS && is_text(frame->text);
    case SCO_FRAME_END:
        return frame->number < SCO_STATUS_COUNT;
    case SCO_FRAME_WHOLE:
    case SCO_FRAME_START:
    case SCO_FRAME_RAN:
        return frame->head.status >= 100 && frame->head.status < 1000;
    case SCO_FRAME_ACK:
        return frame->number > 0 && frame->number <= SCO_FRAME_WINDOW;
    case SCO_FRAME_LINE:
    case SCO_FRAME_CHUNK:
    case SCO_FRAME_BEAT:
        return true;
    case SCO_FRAME_KINDS:
        break;
    }
    return false;
}

enum sco_status
sco_frame_read(struct sco_slice head, size_t parts, struct sco_frame *out)
{
    struct codec codec = { .in = sco_reader_of(head) };
    struct sco_frame frame = { .session = 0 };
    uint32_t magic = sco_read_u32le(&codec.in);
    uint16_t version = sco_read_u16le(&codec.in);
    uint16_t kind = sco_read_u16le(&codec.in);

    if (codec.in.failed || magic != MAGIC) {
        return SCO_INVALID;
    }
    if (version != SCO_FRAME_VERSION) {
        return SCO_UNSUPPORTED;
    }
    if (kind >= SCO_FRAME_KINDS ||
        parts != sco_frame_parts((enum sco_frame_kind)kind)) {
        return SCO_INVALID;
    }
    frame.kind = (enum sco_frame_kind)kind;
    walk_u64(&codec, &frame.session);
    walk_u64(&codec, &frame.id);
    walk_kind(&codec, &frame);
    if (codec.in.failed || codec.in.left != 0 || !is_sound(&frame)) {
        return SCO_INVALID;
    }
    *out = frame;
    return SCO_OK;
}
