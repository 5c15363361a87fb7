/* Design notes
 *
 * Each of the two streams, stdout and stderr, has a ring. While the ring is
 * empty, lines are written by whoever has them, without waiting. Once a line
 * does not go out at once, it and all later ones go through the ring, until
 * the log thread has emptied it: so lines keep their order, and it shows in
 * `locked.held` alone which of the two is the case.
 *
 * The descriptors are shared with others (a terminal, workers that print to
 * the same pipe), therefore O_NONBLOCK is not set on them: RWF_NOWAIT says
 * the same for one call. Pipes are written in pieces of whole lines of
 * PIPE_BUF at most, which the kernel takes whole or not at all, so that no
 * line is torn by those of others. A longer line is left to the log thread.
 *
 * A write that fails (nobody reads any more, the disk is full) counts as
 * done: there is nobody left to tell.
 *
 * The log thread sleeps in poll() on an eventfd, and on the streams whose
 * rings hold something. Stopping waits until the rings are empty or the time
 * is up; then each ring is closed, and later lines are written by their
 * callers again.
 *
 * A process without a log thread that must not wait (sco_log_never_wait())
 * keeps no line: what does not go out at once is counted as dropped.
 */
#define _GNU_SOURCE /* pwritev2() */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define OWN_LOGGER "gunicorn.error" /* what log parsers know */

enum {
    RING_BYTES = 1024 * 1024,
    STREAM_COUNT = 2,
    NAP_MS = 10, /* where poll() and write() disagree */
};

/* How to write without waiting. */
enum kind {
    KIND_PLAIN,  /* files, terminals: write() */
    KIND_PIPE,   /* pwritev2(), or poll() and write() on older kernels */
    KIND_SOCKET, /* send() */
};

struct stream {
    /* Fixed while the log thread runs. */
    int fd;
    enum kind kind;

    /* Any thread, and only with `mutex` held. */
    struct {
        pthread_mutex_t mutex;
        char *ring;  /* NULL while there is no log thread */
        size_t at;   /* of the oldest byte held */
        size_t held; /* bytes; not 0: the log thread has the stream */
        uint64_t dropped_count; /* lines, since the last that got through */
    } locked;
};

static struct stream streams[STREAM_COUNT] = {
    { .fd = STDOUT_FILENO, .locked.mutex = PTHREAD_MUTEX_INITIALIZER },
    { .fd = STDERR_FILENO, .locked.mutex = PTHREAD_MUTEX_INITIALIZER },
};

/* The log thread's, set by main before it starts. */
static struct {
    pthread_t thread;
    bool started; /* main's alone */
    int wake_fd;
    uint64_t stop_at_ns; /* set before `stopping`, read after it */
    atomic_bool stopping;
    atomic_bool no_nowait; /* the kernel has it not for pipes */
    bool never_wait;       /* main's alone: there is no other thread */
} writer;

/* ---- events ----------------------------------------------------------- */

