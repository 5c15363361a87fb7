/* test_listeners.c - where clients can connect, and where not
 *
 * The file under test is included, so that the second between two tries is
 * counted and not waited for.
 */
#define _GNU_SOURCE
#include <time.h>

static unsigned naps;

static int
count_nap(const struct timespec *how_long, struct timespec *left)
{
    (void)left;
    naps += (unsigned)how_long->tv_sec;
    return 0;
}

#define nanosleep count_nap
#include "host/listeners.c"
#undef nanosleep

#include "support/http_client.h"
#include "support/test.h"

#include <fcntl.h>

static char folder[] = "/tmp/sco-listen-XXXXXX";
static char path[64];  /* of a socket in there */
static char where[80]; /* the same, as the configuration has it */

static int
make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    (void)snprintf(where, sizeof(where), "unix:%s", path);
    return 0;
}

static int
drop_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* The port that a listening socket was given: it stands in the same place for
 * v4 and v6. */
static uint16_t
port_of(int fd)
{
    struct sockaddr_in6 address = { .sin6_port = 0 };
    socklen_t length = sizeof(address);

    assert_int_equal(
        getsockname(fd, (struct sockaddr *)(void *)&address, &length), 0);
    return ntohs(address.sin6_port);
}

static int
listen_at(const char *name)
{
    int fd = -1;

    assert_int_equal(sco_listen_open(name, &fd, NULL), SCO_OK);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    return fd;
}

static void
test_v4(void **state)
{
    int fd = listen_at("127.0.0.1:0");
    int client = http_connect(port_of(fd));

    (void)state;
    assert_true(client >= 0);
    (void)close(client);
    (void)close(fd);
}

static void
test_v6(void **state)
{
    int fd = -1;
    int client;

    (void)state;
    if (sco_listen_open("[::1]:0", &fd, NULL) != SCO_OK) {
        print_message("there is no IPv6 here\n");
        skip();
    }
    client = http_connect_v6(port_of(fd));
    assert_true(client >= 0);
    (void)close(client);
    (void)close(fd);
}

static void
test_one_port_for_v4_and_one_for_v6(void **state)
{
    int fd = listen_at("0.0.0.0:0");
    char name[32];
    int other = -1;

    (void)state;
    (void)snprintf(name, sizeof(name), "[::]:%u", (unsigned)port_of(fd));
    if (sco_listen_open(name, &other, NULL) == SCO_OK) {
        (void)close(other);
    } else {
        print_message("there is no IPv6 here\n");
    }
    (void)close(fd);
}

static void
test_a_name_is_looked_up(void **state)
{
    int fd = listen_at("localhost:0");

    (void)state;
    assert_true(port_of(fd) > 0);
    (void)close(fd);
}

static void
test_a_unix_socket(void **state)
{
    int fd = listen_at(where);
    int client = http_connect_unix(path);

    (void)state;
    assert_true(client >= 0);
    (void)close(client);
    (void)close(fd);
    assert_int_equal(access(path, F_OK), 0);
    sco_listen_clean(where);
    assert_int_not_equal(access(path, F_OK), 0);
    sco_listen_clean("127.0.0.1:5001"); /* is no file */
}

static void
test_a_socket_file_that_nobody_listens_at_is_replaced(void **state)
{
    int fd = listen_at(where);

    (void)state;
    (void)close(fd); /* as after a SIGKILL: the file stays */
    fd = listen_at(where);
    (void)close(http_connect_unix(path));
    (void)close(fd);
    sco_listen_clean(where);
}

static void
test_what_is_in_use_is_tried_five_times(void **state)
{
    int fd = listen_at("127.0.0.1:0");
    struct sco_error err = { .text = "" };
    char name[32], wanted[64];
    int other = -5;

    (void)state;
    (void)snprintf(name, sizeof(name), "127.0.0.1:%u", (unsigned)port_of(fd));
    (void)snprintf(wanted, sizeof(wanted),
                   "Can't connect to ('127.0.0.1', %u)",
                   (unsigned)port_of(fd));
    naps = 0;
    assert_int_equal(sco_listen_open(name, &other, &err), SCO_BUSY);
    assert_int_equal(naps, 5);
    assert_string_equal(err.text, wanted);
    assert_int_equal(other, -5);
    (void)close(fd);
}

static void
test_a_socket_that_answers_is_in_use(void **state)
{
    int fd = listen_at(where);
    struct sco_error err;
    int other = -5;

    (void)state;
    assert_int_equal(sco_listen_open(where, &other, &err), SCO_BUSY);
    assert_int_equal(other, -5);
    (void)close(http_connect_unix(path)); /* it is there still */
    (void)close(fd);
    sco_listen_clean(where);
}

static void
test_a_file_that_is_no_socket_is_left_alone(void **state)
{
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct sco_error err;
    int other = -5;

    (void)state;
    assert_true(file >= 0);
    (void)close(file);
    assert_int_equal(sco_listen_open(where, &other, &err), SCO_BUSY);
    assert_int_equal(access(path, F_OK), 0);
    (void)unlink(path);
}

/* clang-format off */
static const struct {
    const char     *where;
    enum sco_status status;
} wrong[] = {
    { "",                         SCO_INVALID },
    { "5001",                     SCO_INVALID },
    { "127.0.0.1:",               SCO_INVALID },
    { "127.0.0.1:http",           SCO_INVALID },
    { "[::1",                     SCO_INVALID },
    { "192.0.2.1:0",              SCO_INTERNAL }, /* is not ours */
    { "unix:/no/such/folder/x",   SCO_INTERNAL },
};
/* clang-format on */

static void
test_where_nobody_can_listen(void **state)
{
    char long_path[256] = "unix:/tmp/";
    int fd = -5;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sco_error err = { .text = "" };

        print_message("'%s'\n", wrong[i].where);
        assert_int_equal(sco_listen_open(wrong[i].where, &fd, &err),
                         wrong[i].status);
        assert_true(err.text[0] != '\0');
        assert_int_equal(fd, -5);
    }
    memset(long_path + 10, 'x', sizeof(long_path) - 11);
    assert_int_equal(sco_listen_open(long_path, &fd, NULL), SCO_INVALID);
}

static void
test_how_clients_reach_it(void **state)
{
    struct sco_text names = { 0 };

    (void)state;
    sco_listen_name("0.0.0.0:5001", &names);
    sco_text_add_char(&names, ' ');
    sco_listen_name("[::]:5001", &names);
    sco_text_add_char(&names, ' ');
    sco_listen_name("unix:/run/a.sock", &names);
    assert_string_equal(names.data, "http://0.0.0.0:5001 http://[::]:5001 "
                                    "unix:/run/a.sock");
    sco_text_finish(&names);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v4),
        cmocka_unit_test(test_v6),
        cmocka_unit_test(test_one_port_for_v4_and_one_for_v6),
        cmocka_unit_test(test_a_name_is_looked_up),
        cmocka_unit_test(test_a_unix_socket),
        cmocka_unit_test(
            test_a_socket_file_that_nobody_listens_at_is_replaced),
        cmocka_unit_test(test_what_is_in_use_is_tried_five_times),
        cmocka_unit_test(test_a_socket_that_answers_is_in_use),
        cmocka_unit_test(test_a_file_that_is_no_socket_is_left_alone),
        cmocka_unit_test(test_where_nobody_can_listen),
        cmocka_unit_test(test_how_clients_reach_it),
    };

    return cmocka_run_group_tests_name("listeners", tests, make_folder,
                                       drop_folder);
}
