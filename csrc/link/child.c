#define _GNU_SOURCE
#include "link/child.h"

#include "link/child_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void
sco_child_ignore_dumps(void)
{
    struct sigaction action;

    if (sigaction(SCO_DUMP_SIGNAL, NULL, &action) == 0 &&
        (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        (void)sigaction(SCO_DUMP_SIGNAL, &action, NULL);
    }
}

/* The last thread of a process that ends comes this much after the first. */
enum { END_MS = 2000 };

/* Whether the other end of a socket is closed, or gets closed meanwhile. */
static bool
is_closed_within(int socket, int wait_ms)
{
    struct pollfd other = { .fd = socket, .events = POLLRDHUP };

    while (poll(&other, 1, wait_ms) < 0 && errno == EINTR) {
    }
    return (other.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Whether our parent is one no more. Who made the socket may never have been
 * it, where a program was put between us and the host. */
static bool
has_parent_gone(int socket, pid_t parent)
{
    struct ucred maker = { 0 };
    socklen_t bytes = sizeof(maker);

    if (parent != 0) {
        return parent != getppid() || is_closed_within(socket, 0);
    }
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &maker, &bytes) != 0) {
        return true;
    }
    return is_closed_within(socket, maker.pid == getppid() ? 0 : END_MS);
}

enum sco_status
sco_child_tie(int socket, pid_t parent, struct sco_error *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        return sco_fail(err, SCO_INTERNAL, "prctl: %s", strerror(errno));
    }
    if (has_parent_gone(socket, parent)) {
        return sco_fail(err, SCO_CLOSED, "the host is gone");
    }
    return SCO_OK;
}

static enum sco_status
receive_hello(int socket, struct link_hello *hello, char *boot, int fds[3],
              struct sco_error *err)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control;
    struct iovec parts[2] = {
        { .iov_base = hello, .iov_len = sizeof(*hello) },
        { .iov_base = boot, .iov_len = LINK_BOOT_MAX },
    };
    struct msghdr message = {
        .msg_iov = parts,
        .msg_iovlen = 2,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct cmsghdr *rights;
    ssize_t got;

    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    rights = CMSG_FIRSTHDR(&message);
    if (got == 0) {
        return sco_fail(err, SCO_CLOSED, "the host is gone");
    }
    if (got < (ssize_t)sizeof(*hello) || hello->magic != LINK_MAGIC ||
        hello->version != LINK_VERSION ||
        (uint64_t)got != sizeof(*hello) + hello->boot_bytes ||
        rights == NULL || rights->cmsg_type != SCM_RIGHTS ||
        rights->cmsg_len != CMSG_LEN(3 * sizeof(int))) {
        return sco_fail(err, SCO_INVALID,
                        "not started by a host of this version");
    }
    memcpy(fds, CMSG_DATA(rights), 3 * sizeof(int));
    return SCO_OK;
}

/* Maps what the host sent. Ownership: the descriptors are taken, mapped or
 * closed. */
static enum sco_status
map_shared(struct sco_child *child, const struct link_hello *hello,
           const int fds[3], struct sco_error *err)
{
    enum sco_status status;

    child->doorbell = fds[2];
    status = link_map_open(fds[0], hello->arena_bytes, &child->arena, err);
    if (status != SCO_OK) {
        close(fds[0]);
        close(fds[1]);
        return status;
    }
    status = link_map_open(fds[1], hello->lane_bytes, &child->lane, err);
    if (status != SCO_OK) {
        close(fds[1]);
    }
    return status;
}

enum sco_status
sco_child_attach(int fd, pid_t parent, struct sco_child **out,
                 struct sco_error *err)
{
    struct sco_child *child = calloc(1, sizeof(*child));
    struct link_hello hello = { 0 };
    enum sco_status status;
    int fds[3] = { -1, -1, -1 };

    if (child == NULL || (child->boot = malloc(LINK_BOOT_MAX)) == NULL) {
        free(child);
        return sco_fail(err, SCO_NOMEM, "the link to the host");
    }
    child->socket = fd;
    child->doorbell = -1;
    status = receive_hello(fd, &hello, child->boot, fds, err);
    if (status != SCO_OK) {
        goto fail;
    }
    child->boot_bytes = hello.boot_bytes;
    child->own = true;
    sco_child_ignore_dumps();
    status = map_shared(child, &hello, fds, err);
    if (status != SCO_OK) {
        goto fail;
    }
    status = child_start(child, err);
    if (status != SCO_OK) {
        goto fail;
    }
    status = sco_child_tie(fd, parent, err);
    if (status != SCO_OK) {
        goto fail;
    }
    *out = child;
    return SCO_OK;

fail:
    child->socket = -1; /* the caller's again */
    sco_child_destroy(child);
    return status;
}

