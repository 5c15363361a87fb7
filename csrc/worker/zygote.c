/* zygote.c - whom the host asks to fork, and what becomes of it
 *
 * Design notes
 *
 * A *parent* is one process with the script loaded: LOADING -> READY ->
 * ENDING, and from each of them gone. New workers come from `current`. A
 * reload makes `next` beside it, which takes its place when it is READY; the
 * one before is then let end with its last worker, not sooner, since its
 * workers end with it (parent-death signal). `next` that cannot load changes
 * nothing.
 *
 * A *fork* waits in `waiting` until a READY parent has nothing else to do:
 * one is asked for at a time, so the socket never fills, and the host never
 * waits. Then it is in its parent's list until its end.
 *
 * Only the parent can wait for a worker, so it says how one ended. With it,
 * the pidfd that the parent opened goes to the host: it names this process
 * and no other, however late a signal is sent. When a parent dies, its
 * workers are told to have ended as soon as their pidfds say so (`orphans`),
 * not before: they write into shared memory until then.
 *
 * A parent whose socket is closed, by it or by us, ends by itself and so has
 * an exit code to tell; it is killed only when it takes too long over it.
 *
 * A parent that ends while it loads tells the oldest fork that waits how: so
 * a script that cannot be loaded is to the pool what it is with workers that
 * load it themselves. The others go on waiting for the next parent.
 */
#define _GNU_SOURCE
#include "worker/zygote_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/respawn.h"
#include "worker/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a parent may take to end by itself. */
enum { END_PATIENCE_MS = 1000 };

/* ---- asking a parent ------------------------------------------------ */

/* Breaks with a parent that cannot be talked to. Its end follows. */
static void
break_with(struct zygote_parent *parent)
{
    (void)kill(parent->pid, SIGKILL);
}

/* Says no more to a parent, which is then to end by itself. */
static void
leave(struct zygote_parent *parent)
{
    struct sco_loop *loop = parent->zygote->setup->loop;

    sco_loop_remove(loop, &parent->control);
    zygote_close(&parent->control.fd);
    sco_loop_timer_set(loop, &parent->late,
                       sco_loop_now_ns(loop) +
                           END_PATIENCE_MS * SCO_NS_PER_MS);
}

static void
on_late(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    break_with(arg);
}

/* Asks for the next worker, if somebody can be asked. */
static void
ask(struct sco_zygote *zygote)
{
    struct zygote_parent *parent = zygote->current;
    struct sco_fork *fork = zygote_first_fork(&zygote->waiting);

    if (parent == NULL || parent->state != PARENT_READY ||
        parent->control.fd < 0 || parent->asked != NULL || fork == NULL) {
        return;
    }
    sco_list_remove(&fork->link);
    sco_list_push(&parent->forks, &fork->link);
    fork->parent = parent;
    parent->asked = fork;
    if (!zygote_send_fork(parent->control.fd, fork)) {
        break_with(parent);
    }
    zygote_close(&fork->socket);
}

/* ---- hearing a parent ----------------------------------------------- */

/* Lets a parent end that nobody is forked from any more. */
static void
retire(struct zygote_parent *parent)
{
    if (parent == parent->zygote->current || parent == parent->zygote->next ||
        !sco_list_empty(&parent->forks) || parent->state == PARENT_ENDING) {
        return;
    }
    if (parent->state == PARENT_LOADING) {
        break_with(parent);
    }
    parent->state = PARENT_ENDING;
    if (parent->control.fd >= 0) {
        leave(parent);
    }
}

static void
hear_ready(struct zygote_parent *parent)
{
    struct sco_zygote *zygote = parent->zygote;
    struct zygote_parent *before = zygote->current;
    bool reloads = parent->reloads;

    if (parent->state != PARENT_LOADING) {
        break_with(parent);
        return;
    }
    parent->state = PARENT_READY;
    parent->begun_ns = sco_loop_now_ns(zygote->setup->loop);
    parent->reloads = false;
    if (parent == zygote->next) {
        zygote->next = NULL;
        zygote->current = parent;
        if (before != NULL) {
            retire(before);
        }
    }
    if (reloads) {
        zygote->boss.on_reloaded(zygote->boss.arg, true);
    }
    ask(zygote);
}

