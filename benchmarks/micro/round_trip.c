/* round_trip.c - a request to a worker process and its reply, and the same
 * bytes over a Unix socket
 *
 * Both sides wait as the host and a worker do: the host in epoll for the
 * doorbell, the worker on its futex. Prints the medians in microseconds:
 *
 *     lane 5.21
 *     socket 8.93
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "link/child.h"
#include "link/lane.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIPS = 20000, BYTES = 64 };

static double took_us[TRIPS];

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static double
median(void)
{
    qsort(took_us, TRIPS, sizeof(took_us[0]), compare);
    return took_us[TRIPS / 2];
}

static void
insist(int holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* ---- over the lane ---------------------------------------------------- */

static void
work(int socket)
{
    const struct sco_reply_head head = { .status = 200, .stream_bytes = -1 };
    struct sco_error err = { .text = "" };
    struct sco_child_line line;
    struct sco_child *child;
    struct sco_sink *sink;
    struct sco_call call;

    insist(sco_child_attach(socket, &child, &err) == SCO_OK, err.text);
    sink = sco_child_sink(child);
    insist(sco_child_ready(child, NULL, 0, &err) == SCO_OK, err.text);
    for (;;) {
        switch (sco_child_try_next(child, &call, &line)) {
        case SCO_CHILD_CALL:
            sink->ops->reply(sink, &head, (struct sco_slice){ NULL, 0 },
                             call.body);
            break;
        case SCO_CHILD_STOP:
            _exit(0);
        case SCO_CHILD_NONE:
        case SCO_CHILD_LINE:
        case SCO_CHILD_SIGNAL:
            (void)sco_child_wait(child);
            break;
        }
    }
}

/* Waits for the next reply as the loop does: awake, then asleep. */
static void
await(struct sco_arena *arena, struct sco_lane *lane, int epoll,
      struct sco_lane_reply *out)
{
    struct epoll_event event;

    for (;;) {
        sco_arena_awake(arena);
        if (sco_lane_take(lane, out) == SCO_OK) {
            return;
        }
        sco_arena_sleep(arena);
        if (sco_lane_take(lane, out) == SCO_OK) {
            return;
        }
        (void)epoll_wait(epoll, &event, 1, -1);
    }
}

static double
measure_lane(void)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    struct sco_error err = { .text = "" };
    struct sco_lane_reply reply;
    struct sco_arena *arena;
    struct sco_lane *lane;
    struct sco_slot slot;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int pair[2];
    pid_t pid;

    insist(sco_arena_create(&arena, &err) == SCO_OK, err.text);
    insist(sco_lane_create(arena, &lane, &err) == SCO_OK, err.text);
    insist(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0, "socketpair");
    insist(sco_lane_hello(lane, pair[0], SCO_SLICE("{}"), &err) == SCO_OK,
           err.text);
    pid = fork();
    insist(pid >= 0, "fork");
    if (pid == 0) {
        work(pair[1]);
    }
    insist(epoll_ctl(epoll, EPOLL_CTL_ADD, sco_arena_doorbell(arena),
                     &event) == 0,
           "epoll_ctl");
    await(arena, lane, epoll, &reply);
    insist(reply.kind == SCO_LANE_READY, "ready");
    sco_lane_release(lane, reply.offset);
    insist(sco_slots_take(sco_arena_slots(arena), 1024, &slot) == SCO_OK,
           "a slot");
    for (int i = 0; i < TRIPS; i++) {
        uint64_t begun_ns = sco_clock_now_ns();
        struct sco_lane_call call = {
            .offset = slot.offset,
            .slot_bytes = slot.bytes,
            .body_bytes = BYTES,
        };

        memset(sco_arena_bytes(arena, slot), i, BYTES);
        call.ticket = sco_arena_mark(arena, slot);
        insist(sco_lane_send(lane, &call), "send");
        sco_lane_ring(lane);
        await(arena, lane, epoll, &reply);
        took_us[i] = (double)(sco_clock_now_ns() - begun_ns) / 1e3;
    }
    sco_lane_stop(lane);
    (void)waitpid(pid, NULL, 0);
    return median();
}

/* ---- over a socket ---------------------------------------------------- */

static double
measure_socket(void)
{
    char bytes[BYTES] = { 0 };
    int pair[2];
    pid_t pid;

    insist(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    pid = fork();
    insist(pid >= 0, "fork");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (recv(pair[1], bytes, BYTES, 0) == BYTES &&
               send(pair[1], bytes, BYTES, 0) == BYTES) {
        }
        _exit(0);
    }
    for (int i = 0; i < TRIPS; i++) {
        uint64_t begun_ns = sco_clock_now_ns();

        insist(send(pair[0], bytes, BYTES, 0) == BYTES, "send");
        insist(recv(pair[0], bytes, BYTES, 0) == BYTES, "recv");
        took_us[i] = (double)(sco_clock_now_ns() - begun_ns) / 1e3;
    }
    kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return median();
}

int
main(void)
{
    printf("lane %.2f\n", measure_lane());
    printf("socket %.2f\n", measure_socket());
    return 0;
}