enum sco_status
sco_child_join(struct sco_lane *lane, struct sco_child **out,
               struct sco_error *err)
{
    struct sco_child *child = calloc(1, sizeof(*child));
    enum sco_status status;

    if (child == NULL) {
        return sco_fail(err, SCO_NOMEM, "the link to a worker thread");
    }
    child->socket = -1;
    child->doorbell = lane->arena->doorbell;
    child->arena = lane->arena->map;
    child->lane = lane->map;
    status = child_start(child, err);
    if (status != SCO_OK) {
        free(child);
        return status;
    }
    *out = child;
    return SCO_OK;
}

enum sco_status
child_start(struct sco_child *child, struct sco_error *err)
{
    child->sink.ops = &child_sink_ops;
    child->shared = (struct shared_lane *)(void *)child->lane.at;
    child->shared_arena = (struct shared_arena *)(void *)child->arena.at;
    return sco_slots_create(child->lane.fd, SHARED_LANE_HEAD, &child->region,
                            err);
}

void
sco_child_destroy(struct sco_child *child)
{
    if (child == NULL) {
        return;
    }
    sco_slots_destroy(child->region);
    free(child->blocks);
    if (child->own) {
        link_map_close(&child->lane);
        link_map_close(&child->arena);
        close(child->doorbell);
    }
    if (child->socket >= 0) {
        close(child->socket);
    }
    free(child->boot);
    free(child);
}

struct sco_slice
sco_child_boot(const struct sco_child *child)
{
    return (struct sco_slice){ child->boot, child->boot_bytes };
}

static bool
call_is_sound(const struct sco_lane_call *call)
{
    return call->offset <= SCO_SLOTS_BYTES - call->slot_bytes &&
           call->slot_bytes >= SHARED_MARK_BYTES &&
           call->slot_bytes <= SCO_SLOTS_BYTES &&
           call->body_bytes <= call->slot_bytes &&
           SHARED_MARK_BYTES + call->head_bytes + call->body_bytes <=
               call->slot_bytes;
}

/* Whether the caller's time is over before its request has begun: then the
 * host, whose timer rings now, takes it back and says so. */
static bool
is_late(struct sco_child *child, const struct sco_lane_call *call,
        uint64_t now_ns)
{
    if (call->deadline_ns == 0 || now_ns < call->deadline_ns) {
        return false;
    }
    if ((call->flags & SCO_LANE_ANSWER_LATE) != 0) {
        child_push(child, &(struct sco_lane_reply){ .kind = SCO_LANE_WHOLE,
                                                    .ticket = call->ticket,
                                                    .status = 504,
                                                    .stream_bytes = -1 });
    }
    return true;
}

/* Starts a request, unless it was revoked. */
static bool
start_call(struct sco_child *child, const struct sco_lane_call *call,
           uint64_t now_ns)
{
    uint64_t waiting = call->ticket << MARK_BITS | MARK_WAITING;
    struct shared_mark *mark =
        (struct shared_mark *)(void *)(child->arena.at + SHARED_PAGE +
                                       call->offset);

    if (!atomic_compare_exchange_strong(&mark->ticket, &waiting,
                                        call->ticket << MARK_BITS |
                                            MARK_STARTED)) {
        return false;
    }
    atomic_store_explicit(&mark->started_ns, now_ns, memory_order_release);
    atomic_store_explicit(&child->mark, mark, memory_order_release);
    return true;
}

/* When a call that begins now is over time: by its caller's word or by the
 * limit, whatever comes first; 0 for never. */
static uint64_t
over_at_ns(const struct sco_lane_call *call, uint64_t now_ns)
{
    uint64_t limit_ns = now_ns + call->timeout_ms * SCO_NS_PER_MS;

    if (call->timeout_ms == 0) {
        return call->deadline_ns;
    }
    return call->deadline_ns != 0 && call->deadline_ns < limit_ns
               ? call->deadline_ns
               : limit_ns;
}

_Static_assert((int)SCO_LANE_PLAIN == (int)SCO_CALL_PLAIN &&
                   (int)SCO_LANE_GENERAL == (int)SCO_CALL_GENERAL &&
                   (int)SCO_LANE_INFER == (int)SCO_CALL_INFER,
               "a request's kind is its way");

/* How the script is called for a request; the host may be of any mind. */
static enum sco_call_way
way_of(uint32_t kind)
{
    return kind < SCO_CALL_WAYS ? (enum sco_call_way)kind : SCO_CALL_GENERAL;
}