#define X(name, id, level, shown, sentence) \
    [SCO_EVENT_##name] = { (id), (level), (shown), (sentence) },
static const struct sco_event_info events[SCO_EVENT_COUNT] = {
#include "base/log_events.def"
};
#undef X

const struct sco_event_info *
sco_event_info(enum sco_event event)
{
    return &events[event];
}

/* ---- the form of a line ----------------------------------------------- */

/* The part of the time that changes once a second, kept by each thread. */
struct second {
    time_t at;
    char text[sizeof("YYYY-MM-DD HH:MM:SS")]; /* "" before the first */
};

static _Thread_local struct second last_second;

static void
put_digits(char *at, unsigned count, unsigned number)
{
    while (count > 0) {
        at[--count] = (char)('0' + number % 10);
        number /= 10;
    }
}

static void
format_second(struct second *second, time_t at)
{
    static const char form[] = "0000-00-00 00:00:00";
    struct tm utc = { 0 };

    (void)gmtime_r(&at, &utc);
    memcpy(second->text, form, sizeof(form));
    put_digits(second->text, 4, (unsigned)utc.tm_year + 1900);
    put_digits(second->text + 5, 2, (unsigned)utc.tm_mon + 1);
    put_digits(second->text + 8, 2, (unsigned)utc.tm_mday);
    put_digits(second->text + 11, 2, (unsigned)utc.tm_hour);
    put_digits(second->text + 14, 2, (unsigned)utc.tm_min);
    put_digits(second->text + 17, 2, (unsigned)utc.tm_sec);
    second->at = at;
}

void
sco_log_prefix(struct sco_text *text, enum sco_log_level level, pid_t pid,
               const char *logger)
{
    static const char letters[] = "DIWEC";
    struct timespec now;
    char rest[] = ",000 L [";

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (last_second.at != now.tv_sec || last_second.text[0] == '\0') {
        format_second(&last_second, now.tv_sec);
    }
    put_digits(rest + 1, 3, (unsigned)(now.tv_nsec / 1000000));
    rest[5] = letters[level];
    sco_text_add(text, (struct sco_slice){ last_second.text,
                                           sizeof(last_second.text) - 1 });
    sco_text_add(text, (struct sco_slice){ rest, sizeof(rest) - 1 });
    sco_text_add_number(text, (uint64_t)pid);
    sco_text_add(text, SCO_SLICE("] "));
    sco_text_add(text, sco_slice_of(logger));
    sco_text_add(text, SCO_SLICE(" - "));
}

/* ---- writing ---------------------------------------------------------- */

static enum kind
kind_of(int fd)
{
    struct stat about;

    if (fstat(fd, &about) != 0) {
        return KIND_PLAIN;
    }
    if (S_ISFIFO(about.st_mode)) {
        return KIND_PIPE;
    }
    return S_ISSOCK(about.st_mode) ? KIND_SOCKET : KIND_PLAIN;
}

/* Writes to a pipe if it has room: for kernels where it cannot be told not
 * to wait (before 6.4). Somebody else may take the room in between; then the
 * write waits for the reader. */
static ssize_t
pipe_write_if_ready(int fd, struct sco_slice piece)
{
    struct pollfd room = { .fd = fd, .events = POLLOUT };

    if (poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(fd, piece.data, piece.len);
}

static ssize_t
pipe_write(int fd, struct sco_slice piece)
{
    struct iovec bytes = { (void *)(uintptr_t)piece.data, piece.len };
    ssize_t wrote;

    if (atomic_load_explicit(&writer.no_nowait, memory_order_relaxed)) {
        return pipe_write_if_ready(fd, piece);
    }
    wrote = pwritev2(fd, &bytes, 1, /* offset: none */ -1, RWF_NOWAIT);
    /* A sandbox may refuse what its profile does not know. */
    if (wrote < 0 &&
        (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM)) {
        atomic_store_explicit(&writer.no_nowait, true, memory_order_relaxed);
        return pipe_write_if_ready(fd, piece);
    }
    return wrote;
}

/* Writes some of a piece without waiting, and says how much is done: none
 * when there is no room, all of it when it can never be written. */
static size_t
write_some(const struct stream *stream, struct sco_slice piece)
{
    ssize_t wrote = -1;

    do {
        switch (stream->kind) {
        case KIND_PLAIN:
            wrote = write(stream->fd, piece.data, piece.len);
            break;
        case KIND_PIPE:
            wrote = pipe_write(stream->fd, piece);
            break;
        case KIND_SOCKET:
            wrote = send(stream->fd, piece.data, piece.len,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
            break;
        }
    } while (wrote < 0 && errno == EINTR);
    if (wrote < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : piece.len;
    }
    return (size_t)wrote;
}

/* The length of the whole lines at the begin of `lines` that fit `max`; 0
 * when not even the first does. What lacks a line end is a line as well. */
static size_t
whole_lines(struct sco_slice lines, size_t max)
{
    size_t len = max;

    if (lines.len <= max) {
        return lines.len;
    }
    while (len > 0 && lines.data[len - 1] != '\n') {
        len--;
    }
    return len;
}

/* Writes what goes out at once, and returns how much that is. */
static size_t
write_now(const struct stream *stream, struct sco_slice lines)
{
    size_t max = stream->kind == KIND_PLAIN ? lines.len : PIPE_BUF;
    size_t done = 0;

    while (done < lines.len) {
        struct sco_slice rest = { lines.data + done, lines.len - done };
        struct sco_slice piece = { rest.data, whole_lines(rest, max) };
        size_t wrote = piece.len > 0 ? write_some(stream, piece) : 0;

        done += wrote;
        if (wrote == 0 || (wrote < piece.len && stream->kind != KIND_PLAIN)) {
            break;
        }
    }
    return done;
}

/* Writes all, and waits for the reader where it must. */
static void
write_waiting(int fd, struct sco_slice lines)
{
    const struct stream plain = { .fd = fd, .kind = KIND_PLAIN };

    while (lines.len > 0) {
        size_t wrote = write_some(&plain, lines);

        lines.data += wrote;
        lines.len -= wrote;
        if (wrote == 0) {
            struct pollfd room = { .fd = fd, .events = POLLOUT };

            (void)poll(&room, 1, -1);
        }
    }
}

/* ---- the rings, with the stream's mutex held -------------------------- */

static void
ring_put(struct stream *stream, struct sco_slice bytes)
{
    size_t end = (stream->locked.at + stream->locked.held) % RING_BYTES;
    size_t first = RING_BYTES - end;

    if (first > bytes.len) {
        first = bytes.len;
    }
    if (bytes.len > 0) {
        memcpy(stream->locked.ring + end, bytes.data, first);
        memcpy(stream->locked.ring, bytes.data + first, bytes.len - first);
    }
    stream->locked.held += bytes.len;
}

/* Copies up to `max` of the oldest bytes and leaves them where they are. */
static size_t
ring_peek(const struct stream *stream, char *into, size_t max)
{
    size_t len = stream->locked.held < max ? stream->locked.held : max;
    size_t first = RING_BYTES - stream->locked.at;

    if (first > len) {
        first = len;
    }
    memcpy(into, stream->locked.ring + stream->locked.at, first);
    memcpy(into + first, stream->locked.ring, len - first);
    return len;
}

static size_t
count_lines(struct sco_slice lines)
{
    size_t count = 0;

    for (size_t i = 0; i < lines.len; i++) {
        count += lines.data[i] == '\n' || i + 1 == lines.len ? 1 : 0;
    }
    return count;
}

/* The line that says how many are missing. */
static struct sco_text
dropped_note(const struct stream *stream)
{
    const struct sco_event_info *event = &events[SCO_EVENT_LINES_DROPPED];
    struct sco_text note = { 0 };

    sco_log_prefix(&note, event->level, getpid(), OWN_LOGGER);
    sco_text_add(&note, sco_slice_of(event->id));
    sco_text_add(&note, SCO_SLICE(" count="));
    sco_text_add_number(&note, stream->locked.dropped_count);
    sco_text_add_char(&note, '\n');
    return note;
}

/* Says how many lines are missing, if that and the lines after it fit. */
static bool
ring_report_dropped(struct stream *stream, size_t after_bytes)
{
    size_t room = RING_BYTES - stream->locked.held;
    struct sco_text note = dropped_note(stream);
    bool fits;

    fits =
        !note.failed && after_bytes <= room && note.len <= room - after_bytes;
    if (fits) {
        ring_put(stream, sco_text_slice(&note));
        stream->locked.dropped_count = 0;
    }
    sco_text_finish(&note);
    return fits;
}

/* Holds the lines for which there is room and counts the others. */
static void
ring_hold(struct stream *stream, struct sco_slice lines)
{
    size_t len = 0;

    if (stream->locked.dropped_count == 0 ||
        ring_report_dropped(stream, lines.len)) {
        len = whole_lines(lines, RING_BYTES - stream->locked.held);
        ring_put(stream, (struct sco_slice){ lines.data, len });
    }
    stream->locked.dropped_count +=
        count_lines((struct sco_slice){ lines.data + len, lines.len - len });
}

/* ---- without a ring, with the stream's mutex held ---------------------- */

/* Says how many lines are missing; false when there is no room for it. */
static bool
report_dropped(struct stream *stream)
{
    struct sco_text note = dropped_note(stream);
    bool done =
        !note.failed && write_now(stream, sco_text_slice(&note)) == note.len;

    if (done) {
        stream->locked.dropped_count = 0;
    }
    sco_text_finish(&note);
    return done;
}

/* Writes what goes out at once, and counts the lines that do not. */
static void
write_or_drop(struct stream *stream, struct sco_slice lines)
{
    size_t done = 0;

    if (stream->locked.dropped_count == 0 || report_dropped(stream)) {
        done = write_now(stream, lines);
    }
    stream->locked.dropped_count +=
        count_lines((struct sco_slice){ lines.data + done, lines.len - done });
}

/* ---- the log thread --------------------------------------------------- */

/* Writes the oldest lines of a ring, once. False when there was no room
 * after all. */
static bool
stream_flush(struct stream *stream)
{
    char bytes[PIPE_BUF];
    struct sco_slice piece = { bytes, 0 };
    size_t len;
    size_t wrote;

    (void)pthread_mutex_lock(&stream->locked.mutex);
    len = ring_peek(stream, bytes, sizeof(bytes));
    (void)pthread_mutex_unlock(&stream->locked.mutex);

    /* Only a line that is longer than a piece is written in parts. */
    piece.len = len;
    while (piece.len > 0 && bytes[piece.len - 1] != '\n') {
        piece.len--;
    }
    if (piece.len == 0) {
        piece.len = len;
    }
    wrote = write_some(stream, piece);

    (void)pthread_mutex_lock(&stream->locked.mutex);
    stream->locked.at = (stream->locked.at + wrote) % RING_BYTES;
    stream->locked.held -= wrote;
    (void)pthread_mutex_unlock(&stream->locked.mutex);
    return wrote > 0;
}

static bool
stream_holds(struct stream *stream)
{
    bool holds;

    (void)pthread_mutex_lock(&stream->locked.mutex);
    holds = stream->locked.held > 0;
    (void)pthread_mutex_unlock(&stream->locked.mutex);
    return holds;
}

/* Closes a stream's ring if it is empty, or at any rate with `give_up`. From
 * then on lines are written by their callers. */
static bool
stream_close(struct stream *stream, bool give_up)
{
    bool closed;

    (void)pthread_mutex_lock(&stream->locked.mutex);
    closed = stream->locked.held == 0 || give_up;
    if (closed) {
        free(stream->locked.ring);
        stream->locked.ring = NULL;
        stream->locked.at = 0;
        stream->locked.held = 0;
        stream->locked.dropped_count = 0;
    }
    (void)pthread_mutex_unlock(&stream->locked.mutex);
    return closed;
}

/* How long the log thread may sleep: -1 for ever, 0 when the time for
 * stopping is up. */
static int
patience_ms(void)
{
    uint64_t now_ns = sco_clock_now_ns();
    uint64_t ms;

    if (!atomic_load(&writer.stopping)) {
        return -1;
    }
    if (writer.stop_at_ns <= now_ns) {
        return 0;
    }
    ms = (writer.stop_at_ns - now_ns) / SCO_NS_PER_MS + 1;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Sleeps until a stream that holds something has room, or until the eventfd
 * rings, and writes once to each stream that has room. */
static void
writer_turn(const bool holds[STREAM_COUNT], int wait_ms)
{
    struct pollfd polled[STREAM_COUNT + 1];
    bool stuck = false;
    uint64_t rung;

    for (size_t i = 0; i < STREAM_COUNT; i++) {
        polled[i] = (struct pollfd){
            .fd = holds[i] ? streams[i].fd : -1,
            .events = POLLOUT,
        };
    }
    polled[STREAM_COUNT] = (struct pollfd){
        .fd = writer.wake_fd,
        .events = POLLIN,
    };
    if (poll(polled, STREAM_COUNT + 1, wait_ms) <= 0) {
        return;
    }
    if (polled[STREAM_COUNT].revents != 0) {
        (void)!read(writer.wake_fd, &rung, sizeof(rung));
    }
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        if (polled[i].revents != 0) {
            stuck = !stream_flush(&streams[i]) || stuck;
        }
    }
    if (stuck) {
        (void)poll(NULL, 0, NAP_MS);
    }
}

static void
writer_main(void *arg)
{
    bool open;

    (void)arg;
    do {
        bool holds[STREAM_COUNT] = { false };
        int wait_ms = patience_ms();

        open = false;
        for (size_t i = 0; i < STREAM_COUNT; i++) {
            if (wait_ms < 0 || !stream_close(&streams[i], wait_ms == 0)) {
                holds[i] = stream_holds(&streams[i]);
                open = true;
            }
        }
        if (open) {
            writer_turn(holds, wait_ms);
        }
    } while (open);
}

static void
writer_wake(void)
{
    const uint64_t one = 1;

    (void)!write(writer.wake_fd, &one, sizeof(one));
}

/* ---- for all ---------------------------------------------------------- */

/* Gives each stream a ring, from when on nobody waits for its reader. */
static enum sco_status
streams_open(struct sco_error *err)
{
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        char *ring = malloc(RING_BYTES);

        if (ring == NULL) {
            return sco_fail(err, SCO_NOMEM, "log ring");
        }
        streams[i].kind = kind_of(streams[i].fd);
        (void)pthread_mutex_lock(&streams[i].locked.mutex);
        streams[i].locked.ring = ring;
        streams[i].locked.dropped_count = 0; /* another process's to tell */
        (void)pthread_mutex_unlock(&streams[i].locked.mutex);
    }
    return SCO_OK;
}

static void
streams_close(void)
{
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        (void)stream_close(&streams[i], /* give_up */ true);
    }
}

enum sco_status
sco_log_start(struct sco_error *err)
{
    enum sco_status status;

    atomic_store(&writer.stopping, false);
    writer.never_wait = false;
    writer.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer.wake_fd < 0) {
        return sco_fail(err, SCO_INTERNAL, "eventfd: %s", strerror(errno));
    }
    status = streams_open(err);
    if (status != SCO_OK) {
        goto fail;
    }
    status = sco_thread_start("log", SCO_ROLE_LOG, writer_main, NULL,
                              &writer.thread, err);
    if (status != SCO_OK) {
        goto fail;
    }
    writer.started = true;
    return SCO_OK;

fail:
    streams_close();
    (void)close(writer.wake_fd);
    return status;
}