static void
hear_forked(struct sco_fork *fork, const struct sco_zygote_message *word,
            int *pidfd)
{
    const struct sco_worker_end end = { .exit_code = 1 };
    struct sco_zygote *zygote = fork->zygote;

    fork->parent->asked = NULL;
    if (word->pid <= 0 || *pidfd < 0) {
        sco_log(SCO_EVENT_INTERNAL, "a worker cannot be forked: %s",
                strerror(word->error));
        zygote_tell_end(fork, 0, &end);
    } else {
        fork->pid = word->pid;
        fork->end.fd = *pidfd;
        *pidfd = -1;
        if (fork->killed) {
            sco_fork_signal(fork, SIGKILL);
        }
        fork->on_forked(fork->arg, fork->pid);
    }
    ask(zygote);
}

static struct sco_fork *
fork_with(const struct zygote_parent *parent, uint32_t number)
{
    struct sco_list *link = parent->forks.next;

    for (; link != &parent->forks; link = link->next) {
        struct sco_fork *fork = SCO_LIST_ENTRY(link, struct sco_fork, link);

        if (fork->number == number) {
            return fork;
        }
    }
    return NULL;
}

static void
hear_word(struct zygote_parent *parent, const struct sco_zygote_message *word,
          int *fd)
{
    const struct sco_worker_end end = { .exit_code = word->exit_code,
                                        .signal = word->signal };
    struct sco_fork *fork = fork_with(parent, word->number);

    if (word->word == SCO_ZYGOTE_READY) {
        hear_ready(parent);
    } else if (fork != NULL && word->word == SCO_ZYGOTE_FORKED &&
               parent->asked == fork) {
        hear_forked(fork, word, fd);
    } else if (fork != NULL && word->word == SCO_ZYGOTE_ENDED &&
               fork->pid != 0) {
        zygote_tell_end(fork, fork->pid, &end);
        retire(parent);
    } else {
        break_with(parent);
    }
}

static void
hear(struct zygote_parent *parent)
{
    struct sco_zygote_message word;
    enum sco_status status;
    int fd;

    while (parent->control.fd >= 0) {
        status = zygote_take(parent->control.fd, &word, &fd);
        if (status == SCO_OK) {
            hear_word(parent, &word, &fd);
        } else if (status == SCO_CLOSED) {
            leave(parent);
        } else if (status != SCO_NOT_FOUND) {
            break_with(parent);
        }
        zygote_close(&fd);
        if (status != SCO_OK) {
            return;
        }
    }
}

static void
on_control(void *arg, uint32_t events)
{
    (void)events;
    hear(arg);
}

/* ---- the life of a parent ------------------------------------------- */

static enum sco_status start_parent(struct sco_zygote *zygote,
                                    struct zygote_parent **out,
                                    struct sco_error *err);

/* Has a parent started where forks wait and there is none, now or after a
 * pause. */
static enum sco_status
ensure_parent(struct sco_zygote *zygote, struct sco_error *err)
{
    struct sco_loop *loop = zygote->setup->loop;
    uint64_t at_ns =
        zygote->failed_ns + sco_respawn_delay_ns(zygote->failures);

    if (zygote->current != NULL || sco_list_empty(&zygote->waiting)) {
        return SCO_OK;
    }
    if (zygote->failures > 0 && at_ns > sco_loop_now_ns(loop)) {
        sco_loop_timer_set(loop, &zygote->again, at_ns);
        return SCO_OK;
    }
    return start_parent(zygote, &zygote->current, err);
}

static void
count_failure(struct sco_zygote *zygote)
{
    zygote->failures++;
    zygote->failed_ns = sco_loop_now_ns(zygote->setup->loop);
}

/* The same for when nobody is there to be told that it did not work. */
static void
try_parent(struct sco_zygote *zygote)
{
    struct sco_error err = { .text = "" };

    if (ensure_parent(zygote, &err) != SCO_OK) {
        sco_log(SCO_EVENT_INTERNAL, "%s", err.text);
        count_failure(zygote);
        sco_loop_timer_set(zygote->setup->loop, &zygote->again,
                           zygote->failed_ns + SCO_NS_PER_S);
    }
}

static void
on_again(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    try_parent(arg);
}

static void
log_parent_end(const struct zygote_parent *parent,
               const struct sco_worker_end *end)
{
    const struct sco_zygote *zygote = parent->zygote;
    char how[64];

    sco_worker_tell_end(end, how, sizeof(how));
    if (parent == zygote->next) {
        sco_log(SCO_EVENT_PRELOAD_KEPT,
                "the process that loads the script anew (pid:%d) %s; workers "
                "are forked from the script as it was loaded before",
                (int)parent->pid, how);
    } else if (parent->state == PARENT_READY) {
        sco_log(SCO_EVENT_PRELOAD_LOST,
                "the process that workers are forked from (pid:%d) %s; they "
                "end with it and are started again",
                (int)parent->pid, how);
    }
}

