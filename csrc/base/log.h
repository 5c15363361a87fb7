/* log.h - where lines go
 *
 * Two kinds of lines leave the C side. Events (start, stop, workers lost,
 * clients refused) have an id, a level and a sentence for the operator in
 * log_events.def; they go to stderr as logger `gunicorn.error`, in the form
 * of all our logs:
 *
 *     2026-11-22 07:06:26,123 I [4711] gunicorn.error - Listening at: ...
 *
 * Traffic lines (access and score) are made elsewhere; the loop gathers those
 * of a burst and has them written in one call before the burst's replies.
 *
 * The loop never waits for a reader: what cannot be written at once goes to
 * a ring of its own that the log thread empties, late but in order.
 *
 * Thread: any, where a function says nothing else.
 */
#ifndef SCO_BASE_LOG_H
#define SCO_BASE_LOG_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_text;

enum sco_log_level {
    SCO_LOG_DEBUG,
    SCO_LOG_INFO,
    SCO_LOG_WARNING,
    SCO_LOG_ERROR,
    SCO_LOG_CRITICAL,
};

#define X(name, id, level, shown, sentence) SCO_EVENT_##name,
enum sco_event {
#include "base/log_events.def"
    SCO_EVENT_COUNT
};
#undef X

/* Starts the log thread. Before it, and after sco_log_stop(), every line is
 * written by its caller, who may then wait.
 *
 * Thread: main, before the first other thread.
 * Errors: SCO_NOMEM, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_log_start(struct sco_error *err);

/* Ends the log thread after it has written all it holds, or after
 * `timeout_ms` if nobody reads. Without a log thread it does nothing.
 *
 * Thread: main. Blocks: `timeout_ms` at most. */
void sco_log_stop(uint32_t timeout_ms);

/* Says whether lines are dropped, and counted, that cannot be written at once
 * while there is no log thread: for a process that has no other thread and
 * must not wait for a reader. The log thread's start ends it.
 *
 * Thread: main, while it is alone. */
void sco_log_never_wait(bool never);

/* Writes an event's line to stderr: the event's id in front where the event
 * is our own, the bare text where log parsers know the line already. Control
 * bytes in the text become '?', so that it stays one line.
 *
 * Blocks: never while the log thread runs, or after sco_log_never_wait(). */
void sco_log(enum sco_event event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends "TIME LEVEL [PID] LOGGER - " to a text; the time is UTC. */
void sco_log_prefix(struct sco_text *text, enum sco_log_level level, pid_t pid,
                    const char *logger);

/* Writes whole lines to stdout (`fd` 1) or stderr (2): at once where the
 * reader has room, else by the log thread. Lines keep their order. When the
 * ring is full as well they are dropped and counted, and the next line that
 * gets through says how many. A line in a pipe is torn by nobody else's if it
 * is PIPE_BUF bytes (4096) long at most.
 *
 * Blocks: for no reader where sco_log() does not; for a file or a terminal as
 *         long as write() does. */
void sco_log_write(int fd, struct sco_slice lines);

/* The table behind the events, for the tests and the documentation. */
struct sco_event_info {
    const char *id;
    enum sco_log_level level;
    int shown; /* the id is part of the line */
    const char *sentence;
};

/* What is known of an event. */
const struct sco_event_info *sco_event_info(enum sco_event event);

#endif
