/* test_log.c - do lines arrive, whole and in order, whoever reads? */
#define _GNU_SOURCE /* as in log.c */
#include "support/failing_memory.h"

#include "base/log.c"

#include "support/test.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

enum { READ_MAX = 4 * 1024 * 1024 };

/* A stream that the test reads instead of whoever reads the program's. */
struct captured {
    int fd;       /* 1 or 2 */
    int saved_fd; /* what it was before */
    int read_fd;  /* our end */
    char *text;   /* what was read, terminated */
    size_t len;
};

static void
capture(struct captured *captured, int fd, int ours, int theirs)
{
    (void)fflush(stdout);
    captured->fd = fd;
    captured->saved_fd = dup(fd);
    captured->read_fd = ours;
    captured->text = calloc(1, READ_MAX);
    captured->len = 0;
    if (captured->text == NULL || theirs < 0 || dup2(theirs, fd) < 0) {
        abort();
    }
    assert_int_equal(close(theirs), 0);
}

static void
capture_pipe(struct captured *captured, int fd)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    capture(captured, fd, fds[0], fds[1]);
}

/* Reads once; false at the end. */
static bool
read_once(struct captured *captured)
{
    ssize_t got = read(captured->read_fd, captured->text + captured->len,
                       READ_MAX - 1 - captured->len);

    if (got > 0) {
        captured->len += (size_t)got;
        captured->text[captured->len] = '\0';
    }
    return got > 0;
}

/* Lets go of the stream: from here on asserts may print again. */
static void
release(struct captured *captured)
{
    if (captured->saved_fd < 0 || dup2(captured->saved_fd, captured->fd) < 0) {
        abort();
    }
    (void)close(captured->saved_fd);
}

/* Reads to the end, which comes when the stream was let go of. */
static void
read_rest(struct captured *captured)
{
    release(captured);
    while (read_once(captured)) {
    }
}

static void
captured_finish(struct captured *captured)
{
    (void)close(captured->read_fd);
    free(captured->text);
}

static void
start(void)
{
    struct sco_error err;

    assert_int_equal(sco_log_start(&err), SCO_OK);
}

/* Writes "NAME 000000\n" and so on, `count` lines of `len` bytes. */
static void
write_lines(int fd, char name, size_t count, size_t len)
{
    struct sco_text line = { 0 };

    for (size_t i = 0; i < count; i++) {
        sco_text_clear(&line);
        sco_text_addf(&line, "%c %06zu ", name, i);
        while (line.len < len - 1) {
            sco_text_add_char(&line, '.');
        }
        sco_text_add_char(&line, '\n');
        sco_log_write(fd, sco_text_slice(&line));
    }
    sco_text_finish(&line);
}

/* How many lines of `name` there are; -1 when one is torn or misplaced. It
 * knows the end, since a sanitizer has str... functions look for it. */
static int
lines_in_order(const char *text, char name, size_t len)
{
    const char *end = text + strlen(text);
    int count = 0;

    while (text < end) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        char expected[16];

        if (next++ == NULL) {
            return -1;
        }
        (void)snprintf(expected, sizeof(expected), "%c %06d ", name, count);
        if (*text == name) {
            if ((size_t)(next - text) != len ||
                memcmp(text, expected, 9) != 0) {
                return -1;
            }
            count++;
        }
        text = next;
    }
    return count;
}

/* ---- the form --------------------------------------------------------- */

/* Whether a text begins as the form says: 'd' is a digit. */
static bool
has_form(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++) {
        if (*form == 'd' ? !isdigit((unsigned char)*text) : *form != *text) {
            return false;
        }
    }
    return true;
}

static void
test_prefix(void **state)
{
    static const char letters[] = "DIWEC";
    struct sco_text text = { 0 };

    (void)state;
    for (int i = 0; i < 5; i++) {
        char form[] = "dddd-dd-dd dd:dd:dd,ddd L [4711] azmlinfsrv - ";

        form[24] = letters[i];
        sco_text_clear(&text);
        sco_log_prefix(&text, (enum sco_log_level)i, 4711, "azmlinfsrv");
        assert_true(has_form(text.data, form));
        assert_int_equal(text.len, strlen(form));
    }
    sco_text_finish(&text);
}

