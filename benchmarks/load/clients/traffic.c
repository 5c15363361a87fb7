/* traffic.c - requests as clients send them, at the least cost to the machine
 *
 * Closed: each of so many clients sends, waits for its answer, thinks for a
 * random while between two bounds, and sends again. Open: requests come at
 * random (Poisson), whether earlier ones are answered or not, on a connection
 * that is free; one for which none is free waits for it, and that time counts.
 *
 * One thread, one epoll set, edge-triggered, and the kernel's own precision
 * for its pauses. A request is a file with head and body, sent as it is; of
 * several each is sent in turn. It trusts its server: an answer has a
 * Content-Length. Who closes connections is connected to anew.
 *
 * Usage: traffic PORT REQUEST... [NAME=VALUE...]
 *
 *     clients=32     connections
 *     seconds=2      that count
 *     warm=0         seconds before these
 *     least=0        the shortest pause of a client in us
 *     most=0         the longest
 *     rate=0         requests a second; not 0: open
 *     seed=1
 *
 * Prints one line of JSON.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS_MOST = 4096,
    REQUESTS_MOST = 64,
    WAITING_MOST = 1 << 16, /* arrivals without a connection */
    EVENTS = 256,
    HEAD_BYTES = 16 * 1024,
};

#define NS_PER_S UINT64_C(1000000000)
#define NEVER    UINT64_MAX

struct request {
    char *bytes;
    size_t len;
};

struct client {
    int fd;            /* -1: none */
    bool is_busy;      /* between sending and the whole answer */
    bool closes;       /* the server said so */
    uint64_t begun_ns; /* when the request in hand was to be sent */
    uint64_t next_ns;  /* when the next one is; closed loops alone */
    size_t sent;       /* bytes of the request in hand */
    size_t head_len;   /* 0: the head is not whole yet */
    size_t body_left;  /* of the answer */
    size_t used;       /* bytes in `head` */
    const struct request *request;
    char head[HEAD_BYTES + 1];
};

struct options {
    uint16_t port;
    size_t clients;
    double seconds, warm;
    double least_us, most_us;
    double rate;
    uint64_t seed;
};

static struct {
    struct options options;
    struct request requests[REQUESTS_MOST];
    size_t request_count, next_request;
    struct client *clients;
    int epoll;
    uint64_t from_ns, until_ns; /* what counts */
    uint64_t arrival_ns;        /* the next; open loops alone */
    uint64_t waiting[WAITING_MOST];
    size_t waiting_head, waiting_tail;
    uint32_t *took_us; /* of each answer that counts */
    size_t took_count, took_room;
    size_t answered, errors, lost;
} all;

static void
insist(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* From 0 to below 1 (xorshift64*). */
static double
chance(void)
{
    uint64_t *x = &all.options.seed;

    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return (double)((*x * UINT64_C(2685821657736338717)) >> 11) /
           (double)(UINT64_C(1) << 53);
}

/* ---- connections ------------------------------------------------------ */

static void
hang_up(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
}

static void
dial(struct client *client)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET,
        .sin_port = htons(all.options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
                                 .data.ptr = client };
    int on = 1;

    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    insist(client->fd >= 0, "socket");
    insist(connect(client->fd, (struct sockaddr *)&where, sizeof(where)) == 0,
           "connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    insist(fcntl(client->fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    insist(epoll_ctl(all.epoll, EPOLL_CTL_ADD, client->fd, &event) == 0,
           "epoll_ctl");
}

/* ---- one request ------------------------------------------------------ */

static void
send_more(struct client *client)
{
    while (client->sent < client->request->len) {
        ssize_t sent = send(client->fd, client->request->bytes + client->sent,
                            client->request->len - client->sent, MSG_NOSIGNAL);

        if (sent < 0) {
            return; /* later, or never: then the answer says so */
        }
        client->sent += (size_t)sent;
    }
}

static void
begin(struct client *client, uint64_t begun_ns)
{
    client->request = &all.requests[all.next_request];
    all.next_request = (all.next_request + 1) % all.request_count;
    client->is_busy = true;
    client->begun_ns = begun_ns;
    client->sent = client->used = client->head_len = client->body_left = 0;
    if (client->fd < 0) {
        dial(client);
    }
    send_more(client);
}

static void
note(uint64_t begun_ns, uint64_t ended_ns)
{
    if (begun_ns < all.from_ns || ended_ns > all.until_ns) {
        return;
    }
    if (all.took_count == all.took_room) {
        all.took_room = all.took_room == 0 ? 65536 : 2 * all.took_room;
        all.took_us =
            realloc(all.took_us, all.took_room * sizeof(all.took_us[0]));
        insist(all.took_us != NULL, "memory");
    }
    all.took_us[all.took_count++] = (uint32_t)((ended_ns - begun_ns) / 1000);
}