static struct sco_call
call_view(const struct sco_child *child)
{
    const struct sco_lane_call *call = &child->call;
    const char *at =
        child->arena.at + SHARED_PAGE + call->offset + SHARED_MARK_BYTES;

    return (struct sco_call){
        .way = way_of(call->kind),
        .head = { at, call->head_bytes },
        .body = { at + call->head_bytes, call->body_bytes },
        .timeout_ms = call->timeout_ms,
        .given_ns = call->given_ns,
    };
}

static struct sco_child_line
line_view(const struct sco_child *child)
{
    struct sco_call line = call_view(child);

    return (struct sco_child_line){ .logger = line.head,
                                    .message = line.body };
}

/* Takes the oldest entry of the ring. */
static bool
take_entry(struct sco_child *child)
{
    struct shared_lane *shared = child->shared;
    unsigned tail = atomic_load(&shared->calls_tail);

    if (tail == child->calls_head) {
        return false;
    }
    child->call = shared->calls[child->calls_head % SHARED_CALLS];
    child->calls_head++;
    atomic_store_explicit(&shared->calls_head, child->calls_head,
                          memory_order_release);
    return true;
}

void
child_finish_line(struct sco_child *child)
{
    if (child->line_in_hand) {
        child->line_in_hand = false;
        child_let_go(child);
        child_push(child,
                   &(struct sco_lane_reply){ .kind = SCO_LANE_SKIPPED,
                                             .ticket = child->call.ticket });
    }
}

enum sco_child_event
sco_child_try_next(struct sco_child *child, struct sco_call *call_out,
                   struct sco_child_line *line_out)
{
    child_finish_line(child);
    while (take_entry(child)) {
        uint64_t now_ns = sco_clock_now_ns();

        if (!call_is_sound(&child->call) ||
            is_late(child, &child->call, now_ns) ||
            !start_call(child, &child->call, now_ns)) {
            continue;
        }
        if (child->call.kind == SCO_LANE_LINE) {
            child->line_in_hand = true;
            *line_out = line_view(child);
            return SCO_CHILD_LINE;
        }
        *call_out = call_view(child);
        call_out->deadline_ns = over_at_ns(&child->call, now_ns);
        return SCO_CHILD_CALL;
    }
    return atomic_load(&child->shared->stop) != 0 ? SCO_CHILD_STOP
                                                  : SCO_CHILD_NONE;
}

bool
child_sleeps(struct sco_child *child, bool for_space)
{
    struct shared_lane *shared = child->shared;

    atomic_store(&shared->child_sleeps,
                 for_space ? SLEEP_FOR_SPACE : SLEEP_FOR_CALLS);
    return atomic_load(&shared->calls_tail) == child->calls_head &&
           atomic_load(&shared->stop) == 0;
}

void
child_awake(struct sco_child *child)
{
    atomic_store_explicit(&child->shared->child_sleeps, SLEEP_NO,
                          memory_order_relaxed);
}

enum sco_child_event
sco_child_wait(struct sco_child *child)
{
    return sco_child_wait_until(child, 0);
}

enum sco_child_event
sco_child_wait_until(struct sco_child *child, uint64_t until_ns)
{
    struct shared_lane *shared = child->shared;
    unsigned seen = atomic_load(&shared->bell);
    int interrupted = 0;

    if (atomic_exchange(&child->poked, false) == false &&
        child_sleeps(child, false)) {
        interrupted = shared_wait_until(&shared->bell, seen, until_ns);
    }
    child_awake(child);
    return interrupted ? SCO_CHILD_SIGNAL : SCO_CHILD_NONE;
}

void
sco_child_poke(struct sco_child *child)
{
    atomic_store(&child->poked, true);
    shared_wake(&child->shared->bell);
}

struct sco_child_held
sco_child_hold(const struct sco_child *child)
{
    return (struct sco_child_held){ child->call, child->mark };
}

void
sco_child_resume(struct sco_child *child, const struct sco_child_held *held)
{
    child->call = held->call;
    child->mark = held->mark;
}

void
sco_child_begin(const struct sco_child_held *held, uint64_t now_ns)
{
    if (held->mark != NULL) {
        atomic_store_explicit(&held->mark->started_ns, now_ns,
                              memory_order_release);
    }
}

unsigned
sco_child_cancelled(const struct sco_child_held *held)
{
    return held->mark == NULL ? 0
                              : atomic_load_explicit(&held->mark->cancel,
                                                     memory_order_acquire);
}

struct sco_sink *
sco_child_sink(struct sco_child *child)
{
    return &child->sink;
}
