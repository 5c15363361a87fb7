/* child.h - the worker's end of the link between host and worker process
 *
 * A worker process is spawned with one descriptor: a SOCK_SEQPACKET socket.
 * Over it come the arena (a memfd), the doorbell (an eventfd) and the boot
 * text; over it go the ready message and, at the end, the word to stop. The
 * requests themselves come through a ring in the arena (link/ring.h).
 *
 * Thread: the worker's main thread, all of it.
 */
#ifndef SCO_LINK_CHILD_H
#define SCO_LINK_CHILD_H

#include "base/slice.h"
#include "base/status.h"
#include "link/call.h"
#include "link/lane.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_child;

/* Sent by the host to a worker process whose request ran over its limit. */
#define SCO_INTERRUPT_SIGNAL (SIGRTMAX - 2)

/* Has a thread write its Python stack to stderr; ignored until the worker's
 * Python side has set it up. */
#define SCO_DUMP_SIGNAL (SIGRTMAX - 3)

/* Has SCO_DUMP_SIGNAL ignored where it would end the process: as long as
 * nobody handles it. Thread: any. */
void sco_child_ignore_dumps(void);

enum sco_child_event {
    SCO_CHILD_CALL,   /* *call_out is to be scored and answered */
    SCO_CHILD_LINE,   /* *line_out is to be logged */
    SCO_CHILD_SIGNAL, /* a signal interrupted the wait: run its handlers */
    SCO_CHILD_STOP,   /* told to stop, or the host is gone */
    SCO_CHILD_NONE,   /* nothing waits (sco_child_try_next only) */
};

/* A line for Python's logging, when a user's logging.json is in force. */
struct sco_child_line {
    struct sco_slice logger;  /* "gunicorn.access" or "azmlinfsrv" */
    struct sco_slice message; /* without time and level, which is INFO */
};

/* Joins the host over an inherited descriptor: asks the kernel to end this
 * process with its parent (`parent`: see sco_child_tie()), maps the arena, and
 * receives the boot text.
 *
 * Ownership: takes `fd`; the caller owns *out.
 * Errors:    SCO_INVALID when the other end speaks something else,
 *            SCO_CLOSED when the host is gone, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_child_attach(int fd, pid_t parent, struct sco_child **out,
                                 struct sco_error *err);

/* Asks the kernel to end this process with its parent, which has the socket's
 * other end, and made it unless `parent` says who it is. One that went before
 * the kernel was asked is known by its number, which is another one's then; a
 * process of many threads ends bit by bit, and its sockets last.
 *
 * Blocks: two seconds at most, where another program stands in between.
 * Errors: SCO_CLOSED when the parent is gone, SCO_INTERNAL. */
SCO_NODISCARD
enum sco_status sco_child_tie(int socket, pid_t parent, struct sco_error *err);

struct sco_lane;

/* Joins a lane of this very process, for a worker that is a thread of the
 * host. There is no boot text.
 *
 * Ownership: `lane` is borrowed; the caller owns *out.
 * Errors:    SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_child_join(struct sco_lane *lane, struct sco_child **out,
                               struct sco_error *err);

/* The boot text, which holds until the child is destroyed. */
struct sco_slice sco_child_boot(const struct sco_child *child);

/* One thing that the worker offers beside scoring: a document served as it
 * is. */
struct sco_document {
    struct sco_slice name; /* "2", "3", "3.1" */
    struct sco_slice body;
};

/* Tells the host that init() is done and requests may come.
 *
 * Errors: SCO_CLOSED when the host is gone, SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status sco_child_ready(struct sco_child *child,
                                const struct sco_document *documents,
                                size_t count, struct sco_error *err);

/* Takes what comes next, if anything waits. Blocks: never. */
enum sco_child_event sco_child_try_next(struct sco_child *child,
                                        struct sco_call *call_out,
                                        struct sco_child_line *line_out);

/* Waits until sco_child_try_next() has something, a signal comes, or the
 * worker is told to stop.
 *
 * Blocks: until then; the caller has let go of the GIL. Returns
 *         SCO_CHILD_NONE when there is something to take. */
enum sco_child_event sco_child_wait(struct sco_child *child);

/* The same, but at most until `until_ns` on the monotonic clock; 0: for
 * ever. Blocks: until then. */
enum sco_child_event sco_child_wait_until(struct sco_child *child,
                                          uint64_t until_ns);

/* Ends a wait, or the next one if there is none now. Thread: any. */
void sco_child_poke(struct sco_child *child);

struct shared_mark;

/* A request in hand, put aside for others: who scores several as one, or
 * carries calls on to another machine, has many at once. */
struct sco_child_held {
    struct sco_lane_call call;
    struct shared_mark *mark; /* NULL: it has been answered */
};

/* The call that sco_child_try_next() gave. */
struct sco_child_held sco_child_hold(const struct sco_child *child);

/* Makes it the call in hand again, for its sink. */
void sco_child_resume(struct sco_child *child,
                      const struct sco_child_held *held);

/* Says that the time of a call begins now: until then it waited for company
 * in the worker's hand. */
void sco_child_begin(const struct sco_child_held *held, uint64_t now_ns);

/* A call of run() for many requests. The host is told of each once. */
struct sco_child_run {
    uint16_t told; /* bits of enum sco_batch_told */
    uint32_t rows;
    uint64_t begun_ns; /* when it was called */
    uint64_t run_ns;   /* how long it took */
};

/* Notes a run: the next reply tells of it, whose ever that is. */
void sco_child_note_run(struct sco_child *child,
                        const struct sco_child_run *run);

/* Tells of a noted run that has given no reply; the call in hand is one that
 * was in it. Does nothing if a reply has told. Blocks: while the ring is
 * full. */
void sco_child_tell_run(struct sco_child *child);

/* Why nobody waits for a held call any more: bits of enum sco_cancel. Safe in
 * a signal handler. Thread: any. */
unsigned sco_child_cancelled(const struct sco_child_held *held);

/* Where replies to the call in hand go. */
struct sco_sink *sco_child_sink(struct sco_child *child);

/* Lets go of everything. NULL is allowed. */
void sco_child_destroy(struct sco_child *child);

#endif
