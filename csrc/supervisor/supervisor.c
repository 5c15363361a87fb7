/* supervisor.c - one loop round a signalfd and the hosts' reports
 *
 * Design notes
 *
 * At most one host is `current`: it serves, and signals go to it. Beside it
 * there may be a `next` one, asked for by the current one with SUCCESSOR and
 * not ready yet, and retired ones, which answer what they have in hand:
 *
 *   (start) ─▶ current ── crashes ──▶ (pause) ─▶ current
 *   current says SUCCESSOR ─▶ next is started
 *       next READY   ─▶ current hears RELIEVED, is retired; next is current
 *       next ends    ─▶ current hears ALONE and serves on
 *       current ends ─▶ next is current
 *   current says WORN ─▶ it is retired; next, or a new one, is current, at
 *       once or when the old one has ended, as it says
 *   current says LEAVING, and ends ─▶ the end
 *
 * Whoever is retired, leaving or told to end has a limit, and is killed when
 * it is over. The end has come when it was begun and no host is left.
 *
 * Children are found by waitpid(-1), so that the strays which PID 1 is given
 * are buried too; what is no host's process id is nobody's death.
 *
 * A restart forks from this process, in which nothing of a script ever was.
 * Memory is shared until one side writes to it, so this side does as little
 * as it can.
 *
 * There is no log thread here, as there is no thread at all. So a line that
 * nobody reads is dropped: a full pipe must keep no host from being started,
 * and no signal from being passed on.
 */
#define _GNU_SOURCE /* signalfd() with flags */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signal_name.h"
#include "base/text.h"
#include "supervisor/child.h"
#include "supervisor/policy.h"
#include "supervisor/report.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHILDREN_MAX = 8, /* one serves, one begins, the others drain */
    CODE_FAILED = 1,
};

/* A host that has said its last word may still do what Python does at exit. */
#define LEAVING_NS (10 * SCO_NS_PER_S)

struct supervisor {
    const struct sco_supervision *what;
    pid_t pid;
    int signal_fd;
    sigset_t before; /* the mask */
    struct sigaction child_before;

    struct sco_child children[CHILDREN_MAX];
    struct sco_child *current; /* or NULL: in a pause, or at the end */
    struct sco_child *next;    /* or NULL */
    struct sco_policy policy;
    uint64_t start_at_ns; /* while there is no current one */
    unsigned started;     /* hosts */
    bool is_ending;
    int exit_code;
};

static const int heard[] = {
    SIGCHLD, SIGTERM, SIGINT,  SIGQUIT,  SIGHUP,  SIGTTIN,
    SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP,
};

/* ---- signals: beginning and ending ------------------------------------ */

/* A parent may have had SIGCHLD ignored, and then no child's end is told. */
static bool
hold_signals(struct supervisor *sup)
{
    struct sigaction usual = { .sa_handler = SIG_DFL };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
        (void)sigaddset(&set, heard[i]);
    }
    sup->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (sup->signal_fd < 0) {
        return false;
    }
    (void)sigaction(SIGCHLD, &usual, &sup->child_before);
    (void)pthread_sigmask(SIG_BLOCK, &set, &sup->before);
    return true;
}

static void
release_signals(struct supervisor *sup)
{
    (void)close(sup->signal_fd);
    (void)sigaction(SIGCHLD, &sup->child_before, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &sup->before, NULL);
}

/* ---- starting --------------------------------------------------------- */

/* The new process: keeps nothing of the supervisor's, and becomes a host. */
static void
become_host(struct supervisor *sup, int report_fd)
{
    const struct sco_stand stand = {
        .report_fd = report_fd,
        .kind_unfit = sco_policy_is_unfit(&sup->policy),
        .supervisor = sup->pid,
        .before = sup->started,
    };

    sco_child_settle(sup->pid);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (sup->children[i].pid != 0) {
            (void)close(sup->children[i].fd);
        }
    }
    (void)close(sup->signal_fd);
    (void)pthread_sigmask(SIG_SETMASK, &sup->before, NULL);
    sup->what->host(sup->what->arg, &stand);
    SCO_CHECK(false, "a host's process went on without it");
}

static struct sco_child *
free_place(struct supervisor *sup)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (sup->children[i].pid == 0) {
            return &sup->children[i];
        }
    }
    return NULL;
}

