/* test_zmq_frame.c - what is written is read, and nothing else is */
#include "link/lane.h"
#include "link/zmq_frame.h"
#include "support/test.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { KIND_AT = 6, VERSION_AT = 4, BODY_AT = 24 };

/* One sound frame of each kind. */
static const struct sco_frame frames[] = {
    { .kind = SCO_FRAME_HELLO,
      .name = SCO_SLICE_INIT("gpu-a"),
      .machine = SCO_SLICE_INIT("box"),
      .gpu = SCO_SLICE_INIT("1"),
      .script = SCO_SLICE_INIT("score.py"),
      .script_hash = UINT64_C(0xfedcba9876543210),
      .pid = 4711,
      .credits = 4 },
    { .kind = SCO_FRAME_WELCOME, .session = 7, .beat_ms = 1000 },
    { .kind = SCO_FRAME_REFUSED,
      .number = SCO_REFUSED_NEVER,
      .text = SCO_SLICE_INIT("no") },
    { .kind = SCO_FRAME_CALL,
      .session = 7,
      .id = 9,
      .way = SCO_CALL_GENERAL,
      .timeout_ms = 300,
      .left_ms = 20 },
    { .kind = SCO_FRAME_LINE, .session = 7 },
    { .kind = SCO_FRAME_CANCEL,
      .session = 7,
      .id = 9,
      .number = SCO_CANCEL_TIMEOUT },
    { .kind = SCO_FRAME_ACK, .session = 7, .id = 9, .number = 32 },
    { .kind = SCO_FRAME_WHOLE,
      .session = 7,
      .id = 9,
      .head = { .status = 207,
                .flags = SCO_REPLY_EXEC_MS,
                .run_ns = 123456789,
                .stream_bytes = -1,
                .has_reason = true,
                .rows = 70000,
                .batch_rows = UINT32_MAX,
                .batch_told = 0x0103 } },
    { .kind = SCO_FRAME_START,
      .session = 7,
      .id = 9,
      .head = { .status = 200, .stream_bytes = 1 << 20 } },
    { .kind = SCO_FRAME_CHUNK, .session = 7, .id = 9 },
    { .kind = SCO_FRAME_END, .session = 7, .id = 9, .number = SCO_SCRIPT },
    { .kind = SCO_FRAME_BEAT, .session = 7, .number = UINT64_C(1) << 40 },
    { .kind = SCO_FRAME_BYE,
      .session = 7,
      .number = SCO_BYE_KILLED,
      .text = SCO_SLICE_INIT("late") },
    { .kind = SCO_FRAME_RAN,
      .session = 7,
      .id = 9,
      .head = { .status = 200,
                .run_ns = 5,
                .batch_rows = 64,
                .batch_told = 1 } },
};

static void
assert_text(struct sco_slice read, struct sco_slice written)
{
    assert_int_equal(read.len, written.len);
    assert_true(sco_slice_equal(read, written));
}

static void
test_each_kind_is_read_as_it_was_written(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(frames), SCO_FRAME_KINDS);
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        const struct sco_frame *frame = &frames[i];
        char head[SCO_FRAME_HEAD_MAX];
        size_t bytes = sco_frame_write(frame, head);
        struct sco_frame read;

        assert_int_equal(frame->kind, i);
        assert_true(bytes <= SCO_FRAME_HEAD_MAX);
        assert_int_equal(sco_frame_read((struct sco_slice){ head, bytes },
                                        sco_frame_parts(frame->kind), &read),
                         SCO_OK);
        assert_int_equal(read.kind, frame->kind);
        assert_int_equal(read.session, frame->session);
        assert_int_equal(read.id, frame->id);
        assert_int_equal(read.number, frame->number);
        assert_int_equal(read.script_hash, frame->script_hash);
        assert_int_equal(read.pid, frame->pid);
        assert_int_equal(read.credits, frame->credits);
        assert_int_equal(read.beat_ms, frame->beat_ms);
        assert_int_equal(read.way, frame->way);
        assert_int_equal(read.timeout_ms, frame->timeout_ms);
        assert_int_equal(read.left_ms, frame->left_ms);
        assert_int_equal(read.head.status, frame->head.status);
        assert_int_equal(read.head.flags, frame->head.flags);
        assert_int_equal(read.head.run_ns, frame->head.run_ns);
        assert_int_equal(read.head.stream_bytes, frame->head.stream_bytes);
        assert_int_equal(read.head.has_reason, frame->head.has_reason);
        assert_int_equal(read.head.rows, frame->head.rows);
        assert_int_equal(read.head.batch_rows, frame->head.batch_rows);
        assert_int_equal(read.head.batch_told, frame->head.batch_told);
        assert_text(read.name, frame->name);
        assert_text(read.machine, frame->machine);
        assert_text(read.gpu, frame->gpu);
        assert_text(read.script, frame->script);
        assert_text(read.text, frame->text);
    }
}

