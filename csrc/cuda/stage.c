#include "cuda/stage.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* Waking a thread takes about this long; so does waiting awake. */
#define AWAKE_NS UINT64_C(50000)

#define CUDA(stage) (&(stage)->gpu->cuda)

static enum sco_status
ask(const struct sco_stage *stage, int failed, const char *what,
    struct sco_error *err)
{
    return failed == SCO_CUDA_SUCCESS
               ? SCO_OK
               : sco_cuda_fail(CUDA(stage), failed, what, err);
}

/* ---- a stage ---------------------------------------------------------- */

static enum sco_status
create_streams(struct sco_stage *stage, struct sco_error *err)
{
    struct sco_cuda_stream **const streams[] = { &stage->there, &stage->back };
    enum sco_status status = SCO_OK;

    for (size_t i = 0; i < 2 && status == SCO_OK; i++) {
        status = ask(stage,
                     CUDA(stage)->cudaStreamCreateWithFlags(
                         streams[i], SCO_CUDA_STREAM_NON_BLOCKING),
                     "a stream", err);
    }
    return status;
}

static enum sco_status
create_events(struct sco_stage_slot *slot, struct sco_error *err)
{
    struct sco_cuda_event **const events[] = { &slot->arrived, &slot->ran,
                                               &slot->done };
    enum sco_status status = SCO_OK;

    for (size_t i = 0; i < 3 && status == SCO_OK; i++) {
        status = ask(slot->stage,
                     CUDA(slot->stage)
                         ->cudaEventCreateWithFlags(
                             events[i], SCO_CUDA_EVENT_NO_TIMING |
                                            SCO_CUDA_EVENT_BLOCKING_SYNC),
                     "an event", err);
    }
    return status;
}

enum sco_status
sco_stage_create(struct sco_gpu *gpu, void (*wake)(void *arg), void *wake_arg,
                 struct sco_stage **out, struct sco_error *err)
{
    struct sco_stage *stage = calloc(1, sizeof(*stage));
    enum sco_status status;

    if (stage == NULL) {
        return sco_fail(err, SCO_NOMEM, "no memory for batches on the GPU");
    }
    stage->gpu = sco_gpu_ref(gpu);
    stage->wake = wake;
    stage->wake_arg = wake_arg;
    status = sco_gpu_enter(gpu, err);
    if (status == SCO_OK) {
        status = create_streams(stage, err);
    }
    for (unsigned i = 0; i < SCO_STAGE_SLOTS && status == SCO_OK; i++) {
        stage->slots[i].stage = stage;
        stage->slots[i].number = i;
        status = create_events(&stage->slots[i], err);
    }
    if (status != SCO_OK) {
        sco_stage_destroy(stage);
        return status;
    }
    *out = stage;
    return SCO_OK;
}

static void
finish_slot(struct sco_stage *stage, struct sco_stage_slot *slot)
{
    struct sco_cuda_event *const events[] = { slot->arrived, slot->ran,
                                              slot->done };

    for (size_t i = 0; i < 3; i++) {
        if (events[i] != NULL) {
            (void)CUDA(stage)->cudaEventDestroy(events[i]);
        }
    }
    sco_pinned_finish(&slot->in, stage->gpu);
    sco_pinned_finish(&slot->back, stage->gpu);
    sco_gpu_block_unref(slot->block);
    sco_gpu_block_unref(slot->outputs);
}

void
sco_stage_destroy(struct sco_stage *stage)
{
    if (stage == NULL) {
        return;
    }
    if (stage->there != NULL) {
        (void)CUDA(stage)->cudaStreamSynchronize(stage->there);
        (void)CUDA(stage)->cudaStreamDestroy(stage->there);
    }
    if (stage->back != NULL) {
        (void)CUDA(stage)->cudaStreamSynchronize(stage->back);
        (void)CUDA(stage)->cudaStreamDestroy(stage->back);
    }
    for (size_t i = 0; i < SCO_STAGE_SLOTS; i++) {
        finish_slot(stage, &stage->slots[i]);
    }
    sco_gpu_unref(stage->gpu);
    free(stage);
}