/* Starts a host, or returns NULL and says why not. */
static struct sco_child *
start_host(struct supervisor *sup, struct sco_error *err)
{
    struct sco_child *child = free_place(sup);
    int pair[2];
    pid_t pid;

    if (child == NULL) {
        (void)sco_fail(err, SCO_BUSY, "too many old ones have not ended yet");
        return NULL;
    }
    if (sco_report_pair(pair, err) != SCO_OK) {
        return NULL;
    }
    pid = sup->what->fork(sup->what->arg);
    if (pid == 0) {
        (void)close(pair[0]);
        become_host(sup, pair[1]);
    }
    (void)close(pair[1]);
    if (pid < 0) {
        (void)sco_fail(err, SCO_INTERNAL, "fork: %s", strerror(errno));
        (void)close(pair[0]);
        return NULL;
    }
    (void)setpgid(pid, pid); /* whoever of the two is first */
    sup->started++;
    *child = (struct sco_child){
        .pid = pid,
        .fd = pair[0],
        .begun_ns = sco_clock_now_ns(),
    };
    return child;
}

/* ---- the end ---------------------------------------------------------- */

/* Begins the end, with whatever is there told by `number`; those that are
 * retired end anyway, and would take a signal as the second one. */
static void
begin_end(struct supervisor *sup, int number)
{
    uint64_t limit_ns = sco_clock_now_ns() + sup->what->patience_ns;

    sup->is_ending = true;
    sup->what->on_end(sup->what->arg);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct sco_child *child = &sup->children[i];

        sco_child_limit(child, limit_ns);
        if (!child->is_retired) {
            sco_child_signal(child, number);
        }
    }
}

static void
give_up(struct supervisor *sup, const struct sco_policy_end *last)
{
    struct sco_text ends = { 0 };

    for (size_t i = 0; i < sup->policy.useless; i++) {
        sco_text_addf(&ends, "%sit ", i > 0 ? ", " : "");
        sco_child_tell_end(&sup->policy.ends[i], &ends);
    }
    sco_log(SCO_EVENT_HOST_GIVEN_UP,
            "the host ended %zu times before a worker was ready: %s; giving "
            "up. The script, or what it imports, ends the process that loads "
            "it: look above for its last words, and try --worker_kind "
            "process, where it has a process of its own",
            sup->policy.useless, ends.data != NULL ? ends.data : "");
    sco_text_finish(&ends);
    sup->exit_code = sco_policy_exit_code(last);
    begin_end(sup, SIGTERM);
}

/* ---- ends of hosts ---------------------------------------------------- */

/* There is no host though nobody meant that; `what` tells why. */
static void
replace(struct supervisor *sup, const struct sco_policy_end *end,
        const char *what)
{
    struct sco_policy_verdict verdict = sco_policy_judge(&sup->policy, end);

    if (verdict.give_up) {
        sco_log(SCO_EVENT_HOST_LOST, "%s", what);
        give_up(sup, end);
        return;
    }
    sup->start_at_ns = sco_clock_now_ns() + verdict.delay_ns;
    if (verdict.delay_ns == 0) {
        sco_log(SCO_EVENT_HOST_LOST, "%s; starting it again", what);
    } else {
        sco_log(SCO_EVENT_HOST_BACKOFF, "%s; starting it again in %.1f s",
                what, (double)verdict.delay_ns / (double)SCO_NS_PER_S);
    }
}

/* The exit code when the end has come with this one. */
static int
code_of(const struct sco_child *child, const struct sco_policy_end *end)
{
    if (end->signal == 0) {
        return end->code;
    }
    if (child->is_leaving) {
        return child->leaving_code;
    }
    return child->is_killed ? 0 : sco_policy_exit_code(end);
}

static void
current_ended(struct supervisor *sup, const struct sco_child *was,
              const struct sco_policy_end *end, const char *what)
{
    sup->current = sup->next;
    sup->next = NULL;
    if (sup->is_ending) {
        sup->exit_code = code_of(was, end);
        if (!was->is_leaving && !was->is_killed) {
            sco_log(SCO_EVENT_HOST_LOST, "%s", what);
        }
    } else if (was->is_leaving) {
        sup->exit_code = code_of(was, end);
        begin_end(sup, SIGTERM);
    } else if (sup->current != NULL) {
        sco_log(SCO_EVENT_HOST_LOST, "%s; its successor (pid:%d) goes on",
                what, (int)sup->current->pid);
    } else {
        replace(sup, end, what);
    }
}

static void
next_ended(struct supervisor *sup, const char *what)
{
    sup->next = NULL;
    if (sup->current == NULL || sup->is_ending) {
        return;
    }
    sco_log(SCO_EVENT_HOST_SUCCESSOR_FAILED,
            "%s before it was ready; the one before (pid:%d) serves on", what,
            (int)sup->current->pid);
    sco_report_send(sup->current->fd, SCO_REPORT_ALONE, 0);
}

