#define _GNU_SOURCE
#include "host/listeners.h"

#include "base/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 2048, TRIES = 5, HOST_MAX = 256 };

static const char unix_prefix[] = "unix:";

static bool
is_unix(const char *where)
{
    return strncmp(where, unix_prefix, sizeof(unix_prefix) - 1) == 0;
}

/* An address to bind to. */
struct place {
    struct sockaddr_storage address;
    socklen_t length;
    char host[HOST_MAX];
    const char *port;
};

static enum sco_status
split(const char *where, struct place *out, struct sco_error *err)
{
    const char *colon = strrchr(where, ':');
    const char *from = where;
    const char *to = colon;

    if (colon == NULL || colon[1] == '\0') {
        return sco_fail(err, SCO_INVALID, "'%s' has no port", where);
    }
    if (*from == '[' && to > from && to[-1] == ']') {
        from++;
        to--;
    }
    if ((size_t)(to - from) >= sizeof(out->host)) {
        return sco_fail(err, SCO_INVALID, "'%s' is too long", where);
    }
    memcpy(out->host, from, (size_t)(to - from));
    out->host[to - from] = '\0';
    out->port = colon + 1;
    return SCO_OK;
}

static enum sco_status
resolve_tcp(const char *where, struct place *out, struct sco_error *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found;
    enum sco_status status = split(where, out, err);
    int failed;

    if (status != SCO_OK) {
        return status;
    }
    failed = getaddrinfo(out->host[0] != '\0' ? out->host : NULL, out->port,
                         &hints, &found);
    if (failed) {
        return sco_fail(err, SCO_INVALID, "cannot listen at %s: %s", where,
                        gai_strerror(failed));
    }
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->length = found->ai_addrlen;
    freeaddrinfo(found);
    return SCO_OK;
}

static enum sco_status
resolve_unix(const char *where, struct place *out, struct sco_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = where + sizeof(unix_prefix) - 1;
    size_t len = strlen(path);

    if (len >= sizeof(address.sun_path)) {
        return sco_fail(err, SCO_INVALID, "socket path is too long: %s", path);
    }
    memcpy(address.sun_path, path, len + 1);
    memcpy(&out->address, &address, sizeof(address));
    out->length = sizeof(address);
    return SCO_OK;
}

/* Removes a socket file that a host left behind; one that answers stays. */
static void
remove_stale(const struct place *place)
{
    const struct sockaddr *address = (const void *)&place->address;
    const char *path = ((const struct sockaddr_un *)address)->sun_path;
    struct stat status;
    int probe;

    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return;
    }
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && connect(probe, address, place->length) != 0 &&
        errno == ECONNREFUSED) {
        unlink(path);
    }
    if (probe >= 0) {
        close(probe);
    }
}

static int
bind_once(const struct place *place)
{
    const struct sockaddr *address = (const void *)&place->address;
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0) {
        return -1;
    }
    if (address->sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (address->sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    }
    if (bind(fd, address, place->length) != 0 || listen(fd, BACKLOG) != 0) {
        int failed = errno;

        close(fd);
        errno = failed;
        return -1;
    }
    return fd;
}

static void
log_in_use(const struct place *place, const char *where)
{
    if (is_unix(where)) {
        sco_log(SCO_EVENT_ADDRESS_IN_USE, "Connection in use: %s", where);
        return;
    }
    sco_log(SCO_EVENT_ADDRESS_IN_USE, "Connection in use: ('%s', %s)",
            place->host, place->port);
    sco_log(SCO_EVENT_ADDRESS_IN_USE,
            "connection to ('%s', %s) failed: [Errno %d] %s", place->host,
            place->port, EADDRINUSE, strerror(EADDRINUSE));
}

enum sco_status
sco_listen_open(const char *where, int *fd_out, struct sco_error *err)
{
    const struct timespec second = { .tv_sec = 1 };
    struct place place = { .length = 0 };
    enum sco_status status = is_unix(where) ? resolve_unix(where, &place, err)
                                            : resolve_tcp(where, &place, err);

    if (status != SCO_OK) {
        return status;
    }
    if (is_unix(where)) {
        remove_stale(&place);
    }
    for (int i = 0; i < TRIES; i++) {
        int fd = bind_once(&place);

        if (fd >= 0) {
            *fd_out = fd;
            return SCO_OK;
        }
        if (errno != EADDRINUSE) {
            return sco_fail(err, SCO_INTERNAL, "cannot listen at %s: %s",
                            where, strerror(errno));
        }
        log_in_use(&place, where);
        nanosleep(&second, NULL);
    }
    if (is_unix(where)) {
        return sco_fail(err, SCO_BUSY, "Can't connect to %s", where);
    }
    return sco_fail(err, SCO_BUSY, "Can't connect to ('%s', %s)", place.host,
                    place.port);
}

void
sco_listen_name(const char *where, struct sco_text *out)
{
    if (!is_unix(where)) {
        sco_text_add(out, SCO_SLICE("http://"));
    }
    sco_text_add(out, sco_slice_of(where));
}

void
sco_listen_clean(const char *where)
{
    if (is_unix(where)) {
        unlink(where + sizeof(unix_prefix) - 1);
    }
}

/* Notes which file is ours. */
static void
note_file(struct sco_listener *listener)
{
    struct stat status;

    if (is_unix(listener->where) &&
        lstat(listener->where + sizeof(unix_prefix) - 1, &status) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
}

enum sco_status
sco_listeners_open(char *const *places, size_t count,
                   struct sco_listeners *out, struct sco_error *err)
{
    struct sco_listeners opened = {
        .items = sco_alloc(count, sizeof(*opened.items)),
    };

    while (opened.count < count) {
        struct sco_listener *listener = &opened.items[opened.count];
        enum sco_status status;

        listener->where = places[opened.count];
        status = sco_listen_open(listener->where, &listener->fd, err);
        if (status != SCO_OK) {
            sco_listeners_finish(&opened);
            return status;
        }
        note_file(listener);
        opened.count++;
    }
    *out = opened;
    return SCO_OK;
}

void
sco_listeners_log(const struct sco_listeners *listeners)
{
    struct sco_text names = { 0 };

    for (size_t i = 0; i < listeners->count; i++) {
        sco_text_add(&names, i == 0 ? SCO_SLICE("") : SCO_SLICE(","));
        sco_listen_name(listeners->items[i].where, &names);
    }
    sco_log(SCO_EVENT_LISTENING, "Listening at: %s (%d)",
            names.data != NULL ? names.data : "", (int)getpid());
    sco_text_finish(&names);
}

void
sco_listeners_close(struct sco_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->items[i].fd >= 0) {
            close(listeners->items[i].fd);
            listeners->items[i].fd = -1;
        }
    }
}

void
sco_listeners_clean(const struct sco_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct sco_listener *listener = &listeners->items[i];
        struct sco_listener now = { .where = listener->where };

        note_file(&now);
        if (now.inode != 0 && now.inode == listener->inode &&
            now.device == listener->device) {
            sco_listen_clean(listener->where);
        }
    }
}

void
sco_listeners_finish(struct sco_listeners *listeners)
{
    sco_listeners_close(listeners);
    sco_listeners_clean(listeners);
    free(listeners->items);
    *listeners = (struct sco_listeners){ 0 };
}
