#include "request/stream.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

struct piece {
    struct sco_list link;
    struct sco_lane *lane; /* a reference */
    uint64_t block;
    size_t bytes;
    size_t taken;
};

struct sco_stream {
    unsigned refs;
    struct sco_list pieces; /* oldest first */
    void (*on_data)(void *arg);
    void *on_data_arg;
    enum sco_status how; /* once ended */
    bool ended;
    bool dropped;
};

struct sco_stream *
sco_stream_create(void)
{
    struct sco_stream *stream = calloc(1, sizeof(*stream));

    if (stream != NULL) {
        stream->refs = 1;
        sco_list_init(&stream->pieces);
    }
    return stream;
}

struct sco_stream *
sco_stream_ref(struct sco_stream *stream)
{
    stream->refs++;
    return stream;
}

static void
piece_free(struct piece *piece)
{
    sco_list_remove(&piece->link);
    sco_lane_release(piece->lane, piece->block);
    sco_lane_unref(piece->lane);
    free(piece);
}

static struct piece *
oldest(struct sco_stream *stream)
{
    struct sco_list *link = sco_list_first(&stream->pieces);

    return link == NULL ? NULL : SCO_LIST_ENTRY(link, struct piece, link);
}

void
sco_stream_drop(struct sco_stream *stream)
{
    struct sco_list *link = stream->pieces.next;

    stream->dropped = true;
    stream->on_data = NULL;
    while (link != &stream->pieces) {
        struct piece *piece = SCO_LIST_ENTRY(link, struct piece, link);

        link = link->next;
        piece_free(piece);
    }
}

void
sco_stream_unref(struct sco_stream *stream)
{
    if (stream != NULL && --stream->refs == 0) {
        sco_stream_drop(stream);
        free(stream);
    }
}

void
sco_stream_listen(struct sco_stream *stream, void (*on_data)(void *arg),
                  void *arg)
{
    stream->on_data = on_data;
    stream->on_data_arg = arg;
}

static void
tell(struct sco_stream *stream)
{
    if (stream->on_data != NULL) {
        stream->on_data(stream->on_data_arg);
    }
}

enum sco_status
sco_stream_push(struct sco_stream *stream, struct sco_lane *lane,
                uint64_t block, size_t bytes)
{
    struct piece *piece;

    if (stream->dropped || stream->ended) {
        sco_lane_release(lane, block);
        return SCO_CANCELLED;
    }
    piece = calloc(1, sizeof(*piece));
    if (piece == NULL) {
        sco_lane_release(lane, block);
        return SCO_NOMEM;
    }
    piece->lane = sco_lane_ref(lane);
    piece->block = block;
    piece->bytes = bytes;
    sco_list_push(&stream->pieces, &piece->link);
    tell(stream);
    return SCO_OK;
}

void
sco_stream_end(struct sco_stream *stream, enum sco_status how)
{
    if (!stream->ended) {
        stream->ended = true;
        stream->how = how;
        tell(stream);
    }
}

bool
sco_stream_has_failed(const struct sco_stream *stream)
{
    return stream->ended && stream->how != SCO_OK;
}

long
sco_stream_read(struct sco_stream *stream, char *into, size_t max)
{
    struct piece *piece = oldest(stream);
    size_t count;

    if (piece == NULL) {
        if (!stream->ended) {
            return 0;
        }
        return stream->how == SCO_OK ? -1 : -2;
    }
    count = piece->bytes - piece->taken;
    if (count > max) {
        count = max;
    }
    memcpy(into, sco_lane_bytes(piece->lane, piece->block) + piece->taken,
           count);
    piece->taken += count;
    if (piece->taken == piece->bytes) {
        piece_free(piece);
    }
    return (long)count;
}