static void
child_ended(struct supervisor *sup, struct sco_child *child, int status)
{
    const struct sco_child was = *child;
    struct sco_policy_end end =
        sco_child_bury(child, status, sco_clock_now_ns());
    struct sco_text what = { 0 };

    sco_text_addf(&what, "the host (pid:%d) ", (int)was.pid);
    sco_child_tell_end(&end, &what);
    if (child == sup->current) {
        current_ended(sup, &was, &end, what.data);
    } else if (child == sup->next) {
        next_ended(sup, what.data);
    } else if (!was.is_leaving && !was.is_killed) {
        sco_log(SCO_EVENT_HOST_LOST, "%s; its successor serves", what.data);
    }
    sco_text_finish(&what);
}

/* ---- reports ---------------------------------------------------------- */

static void
retire(struct supervisor *sup, struct sco_child *child)
{
    child->is_retired = true;
    sco_child_limit(child, sco_clock_now_ns() + sup->what->patience_ns);
}

static void
on_ready(struct supervisor *sup, struct sco_child *child)
{
    child->is_ready = true;
    if (child != sup->next || sup->is_ending) {
        return;
    }
    sco_log(SCO_EVENT_HOST_SUCCESSOR,
            "the host (pid:%d) takes over from (pid:%d)", (int)child->pid,
            (int)sup->current->pid);
    sco_report_send(sup->current->fd, SCO_REPORT_RELIEVED, 0);
    retire(sup, sup->current);
    sup->current = child;
    sup->next = NULL;
}

static void
on_successor(struct supervisor *sup, const struct sco_child *child)
{
    struct sco_error err = { .text = "" };

    if (child != sup->current || sup->next != NULL || sup->is_ending) {
        return;
    }
    sup->next = start_host(sup, &err);
    if (sup->next == NULL) {
        sco_log(SCO_EVENT_HOST_SUCCESSOR_FAILED,
                "no new host can be started: %s; the one before (pid:%d) "
                "serves on",
                err.text, (int)child->pid);
        sco_report_send(child->fd, SCO_REPORT_ALONE, 0);
        return;
    }
    sco_log(SCO_EVENT_HOST_SUCCESSOR, "a host (pid:%d) starts beside (pid:%d)",
            (int)sup->next->pid, (int)child->pid);
}

static void
on_worn(struct supervisor *sup, struct sco_child *child, bool is_in_the_way)
{
    if (child != sup->current || sup->is_ending) {
        return;
    }
    retire(sup, child);
    child->is_in_the_way = is_in_the_way;
    sco_log(SCO_EVENT_HOST_SUCCESSOR, "a host starts %s (pid:%d)",
            is_in_the_way ? "after" : "in place of", (int)child->pid);
    sup->current = sup->next;
    sup->next = NULL;
    sup->start_at_ns = 0;
}

static void
take_reports(struct supervisor *sup, struct sco_child *child)
{
    struct sco_report report;

    while (sco_report_take(child->fd, &report)) {
        switch (report.kind) {
        case SCO_REPORT_READY:
            on_ready(sup, child);
            break;
        case SCO_REPORT_SUCCESSOR:
            on_successor(sup, child);
            break;
        case SCO_REPORT_WORN:
            on_worn(sup, child, report.code != 0);
            break;
        case SCO_REPORT_LEAVING:
            child->is_leaving = true;
            child->leaving_code = report.code;
            sco_child_limit(child, sco_clock_now_ns() + LEAVING_NS);
            break;
        case SCO_REPORT_RELIEVED:
        case SCO_REPORT_ALONE:
            break; /* ours */
        }
    }
}

/* ---- signals ---------------------------------------------------------- */

static void
log_signal(int number)
{
    const char *name = sco_signal_name(number);
    char lower[16] = "";

    for (size_t i = 3; i < sizeof(lower) && name[i] != '\0'; i++) {
        lower[i - 3] = (char)tolower((unsigned char)name[i]);
    }
    sco_log(SCO_EVENT_SIGNAL, "Handling signal: %s", lower);
}

static void
on_stop_signal(struct supervisor *sup, int number)
{
    if (!sup->is_ending) {
        if (sup->current == NULL) { /* else it says so itself */
            log_signal(number);
            sco_log(SCO_EVENT_STOPPED, "Shutting down: Master");
        }
        begin_end(sup, number);
        return;
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        sco_child_signal(&sup->children[i], number);
    }
}

/* Ctrl-Z: the hosts are no members of our process group. */
static void
pause_all(struct supervisor *sup)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        sco_child_signal(&sup->children[i], SIGSTOP);
    }
    (void)raise(SIGSTOP);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        sco_child_signal(&sup->children[i], SIGCONT);
    }
}

static void
on_signal(struct supervisor *sup, int number)
{
    switch (number) {
    case SIGCHLD:
        break; /* whoever ended is looked for in every turn */
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        on_stop_signal(sup, number);
        break;
    case SIGTSTP:
        pause_all(sup);
        break;
    default:
        if (sup->current != NULL) {
            sco_child_signal(sup->current, number);
        }
        break;
    }
}

