#include "support/tiny_app.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/thread.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BODY_MAX = 4 * 1024 * 1024, WAIT_STEP_MS = 1, WAIT_STEPS = 10000 };

/* What an exchange carries. */
struct tiny_state {
    struct sco_list link; /* held, or dripping */
    struct tiny *tiny;
    struct sco_exchange *ex;
    char *body;
    size_t body_len;
    int step;       /* of a stream */
    char piece[32]; /* of /drip; "" when there is none */
    bool is_dripping;
};

struct tiny {
    struct sco_loop *loop;
    struct sco_http *http;
    pthread_t thread;
    uint16_t port;
    struct tiny_counts counts;

    /* The loop's. */
    struct sco_list held, dripping;

    /* What the test asks the loop to do; one thing at a time. */
    struct sco_post post;
    void (*task)(struct tiny *tiny);
    const char *piece;
    atomic_uint asked, answered;
    unsigned connections;
};

static char big[TINY_BIG_BYTES];

/* ---- replies ---------------------------------------------------------- */

/* A body that knows whom to tell when it is released. */
struct block {
    struct tiny *tiny;
    char bytes[];
};

static void
release_body(void *arg)
{
    struct block *block = arg;

    atomic_fetch_add(&block->tiny->counts.released, 1);
    free(block);
}

static struct block *
make_block(struct tiny *tiny, size_t length)
{
    struct block *block = malloc(sizeof(*block) + length + 1);

    SCO_CHECK(block != NULL, "memory");
    block->tiny = tiny;
    return block;
}

static void
reply_block(struct sco_exchange *ex, struct block *block, size_t length)
{
    struct sco_field type = { SCO_SLICE("Content-Type"),
                              SCO_SLICE("text/plain") };
    struct sco_http_reply reply = {
        .status = 200,
        .fields = &type,
        .field_count = 1,
        .body = { block->bytes, length },
        .release = release_body,
        .release_arg = block,
        .stream_bytes = -1,
    };

    sco_exchange_reply(ex, &reply);
}

static void
reply_text(struct sco_exchange *ex, unsigned status, const char *text,
           bool closes)
{
    struct sco_http_reply reply = {
        .status = status,
        .body = sco_slice_of(text),
        .stream_bytes = -1,
        .close = closes,
    };

    sco_exchange_reply(ex, &reply);
}

static void
reply_big(struct sco_exchange *ex)
{
    struct sco_http_reply reply = {
        .status = 200,
        .body = { big, sizeof(big) },
        .stream_bytes = -1,
    };

    memset(big, 'b', sizeof(big));
    sco_exchange_reply(ex, &reply);
}

static void
reply_described(struct tiny_state *state)
{
    const struct sco_http_head *head = sco_exchange_head(state->ex);
    size_t room = head->path.len + head->query.len + 200;
    struct block *block = make_block(state->tiny, room);
    int length =
        snprintf(block->bytes, room, "%.*s|%.*s|%.*s|%.*s|%zu|%zu",
                 (int)head->method.len, head->method.data, (int)head->path.len,
                 head->path.data, (int)head->query.len, head->query.data,
                 (int)head->version.len, head->version.data, head->field_count,
                 state->body_len);

    reply_block(state->ex, block, (size_t)length);
}

/* ---- streams ---------------------------------------------------------- */

static ssize_t
put(char *into, size_t max, const char *text)
{
    size_t length = strlen(text);

    if (length > max) {
        length = max;
    }
    for (size_t i = 0; i < length; i++) {
        into[i] = text[i];
    }
    return (ssize_t)length;
}

static ssize_t
read_pieces(void *arg, char *into, size_t max)
{
    static const char *const pieces[] = { "one", "two", "three" };
    struct tiny_state *state = arg;

    return state->step < 3 ? put(into, max, pieces[state->step++])
                           : SCO_STREAM_END;
}

static ssize_t
read_sized(void *arg, char *into, size_t max)
{
    struct tiny_state *state = arg;

    return put(into, max, state->step++ == 0 ? "hello " : "world");
}

