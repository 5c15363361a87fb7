/* fork.c - one worker that is forked: signals to it, and its end
 *
 * Its states, and whose list it is in, are told in zygote.c.
 */
#define _GNU_SOURCE
#include "worker/zygote_int.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sco_fork *
zygote_first_fork(const struct sco_list *list)
{
    struct sco_list *first = sco_list_first(list);

    return first == NULL ? NULL : SCO_LIST_ENTRY(first, struct sco_fork, link);
}

void
zygote_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static struct sco_loop *
loop_of(const struct sco_fork *fork)
{
    return fork->zygote->setup->loop;
}

void
sco_fork_finish(struct sco_fork *fork)
{
    if (fork->zygote == NULL) {
        return;
    }
    if (fork->parent != NULL && fork->parent->asked == fork) {
        fork->parent->asked = NULL;
    }
    fork->parent = NULL;
    sco_list_remove(&fork->link);
    if (fork->end.fd >= 0) {
        sco_loop_remove(loop_of(fork), &fork->end);
    }
    zygote_close(&fork->end.fd);
    zygote_close(&fork->socket);
}

void
zygote_tell_end(struct sco_fork *fork, pid_t pid,
                const struct sco_worker_end *end)
{
    sco_fork_finish(fork);
    fork->on_ended(fork->arg, pid, end);
}

void
sco_fork_signal(const struct sco_fork *fork, int number)
{
    if (fork->zygote != NULL && fork->end.fd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, fork->end.fd, number, NULL, 0);
    }
}

/* Ends a fork that waits; its owner hears of it in a turn of its own. */
static void
drop_fork(struct sco_fork *fork)
{
    struct sco_zygote *zygote = fork->zygote;

    sco_list_remove(&fork->link);
    sco_list_push(&zygote->dropped, &fork->link);
    sco_loop_timer_set(zygote->setup->loop, &zygote->drop,
                       sco_loop_now_ns(zygote->setup->loop));
}

void
sco_fork_kill(struct sco_fork *fork)
{
    if (fork->zygote == NULL) {
        return;
    }
    if (fork->parent == NULL && fork->pid == 0) {
        drop_fork(fork);
    }
    fork->killed = true;
    sco_fork_signal(fork, SIGKILL); /* else when on_forked comes */
}

void
zygote_on_drop(void *arg, uint64_t now_ns)
{
    const struct sco_worker_end end = { .signal = SIGKILL };
    struct sco_zygote *zygote = arg;
    struct sco_fork *fork;

    (void)now_ns;
    while ((fork = zygote_first_fork(&zygote->dropped)) != NULL) {
        zygote_tell_end(fork, 0, &end);
    }
}

/* An orphan is no more. What it started lives in its process group, whose
 * number is nobody else's as long as one of them is there. */
static void
on_orphan_end(void *arg, uint32_t events)
{
    const struct sco_worker_end end = { .with_parent = true };
    struct sco_fork *fork = arg;

    (void)events;
    (void)kill(-fork->pid, SIGKILL);
    zygote_tell_end(fork, fork->pid, &end);
}

void
zygote_orphan(struct sco_fork *fork)
{
    const struct sco_worker_end end = { .with_parent = true };

    sco_list_remove(&fork->link);
    fork->parent = NULL;
    fork->end.on_ready = on_orphan_end;
    fork->end.arg = fork;
    if (fork->pid == 0 ||
        sco_loop_add(loop_of(fork), &fork->end, EPOLLIN, NULL) != SCO_OK) {
        zygote_tell_end(fork, fork->pid, &end);
        return;
    }
    sco_list_push(&fork->zygote->orphans, &fork->link);
}
