/* test_zmq_keys.c - where remote workers may come to, and with which keys */
#define _GNU_SOURCE
#include "link/zmq_keys.h"
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define KEY             "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

/* clang-format off */
static const struct {
    const char *endpoint;
    bool        bare, with_keys; /* whether it may be used so */
} places[] = {
    { "ipc:///run/line",              true,  true },
    { "tcp://127.0.0.1:5555",         true,  true },
    { "tcp://127.9.9.9:5555",         true,  true },
    { "tcp://[::1]:5555",             true,  true },
    { "tcp://0.0.0.0:5555",           false, true },
    { "tcp://*:5555",                 false, true },
    { "tcp://[::]:5555",              false, true },
    { "tcp://10.0.0.7:5555",          false, true },
    { "tcp://[::ffff:10.0.0.7]:5555", false, true },
    { "tcp://gpu.example:5555",       false, true },
    { "tcp://127.0.0.1.example:5555", false, true },
    { "tcp://eth0;127.0.0.1:5555",    false, true },
    { "tcp://127.0.0.1",              false, false },
    { "tcp://127.0.0.1:",             false, false },
    { "tcp://:5555",                  false, false },
    { "ipc://",                       false, false },
    { "inproc://a",                   false, false },
    { "pgm://a:1",                    false, false },
    { "",                             false, false },
};
/* clang-format on */

static void
test_a_network_wants_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct sco_error err = { .text = "" };

        print_message("%s\n", places[i].endpoint);
        assert_int_equal(sco_zmq_check(places[i].endpoint, false, &err),
                         places[i].bare ? SCO_OK : SCO_INVALID);
        assert_int_equal(sco_zmq_check(places[i].endpoint, true, &err),
                         places[i].with_keys ? SCO_OK : SCO_INVALID);
    }
}

/* ---- files ------------------------------------------------------------ */

static char folder[] = "/tmp/test_zmq_keys.XXXXXX";

static void
put(const char *name, const char *text)
{
    char path[256];
    FILE *file;
    bool is_written;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    is_written = fputs(text, file) >= 0;
    is_written = fclose(file) == 0 && is_written;
    assert_true(is_written);
}

static void
drop(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)unlink(path);
}

static int
make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int
drop_folder(void **state)
{
    (void)state;
    drop("server.key");
    drop("server.pub");
    drop("alpha.pub");
    drop("alpha.key");
    return rmdir(folder);
}

static void
test_a_key_is_one_line_of_its_length(void **state)
{
    static const char *const bad[] = { "", "short\n", KEY "x", KEY "\n" KEY,
                                       KEY " x" };
    struct sco_error err = { .text = "" };
    struct sco_zmq_key key;
    char path[256];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/alpha.key", folder);
    assert_int_equal(sco_zmq_read_key(path, &key, &err), SCO_INVALID);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        put("alpha.key", bad[i]);
        assert_int_equal(sco_zmq_read_key(path, &key, &err), SCO_INVALID);
        assert_non_null(strstr(err.text, "holds no key"));
    }
    put("alpha.key", KEY "\r\n");
    assert_int_equal(sco_zmq_read_key(path, &key, &err), SCO_OK);
    assert_string_equal(key.text, KEY);
}

static void
test_a_ring_knows_who_has_a_file(void **state)
{
    const struct sco_zmq_key stranger = { .text = "unknown" };
    struct sco_zmq_key secret, key = { .text = KEY };
    struct sco_error err = { .text = "" };
    struct sco_keyring *ring;

    (void)state;
    assert_int_equal(sco_keyring_open(folder, &ring, &secret, &err),
                     SCO_INVALID);
    assert_non_null(strstr(err.text, "server.key"));
    put("server.key", KEY);
    put("server.pub", KEY);
    assert_int_equal(sco_keyring_open(folder, &ring, &secret, &err), SCO_OK);
    assert_string_equal(secret.text, KEY);
    assert_null(sco_keyring_find(ring, &key)); /* not the host's own */
    put("alpha.pub", KEY "\n");
    assert_string_equal(sco_keyring_find(ring, &key), "alpha");
    assert_null(sco_keyring_find(ring, &stranger));
    drop("alpha.pub");
    assert_null(sco_keyring_find(ring, &key));
    sco_keyring_close(ring);
    sco_keyring_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_network_wants_keys),
        cmocka_unit_test(test_a_key_is_one_line_of_its_length),
        cmocka_unit_test(test_a_ring_knows_who_has_a_file),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