static ssize_t
read_broken(void *arg, char *into, size_t max)
{
    struct tiny_state *state = arg;

    return state->step++ == 0 ? put(into, max, "one") : SCO_STREAM_FAILED;
}

static ssize_t
read_drip(void *arg, char *into, size_t max)
{
    struct tiny_state *state = arg;
    ssize_t count;

    if (state->piece[0] == '\0') {
        if (!state->is_dripping) {
            state->is_dripping = true;
            sco_list_push(&state->tiny->dripping, &state->link);
            atomic_fetch_add(&state->tiny->counts.pieces, 1);
        }
        return 0;
    }
    if (strcmp(state->piece, "end") == 0) {
        return SCO_STREAM_END;
    }
    if (strcmp(state->piece, "fail") == 0) {
        return SCO_STREAM_FAILED;
    }
    count = put(into, max, state->piece);
    state->piece[0] = '\0';
    return count;
}

/* The state may be gone by then, so the counter is what it is given. */
static void
release_stream(void *arg)
{
    (void)arg;
}

static void
reply_stream(struct tiny_state *state,
             ssize_t (*read)(void *arg, char *into, size_t max),
             int64_t length)
{
    struct sco_http_stream stream = {
        .read = read,
        .release = release_stream,
        .arg = state,
    };
    struct sco_http_reply reply = {
        .status = 200,
        .stream = &stream,
        .stream_bytes = length,
    };

    sco_exchange_reply(state->ex, &reply);
}

/* ---- the app ---------------------------------------------------------- */

static bool
asks(const struct sco_http_head *head, const char *path)
{
    return sco_slice_equal(head->path, sco_slice_of(path));
}

static struct tiny_state *
state_of(struct tiny *tiny, struct sco_exchange *ex)
{
    struct tiny_state *state = sco_exchange_state(ex);

    state->tiny = tiny;
    state->ex = ex;
    return state;
}

static void
on_head(void *arg, struct sco_exchange *ex, const struct sco_http_head *head)
{
    struct tiny *tiny = arg;

    (void)state_of(tiny, ex);
    atomic_fetch_add(&tiny->counts.heads, 1);
    if (asks(head, "/early")) {
        reply_text(ex, 200, "early", /* closes */ false);
    }
}

static enum sco_status
on_body(void *arg, struct sco_exchange *ex, struct sco_slice bytes)
{
    struct tiny_state *state = state_of(arg, ex);
    const struct sco_http_head *head = sco_exchange_head(ex);

    if (asks(head, "/dropped")) {
        return SCO_TOO_LARGE;
    }
    if (asks(head, "/echo") && state->body_len + bytes.len <= BODY_MAX) {
        state->body = realloc(state->body, state->body_len + bytes.len);
        memcpy(state->body + state->body_len, bytes.data, bytes.len);
    }
    state->body_len += bytes.len;
    return SCO_OK;
}

static void
answer(struct tiny_state *state)
{
    const struct sco_http_head *head = sco_exchange_head(state->ex);

    if (asks(head, "/big")) {
        reply_big(state->ex);
    } else if (asks(head, "/none")) {
        reply_text(state->ex, 204, "", /* closes */ false);
    } else if (asks(head, "/pieces")) {
        reply_stream(state, read_pieces, -1);
    } else if (asks(head, "/sized")) {
        reply_stream(state, read_sized, 11);
    } else if (asks(head, "/broken")) {
        reply_stream(state, read_broken, -1);
    } else if (asks(head, "/drip")) {
        reply_stream(state, read_drip, -1);
    } else if (asks(head, "/echo")) {
        struct block *block = make_block(state->tiny, state->body_len);

        if (state->body_len > 0) {
            memcpy(block->bytes, state->body, state->body_len);
        }
        reply_block(state->ex, block, state->body_len);
    } else {
        reply_described(state);
    }
}

static void
on_request(void *arg, struct sco_exchange *ex)
{
    struct tiny *tiny = arg;
    struct tiny_state *state = state_of(tiny, ex);

    atomic_fetch_add(&tiny->counts.requests, 1);
    if (asks(sco_exchange_head(ex), "/later") ||
        asks(sco_exchange_head(ex), "/wait")) {
        sco_list_push(&tiny->held, &state->link);
        atomic_fetch_add(&tiny->counts.held, 1);
        return;
    }
    answer(state);
}

