#include "host/signals.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int numbers[] = {
    SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGWINCH,
};

static sigset_t
wanted(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&set, numbers[i]);
    }
    return set;
}

void
sco_signals_hold(struct sco_signals_before *before)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t set = wanted();

    pthread_sigmask(SIG_BLOCK, &set, &before->mask);
    sigaction(SIGPIPE, &ignore, &before->pipe);
}

void
sco_signals_release(const struct sco_signals_before *before)
{
    const struct timespec none = { 0 };
    sigset_t set = wanted();

    while (sigtimedwait(&set, NULL, &none) > 0) {
    }
    sigaction(SIGPIPE, &before->pipe, NULL);
    pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}

static void
on_readable(void *arg, uint32_t events)
{
    struct sco_signals *signals = arg;
    struct signalfd_siginfo info;

    (void)events;
    while (read(signals->watch.fd, &info, sizeof(info)) == sizeof(info)) {
        signals->on_signal(signals->arg, (int)info.ssi_signo);
    }
}

enum sco_status
sco_signals_watch(struct sco_signals *signals, struct sco_loop *loop,
                  void (*on_signal)(void *arg, int number), void *arg,
                  struct sco_error *err)
{
    sigset_t set = wanted();
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    enum sco_status status;

    signals->watch.fd = -1;
    if (fd < 0) {
        return sco_fail(err, SCO_INTERNAL, "signalfd: %s", strerror(errno));
    }
    signals->watch = (struct sco_watch){ .fd = fd,
                                         .on_ready = on_readable,
                                         .arg = signals };
    signals->loop = loop;
    signals->on_signal = on_signal;
    signals->arg = arg;
    status = sco_loop_add(loop, &signals->watch, EPOLLIN, err);
    if (status != SCO_OK) {
        close(fd);
        signals->watch.fd = -1;
    }
    return status;
}

void
sco_signals_close(struct sco_signals *signals)
{
    if (signals->watch.fd >= 0) {
        sco_loop_remove(signals->loop, &signals->watch);
        close(signals->watch.fd);
        signals->watch.fd = -1;
    }
}