static void
test_second(void **state)
{
    struct second second = { 0 };

    (void)state;
    format_second(&second, 0);
    assert_string_equal(second.text, "1970-01-01 00:00:00");
    format_second(&second, 1795331186); /* a day of the contract's examples */
    assert_string_equal(second.text, "2026-11-22 07:06:26");
    format_second(&second, 1709251199);
    assert_string_equal(second.text, "2024-02-29 23:59:59");
}

static void
test_prefix_is_of_now(void **state)
{
    struct sco_text text = { 0 };
    struct second before = { 0 };
    struct second after = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++) { /* also from the memory of the last */
        format_second(&before, time(NULL));
        sco_text_clear(&text);
        sco_log_prefix(&text, SCO_LOG_INFO, 1, "x");
        format_second(&after, time(NULL) + 1); /* time() may lag a tick */
        text.data[strlen("YYYY-MM-DD HH:MM:SS")] = '\0';
        assert_true(strcmp(text.data, before.text) >= 0);
        assert_true(strcmp(text.data, after.text) <= 0);
    }
    sco_text_finish(&text);
}

static void
test_events_are_well_formed(void **state)
{
    (void)state;
    for (int i = 0; i < SCO_EVENT_COUNT; i++) {
        const struct sco_event_info *info = sco_event_info((enum sco_event)i);

        assert_true(strlen(info->sentence) > 10);
        assert_int_equal(info->sentence[strlen(info->sentence) - 1], '.');
        assert_int_equal(strspn(info->id, "abcdefghijklmnopqrstuvwxyz-"),
                         strlen(info->id));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(info->id,
                                    sco_event_info((enum sco_event)j)->id);
        }
    }
}

static void
test_event_lines(void **state)
{
    struct captured err;
    char form[128];

    (void)state;
    capture_pipe(&err, STDERR_FILENO);
    sco_log(SCO_EVENT_LISTENING, "Listening at: %s (%d)", "http://[::]:1", 7);
    sco_log(SCO_EVENT_WORKER_BACKOFF, "wait_ms=%d", 250);
    sco_log(SCO_EVENT_REQUEST_INVALID, "a\r\nb\x1b[0m\x7f\xc3\xa9");
    read_rest(&err);

    (void)snprintf(form, sizeof(form),
                   "dddd-dd-dd dd:dd:dd,ddd I [%d] gunicorn.error - "
                   "Listening at: http://[::]:1 (7)\n",
                   (int)getpid());
    assert_true(has_form(err.text, form));
    assert_non_null(strstr(err.text, " W ["));
    assert_non_null(strstr(err.text, " - worker-backoff wait_ms=250\n"));
    assert_non_null(strstr(err.text, " - a??b?[0m?\xc3\xa9\n"));
    captured_finish(&err);
}

/* ---- readers that read ------------------------------------------------ */

static void
test_without_a_log_thread(void **state)
{
    struct captured out;

    (void)state;
    sco_log_stop(1000); /* does nothing */
    capture_pipe(&out, STDOUT_FILENO);
    sco_log_write(STDOUT_FILENO, SCO_SLICE("one\ntwo\n"));
    read_rest(&out);
    assert_string_equal(out.text, "one\ntwo\n");
    captured_finish(&out);
}

/* A file is read right after an answer: nothing may be on its way. */
static void
test_a_file_has_it_at_once(void **state)
{
    char path[] = "/tmp/test_log.XXXXXX";
    int fd = mkstemp(path);
    struct captured out;
    bool read;

    (void)state;
    assert_true(fd >= 0);
    capture(&out, STDOUT_FILENO, open(path, O_RDONLY), fd);
    start();
    write_lines(STDOUT_FILENO, 'f', 1, 100000);
    write_lines(STDOUT_FILENO, 'g', 1, 100);
    read = read_once(&out);
    sco_log_stop(1000);
    read_rest(&out);
    assert_true(read);
    assert_int_equal(out.len, 100100);
    assert_int_equal(lines_in_order(out.text, 'f', 100000), 1);
    captured_finish(&out);
    assert_int_equal(unlink(path), 0);
}

