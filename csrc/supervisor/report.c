#define _GNU_SOURCE /* SOCK_CLOEXEC, SOCK_NONBLOCK */
#include "supervisor/report.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 2 };

enum sco_status
sco_report_pair(int pair_out[2], struct sco_error *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) != 0) {
        return sco_fail(err, SCO_INTERNAL, "socketpair: %s", strerror(errno));
    }
    pair_out[0] = pair[0];
    pair_out[1] = pair[1];
    return SCO_OK;
}

void
sco_report_send(int fd, enum sco_report_kind kind, int code)
{
    const unsigned char bytes[MESSAGE_BYTES] = { (unsigned char)kind,
                                                 (unsigned char)code };

    if (fd >= 0) {
        (void)!send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
    }
}

static bool
is_known(unsigned char kind)
{
    return kind >= SCO_REPORT_READY && kind <= SCO_REPORT_ALONE;
}

bool
sco_report_take(int fd, struct sco_report *out)
{
    unsigned char bytes[MESSAGE_BYTES];
    ssize_t got;

    do {
        got = recv(fd, bytes, sizeof(bytes), 0);
        if (got == MESSAGE_BYTES && is_known(bytes[0])) {
            out->kind = (enum sco_report_kind)bytes[0];
            out->code = bytes[1];
            return true;
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    return false;
}