void
sco_log_stop(uint32_t timeout_ms)
{
    if (!writer.started) {
        return;
    }
    writer.stop_at_ns = sco_clock_now_ns() + timeout_ms * SCO_NS_PER_MS;
    atomic_store(&writer.stopping, true);
    writer_wake();
    (void)pthread_join(writer.thread, NULL);
    (void)close(writer.wake_fd);
    writer.started = false;
}

void
sco_log_never_wait(bool never)
{
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        streams[i].kind = kind_of(streams[i].fd);
    }
    writer.never_wait = never;
}

void
sco_log_write(int fd, struct sco_slice lines)
{
    struct stream *stream = &streams[fd == STDERR_FILENO ? 1 : 0];
    bool started;
    bool waits;
    bool wake = false;
    size_t done = 0;

    (void)pthread_mutex_lock(&stream->locked.mutex);
    started = stream->locked.ring != NULL;
    waits = !started && !writer.never_wait;
    if (started && stream->locked.held == 0 &&
        stream->locked.dropped_count == 0) {
        done = write_now(stream, lines);
    }
    if (started && done < lines.len) {
        wake = stream->locked.held == 0;
        ring_hold(stream,
                  (struct sco_slice){ lines.data + done, lines.len - done });
    }
    if (!started && !waits) {
        write_or_drop(stream, lines);
    }
    (void)pthread_mutex_unlock(&stream->locked.mutex);
    if (wake) {
        writer_wake();
    }
    if (waits) {
        write_waiting(stream->fd, lines);
    }
}

/* A client's bytes may be in the text: they must not begin a line of their
 * own, or drive a terminal. */
static void
make_one_line(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
}

void
sco_log(enum sco_event event, const char *format, ...)
{
    const struct sco_event_info *info = &events[event];
    struct sco_text line = { 0 };
    size_t begin;
    va_list args;

    sco_log_prefix(&line, info->level, getpid(), OWN_LOGGER);
    if (info->shown) {
        sco_text_add(&line, sco_slice_of(info->id));
        sco_text_add_char(&line, ' ');
    }
    begin = line.len;
    va_start(args, format);
    sco_text_addv(&line, format, args);
    va_end(args);
    if (!line.failed) {
        make_one_line(line.data + begin, line.len - begin);
    }
    sco_text_add_char(&line, '\n');
    sco_log_write(STDERR_FILENO, line.failed
                                     ? SCO_SLICE("no memory for a log line\n")
                                     : sco_text_slice(&line));
    sco_text_finish(&line);
}