static void
use_a_pipe_with_room(bool old_kernel)
{
    struct captured out, err;

    capture_pipe(&out, STDOUT_FILENO);
    capture_pipe(&err, STDERR_FILENO);
    start();
    atomic_store(&writer.no_nowait, old_kernel);
    write_lines(STDOUT_FILENO, 'o', 100, 100);
    write_lines(STDERR_FILENO, 'e', 3, 50);
    (void)read_once(&out);
    (void)read_once(&err);
    sco_log_stop(1000);
    read_rest(&out);
    read_rest(&err);
    atomic_store(&writer.no_nowait, false);
    assert_int_equal(lines_in_order(out.text, 'o', 100), 100);
    assert_int_equal(out.len, 100 * 100);
    assert_int_equal(lines_in_order(err.text, 'e', 50), 3);
    captured_finish(&out);
    captured_finish(&err);
}

static void
test_a_pipe_with_room_has_it_at_once(void **state)
{
    (void)state;
    use_a_pipe_with_room(/* old_kernel */ false);
    use_a_pipe_with_room(/* old_kernel */ true);
}

static void
test_a_line_longer_than_a_piece(void **state)
{
    struct captured out;

    (void)state;
    capture_pipe(&out, STDOUT_FILENO);
    start();
    write_lines(STDOUT_FILENO, 'a', 1, PIPE_BUF);
    write_lines(STDOUT_FILENO, 'b', 2, PIPE_BUF + 1);
    write_lines(STDOUT_FILENO, 'c', 2, 20000);
    write_lines(STDOUT_FILENO, 'd', 1, 10);
    sco_log_stop(10000); /* there is room for all: it waits for nobody */
    read_rest(&out);
    assert_int_equal(lines_in_order(out.text, 'a', PIPE_BUF), 1);
    assert_int_equal(lines_in_order(out.text, 'b', PIPE_BUF + 1), 2);
    assert_int_equal(lines_in_order(out.text, 'c', 20000), 2);
    assert_int_equal(lines_in_order(out.text, 'd', 10), 1);
    captured_finish(&out);
}

static void
test_a_socket(void **state)
{
    struct captured out;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    capture(&out, STDOUT_FILENO, fds[0], fds[1]);
    start();
    write_lines(STDOUT_FILENO, 's', 5000, 200); /* more than it holds */
    while (out.len < (size_t)5000 * 200 && read_once(&out)) {
    }
    sco_log_stop(10000);
    read_rest(&out);
    assert_int_equal(lines_in_order(out.text, 's', 200), 5000);
    captured_finish(&out);
}

/* ---- readers that do not ---------------------------------------------- */

static void
use_a_full_pipe(bool old_kernel)
{
    struct captured out;

    capture_pipe(&out, STDOUT_FILENO);
    start();
    atomic_store(&writer.no_nowait, old_kernel);
    /* Ten times what a pipe holds; a write that waits would wait for ever. */
    write_lines(STDOUT_FILENO, 'o', 6000, 100);
    while (out.len < (size_t)6000 * 100 && read_once(&out)) {
    }
    sco_log_stop(10000);
    read_rest(&out);
    atomic_store(&writer.no_nowait, false);
    assert_int_equal(lines_in_order(out.text, 'o', 100), 6000);
    captured_finish(&out);
}

static void
test_a_full_pipe_makes_lines_late(void **state)
{
    (void)state;
    use_a_full_pipe(/* old_kernel */ false);
    use_a_full_pipe(/* old_kernel */ true);
}

static void
test_a_stuck_stdout_does_not_hold_up_stderr(void **state)
{
    struct captured out, err;

    (void)state;
    capture_pipe(&out, STDOUT_FILENO);
    capture_pipe(&err, STDERR_FILENO);
    start();
    write_lines(STDOUT_FILENO, 'o', 2000, 100);
    write_lines(STDERR_FILENO, 'e', 2000, 100);
    while (err.len < (size_t)2000 * 100 && read_once(&err)) {
    }
    while (out.len < (size_t)2000 * 100 && read_once(&out)) {
    }
    sco_log_stop(10000);
    read_rest(&out);
    read_rest(&err);
    assert_int_equal(lines_in_order(out.text, 'o', 100), 2000);
    assert_int_equal(lines_in_order(err.text, 'e', 100), 2000);
    captured_finish(&out);
    captured_finish(&err);
}

