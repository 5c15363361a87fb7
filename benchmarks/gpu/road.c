/* road.c - csrc/cuda/stage.c by few calls, for Python's ctypes
 *
 * The rows of a batch are put next to each other in a slot and sent to the
 * GPU, and what came of them is fetched: as much in one call of ours as the
 * worker does in C.
 *
 * Thread: the one that opened it.
 */
#include "cuda/gpu.h"
#include "cuda/stage.h"

#include <stdlib.h>
#include <string.h>

struct road {
    struct sco_gpu *gpu;
    struct sco_stage *stage;
    struct sco_stage_slot *slot;
    struct sco_error err;
};

struct road *road_open(const char *const *paths, size_t count, size_t bytes);
const char *road_why(const struct road *road);
int road_is_open(const struct road *road);
void *road_here(const struct road *road);
void *road_there(const struct road *road);
int road_go(struct road *road, const char *const *rows, size_t count,
            size_t row_bytes, uintptr_t stream);
const char *road_come(struct road *road, const void *from, size_t bytes,
                      uintptr_t stream);
void road_close(struct road *road);

/* Frameworks call the legacy stream 0. */
static struct sco_cuda_stream *
stream_of(uintptr_t number)
{
    return number == 0 ? SCO_CUDA_LEGACY : (struct sco_cuda_stream *)number;
}

/* Opens the first GPU, with a slot for so many bytes. Where that fails it is
 * not open, and road_why() says why; NULL without memory. */
struct road *
road_open(const char *const *paths, size_t count, size_t bytes)
{
    struct road *road = calloc(1, sizeof(*road));

    if (road == NULL ||
        sco_gpu_open(paths, count, 0, &road->gpu, &road->err) != SCO_OK ||
        sco_stage_create(road->gpu, NULL, NULL, &road->stage, &road->err) !=
            SCO_OK) {
        return road;
    }
    road->slot = sco_stage_take(road->stage);
    if (sco_stage_reserve(road->slot, bytes, &road->err) != SCO_OK) {
        road->slot = NULL;
    }
    return road;
}

const char *
road_why(const struct road *road)
{
    return road->err.text;
}

int
road_is_open(const struct road *road)
{
    return road != NULL && road->slot != NULL;
}

void *
road_here(const struct road *road)
{
    return road->slot->in.at;
}

void *
road_there(const struct road *road)
{
    return road->slot->block->at;
}

/* Sends rows; `stream` waits for them. 0, or -1 and road_why() says why. */
int
road_go(struct road *road, const char *const *rows, size_t count,
        size_t row_bytes, uintptr_t stream)
{
    struct sco_stage_slot *slot = road->slot;
    enum sco_status status;

    sco_stage_reuse(slot);
    for (size_t i = 0; i < count; i++) {
        memcpy(slot->in.at + i * row_bytes, rows[i], row_bytes);
    }
    status = sco_stage_upload(slot, 0, count * row_bytes, &road->err);
    if (status == SCO_OK) {
        status = sco_stage_arrive(slot, stream_of(stream), &road->err);
    }
    return status == SCO_OK ? 0 : -1;
}

/* Fetches what `stream` makes there, and waits for it: where it is here, until
 * road_go(). NULL, and road_why() says why. */
const char *
road_come(struct road *road, const void *from, size_t bytes, uintptr_t stream)
{
    struct sco_stage_slot *slot = road->slot;
    struct sco_cuda_stream *maker = stream_of(stream);
    const char *back = NULL;
    enum sco_status status =
        sco_stage_reserve_back(slot, sco_stage_room(bytes), 0, &road->err);

    if (status == SCO_OK) {
        status =
            sco_stage_collect(slot, maker, from, bytes, &back, &road->err);
    }
    if (status == SCO_OK) {
        status = sco_stage_leave(slot, maker, &road->err);
    }
    if (status == SCO_OK) {
        status = sco_stage_send(slot, &road->err);
    }
    if (status == SCO_OK) {
        status = sco_stage_wait(slot, &road->err);
    }
    return status == SCO_OK ? back : NULL;
}

void
road_close(struct road *road)
{
    if (road != NULL) {
        sco_stage_destroy(road->stage);
        sco_gpu_unref(road->gpu);
        free(road);
    }
}
