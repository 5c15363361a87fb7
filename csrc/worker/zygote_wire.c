#define _GNU_SOURCE
#include "worker/zygote_int.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

bool
zygote_send_fork(int control_fd, const struct sco_fork *fork)
{
    struct sco_zygote_message word = { .word = SCO_ZYGOTE_FORK,
                                       .number = fork->number };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .bytes = { 0 } };
    struct iovec part = { .iov_base = &word, .iov_len = sizeof(word) };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fork->socket, sizeof(int));
    return sendmsg(control_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           (ssize_t)sizeof(word);
}

enum sco_status
zygote_take(int control_fd, struct sco_zygote_message *out, int *fd_out)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = { .iov_base = out, .iov_len = sizeof(*out) };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    struct cmsghdr *rights;
    ssize_t got =
        recvmsg(control_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *fd_out = -1;
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? SCO_NOT_FOUND : SCO_CLOSED;
    }
    rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS) {
        memcpy(fd_out, CMSG_DATA(rights), sizeof(*fd_out));
    }
    if (got == 0) {
        return SCO_CLOSED;
    }
    return got == (ssize_t)sizeof(*out) ? SCO_OK : SCO_INVALID;
}