static void
on_refused(void *arg, struct sco_exchange *ex,
           const struct sco_http_head *head, unsigned status,
           const char *message)
{
    struct tiny *tiny = arg;

    (void)head;
    (void)state_of(tiny, ex);
    atomic_fetch_add(&tiny->counts.refusals, 1);
    reply_text(ex, status, message, /* closes */ true);
}

/* Takes an exchange out of the list that it waits in. */
static void
let_go(struct tiny_state *state)
{
    if (state->link.next == NULL || sco_list_empty(&state->link)) {
        return;
    }
    sco_list_remove(&state->link);
    atomic_fetch_sub(state->is_dripping ? &state->tiny->counts.pieces
                                        : &state->tiny->counts.held,
                     1);
}

static void
on_gone(void *arg, struct sco_exchange *ex, enum sco_gone how)
{
    struct tiny *tiny = arg;
    struct tiny_state *state = state_of(tiny, ex);

    atomic_fetch_add(how == SCO_GONE_ALL ? &tiny->counts.gone_all
                                         : &tiny->counts.gone_sending,
                     1);
    if (asks(sco_exchange_head(ex), "/wait") && how == SCO_GONE_SENDING) {
        let_go(state);
        reply_text(ex, 499, "left", /* closes */ true);
    }
}

static void
on_done(void *arg, struct sco_exchange *ex, const struct sco_http_done *done)
{
    struct tiny *tiny = arg;
    struct tiny_state *state = state_of(tiny, ex);

    let_go(state);
    free(state->body);
    if (done->complete) {
        atomic_fetch_add(&tiny->counts.completes, 1);
    }
    atomic_fetch_add(&tiny->counts.dones, 1);
}

/* ---- tasks for the loop ----------------------------------------------- */

static void
run_task(void *arg)
{
    struct tiny *tiny = arg;

    tiny->task(tiny);
    atomic_fetch_add(&tiny->answered, 1);
}

/* Sleeps for as short as a test may. */
static void
pause_briefly(void)
{
    const struct timespec step = { .tv_nsec = (long)WAIT_STEP_MS * 1000000L };

    (void)nanosleep(&step, NULL);
}

/* Has the loop do something, and waits until it has. */
static void
ask_loop(struct tiny *tiny, void (*task)(struct tiny *tiny))
{
    unsigned number = atomic_fetch_add(&tiny->asked, 1) + 1;

    tiny->task = task;
    tiny->post = (struct sco_post){ .run = run_task, .arg = tiny };
    sco_loop_post(tiny->loop, &tiny->post);
    while (atomic_load(&tiny->answered) != number) {
        pause_briefly();
    }
}

static void
open_gate(struct tiny *tiny)
{
    struct sco_list *at;

    while ((at = sco_list_first(&tiny->held)) != NULL) {
        struct tiny_state *state = SCO_LIST_ENTRY(at, struct tiny_state, link);

        let_go(state);
        reply_described(state);
    }
}

static void
give_pieces(struct tiny *tiny)
{
    struct sco_list *at;

    while ((at = sco_list_first(&tiny->dripping)) != NULL) {
        struct tiny_state *state = SCO_LIST_ENTRY(at, struct tiny_state, link);

        let_go(state);
        state->is_dripping = false;
        (void)snprintf(state->piece, sizeof(state->piece), "%s", tiny->piece);
        sco_exchange_more(state->ex);
    }
}

static void
drain(struct tiny *tiny)
{
    sco_http_drain(tiny->http, 0);
}

static void
count_connections(struct tiny *tiny)
{
    tiny->connections = (unsigned)sco_http_connections(tiny->http);
}

void
tiny_open(struct tiny *tiny)
{
    ask_loop(tiny, open_gate);
}

void
tiny_more(struct tiny *tiny, const char *piece)
{
    tiny->piece = piece;
    ask_loop(tiny, give_pieces);
}

void
tiny_drain(struct tiny *tiny)
{
    ask_loop(tiny, drain);
}