/* The answer is whole, or none will come. */
static void
end(struct client *client, bool is_good)
{
    const struct options *options = &all.options;
    uint64_t ended_ns = now_ns();
    double pause_us =
        options->least_us + chance() * (options->most_us - options->least_us);

    client->is_busy = false;
    if (is_good) {
        all.answered++;
        note(client->begun_ns, ended_ns);
    } else {
        all.errors++;
    }
    if (client->closes || !is_good) {
        hang_up(client);
    }
    client->next_ns = ended_ns + (uint64_t)(pause_us * 1000);
    if (all.waiting_head != all.waiting_tail) {
        begin(client, all.waiting[all.waiting_head++ % WAITING_MOST]);
    }
}

/* Reads what the head of an answer says. */
static bool
take_head(struct client *client)
{
    const char *end_of_head, *field;

    client->head[client->used] = '\0';
    end_of_head = strstr(client->head, "\r\n\r\n");
    if (end_of_head == NULL) {
        return client->used < HEAD_BYTES;
    }
    client->head_len = (size_t)(end_of_head - client->head) + 4;
    field = strcasestr(client->head, "\r\ncontent-length:");
    if (field == NULL || field > end_of_head) {
        return false;
    }
    client->body_left = strtoul(field + 17, NULL, 10);
    field = strcasestr(client->head, "\r\nconnection: close");
    client->closes = field != NULL && field <= end_of_head;
    return true;
}

/* So many bytes of an answer have come, into `head` or out of the way. */
static bool
take(struct client *client, size_t got)
{
    size_t body = got;

    if (client->head_len == 0) {
        client->used += got;
        if (!take_head(client)) {
            return false;
        }
        if (client->head_len == 0) {
            return true;
        }
        body = client->used - client->head_len;
    }
    if (body > client->body_left) {
        return false;
    }
    client->body_left -= body;
    return true;
}

static void
on_ready(struct client *client)
{
    static char scratch[HEAD_BYTES];

    if (client->fd < 0) {
        return;
    }
    if (client->is_busy && client->sent < client->request->len) {
        send_more(client);
    }
    while (client->fd >= 0 && client->is_busy) {
        bool in_head = client->head_len == 0;
        size_t room = in_head ? HEAD_BYTES - client->used : sizeof(scratch);
        char *into = in_head ? client->head + client->used : scratch;
        ssize_t got = recv(client->fd, into, room, 0);

        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0 || !take(client, (size_t)got)) {
            end(client, /* is_good */ false);
        } else if (client->head_len > 0 && client->body_left == 0) {
            end(client, memcmp(client->head, "HTTP/1.1 200", 12) == 0);
        }
    }
    if (client->fd >= 0 && !client->is_busy) {
        char byte;

        if (recv(client->fd, &byte, 1, MSG_PEEK) == 0) {
            hang_up(client);
        }
    }
}

/* ---- loops ------------------------------------------------------------ */

static void
arrive(uint64_t at_ns)
{
    for (size_t i = 0; i < all.options.clients; i++) {
        if (!all.clients[i].is_busy) {
            begin(&all.clients[i], at_ns);
            return;
        }
    }
    if (all.waiting_tail - all.waiting_head == WAITING_MOST) {
        all.lost++;
    } else {
        all.waiting[all.waiting_tail++ % WAITING_MOST] = at_ns;
    }
}

/* Sends what is due; returns when the next one is. */
static uint64_t
send_due(uint64_t at_ns)
{
    uint64_t next_ns = NEVER;

    if (all.options.rate > 0) {
        while (all.arrival_ns <= at_ns) {
            double gap_s = -log(1 - chance()) / all.options.rate;

            arrive(at_ns);
            all.arrival_ns += (uint64_t)(gap_s * (double)NS_PER_S);
        }
        return all.arrival_ns;
    }
    for (size_t i = 0; i < all.options.clients; i++) {
        struct client *client = &all.clients[i];

        if (!client->is_busy && client->next_ns <= at_ns) {
            begin(client, at_ns);
        }
        if (!client->is_busy && client->next_ns < next_ns) {
            next_ns = client->next_ns;
        }
    }
    return next_ns;
}

