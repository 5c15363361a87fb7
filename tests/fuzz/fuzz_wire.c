/* fuzz_wire.c - whatever comes over ZeroMQ is sound, or is refused
 *
 * The first byte is the number of parts behind the head, the others are the
 * head. What is accepted lies inside of the input, is within its bounds, and
 * written again it is the same bytes.
 */
#include "base/status.h"
#include "link/zmq_frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(struct sco_slice text, struct sco_slice whole)
{
    SCO_CHECK(text.len <= SCO_FRAME_TEXT_MAX, "too long a text");
    SCO_CHECK(text.len == 0 ||
                  (text.data >= whole.data &&
                   text.data + text.len <= whole.data + whole.len),
              "outside of the input");
}

static void
check_frame(const struct sco_frame *frame, size_t parts)
{
    SCO_CHECK(frame->kind < SCO_FRAME_KINDS, "a kind that is none");
    SCO_CHECK(parts == sco_frame_parts(frame->kind), "other parts");
    SCO_CHECK(frame->credits <= SCO_FRAME_CREDITS_MAX, "too many credits");
    SCO_CHECK(frame->head.status < 1000, "a status that is none");
    SCO_CHECK(frame->kind != SCO_FRAME_END || frame->number < SCO_STATUS_COUNT,
              "an end that is none");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice input = { (const char *)data + 1, size - 1 };
    char again[SCO_FRAME_HEAD_MAX];
    struct sco_frame frame;

    if (size == 0 || sco_frame_read(input, data[0], &frame) != SCO_OK) {
        return 0;
    }
    check_text(frame.name, input);
    check_text(frame.machine, input);
    check_text(frame.gpu, input);
    check_text(frame.script, input);
    check_text(frame.text, input);
    check_frame(&frame, data[0]);
    SCO_CHECK(sco_frame_write(&frame, again) == input.len, "another length");
    SCO_CHECK(memcmp(again, input.data, input.len) == 0, "other bytes");
    return 0;
}