/* ---- slots ------------------------------------------------------------ */

struct sco_stage_slot *
sco_stage_take(struct sco_stage *stage)
{
    for (size_t i = 0; i < SCO_STAGE_SLOTS; i++) {
        struct sco_stage_slot *slot = &stage->slots[i];

        if (slot->state == SCO_STAGE_FREE) {
            sco_stage_reuse(slot);
            return slot;
        }
    }
    return NULL;
}

void
sco_stage_reuse(struct sco_stage_slot *slot)
{
    slot->state = SCO_STAGE_TAKEN;
    slot->back_used = slot->back_coming = 0;
    slot->is_begun = false;
}

void
sco_stage_give(struct sco_stage_slot *slot)
{
    slot->state = SCO_STAGE_FREE;
}

/* Has as much memory there as here, if it is not enough. True: it is another
 * one now. */
static bool
grow(struct sco_stage *stage, size_t bytes, const struct sco_pinned *here,
     struct sco_gpu_block **there, enum sco_status *status_out,
     struct sco_error *err)
{
    struct sco_gpu_block *larger = NULL;

    *status_out = SCO_OK;
    if (*there != NULL && (*there)->bytes >= bytes) {
        return false;
    }
    *status_out = sco_gpu_block_create(stage->gpu, here->bytes, &larger, err);
    if (*status_out != SCO_OK) {
        return false;
    }
    sco_gpu_block_unref(*there);
    *there = larger;
    return true;
}

enum sco_status
sco_stage_reserve(struct sco_stage_slot *slot, size_t bytes,
                  struct sco_error *err)
{
    enum sco_status status =
        sco_pinned_reserve(&slot->in, slot->stage->gpu, bytes, err);

    if (status == SCO_OK &&
        grow(slot->stage, bytes, &slot->in, &slot->block, &status, err)) {
        slot->generation++;
    }
    return status;
}

enum sco_status
sco_stage_upload(struct sco_stage_slot *slot, size_t offset, size_t bytes,
                 struct sco_error *err)
{
    struct sco_stage *stage = slot->stage;

    SCO_CHECK(slot->state == SCO_STAGE_TAKEN && slot->block != NULL &&
                  offset <= slot->block->bytes &&
                  bytes <= slot->block->bytes - offset,
              "an upload beyond its slot");
    slot->is_begun = true;
    return bytes == 0 ? SCO_OK
                      : ask(stage,
                            CUDA(stage)->cudaMemcpyAsync(
                                (char *)slot->block->at + offset,
                                slot->in.at + offset, bytes,
                                SCO_CUDA_HOST_TO_DEVICE, stage->there),
                            "a copy to the GPU", err);
}

/* Has one stream wait for what is in another now. */
static enum sco_status
follow(struct sco_stage *stage, struct sco_cuda_stream *ahead,
       struct sco_cuda_event *event, struct sco_cuda_stream *behind,
       struct sco_error *err)
{
    enum sco_status status =
        ask(stage, CUDA(stage)->cudaEventRecord(event, ahead),
            "cudaEventRecord", err);

    return status != SCO_OK
               ? status
               : ask(stage, CUDA(stage)->cudaStreamWaitEvent(behind, event, 0),
                     "cudaStreamWaitEvent", err);
}

enum sco_status
sco_stage_arrive(struct sco_stage_slot *slot, struct sco_cuda_stream *stream,
                 struct sco_error *err)
{
    return follow(slot->stage, slot->stage->there, slot->arrived, stream, err);
}

enum sco_status
sco_stage_leave(struct sco_stage_slot *slot, struct sco_cuda_stream *stream,
                struct sco_error *err)
{
    slot->is_begun = true;
    return follow(slot->stage, stream, slot->ran, slot->stage->back, err);
}

enum sco_status
sco_stage_reserve_back(struct sco_stage_slot *slot, size_t there, size_t here,
                       struct sco_error *err)
{
    enum sco_status status;

