/* fuzz_frame.c - whatever crosses between host and worker stays in bounds
 *
 * The first byte says what the others are:
 *
 *     even  a head block and its fields, as a worker reads them: what is
 *           accepted lies inside of the input, and written again it is the
 *           same bytes
 *     odd   what a worker left in its ring: a tail, then replies, as the
 *           host takes them: what is accepted lies inside of its memory
 */
#include "base/status.h"
#include "link/head.h"
#include "link/link_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Blocks are released below this offset alone, so that the lane's memory
 * stays small over many runs. */
enum { RELEASE_BELOW = 1024 * 1024 };

/* ---- head blocks ------------------------------------------------------ */

static void
check_inside(struct sco_slice part, struct sco_slice whole)
{
    SCO_CHECK(part.len == 0 || part.data >= whole.data, "before the input");
    SCO_CHECK(part.len == 0 || part.data + part.len <= whole.data + whole.len,
              "past the input");
}

/* Reads a field block; false when it is not sound. */
static bool
read_fields(struct sco_reader *in, struct sco_slice input,
            struct sco_field fields[SCO_FIELDS_MAX], size_t *count_out)
{
    if (sco_fields_read_count(in, count_out) != SCO_OK) {
        return false;
    }
    SCO_CHECK(*count_out <= SCO_FIELDS_MAX, "more fields than allowed");
    for (size_t i = 0; i < *count_out; i++) {
        if (sco_fields_read(in, &fields[i].name, &fields[i].value) != SCO_OK) {
            return false;
        }
        check_inside(fields[i].name, input);
        check_inside(fields[i].value, input);
    }
    return true;
}

static void
try_head(struct sco_slice input)
{
    static struct sco_field fields[SCO_FIELDS_MAX];
    struct sco_reader in = sco_reader_of(input);
    struct sco_call_head head;
    size_t count = 0;
    size_t bytes;
    char *again;

    if (sco_head_read(&in, &head) != SCO_OK) {
        return;
    }
    check_inside(head.method, input);
    check_inside(head.target, input);
    check_inside(head.version, input);
    check_inside(head.peer_host, input);
    check_inside(head.server_host, input);
    check_inside(head.request_id, input);
    check_inside(head.client_request_id, input);
    if (!read_fields(&in, input, fields, &count)) {
        return;
    }
    bytes = sco_head_bytes(&head, fields, count);
    SCO_CHECK(bytes == input.len - in.left, "not as long as what was read");
    again = malloc(bytes);
    SCO_CHECK(again != NULL, "memory");
    sco_head_write(&head, fields, count, again);
    SCO_CHECK(memcmp(again, input.data, bytes) == 0, "not what was read");
    free(again);
}

/* ---- rings ------------------------------------------------------------ */

static struct sco_lane *
make_lane(void)
{
    struct sco_arena *arena;
    struct sco_lane *lane;

    SCO_CHECK(sco_arena_create(&arena, NULL) == SCO_OK, "an arena");
    SCO_CHECK(sco_lane_create(arena, &lane, NULL) == SCO_OK, "a lane");
    return lane;
}

static void
check_reply(struct sco_lane *lane, const struct sco_lane_reply *reply)
{
    static const uint64_t slots[] = { 64, 8 * 1024, (uint64_t)2 << 30 };
    uint64_t length = reply->headers_bytes + reply->body_bytes;

    SCO_CHECK(reply->kind < SCO_LANE_KINDS, "a kind that is none");
    switch ((enum sco_lane_place)reply->place) {
    case SCO_LANE_NOWHERE:
        SCO_CHECK(length == 0, "bytes that stand nowhere");
        return;
    case SCO_LANE_IN_SLOT:
        for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
            SCO_CHECK(!sco_lane_reply_fits(reply, slots[i]) ||
                          (reply->offset >= SCO_SLOT_MARK_BYTES &&
                           reply->offset <= slots[i] &&
                           reply->body_bytes <= slots[i] &&
                           length <= slots[i] - reply->offset),
                      "outside of its slot");
        }
        return;
    case SCO_LANE_IN_BLOCK:
        SCO_CHECK(reply->offset >= SHARED_BLOCK_BYTES &&
                      reply->offset % SHARED_BLOCK_BYTES == 0,
                  "not behind a block's head");
        SCO_CHECK(reply->body_bytes <= SCO_SLOTS_BYTES &&
                      reply->offset <= SCO_SLOTS_BYTES &&
                      length <= SCO_SLOTS_BYTES - reply->offset,
                  "outside of the region");
        if (reply->offset < RELEASE_BELOW) {
            sco_lane_release(lane, reply->offset);
        }
        return;
    }
    SCO_CHECK(false, "a place that is none");
}

static void
try_ring(struct sco_slice input)
{
    static struct sco_lane *lane;
    struct sco_reader in = sco_reader_of(input);
    struct shared_lane *shared;
    struct sco_lane_reply reply;
    uint32_t tail = sco_read_u32le(&in);
    size_t room = sizeof(shared->replies);

    if (lane == NULL) {
        lane = make_lane();
    }
    shared = (struct shared_lane *)(void *)lane->map.at;
    memset(shared->replies, 0, room);
    memcpy(shared->replies, in.at, in.left < room ? in.left : room);
    lane->replies_head = 0;
    atomic_store(&shared->replies_tail, tail);
    for (size_t taken = 0;; taken++) {
        enum sco_status status = sco_lane_take(lane, &reply);

        SCO_CHECK(taken <= SHARED_REPLIES, "more than the ring holds");
        if (status == SCO_OK) {
            check_reply(lane, &reply);
        } else if (status == SCO_NOT_FOUND || tail > SHARED_REPLIES) {
            return;
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice input = { (const char *)data, size };

    if (size == 0) {
        return 0;
    }
    input.data++;
    input.len--;
    if (data[0] % 2 == 0) {
        try_head(input);
    } else {
        try_ring(input);
    }
    return 0;
}
