/* fake_sink.h - a sink that keeps what it was given, and a head to score
 *
 * Thread: that of its owner.
 */
#ifndef SCO_TESTS_PYBRIDGE_FAKE_SINK_H
#define SCO_TESTS_PYBRIDGE_FAKE_SINK_H

#include "base/text.h"
#include "link/call.h"
#include "link/head.h"
#include "support/test.h"

#include <stdbool.h>

/* A sink that keeps what it was given. */
struct fake_sink {
    struct sco_sink sink; /* first: a sink is its fake */
    struct sco_reply_head head;
    struct sco_text headers; /* "name: value\n" each */
    struct sco_text body;
    unsigned replies, starts, chunks, ends;
    enum sco_status end_status;
    unsigned cancel_after; /* chunks; 0: never */
    bool cancel_start;
    bool left; /* the client has, and run() is only told so */
    enum sco_stop stop;
};

static inline struct fake_sink *
fake_of(struct sco_sink *sink)
{
    return (struct fake_sink *)(void *)sink;
}

static inline void
fake_read_headers(struct fake_sink *fake, struct sco_slice block)
{
    struct sco_reader in = sco_reader_of(block);
    struct sco_slice name, value;
    size_t count;

    assert_int_equal(sco_fields_read_count(&in, &count), SCO_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(sco_fields_read(&in, &name, &value), SCO_OK);
        sco_text_add(&fake->headers, name);
        sco_text_add(&fake->headers, SCO_SLICE(": "));
        sco_text_add(&fake->headers, value);
        sco_text_add_char(&fake->headers, '\n');
    }
    assert_int_equal(in.left, 0);
}

static inline void
fake_reply(struct sco_sink *sink, const struct sco_reply_head *head,
           struct sco_slice headers, struct sco_slice body)
{
    struct fake_sink *fake = fake_of(sink);

    fake->replies++;
    fake->head = *head;
    fake_read_headers(fake, headers);
    sco_text_add(&fake->body, body);
}

static inline void
fake_pieces(struct sco_sink *sink, const struct sco_reply_head *head,
            struct sco_slice headers, const struct sco_slice *pieces,
            size_t count)
{
    struct fake_sink *fake = fake_of(sink);

    fake->replies++;
    fake->head = *head;
    fake_read_headers(fake, headers);
    for (size_t i = 0; i < count; i++) {
        sco_text_add(&fake->body, pieces[i]);
    }
}

static inline enum sco_status
fake_start(struct sco_sink *sink, const struct sco_reply_head *head,
           struct sco_slice headers)
{
    struct fake_sink *fake = fake_of(sink);

    fake->starts++;
    fake->head = *head;
    fake_read_headers(fake, headers);
    return fake->cancel_start ? SCO_CANCELLED : SCO_OK;
}

static inline enum sco_status
fake_chunk(struct sco_sink *sink, struct sco_slice bytes)
{
    struct fake_sink *fake = fake_of(sink);

    fake->chunks++;
    sco_text_add(&fake->body, bytes);
    sco_text_add_char(&fake->body, '|');
    return fake->cancel_after != 0 && fake->chunks >= fake->cancel_after
               ? SCO_CANCELLED
               : SCO_OK;
}

static inline void
fake_end(struct sco_sink *sink, enum sco_status how)
{
    struct fake_sink *fake = fake_of(sink);

    fake->ends++;
    fake->end_status = how;
}

static inline bool
fake_cancelled(struct sco_sink *sink)
{
    return fake_of(sink)->left || fake_of(sink)->stop != SCO_STOP_NOT;
}

static inline enum sco_stop
fake_stop(struct sco_sink *sink)
{
    return fake_of(sink)->stop;
}

static const struct sco_sink_ops fake_sink_ops = {
    .reply = fake_reply,
    .pieces = fake_pieces,
    .start = fake_start,
    .chunk = fake_chunk,
    .end = fake_end,
    .cancelled = fake_cancelled,
    .stop = fake_stop,
};

static inline void
fake_sink_init(struct fake_sink *fake)
{
    *fake = (struct fake_sink){ .sink = { .ops = &fake_sink_ops } };
}

static inline void
fake_sink_finish(struct fake_sink *fake)
{
    sco_text_finish(&fake->headers);
    sco_text_finish(&fake->body);
}

/* What was given, as terminated text. */
static inline const char *
fake_text(const struct sco_text *text)
{
    return text->data != NULL && text->len > 0 ? text->data : "";
}

/* A head block for POST `target` with a Host and this field, in static
 * memory. */
static inline struct sco_slice
fake_head_with(const char *target, struct sco_field field)
{
    static char block[1024];
    const struct sco_call_head head = {
        .method = SCO_SLICE("POST"),
        .target = sco_slice_of(target),
        .version = SCO_SLICE("HTTP/1.1"),
        .peer_host = SCO_SLICE("127.0.0.1"),
        .server_host = SCO_SLICE("::1"),
        .request_id = SCO_SLICE("id-1"),
        .client_request_id = SCO_SLICE(""),
        .peer_port = 40000,
        .server_port = 5001,
    };
    const struct sco_field fields[] = {
        { SCO_SLICE("Host"), SCO_SLICE("localhost") },
        field,
    };
    size_t bytes = sco_head_bytes(&head, fields, 2);

    assert_true(bytes <= sizeof(block));
    sco_head_write(&head, fields, 2, block);
    return (struct sco_slice){ block, bytes };
}

/* The same with a field that means nothing. */
static inline struct sco_slice
fake_head(const char *target)
{
    return fake_head_with(target, (struct sco_field){ SCO_SLICE("X-Name"),
                                                      SCO_SLICE("caf\xe9") });
}

#endif
