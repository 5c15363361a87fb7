#define _GNU_SOURCE
#include "link/shared.h"

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
    long result = syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);

    return result < 0 && errno == EINTR;
}
