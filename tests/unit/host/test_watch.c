/* test_watch.c - which changes are seen, and how often they are told */
#define _GNU_SOURCE
#include "base/clock.h"
#include "host/watch.h"
#include "support/test.h"
#include "support/turner.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct turner turner;
static struct sco_file_watch *watch;
static char root[64];
static unsigned changes;
static char changed[256];

static void
on_change(void *arg, const char *path)
{
    (void)arg;
    changes++;
    (void)snprintf(changed, sizeof(changed), "%s", path);
}

/* The full name of something in the root; holds until the fourth call. */
static const char *
in_root(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static void
make_folder(const char *name)
{
    assert_int_equal(mkdir(in_root(name), 0700), 0);
}

static void
write_file(const char *name)
{
    int fd = open(in_root(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void
move(const char *from, const char *to)
{
    assert_int_equal(rename(in_root(from), in_root(to)), 0);
}

static int
make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/watch-XXXXXX");
    assert_non_null(mkdtemp(root));
    make_folder("package");
    make_folder("package/deeper");
    make_folder(".git");
    make_folder("env");
    write_file("env/pyvenv.cfg");
    make_folder("env/lib");
    turner_init(&turner);
    changes = 0;
    changed[0] = '\0';
    return 0;
}

static void
start(void)
{
    char *const folders[] = { root, root };

    assert_int_equal(sco_file_watch_create(turner.loop, folders, 2, on_change,
                                           NULL, &watch, NULL),
                     SCO_OK);
}

static int
remove_one(const char *path, const struct stat *facts, int type,
           struct FTW *place)
{
    (void)facts;
    (void)type;
    (void)place;
    return remove(path);
}

static int
drop_root(void **state)
{
    (void)state;
    sco_file_watch_destroy(watch);
    sco_file_watch_destroy(NULL);
    watch = NULL;
    turner_finish(&turner);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool
is_told(void *arg)
{
    return changes >= *(const unsigned *)arg;
}

/* Waits until so many bursts have been told, the last for this file. */
static void
expect(unsigned count, const char *name)
{
    assert_true(turner_until(&turner, is_told, &count));
    assert_int_equal(changes, count);
    assert_string_equal(changed, in_root(name));
}

static void
test_names(void **state)
{
    static const char *const counted[] = { "score.py", "a.json", "a.yaml",
                                           "a.yml", "..data" };
    static const char *const others[] = { ".score.py.swp", ".#score.py",
                                          "score.pyc",     "score.py~",
                                          "model.bin",     "py",
                                          ".py",           "4913" };
    static const char *const skipped[] = { ".git", "__pycache__", ".venv",
                                           "node_modules", "site-packages" };

    (void)state;
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        assert_true(sco_file_watch_counts(counted[i]));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(sco_file_watch_counts(others[i]));
    }
    for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        assert_true(sco_file_watch_skips(skipped[i]));
    }
    assert_false(sco_file_watch_skips("package"));
}

static void
test_each_way_to_change_a_file_is_seen(void **state)
{
    (void)state;
    write_file("score.py");
    start();
    write_file("score.py");
    expect(1, "score.py");
    write_file("package/deeper/new.py");
    expect(2, "package/deeper/new.py");
    write_file(".score.py.new"); /* as an editor does */
    move(".score.py.new", "score.py");
    expect(3, "score.py");
    assert_int_equal(unlink(in_root("score.py")), 0);
    expect(4, "score.py");
}

static void
test_a_burst_is_told_once(void **state)
{
    char name[32];

    (void)state;
    start();
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "package/m%d.py", i);
        write_file(name);
    }
    expect(1, "package/m0.py");
}

/* What is not to be told comes before something that is. */
static void
test_what_is_not_the_scripts_is_not_told(void **state)
{
    (void)state;
    start();
    write_file("model.bin");
    write_file(".git/a.py");
    write_file("env/a.py");
    write_file("env/lib/a.py");
    write_file(".a.py.swp");
    make_folder("__pycache__");
    write_file("__pycache__/a.py");
    write_file("last.py");
    expect(1, "last.py");
}

static void
test_new_folders_are_watched_too(void **state)
{
    (void)state;
    start();
    make_folder("fresh");
    make_folder("fresh/inner");
    expect(1, "fresh");
    write_file("fresh/inner/a.py");
    expect(2, "fresh/inner/a.py");
    move("fresh", "moved");
    expect(3, "fresh");
    write_file("moved/inner/a.py");
    expect(4, "moved/inner/a.py");
}

static void
test_a_folder_that_is_gone_is_forgotten(void **state)
{
    (void)state;
    start();
    assert_int_equal(rmdir(in_root("package/deeper")), 0);
    write_file("package/a.py");
    expect(1, "package/a.py");
    make_folder("package/deeper");
    write_file("package/deeper/a.py");
    expect(2, "package/deeper");
}

/* Nothing deeper than the limit is watched, and that is told in the log. */
static void
test_there_is_an_end_to_depth(void **state)
{
    char name[128] = "d";

    (void)state;
    for (int i = 0; i < 20; i++) {
        make_folder(name);
        (void)strcat(name, "/d");
    }
    start();
    make_folder(name);
    write_file("a.py");
    expect(1, "a.py");
}

static void
test_a_folder_that_is_not_there_is_no_failure(void **state)
{
    char *const folders[] = { (char[]){ "/nonexistent" }, root };

    (void)state;
    assert_int_equal(sco_file_watch_create(turner.loop, folders, 2, on_change,
                                           NULL, &watch, NULL),
                     SCO_OK);
    write_file("a.py");
    expect(1, "a.py");
}

#define WITH_ROOT(test) \
    cmocka_unit_test_setup_teardown(test, make_root, drop_root)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        WITH_ROOT(test_each_way_to_change_a_file_is_seen),
        WITH_ROOT(test_a_burst_is_told_once),
        WITH_ROOT(test_what_is_not_the_scripts_is_not_told),
        WITH_ROOT(test_new_folders_are_watched_too),
        WITH_ROOT(test_a_folder_that_is_gone_is_forgotten),
        WITH_ROOT(test_there_is_an_end_to_depth),
        WITH_ROOT(test_a_folder_that_is_not_there_is_no_failure),
    };

    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
