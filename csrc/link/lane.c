#define _GNU_SOURCE
#include "link/lane.h"

#include "base/clock.h"
#include "link/link_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum sco_status
sco_lane_create(struct sco_arena *arena, struct sco_lane **out,
                struct sco_error *err)
{
    struct sco_lane *lane = calloc(1, sizeof(*lane));
    enum sco_status status;

    if (lane == NULL) {
        return sco_fail(err, SCO_NOMEM, "a worker's lane");
    }
    status =
        link_map_create("scorehost-lane", SHARED_LANE_BYTES, &lane->map, err);
    if (status != SCO_OK) {
        free(lane);
        return status;
    }
    lane->arena = arena;
    lane->refs = 1;
    lane->wake_fd = -1;
    *out = lane;
    return SCO_OK;
}

struct sco_lane *
sco_lane_ref(struct sco_lane *lane)
{
    lane->refs++;
    return lane;
}

void
sco_lane_unref(struct sco_lane *lane)
{
    if (lane != NULL && --lane->refs == 0) {
        link_map_close(&lane->map);
        free(lane);
    }
}

static struct shared_lane *
shared_of(const struct sco_lane *lane)
{
    return (struct shared_lane *)(void *)lane->map.at;
}

enum sco_status
sco_lane_hello(struct sco_lane *lane, int socket, struct sco_slice boot,
               struct sco_error *err)
{
    struct link_hello hello = {
        .magic = LINK_MAGIC,
        .version = LINK_VERSION,
        .arena_bytes = SHARED_ARENA_BYTES,
        .lane_bytes = SHARED_LANE_BYTES,
        .boot_bytes = boot.len,
    };
    int fds[3] = { lane->arena->map.fd, lane->map.fd, lane->arena->doorbell };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(fds))];
    } control = { .bytes = { 0 } };
    struct iovec parts[2] = {
        { .iov_base = &hello, .iov_len = sizeof(hello) },
        { .iov_base = (void *)(uintptr_t)boot.data, .iov_len = boot.len },
    };
    struct msghdr message = {
        .msg_iov = parts,
        .msg_iovlen = 2,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    if (boot.len > LINK_BOOT_MAX) {
        return sco_fail(err, SCO_TOO_LARGE, "boot text: %zu bytes", boot.len);
    }
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(rights), fds, sizeof(fds));
    if (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        return sco_fail(err, SCO_INTERNAL, "boot text: %s", strerror(errno));
    }
    return SCO_OK;
}

bool
sco_lane_send(struct sco_lane *lane, const struct sco_lane_call *call)
{
    struct shared_lane *shared = shared_of(lane);
    unsigned head =
        atomic_load_explicit(&shared->calls_head, memory_order_acquire);

    if (lane->calls_tail - head >= SHARED_CALLS) {
        return false;
    }
    shared->calls[lane->calls_tail % SHARED_CALLS] = *call;
    shared->calls[lane->calls_tail % SHARED_CALLS].given_ns =
        sco_clock_now_ns();
    lane->calls_tail++;
    atomic_store(&shared->calls_tail, lane->calls_tail);
    return true;
}

void
sco_lane_wake_by(struct sco_lane *lane, int eventfd)
{
    lane->wake_fd = eventfd;
}

/* Wakes the worker, wherever it sleeps. */
static void
wake(struct sco_lane *lane)
{
    struct shared_lane *shared = shared_of(lane);

    atomic_store(&shared->child_sleeps, SLEEP_NO);
    shared_wake(&shared->bell);
    if (lane->wake_fd >= 0) {
        shared_ring(lane->wake_fd);
    }
}

void
sco_lane_ring(struct sco_lane *lane)
{
    if (atomic_load(&shared_of(lane)->child_sleeps) != SLEEP_NO) {
        wake(lane);
    }
}

/* Wakes a worker that waits for room, and no other. */
static void
ring_for_space(struct sco_lane *lane)
{
    if (atomic_load(&shared_of(lane)->child_sleeps) == SLEEP_FOR_SPACE) {
        sco_lane_ring(lane);
    }
}

bool
sco_lane_reply_fits(const struct sco_lane_reply *reply, uint64_t slot_bytes)
{
    uint64_t begin = reply->offset;
    uint64_t end;
    uint64_t limit;

    if (reply->place == SCO_LANE_NOWHERE) {
        return reply->headers_bytes == 0 && reply->body_bytes == 0;
    }
    if (reply->place == SCO_LANE_IN_SLOT) {
        limit = slot_bytes;
    } else {
        limit = SCO_SLOTS_BYTES;
    }
    if (begin < SHARED_BLOCK_BYTES || begin % SHARED_BLOCK_BYTES != 0 ||
        begin > limit || reply->body_bytes > limit) {
        return false;
    }
    end = begin + reply->headers_bytes + reply->body_bytes;
    return end <= limit;
}

enum sco_status
sco_lane_take(struct sco_lane *lane, struct sco_lane_reply *out)
{
    struct shared_lane *shared = shared_of(lane);
    unsigned tail = atomic_load(&shared->replies_tail);
    unsigned waiting = tail - lane->replies_head;
    struct sco_lane_reply reply;

    if (waiting == 0) {
        return SCO_NOT_FOUND;
    }
    if (waiting > SHARED_REPLIES) {
        return SCO_INVALID;
    }
    reply = shared->replies[lane->replies_head % SHARED_REPLIES];
    lane->replies_head++;
    atomic_store(&shared->replies_head, lane->replies_head);
    ring_for_space(lane);
    if (reply.kind >= SCO_LANE_KINDS || reply.place > SCO_LANE_IN_BLOCK ||
        (reply.place != SCO_LANE_IN_SLOT && !sco_lane_reply_fits(&reply, 0))) {
        return SCO_INVALID;
    }
    *out = reply;
    return SCO_OK;
}

const char *
sco_lane_bytes(const struct sco_lane *lane, uint64_t offset)
{
    return lane->map.at + SHARED_LANE_HEAD + offset;
}

/* `offset` is that of the bytes, behind the block's head. */
void
sco_lane_release(struct sco_lane *lane, uint64_t offset)
{
    struct shared_block *block =
        (struct shared_block *)(void *)(lane->map.at + SHARED_LANE_HEAD +
                                        offset - SHARED_BLOCK_BYTES);

    atomic_store(&block->busy, 0);
    ring_for_space(lane);
}

void
sco_lane_stop(struct sco_lane *lane)
{
    atomic_store(&shared_of(lane)->stop, 1);
    wake(lane);
}