static void
loop(void)
{
    struct epoll_event events[EVENTS];
    uint64_t at_ns;

    while ((at_ns = now_ns()) < all.until_ns) {
        uint64_t next_ns = send_due(at_ns);
        struct timespec rest;
        int count;

        next_ns = next_ns < all.until_ns ? next_ns : all.until_ns;
        at_ns = now_ns();
        next_ns = next_ns > at_ns ? next_ns - at_ns : 0;
        rest.tv_sec = (time_t)(next_ns / NS_PER_S);
        rest.tv_nsec = (long)(next_ns % NS_PER_S);
        count = epoll_pwait2(all.epoll, events, EVENTS, &rest, NULL);
        for (int i = 0; i < count; i++) {
            on_ready(events[i].data.ptr);
        }
    }
}

/* ---- the program ------------------------------------------------------ */

static void
read_request(const char *path)
{
    struct request *request = &all.requests[all.request_count];
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    insist(fd >= 0 && fstat(fd, &about) == 0, path);
    insist(all.request_count < REQUESTS_MOST, "too many requests");
    request->len = (size_t)about.st_size;
    request->bytes = malloc(request->len + 1);
    insist(request->bytes != NULL &&
               read(fd, request->bytes, request->len) == about.st_size,
           path);
    close(fd);
    all.request_count++;
}

static void
read_option(const char *name, double value)
{
    struct options *options = &all.options;
    const struct {
        const char *name;
        double *into;
    } numbers[] = {
        { "seconds=", &options->seconds }, { "warm=", &options->warm },
        { "least=", &options->least_us },  { "most=", &options->most_us },
        { "rate=", &options->rate },
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strncmp(name, numbers[i].name, strlen(numbers[i].name)) == 0) {
            *numbers[i].into = value;
            return;
        }
    }
    if (strncmp(name, "clients=", 8) == 0 && value <= CLIENTS_MOST) {
        options->clients = (size_t)value;
    } else if (strncmp(name, "seed=", 5) == 0 && value >= 1) {
        options->seed = (uint64_t)value * UINT64_C(0x9e3779b97f4a7c15);
    } else {
        fprintf(stderr, "traffic: what is %s?\n", name);
        exit(2);
    }
}

static void
prepare(void)
{
    struct options *options = &all.options;
    uint64_t begun_ns = now_ns();

    /* A pause ends when it should, and not 50 us later. */
    insist(prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) == 0, "prctl");
    all.epoll = epoll_create1(EPOLL_CLOEXEC);
    all.clients = calloc(options->clients, sizeof(all.clients[0]));
    insist(all.epoll >= 0 && all.clients != NULL, "clients");
    all.from_ns = begun_ns + (uint64_t)(options->warm * (double)NS_PER_S);
    all.until_ns =
        all.from_ns + (uint64_t)(options->seconds * (double)NS_PER_S);
    all.arrival_ns = begun_ns;
    for (size_t i = 0; i < options->clients; i++) {
        all.clients[i].fd = -1;
        all.clients[i].next_ns =
            begun_ns + (uint64_t)(chance() * options->most_us * 1000);
        dial(&all.clients[i]);
    }
}

static int
compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static unsigned
percentile(double share)
{
    return all.took_count == 0
               ? 0
               : all.took_us[(size_t)(share * (double)(all.took_count - 1))];
}

static void
report(void)
{
    double sum_us = 0;

    qsort(all.took_us, all.took_count, sizeof(all.took_us[0]), compare);
    for (size_t i = 0; i < all.took_count; i++) {
        sum_us += all.took_us[i];
    }
    printf("{\"requests\": %zu, \"answered\": %zu, \"errors\": %zu, "
           "\"lost\": %zu, \"seconds\": %.3f, \"mean_us\": %.1f, "
           "\"p50_us\": %u, \"p99_us\": %u}\n",
           all.took_count, all.answered, all.errors, all.lost,
           all.options.seconds,
           all.took_count > 0 ? sum_us / (double)all.took_count : 0.0,
           percentile(0.5), percentile(0.99));
}

int
main(int argc, char **argv)
{
    all.options = (struct options){ .clients = 32, .seconds = 2 };
    read_option("seed=", 1);
    all.options.port = argc > 2 ? (uint16_t)atoi(argv[1]) : 0;
    for (int i = 2; i < argc; i++) {
        const char *value = strchr(argv[i], '=');

        if (value != NULL && strchr(argv[i], '/') == NULL) {
            read_option(argv[i], atof(value + 1));
        } else {
            read_request(argv[i]);
        }
    }
    if (all.options.port == 0 || all.request_count == 0) {
        fprintf(stderr, "usage: traffic PORT REQUEST... [NAME=VALUE...]\n");
        return 2;
    }
    prepare();
    loop();
    report();
    return 0;
}