static void
test_what_no_longer_fits_is_counted(void **state)
{
    enum { WRITTEN = 20000, AFTER = 10 };
    struct captured out;
    unsigned long dropped = 0;
    const char *note;
    int kept;

    (void)state;
    capture_pipe(&out, STDOUT_FILENO);
    start();
    write_lines(STDOUT_FILENO, 'o', WRITTEN, 100); /* twice what it holds */
    /* What is left in the end must fit into the pipe: nobody reads then. */
    while (out.len < RING_BYTES + 8192 && read_once(&out)) {
    }
    write_lines(STDOUT_FILENO, 'n', AFTER, 100);
    sco_log_stop(10000);
    read_rest(&out);

    kept = lines_in_order(out.text, 'o', 100);
    note = strstr(out.text, " - lines-dropped count=");
    assert_true(kept >= RING_BYTES / 100);
    assert_non_null(note);
    dropped = strtoul(strchr(note, '=') + 1, NULL, 10);
    assert_int_equal(dropped + (unsigned long)kept, WRITTEN);
    assert_null(strstr(strchr(note, '='), "lines-dropped"));
    assert_int_equal(lines_in_order(note, 'n', 100), AFTER);
    captured_finish(&out);
}

/* Without a log thread too nobody is waited for, where that was said. The
 * lines fill pages, so that what tells of missing ones finds no room either.
 */
static void
drop_into_a_full_pipe(bool old_kernel)
{
    enum { WRITTEN = 4000, AFTER = 10 };
    struct captured out;
    const char *note;
    int kept;

    capture_pipe(&out, STDOUT_FILENO);
    sco_log_never_wait(true);
    atomic_store(&writer.no_nowait, old_kernel);
    write_lines(STDOUT_FILENO, 'o', WRITTEN, 64); /* thrice what it holds */
    assert_true(read_once(&out));
    write_lines(STDOUT_FILENO, 'n', AFTER, 64);
    atomic_store(&writer.no_nowait, false);
    sco_log_never_wait(false);
    read_rest(&out);

    kept = lines_in_order(out.text, 'o', 64);
    note = strstr(out.text, " - lines-dropped count=");
    assert_non_null(note);
    assert_int_equal(kept + strtol(strchr(note, '=') + 1, NULL, 10), WRITTEN);
    assert_null(strstr(strchr(note, '='), "lines-dropped"));
    assert_int_equal(lines_in_order(note, 'n', 64), AFTER);
    captured_finish(&out);
}

static void
test_who_never_waits_drops(void **state)
{
    (void)state;
    drop_into_a_full_pipe(/* old_kernel */ false);
    drop_into_a_full_pipe(/* old_kernel */ true);
}

/* What a supervisor has dropped is not for the host that it makes to tell. */
static void
test_the_log_thread_begins_anew(void **state)
{
    struct captured out;

    (void)state;
    capture_pipe(&out, STDOUT_FILENO);
    sco_log_never_wait(true);
    write_lines(STDOUT_FILENO, 'o', 4000, 64);
    assert_true(streams[0].locked.dropped_count > 0);
    start();
    assert_true(read_once(&out));
    write_lines(STDOUT_FILENO, 'n', 2000, 64);
    while (lines_in_order(out.text, 'n', 64) < 2000 && read_once(&out)) {
    }
    sco_log_stop(10000);
    assert_false(writer.never_wait);
    read_rest(&out);
    assert_int_equal(lines_in_order(out.text, 'n', 64), 2000);
    assert_null(strstr(out.text, "lines-dropped"));
    captured_finish(&out);
}

static void
test_stop_gives_up(void **state)
{
    struct captured out;
    uint64_t begin_ns, took_ns;

    (void)state;
    capture_pipe(&out, STDOUT_FILENO);
    start();
    write_lines(STDOUT_FILENO, 'o', 2000, 100);
    begin_ns = sco_clock_now_ns();
    sco_log_stop(50);
    took_ns = sco_clock_now_ns() - begin_ns;
    read_rest(&out);
    assert_true(took_ns >= 50 * SCO_NS_PER_MS);
    assert_true(took_ns < 20 * SCO_NS_PER_S);
    assert_true(lines_in_order(out.text, 'o', 100) > 0); /* none is torn */
    captured_finish(&out);
}

