#define _GNU_SOURCE
#include "link/shared.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void
shared_wake(atomic_uint *word)
{
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void
shared_ring(int eventfd)
{
    const uint64_t one = 1;
    ssize_t written;

    do {
        written = write(eventfd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

int
shared_wait(atomic_uint *word, unsigned seen)
{
    return shared_wait_until(word, seen, 0);
}

int
shared_wait_until(atomic_uint *word, unsigned seen, uint64_t until_ns)
{
    struct timespec rest, *limit = NULL;
    long result;

    if (until_ns != 0) {
        uint64_t now_ns = sco_clock_now_ns();
        uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;

        rest.tv_sec = (time_t)(left_ns / SCO_NS_PER_S);
        rest.tv_nsec = (long)(left_ns % SCO_NS_PER_S);
        limit = &rest;
    }
    result = syscall(SYS_futex, word, FUTEX_WAIT, seen, limit, NULL, 0);
    return result < 0 && errno == EINTR;
}