static void
take_signals(struct supervisor *sup)
{
    struct signalfd_siginfo info;

    while (read(sup->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        on_signal(sup, (int)info.ssi_signo);
    }
}

/* ---- the loop --------------------------------------------------------- */

static void
bury_the_dead(struct supervisor *sup)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
            struct sco_child *child = &sup->children[i];

            if (child->pid == pid) {
                take_reports(sup, child); /* its last words */
                child_ended(sup, child, status);
                break;
            }
        }
    }
}

static void
kill_overdue(struct supervisor *sup, uint64_t now_ns)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct sco_child *child = &sup->children[i];

        if (child->pid != 0 && child->kill_at_ns != 0 &&
            child->kill_at_ns <= now_ns && !child->is_killed) {
            sco_log(SCO_EVENT_HOST_KILLED,
                    "the host (pid:%d) did not end in time and is killed",
                    (int)child->pid);
            child->is_killed = true;
            sco_child_signal(child, SIGKILL);
        }
    }
}

/* Whether a host is to be started, now or at its time. */
static bool
start_is_awaited(const struct supervisor *sup)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (sup->children[i].pid != 0 && sup->children[i].is_in_the_way) {
            return false;
        }
    }
    return sup->current == NULL && !sup->is_ending;
}

static void
start_due(struct supervisor *sup, uint64_t now_ns)
{
    /* An end that says nothing about the script. */
    const struct sco_policy_end nobodys = { .signal = SIGKILL,
                                            .was_ready = true };
    struct sco_error err = { .text = "" };
    struct sco_text what = { 0 };

    if (!start_is_awaited(sup) || now_ns < sup->start_at_ns) {
        return;
    }
    sup->current = start_host(sup, &err);
    if (sup->current != NULL) {
        return;
    }
    sco_text_addf(&what, "no host can be started (%s)", err.text);
    if (sup->started > 0) {
        replace(sup, &nobodys, what.data);
    } else {
        sco_log(SCO_EVENT_INTERNAL, "%s", what.data);
        sup->exit_code = CODE_FAILED;
        begin_end(sup, SIGTERM);
    }
    sco_text_finish(&what);
}

/* The milliseconds until something is due, for poll(). */
static int
wait_ms(const struct supervisor *sup, uint64_t now_ns)
{
    uint64_t at_ns = UINT64_MAX;
    uint64_t ms;

    if (start_is_awaited(sup)) {
        at_ns = sup->start_at_ns;
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        const struct sco_child *child = &sup->children[i];

        if (child->pid != 0 && child->kill_at_ns != 0 && !child->is_killed &&
            child->kill_at_ns < at_ns) {
            at_ns = child->kill_at_ns;
        }
    }
    if (at_ns == UINT64_MAX) {
        return -1;
    }
    ms = at_ns > now_ns ? (at_ns - now_ns) / SCO_NS_PER_MS + 1 : 0;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Sleeps until something has come, and takes in what hosts said. */
static void
wait_for_news(struct supervisor *sup)
{
    struct pollfd polled[CHILDREN_MAX + 1];

    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        polled[i] = (struct pollfd){
            .fd = sup->children[i].pid != 0 ? sup->children[i].fd : -1,
            .events = POLLIN,
        };
    }
    polled[CHILDREN_MAX] = (struct pollfd){
        .fd = sup->signal_fd,
        .events = POLLIN,
    };
    if (poll(polled, CHILDREN_MAX + 1, wait_ms(sup, sco_clock_now_ns())) < 0) {
        return;
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct sco_child *child = &sup->children[i];

        if (polled[i].revents != 0) {
            take_reports(sup, child);
        }
        if ((polled[i].revents & (POLLHUP | POLLERR)) != 0) {
            (void)close(child->fd); /* it would be ready for ever */
            child->fd = -1;
        }
    }
}

static bool
is_over(const struct supervisor *sup)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (sup->children[i].pid != 0) {
            return false;
        }
    }
    return sup->is_ending;
}

int
sco_supervise(const struct sco_supervision *what)
{
    struct supervisor sup = { .what = what, .pid = getpid() };

    if (!hold_signals(&sup)) {
        sco_log(SCO_EVENT_INTERNAL, "signalfd: %s", strerror(errno));
        return CODE_FAILED;
    }
    sco_log_never_wait(true);
    for (;;) {
        start_due(&sup, sco_clock_now_ns());
        if (is_over(&sup)) {
            break;
        }
        wait_for_news(&sup);
        take_signals(&sup);
        bury_the_dead(&sup);
        kill_overdue(&sup, sco_clock_now_ns());
    }
    sco_log_never_wait(false);
    release_signals(&sup);
    return sup.exit_code;
}