static void
test_a_reader_that_has_left(void **state)
{
    struct captured out;
    int kind;

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* as the host does */
    for (kind = 0; kind < 2; kind++) {
        int fds[2];

        if (kind == 0) {
            assert_int_equal(pipe(fds), 0);
        } else {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        }
        capture(&out, STDOUT_FILENO, fds[0], fds[1]);
        start();
        write_lines(STDOUT_FILENO, 'o', 2000, 100); /* the ring is in use */
        (void)close(out.read_fd);
        write_lines(STDOUT_FILENO, 'o', 2000, 100);
        sco_log_stop(10000); /* with nobody to wait for */
        write_lines(STDOUT_FILENO, 'o', 10, 100);
        release(&out);
        out.read_fd = -1;
        captured_finish(&out);
    }
    (void)signal(SIGPIPE, SIG_DFL);
}

static void
test_a_closed_stream(void **state)
{
    int saved_fd = dup(STDERR_FILENO);

    (void)state;
    (void)close(STDERR_FILENO);
    start();
    write_lines(STDERR_FILENO, 'e', 10, 100);
    sco_log_stop(10000);
    write_lines(STDERR_FILENO, 'e', 10, 100);
    if (saved_fd < 0 || dup2(saved_fd, STDERR_FILENO) < 0) {
        abort();
    }
    assert_int_equal(close(saved_fd), 0);
}

/* ---- many writers ----------------------------------------------------- */

static void
write_from_thread(void *arg)
{
    write_lines(STDOUT_FILENO, *(const char *)arg, 2000, 100);
}

/* What workers do: their lines go to the same pipe, past our ring. */
static void
write_from_outside(void *arg)
{
    char line[128];

    for (int i = 0; i < 2000; i++) {
        (void)snprintf(line, sizeof(line), "%c %06d %090d\n",
                       *(const char *)arg, i, 0);
        (void)!write(STDOUT_FILENO, line, 100);
    }
}

static void
test_no_line_is_torn_by_another(void **state)
{
    static const char names[] = "abcx";
    struct captured out;
    struct sco_error err;
    pthread_t threads[4];
    size_t expected = (size_t)2000 * 4 * 100;

    (void)state;
    capture_pipe(&out, STDOUT_FILENO);
    start();
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            sco_thread_start("writer", SCO_ROLE_WORK,
                             i < 3 ? write_from_thread : write_from_outside,
                             (void *)(uintptr_t)&names[i], &threads[i], &err),
            SCO_OK);
    }
    while (out.len < expected && read_once(&out)) {
    }
    for (size_t i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    sco_log_stop(10000);
    read_rest(&out);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(lines_in_order(out.text, names[i], 100), 2000);
    }
    captured_finish(&out);
}

/* ---- what runs out ---------------------------------------------------- */

static void
test_failing_memory_at_the_start(void **state)
{
    struct sco_error err;
    size_t i = 0;
    bool failed = true;

    (void)state;
    while (failed) {
        enum sco_status status;

        memory_fail_at(i++);
        status = sco_log_start(&err);
        failed = memory_has_failed();
        assert_int_equal(status, failed ? SCO_NOMEM : SCO_OK);
    }
    assert_int_equal(i, 3); /* two rings */
    sco_log_stop(1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_second),
        cmocka_unit_test(test_prefix_is_of_now),
        cmocka_unit_test(test_events_are_well_formed),
        cmocka_unit_test(test_event_lines),
        cmocka_unit_test(test_without_a_log_thread),
        cmocka_unit_test(test_a_file_has_it_at_once),
        cmocka_unit_test(test_a_pipe_with_room_has_it_at_once),
        cmocka_unit_test(test_a_line_longer_than_a_piece),
        cmocka_unit_test(test_a_socket),
        cmocka_unit_test(test_a_full_pipe_makes_lines_late),
        cmocka_unit_test(test_a_stuck_stdout_does_not_hold_up_stderr),
        cmocka_unit_test(test_what_no_longer_fits_is_counted),
        cmocka_unit_test(test_who_never_waits_drops),
        cmocka_unit_test(test_the_log_thread_begins_anew),
        cmocka_unit_test(test_stop_gives_up),
        cmocka_unit_test(test_a_reader_that_has_left),
        cmocka_unit_test(test_a_closed_stream),
        cmocka_unit_test(test_no_line_is_torn_by_another),
        cmocka_unit_test(test_failing_memory_at_the_start),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
