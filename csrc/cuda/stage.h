/* stage.h - the way of a batch to the GPU, and of what came of it back
 *
 * A stage has three slots, so that one batch can be filled while another is
 * copied and a third is computed with. A slot is memory here that the GPU
 * copies from by itself, as much of the GPU's, and as much of both for
 * outputs. These are put next to each other there, in the stream of run(),
 * before anything else comes into that; what is here already is copied at
 * once. So run() may use the memory of its outputs again for the next batch,
 * as a CUDA graph does.
 *
 *     slot = sco_stage_take()            FREE -> TAKEN
 *     sco_stage_reserve()                room for the inputs, at any offsets
 *     ... rows are decoded to slot->in.at
 *     sco_stage_upload()                 for each input: the copy is begun
 *     sco_stage_arrive(stream)           the stream waits for the copies
 *     ... run(), which puts work into that stream
 *     sco_stage_reserve_back()           room for all outputs
 *     sco_stage_collect(stream)          for each: it is put beside the others
 *     sco_stage_keep()                   and then for each that is here
 *     sco_stage_leave(stream)            the way back waits for the stream
 *     sco_stage_send()                   all come; TAKEN -> SENT, wake() later
 *     sco_stage_is_done(), sco_stage_wait()
 *     sco_stage_give()                   SENT, TAKEN -> FREE
 *
 * upload() to send() may be repeated, when a batch is run again in halves:
 * the inputs stand here unchanged until the slot is given back.
 *
 * Copies to the GPU have a stream of their own and those from it another, so
 * that neither waits for the other, nor for anything else.
 *
 * Thread: that of its owner, which has entered the GPU; wake() is called from
 * a thread of the driver's and must call nothing of CUDA's.
 */
#ifndef SCO_CUDA_STAGE_H
#define SCO_CUDA_STAGE_H

#include "base/status.h"
#include "cuda/gpu.h"
#include "cuda/pinned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCO_STAGE_SLOTS = 3,
    SCO_STAGE_ALIGN = 256, /* of an input in a slot, in bytes */
};

enum sco_stage_state {
    SCO_STAGE_FREE,
    SCO_STAGE_TAKEN,
    SCO_STAGE_SENT,
};

struct sco_stage_slot {
    struct sco_stage *stage;
    struct sco_pinned in;          /* the inputs, here */
    struct sco_gpu_block *block;   /* ... and there, at the same offsets */
    struct sco_pinned back;        /* the outputs, here */
    struct sco_gpu_block *outputs; /* ... and there, at the same offsets */
    size_t back_used;
    size_t back_coming;  /* of these: what is copied from there */
    unsigned number;     /* from 0 */
    unsigned generation; /* of `block`: another one, another number */
    enum sco_stage_state state;
    bool is_begun;                  /* the GPU may be at it */
    struct sco_cuda_event *arrived; /* the inputs are there */
    struct sco_cuda_event *ran;     /* what run() began has ended */
    struct sco_cuda_event *done;    /* and the outputs are here */
};

struct sco_stage {
    struct sco_gpu *gpu;
    struct sco_cuda_stream *there, *back;
    void (*wake)(void *arg);
    void *wake_arg;
    struct sco_stage_slot slots[SCO_STAGE_SLOTS];
};

/* Makes a stage. `wake` may be NULL, for an owner that waits by
 * sco_stage_wait() alone.
 *
 * Ownership: the caller owns *out.
 * Errors:    SCO_NOMEM, or as sco_cuda_fail(). */
SCO_NODISCARD
enum sco_status sco_stage_create(struct sco_gpu *gpu, void (*wake)(void *arg),
                                 void *wake_arg, struct sco_stage **out,
                                 struct sco_error *err);

/* Ends it; NULL is allowed.
 * Blocks: until the GPU is through with what was begun. */
void sco_stage_destroy(struct sco_stage *stage);

/* Takes a free slot, or returns NULL. */
struct sco_stage_slot *sco_stage_take(struct sco_stage *stage);

/* Gives a slot back. The GPU must be through with it: sco_stage_is_done(). */
void sco_stage_give(struct sco_stage_slot *slot);

/* Has a slot go there once more with what is in it, when a batch is run again
 * in halves. The GPU must be through with it: sco_stage_is_done(). */
void sco_stage_reuse(struct sco_stage_slot *slot);

/* Makes room for so many bytes of inputs, before any are written.
 * Errors: SCO_NOMEM here or there; the slot is then as it was. */
SCO_NODISCARD
enum sco_status sco_stage_reserve(struct sco_stage_slot *slot, size_t bytes,
                                  struct sco_error *err);

/* Begins to copy bytes of the inputs to the GPU. */
SCO_NODISCARD
enum sco_status sco_stage_upload(struct sco_stage_slot *slot, size_t offset,
                                 size_t bytes, struct sco_error *err);

/* Has a stream wait for what is being uploaded. */
SCO_NODISCARD
enum sco_status sco_stage_arrive(struct sco_stage_slot *slot,
                                 struct sco_cuda_stream *stream,
                                 struct sco_error *err);

/* What an input or an output takes of the room for all. */
static inline size_t
sco_stage_room(size_t bytes)
{
    return (bytes + SCO_STAGE_ALIGN - 1) / SCO_STAGE_ALIGN * SCO_STAGE_ALIGN;
}

/* Makes room for all outputs, the sums of sco_stage_room() of those that are
 * there and those that are here, before the first of them is collected.
 * Errors: SCO_NOMEM here or there; the slot is then as it was. */
SCO_NODISCARD
enum sco_status sco_stage_reserve_back(struct sco_stage_slot *slot,
                                       size_t there, size_t here,
                                       struct sco_error *err);

/* Begins to put an output beside the others, in the stream that it is made
 * in. *out is where its bytes will be here, and stay until the slot is given
 * back. */
SCO_NODISCARD
enum sco_status sco_stage_collect(struct sco_stage_slot *slot,
                                  struct sco_cuda_stream *stream,
                                  const void *from, size_t bytes,
                                  const char **out, struct sco_error *err);

/* Copies an output that is here, after all that are there: where it will be
 * until the slot is given back. */
const char *sco_stage_keep(struct sco_stage_slot *slot, const void *from,
                           size_t bytes);

/* Has the way back wait for what is in a stream now. */
SCO_NODISCARD
enum sco_status sco_stage_leave(struct sco_stage_slot *slot,
                                struct sco_cuda_stream *stream,
                                struct sco_error *err);

/* Begins to copy all that was collected, and says that nothing more comes:
 * `wake` is called when all is done. */
SCO_NODISCARD
enum sco_status sco_stage_send(struct sco_stage_slot *slot,
                               struct sco_error *err);

/* Whether the GPU is through with a slot that was sent.
 * Errors: SCO_BUSY when not; or what went wrong on the GPU: it is through
 *         then, too. */
SCO_NODISCARD
enum sco_status sco_stage_is_done(struct sco_stage_slot *slot,
                                  struct sco_error *err);

/* Waits until it is: awake for some microseconds, then asleep.
 * Blocks: until then; the caller has let go of the GIL. */
SCO_NODISCARD
enum sco_status sco_stage_wait(struct sco_stage_slot *slot,
                               struct sco_error *err);

#endif