    SCO_CHECK(slot->back_used == 0, "outputs are on their way already");
    status =
        sco_pinned_reserve(&slot->back, slot->stage->gpu, there + here, err);
    if (status == SCO_OK && there > 0) {
        (void)grow(slot->stage, there, &slot->back, &slot->outputs, &status,
                   err);
    }
    return status;
}

enum sco_status
sco_stage_collect(struct sco_stage_slot *slot, struct sco_cuda_stream *stream,
                  const void *from, size_t bytes, const char **out,
                  struct sco_error *err)
{
    struct sco_stage *stage = slot->stage;
    enum sco_status status = SCO_OK;

    SCO_CHECK(
        slot->back_coming == slot->back_used &&
            (bytes == 0 || (slot->outputs != NULL &&
                            bytes <= slot->outputs->bytes - slot->back_used)),
        "an output beyond its slot");
    slot->is_begun = true;
    if (bytes > 0) {
        status = ask(stage,
                     CUDA(stage)->cudaMemcpyAsync(
                         (char *)slot->outputs->at + slot->back_used, from,
                         bytes, SCO_CUDA_DEVICE_TO_DEVICE, stream),
                     "a copy on the GPU", err);
    }
    if (status == SCO_OK) {
        *out = slot->back.at + slot->back_used;
        slot->back_used += sco_stage_room(bytes);
        slot->back_coming = slot->back_used;
    }
    return status;
}

const char *
sco_stage_keep(struct sco_stage_slot *slot, const void *from, size_t bytes)
{
    char *to = slot->back.at + slot->back_used;

    SCO_CHECK(bytes <= slot->back.bytes - slot->back_used,
              "an output beyond its slot");
    if (bytes > 0) {
        memcpy(to, from, bytes);
    }
    slot->back_used += sco_stage_room(bytes);
    return to;
}

/* ---- the end of it ---------------------------------------------------- */

/* Begins to copy the outputs. */
static enum sco_status
download(struct sco_stage_slot *slot, struct sco_error *err)
{
    struct sco_stage *stage = slot->stage;

    return slot->back_coming == 0
               ? SCO_OK
               : ask(stage,
                     CUDA(stage)->cudaMemcpyAsync(
                         slot->back.at, slot->outputs->at, slot->back_coming,
                         SCO_CUDA_DEVICE_TO_HOST, stage->back),
                     "a copy from the GPU", err);
}

enum sco_status
sco_stage_send(struct sco_stage_slot *slot, struct sco_error *err)
{
    struct sco_stage *stage = slot->stage;
    enum sco_status status = download(slot, err);

    if (status == SCO_OK) {
        status =
            ask(stage, CUDA(stage)->cudaEventRecord(slot->done, stage->back),
                "cudaEventRecord", err);
    }
    if (status == SCO_OK && stage->wake != NULL) {
        status = ask(stage,
                     CUDA(stage)->cudaLaunchHostFunc(stage->back, stage->wake,
                                                     stage->wake_arg),
                     "cudaLaunchHostFunc", err);
    }
    if (status == SCO_OK) {
        slot->state = SCO_STAGE_SENT;
    }
    return status;
}

enum sco_status
sco_stage_is_done(struct sco_stage_slot *slot, struct sco_error *err)
{
    int failed = CUDA(slot->stage)->cudaEventQuery(slot->done);

    if (failed == SCO_CUDA_NOT_READY) {
        /* It is no error, and yet the thread's last one. */
        (void)CUDA(slot->stage)->cudaGetLastError();
        return SCO_BUSY;
    }
    return ask(slot->stage, failed, "on the GPU", err);
}

enum sco_status
sco_stage_wait(struct sco_stage_slot *slot, struct sco_error *err)
{
    uint64_t until_ns = sco_clock_now_ns() + AWAKE_NS;
    enum sco_status status;

    do {
        status = sco_stage_is_done(slot, err);
    } while (status == SCO_BUSY && sco_clock_now_ns() < until_ns);
    if (status != SCO_BUSY) {
        return status;
    }
    return ask(slot->stage,
               CUDA(slot->stage)->cudaEventSynchronize(slot->done),
               "on the GPU", err);
}
