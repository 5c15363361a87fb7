/* stream.h - a reply that comes piece by piece
 *
 * The worker's pieces go in at one end, the client's connection takes bytes
 * out at the other. A piece stays where the worker put it, and is given back
 * when its last byte has been taken; so a slow client slows its worker down,
 * and nothing piles up here.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_REQUEST_STREAM_H
#define SCO_REQUEST_STREAM_H

#include "base/slice.h"
#include "base/status.h"
#include "link/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sco_stream;

/* Makes an empty, open stream with one reference, or NULL. */
struct sco_stream *sco_stream_create(void);

/* Takes one more reference and returns `stream`. */
struct sco_stream *sco_stream_ref(struct sco_stream *stream);

/* Gives a reference back; the last one gives all pieces back too. NULL is
 * allowed. */
void sco_stream_unref(struct sco_stream *stream);

/* Has `on_data` called whenever something comes in, or the end. */
void sco_stream_listen(struct sco_stream *stream, void (*on_data)(void *arg),
                       void *arg);

/* Adds a piece that stands in a block of `lane`; its bytes are given back to
 * the lane in any case.
 * Errors: SCO_CANCELLED when nobody reads any more, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_stream_push(struct sco_stream *stream,
                                struct sco_lane *lane, uint64_t block,
                                size_t bytes);

/* Closes the stream; with anything but SCO_OK its reader fails after the
 * pieces that are there. Safe to call twice; the first one counts. */
void sco_stream_end(struct sco_stream *stream, enum sco_status how);

/* Whether it was closed with anything but SCO_OK. */
bool sco_stream_has_failed(const struct sco_stream *stream);

/* Copies bytes of the oldest piece, never of two: their number; 0 when there
 * are none yet; -1 at the end; -2 when it failed. */
long sco_stream_read(struct sco_stream *stream, char *into, size_t max);

/* Says that nobody reads any more; what is there is given back. */
void sco_stream_drop(struct sco_stream *stream);

#endif