static void
free_parent(struct zygote_parent *parent)
{
    struct sco_loop *loop = parent->zygote->setup->loop;

    sco_list_remove(&parent->link);
    if (parent->control.fd >= 0) {
        sco_loop_remove(loop, &parent->control);
    }
    sco_loop_remove(loop, &parent->end);
    sco_loop_timer_clear(loop, &parent->late);
    zygote_close(&parent->control.fd);
    zygote_close(&parent->end.fd);
    free(parent);
}

/* The current parent is gone: one that loads takes its place. */
static void
replace_current(struct sco_zygote *zygote, const struct zygote_parent *gone)
{
    uint64_t lived_ns = sco_loop_now_ns(zygote->setup->loop) - gone->begun_ns;

    zygote->current = zygote->next;
    zygote->next = NULL;
    if (gone->state == PARENT_READY && sco_respawn_was_useful(lived_ns, 0)) {
        zygote->failures = 0;
    }
    count_failure(zygote);
}

static void
parent_gone(struct zygote_parent *parent, const struct sco_worker_end *end)
{
    struct sco_zygote *zygote = parent->zygote;
    bool failed = parent == zygote->current && parent->state == PARENT_LOADING;
    bool reloads = parent->reloads;
    pid_t pid = parent->pid;
    struct sco_fork *fork;

    log_parent_end(parent, end);
    if (parent == zygote->next) {
        zygote->next = NULL;
    } else if (parent == zygote->current) {
        replace_current(zygote, parent);
    }
    while ((fork = zygote_first_fork(&parent->forks)) != NULL) {
        zygote_orphan(fork);
    }
    free_parent(parent);
    if (reloads) {
        zygote->boss.on_reloaded(zygote->boss.arg, false);
    }
    fork = zygote_first_fork(&zygote->waiting);
    if (failed && fork != NULL) {
        zygote_tell_end(fork, pid, end);
    }
    try_parent(zygote);
}

static void
on_parent_end(void *arg, uint32_t events)
{
    struct zygote_parent *parent = arg;
    struct sco_worker_end end = { 0 };

    (void)events;
    hear(parent); /* what it said before */
    if (!sco_spawn_has_ended(parent->pid, &end.exit_code, &end.signal)) {
        return;
    }
    (void)kill(-parent->pid, SIGKILL); /* what the script started in it */
    (void)waitpid(parent->pid, NULL, 0);
    parent_gone(parent, &end);
}

static enum sco_status
watch_parent(struct zygote_parent *parent, struct sco_error *err)
{
    struct sco_loop *loop = parent->zygote->setup->loop;
    enum sco_status status =
        sco_loop_add(loop, &parent->control, EPOLLIN, err);

    return status != SCO_OK ? status
                            : sco_loop_add(loop, &parent->end, EPOLLIN, err);
}

/* Spawns the process and tells it what to load. */
static enum sco_status
spawn_parent(struct zygote_parent *parent, struct sco_error *err)
{
    const struct sco_worker_setup *setup = parent->zygote->setup;
    enum sco_status status = SCO_OK;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return sco_fail(err, SCO_INTERNAL, "socketpair: %s", strerror(errno));
    }
    parent->control.fd = pair[0];
    if (send(pair[0], setup->boot.data, setup->boot.len,
             MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        status = sco_fail(err, SCO_INTERNAL, "boot text: %s", strerror(errno));
    }
    if (status == SCO_OK) {
        status = sco_spawn_module(setup->python, "scorehost.zygote", pair[1],
                                  setup->threads_each, NULL, &parent->pid,
                                  &parent->end.fd, err);
    }
    (void)close(pair[1]);
    return status;
}

static enum sco_status
start_parent(struct sco_zygote *zygote, struct zygote_parent **out,
             struct sco_error *err)
{
    struct zygote_parent *parent = calloc(1, sizeof(*parent));
    enum sco_status status;