static void
test_a_head_is_neither_shorter_nor_longer(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        size_t parts = sco_frame_parts(frames[i].kind);
        char head[SCO_FRAME_HEAD_MAX] = { 0 };
        size_t bytes = sco_frame_write(&frames[i], head);
        struct sco_frame read = { .id = 5 };

        for (size_t cut = 0; cut < bytes; cut++) {
            assert_int_equal(
                sco_frame_read((struct sco_slice){ head, cut }, parts, &read),
                SCO_INVALID);
        }
        assert_int_equal(sco_frame_read((struct sco_slice){ head, bytes + 1 },
                                        parts, &read),
                         SCO_INVALID);
        assert_int_equal(sco_frame_read((struct sco_slice){ head, bytes },
                                        parts + 1, &read),
                         SCO_INVALID);
        assert_int_equal(read.id, 5); /* untouched */
    }
}

static void
test_another_version_is_told_from_nonsense(void **state)
{
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_slice bytes = { head, sco_frame_write(&frames[0], head) };
    struct sco_frame read;

    (void)state;
    head[VERSION_AT]++;
    assert_int_equal(sco_frame_read(bytes, 1, &read), SCO_UNSUPPORTED);
    assert_int_equal(sco_frame_read(bytes, 0, &read), SCO_UNSUPPORTED);
    head[0]++;
    assert_int_equal(sco_frame_read(bytes, 1, &read), SCO_INVALID);
    head[0]--;
    head[VERSION_AT]--;
    head[KIND_AT] = SCO_FRAME_KINDS;
    assert_int_equal(sco_frame_read(bytes, 1, &read), SCO_INVALID);
}

static void
test_what_no_side_says(void **state)
{
    static const struct sco_frame unsound[] = {
        { .kind = SCO_FRAME_HELLO, .pid = 1, .credits = 1 },
        { .kind = SCO_FRAME_HELLO,
          .name = SCO_SLICE_INIT("a"),
          .pid = 1,
          .credits = 0 },
        { .kind = SCO_FRAME_HELLO,
          .name = SCO_SLICE_INIT("a"),
          .pid = 1,
          .credits = SCO_FRAME_CREDITS_MAX + 1 },
        { .kind = SCO_FRAME_HELLO,
          .name = SCO_SLICE_INIT("a"),
          .pid = 0,
          .credits = 1 },
        { .kind = SCO_FRAME_HELLO,
          .name = SCO_SLICE_INIT("two\nlines"),
          .pid = 1,
          .credits = 1 },
        { .kind = SCO_FRAME_WELCOME, .session = 0, .beat_ms = 1 },
        { .kind = SCO_FRAME_WELCOME, .session = 1, .beat_ms = 0 },
        { .kind = SCO_FRAME_REFUSED, .number = SCO_REFUSED_REASONS },
        { .kind = SCO_FRAME_CALL, .way = SCO_CALL_WAYS },
        { .kind = SCO_FRAME_CANCEL, .number = 0 },
        { .kind = SCO_FRAME_CANCEL, .number = 2 * SCO_CANCEL_RAISE },
        { .kind = SCO_FRAME_ACK, .number = 0 },
        { .kind = SCO_FRAME_ACK, .number = SCO_FRAME_WINDOW + 1 },
        { .kind = SCO_FRAME_WHOLE, .head = { .status = 99 } },
        { .kind = SCO_FRAME_START, .head = { .status = 1000 } },
        { .kind = SCO_FRAME_RAN, .head = { .status = 0 } },
        { .kind = SCO_FRAME_END, .number = SCO_STATUS_COUNT },
        { .kind = SCO_FRAME_BYE, .number = SCO_BYE_REASONS },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unsound); i++) {
        char head[SCO_FRAME_HEAD_MAX];
        size_t bytes = sco_frame_write(&unsound[i], head);
        struct sco_frame read;

        print_message("%zu\n", i);
        assert_int_equal(sco_frame_read((struct sco_slice){ head, bytes },
                                        sco_frame_parts(unsound[i].kind),
                                        &read),
                         SCO_INVALID);
    }
}

static void
test_long_texts_are_cut_by_the_writer(void **state)
{
    char text[4096];
    char head[SCO_FRAME_HEAD_MAX];
    struct sco_frame frame = frames[0];
    struct sco_frame read;
    size_t bytes;

    (void)state;
    memset(text, 'x', sizeof(text));
    frame.name = frame.machine = frame.gpu = frame.script =
        (struct sco_slice){ text, sizeof(text) };
    bytes = sco_frame_write(&frame, head);
    assert_true(bytes <= SCO_FRAME_HEAD_MAX);
    assert_int_equal(
        sco_frame_read((struct sco_slice){ head, bytes }, 1, &read), SCO_OK);
    assert_int_equal(read.script.len, SCO_FRAME_TEXT_MAX);
    /* A longer one is not taken from anybody else either. */
    head[BODY_AT + 14] = (char)(SCO_FRAME_TEXT_MAX + 1);
    assert_int_equal(
        sco_frame_read((struct sco_slice){ head, bytes }, 1, &read),
        SCO_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_is_read_as_it_was_written),
        cmocka_unit_test(test_a_head_is_neither_shorter_nor_longer),
        cmocka_unit_test(test_another_version_is_told_from_nonsense),
        cmocka_unit_test(test_what_no_side_says),
        cmocka_unit_test(test_long_texts_are_cut_by_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