bool
tiny_wait(const atomic_uint *count, unsigned number)
{
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (atomic_load(count) >= number) {
            return true;
        }
        pause_briefly();
    }
    return false;
}

bool
tiny_wait_connections(struct tiny *tiny, unsigned number)
{
    for (int i = 0; i < WAIT_STEPS; i++) {
        ask_loop(tiny, count_connections);
        if (tiny->connections == number) {
            return true;
        }
        pause_briefly();
    }
    return false;
}

/* ---- making and ending ------------------------------------------------ */

struct sco_http_limits
tiny_limits(void)
{
    return (struct sco_http_limits){
        .max_connections = 1024,
        .max_body_bytes = BODY_MAX,
        .head_timeout_ms = 30000,
        .body_timeout_ms = 60000,
        .body_min_bytes_per_s = 0,
        .keepalive_timeout_ms = 75000,
    };
}

/* Opens a listening socket; its port where it has one. */
static int
listen_at(const struct sockaddr *address, socklen_t length, uint16_t *port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } bound;
    socklen_t bound_len = sizeof(bound);
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, address, length) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, &bound.any, &bound_len) != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    /* Both families have it at the same place. */
    *port = bound.any.sa_family == AF_UNIX ? 0 : ntohs(bound.v4.sin_port);
    return fd;
}

/* The socket that the next task gives to the front end. */
static int listening_fd;

static void
take_listener(struct tiny *tiny)
{
    struct sco_error err;

    SCO_CHECK(sco_http_listen(tiny->http, listening_fd, &err) == SCO_OK,
              "sco_http_listen");
}

static void
loop_body(void *arg)
{
    struct tiny *tiny = arg;

    sco_loop_run(tiny->loop);
    sco_http_destroy(tiny->http);
}

struct tiny *
tiny_start(const struct sco_http_limits *limits)
{
    struct tiny *tiny = sco_alloc(1, sizeof(*tiny));
    const struct sco_http_app app = {
        .arg = tiny,
        .state_bytes = sizeof(struct tiny_state),
        .on_head = on_head,
        .on_body = on_body,
        .on_request = on_request,
        .on_refused = on_refused,
        .on_gone = on_gone,
        .on_done = on_done,
    };
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct sco_error err;

    sco_list_init(&tiny->held);
    sco_list_init(&tiny->dripping);
    listening_fd = listen_at((const struct sockaddr *)&address,
                             sizeof(address), &tiny->port);
    SCO_CHECK(sco_loop_create(&tiny->loop, &err) == SCO_OK, "loop");
    SCO_CHECK(sco_http_create(tiny->loop, &app, limits, &tiny->http, &err) ==
                  SCO_OK,
              "sco_http_create");
    take_listener(tiny);
    SCO_CHECK(sco_thread_start("loop", SCO_ROLE_LOOP, loop_body, tiny,
                               &tiny->thread, &err) == SCO_OK,
              "thread");
    return tiny;
}

uint16_t
tiny_port(const struct tiny *tiny)
{
    return tiny->port;
}

uint16_t
tiny_listen_v6(struct tiny *tiny)
{
    const struct sockaddr_in6 address = {
        .sin6_family = AF_INET6,
        .sin6_addr = IN6ADDR_LOOPBACK_INIT,
    };
    uint16_t port = 0;

    listening_fd =
        listen_at((const struct sockaddr *)&address, sizeof(address), &port);
    if (listening_fd < 0) {
        return 0;
    }
    ask_loop(tiny, take_listener);
    return port;
}

void
tiny_listen_unix(struct tiny *tiny, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    uint16_t port;

    (void)unlink(path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    listening_fd =
        listen_at((const struct sockaddr *)&address, sizeof(address), &port);
    SCO_CHECK(listening_fd >= 0, "a Unix socket");
    ask_loop(tiny, take_listener);
}

struct tiny_counts *
tiny_counts(struct tiny *tiny)
{
    return &tiny->counts;
}

void
tiny_stop(struct tiny *tiny)
{
    sco_loop_stop(tiny->loop);
    (void)pthread_join(tiny->thread, NULL);
    sco_loop_destroy(tiny->loop);
    free(tiny);
}
