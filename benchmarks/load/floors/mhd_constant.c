/* mhd_constant.c - what libmicrohttpd alone costs, used the way we use it
 *
 * The library's epoll mode, driven from outside by our own loop, with a pool
 * of 32 KiB for each connection. Each request is answered inline with the
 * same 52 bytes of JSON, in a response object of its own, as a host that
 * answers with what a script returned must do. Bodies are taken and dropped.
 *
 * Usage: mhd_constant PORT [POOL_BYTES]
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { POOL_BYTES = 32 * 1024, CONNECTIONS = 4096, BACKLOG = 4096 };

#define ANSWER "{\"result\": [75.0], \"from\": \"a floor, no Python ran\"}"

static enum MHD_Result
answer(struct MHD_Connection *connection)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof(ANSWER) - 1, (void *)ANSWER, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result;

    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "application/json");
    result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* Called once for the head, once or more for the body, once at the end. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url,
           const char *method, const char *version, const char *upload,
           size_t *upload_len, void **state)
{
    static int head_seen;

    (void)arg;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (*state == NULL) {
        *state = &head_seen;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    return answer(connection);
}

static struct MHD_Daemon *
start(uint16_t port, size_t pool_bytes)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL,
        &on_request, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&where,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned int)BACKLOG,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
}

/* Waits on the library's own epoll set, which is readable when any socket in
 * it is, for as long as the library allows. */
static void
serve(struct MHD_Daemon *daemon, int library_epoll)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, library_epoll, &event) != 0) {
        return;
    }
    for (;;) {
        MHD_UNSIGNED_LONG_LONG wait_ms;
        int timeout_ms = -1;

        if (MHD_get_timeout(daemon, &wait_ms) == MHD_YES) {
            timeout_ms = wait_ms < 1000 ? (int)wait_ms : 1000;
        }
        epoll_wait(epoll, &event, 1, timeout_ms);
        MHD_run(daemon);
    }
}

int
main(int argc, char **argv)
{
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
    size_t pool_bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : POOL_BYTES;
    struct MHD_Daemon *daemon = port != 0 ? start(port, pool_bytes) : NULL;
    const union MHD_DaemonInfo *info;

    if (daemon == NULL) {
        fprintf(stderr, "usage: mhd_constant PORT [POOL_BYTES]\n");
        return 1;
    }
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info != NULL) {
        serve(daemon, info->epoll_fd);
    }
    MHD_stop_daemon(daemon);
    return 1;
}
