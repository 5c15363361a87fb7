/* test_many.c - many requests at once, and many one after the other */
#include "support/http_client.h"
#include "support/test.h"
#include "support/tiny_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ASK   "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
#define LATER "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
#define DRIP  "GET /drip HTTP/1.1\r\nHost: a\r\n\r\n"

enum {
    MOST = 600,
    REQUESTS = 10000,
    ROUNDS = 40,
};

/* What the heap may take for itself. A sanitizer keeps what is freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { GROWTH_MAX_KIB = 1024 * 1024 };
#else
enum { GROWTH_MAX_KIB = 1024 };
#endif

static struct tiny *tiny;

static int
start(void **state)
{
    struct sco_http_limits limits = tiny_limits();

    (void)state;
    tiny = tiny_start(&limits);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    tiny_stop(tiny);
    return 0;
}

/* Opens `count` connections. */
static void
connect_all(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fds[i] = http_connect(tiny_port(tiny));
    }
}

static void
close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

/* Exactly so many requests are ready at once: the library's own loop would
 * stop at 128 and at multiples of it. The gate stands open for nobody while
 * they are sent, so all wait together, and all are answered together. */
static void
test_ready_at_once(void **state)
{
    static const unsigned numbers[] = { 127, 128, 129, 256, 512 };
    int fds[MOST];

    (void)state;
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        connect_all(fds, numbers[n]);
        for (int round = 0; round < 3; round++) {
            for (unsigned i = 0; i < numbers[n]; i++) {
                assert_true(http_say(fds[i], LATER));
            }
            assert_true(tiny_wait(&tiny_counts(tiny)->held, numbers[n]));
            tiny_open(tiny);
            for (unsigned i = 0; i < numbers[n]; i++) {
                assert_int_equal(http_status(fds[i]), 200);
            }
        }
        close_all(fds, numbers[n]);
    }
}

/* Some wait for long and are suspended while others come, are answered, wait
 * and leave: 1.0.1 is said to forget connections that are ready while others
 * are being suspended. */
static void
test_beside_suspended(void **state)
{
    const struct timespec asleep = { .tv_nsec = 30 * 1000000L };
    struct tiny_counts *counts = tiny_counts(tiny);
    int sleepers[64], drips[16], busy[32];

    (void)state;
    connect_all(drips, 16);
    for (unsigned i = 0; i < 16; i++) {
        assert_true(http_say(drips[i], DRIP));
    }
    for (int round = 0; round < ROUNDS; round++) {
        connect_all(sleepers, 64);
        connect_all(busy, 32);
        for (unsigned i = 0; i < 64; i++) {
            assert_true(http_say(sleepers[i], LATER));
            assert_true(http_say(busy[i % 32], ASK));
        }
        assert_true(tiny_wait(&counts->held, 64));
        if (round % 4 == 0) {
            (void)nanosleep(&asleep, NULL);
        }
        assert_true(tiny_wait(&counts->pieces, 16));
        tiny_more(tiny, "tick");
        for (unsigned i = 0; i < 64; i++) {
            assert_int_equal(http_status(busy[i % 32]), 200);
        }
        close_all(sleepers, 16); /* a quarter does not wait for it */
        tiny_open(tiny);
        for (unsigned i = 16; i < 64; i++) {
            assert_int_equal(http_status(sleepers[i]), 200);
        }
        close_all(sleepers + 16, 48);
        close_all(busy, 32);
    }
    assert_true(tiny_wait(&counts->pieces, 16));
    tiny_more(tiny, "end");
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(http_status(drips[i]), 200);
    }
    close_all(drips, 16);
    assert_true(tiny_wait_connections(tiny, 0));
    assert_int_equal(atomic_load(&counts->dones), atomic_load(&counts->heads));
}

/* ---- one after the other ---------------------------------------------- */

/* Resident memory of this process in KiB. */
static long
resident_kib(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    const char *second;

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    second = strchr(text, ' '); /* behind the size of the whole */
    assert_non_null(second);
    return strtol(second, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The lowest descriptor that is free. */
static int
next_descriptor(void)
{
    int fd = dup(0);

    (void)close(fd);
    return fd;
}

/* One request after the other on one connection, with larger ones between
 * them. */
static void
ask_often(int fd, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(http_say(fd, ASK));
        assert_int_equal(http_status(fd), 200);
        if (i % 100 == 0) {
            assert_true(http_say(fd, "GET /big?a=b HTTP/1.1\r\nHost: a\r\n"
                                     "A: b\r\nC: d\r\n\r\n"));
            assert_int_equal(http_status(fd), 200);
        }
    }
}

static void
test_keeps_flat(void **state)
{
    int fd = http_connect(tiny_port(tiny));
    int descriptor;
    long before;

    (void)state;
    ask_often(fd, REQUESTS / 10);
    before = resident_kib();
    descriptor = next_descriptor();
    ask_often(fd, REQUESTS);
    assert_true(labs((long)(resident_kib() - before)) <= GROWTH_MAX_KIB);
    assert_int_equal(next_descriptor(), descriptor);
    (void)close(fd);
}

/* The same with a connection for each. */
static void
test_connections_leave_nothing(void **state)
{
    long before = 0;

    (void)state;
    for (unsigned i = 0; i < REQUESTS / 5; i++) {
        assert_int_equal(http_ask(tiny_port(tiny), ASK, NULL, 0), 200);
        if (i == REQUESTS / 50) {
            before = resident_kib();
        }
    }
    assert_true(tiny_wait_connections(tiny, 0));
    assert_true(labs((long)(resident_kib() - before)) <= GROWTH_MAX_KIB);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ready_at_once, start, stop),
        cmocka_unit_test_setup_teardown(test_beside_suspended, start, stop),
        cmocka_unit_test_setup_teardown(test_keeps_flat, start, stop),
        cmocka_unit_test_setup_teardown(test_connections_leave_nothing, start,
                                        stop),
    };

    return cmocka_run_group_tests_name("http many", tests, NULL, NULL);
}