    if (parent == NULL) {
        return sco_fail(err, SCO_NOMEM, "a process to fork workers from");
    }
    parent->zygote = zygote;
    parent->begun_ns = sco_loop_now_ns(zygote->setup->loop);
    parent->control = (struct sco_watch){ -1, on_control, parent };
    parent->end = (struct sco_watch){ -1, on_parent_end, parent };
    parent->late = (struct sco_timer){ .on_time = on_late, .arg = parent };
    sco_list_init(&parent->forks);
    sco_list_push(&zygote->parents, &parent->link);
    status = spawn_parent(parent, err);
    if (status != SCO_OK) {
        free_parent(parent);
        return status;
    }
    status = watch_parent(parent, err);
    if (status != SCO_OK) {
        (void)kill(parent->pid, SIGKILL);
        (void)waitpid(parent->pid, NULL, 0);
        free_parent(parent);
        return status;
    }
    sco_log(SCO_EVENT_PRELOADING,
            "the process with pid %d loads the script; workers are forked "
            "from it",
            (int)parent->pid);
    *out = parent;
    return SCO_OK;
}

/* ---- the zygote ----------------------------------------------------- */

enum sco_status
sco_zygote_create(const struct sco_worker_setup *setup,
                  const struct sco_zygote_boss *boss, struct sco_zygote **out,
                  struct sco_error *err)
{
    struct sco_zygote *zygote = calloc(1, sizeof(*zygote));

    if (zygote == NULL) {
        return sco_fail(err, SCO_NOMEM, "preloading");
    }
    zygote->setup = setup;
    zygote->boss = *boss;
    zygote->again = (struct sco_timer){ .on_time = on_again, .arg = zygote };
    zygote->drop =
        (struct sco_timer){ .on_time = zygote_on_drop, .arg = zygote };
    sco_list_init(&zygote->parents);
    sco_list_init(&zygote->waiting);
    sco_list_init(&zygote->orphans);
    sco_list_init(&zygote->dropped);
    *out = zygote;
    return SCO_OK;
}

enum sco_status
sco_zygote_fork(struct sco_zygote *zygote, struct sco_fork *fork, int socket,
                struct sco_error *err)
{
    enum sco_status status;

    sco_list_push(&zygote->waiting, &fork->link);
    status = ensure_parent(zygote, err);
    if (status != SCO_OK) {
        sco_list_remove(&fork->link);
        return status;
    }
    fork->zygote = zygote;
    fork->end.fd = -1;
    fork->socket = socket;
    fork->number = ++zygote->last_number;
    ask(zygote);
    return SCO_OK;
}

enum sco_status
sco_zygote_reload(struct sco_zygote *zygote, struct sco_error *err)
{
    struct zygote_parent *before = zygote->next;
    struct zygote_parent *parent = NULL;
    enum sco_status status = start_parent(zygote, &parent, err);

    if (parent == NULL) {
        return status;
    }
    parent->reloads = true;
    zygote->next = parent;
    if (before != NULL) {
        before->reloads = false; /* the boss hears of the later one */
        retire(before);
    }
    return SCO_OK;
}

/* Lets a parent end, or ends it when the time is up. */
static void
end_parent(struct zygote_parent *parent, uint64_t until_ns)
{
    struct pollfd end = { .fd = parent->end.fd, .events = POLLIN };
    uint64_t now_ns = sco_clock_now_ns();
    struct sco_fork *fork;

    if (parent->state == PARENT_LOADING) {
        break_with(parent);
    } else if (now_ns < until_ns) {
        (void)poll(&end, 1, (int)((until_ns - now_ns) / SCO_NS_PER_MS));
    }
    (void)kill(-parent->pid, SIGKILL);
    (void)kill(parent->pid, SIGKILL);
    (void)waitpid(parent->pid, NULL, 0);
    while ((fork = zygote_first_fork(&parent->forks)) != NULL) {
        sco_fork_finish(fork);
    }
    free_parent(parent);
}

void
sco_zygote_destroy(struct sco_zygote *zygote)
{
    uint64_t until_ns;
    struct sco_list *link, *next;

    if (zygote == NULL) {
        return;
    }
    until_ns = sco_clock_now_ns() + END_PATIENCE_MS * SCO_NS_PER_MS;
    for (link = zygote->parents.next; link != &zygote->parents;
         link = link->next) {
        struct zygote_parent *parent =
            SCO_LIST_ENTRY(link, struct zygote_parent, link);

        if (parent->control.fd >= 0) {
            sco_loop_remove(zygote->setup->loop, &parent->control);
        }
        zygote_close(&parent->control.fd);
    }
    for (link = zygote->parents.next; link != &zygote->parents; link = next) {
        next = link->next;
        end_parent(SCO_LIST_ENTRY(link, struct zygote_parent, link), until_ns);
    }
    sco_loop_timer_clear(zygote->setup->loop, &zygote->again);
    sco_loop_timer_clear(zygote->setup->loop, &zygote->drop);
    free(zygote);
}
