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

int
shared_wait(atomic_uint *word, unsigned seen)
{
    long result = syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);

    return result < 0 && errno == EINTR;
}
