#define _GNU_SOURCE
#include "host/watch.h"

#include "base/clock.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* A burst of changes is over when none came for so long. */
#define QUIET_NS (200 * SCO_NS_PER_MS)

/* Nobody's script is larger; who starts in / or at home by mistake has the
 * host neither search the disk nor use up the user's watches. */
enum { FOLDERS_MAX = 2048, DEPTH_MAX = 16 };

#define EVENTS                                                              \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | \
     IN_ONLYDIR | IN_EXCL_UNLINK)

struct folder {
    int id; /* the kernel's */
    unsigned depth;
    char *path;
};

struct sco_file_watch {
    struct sco_loop *loop;
    struct sco_watch events;
    struct sco_timer quiet;
    struct folder *folders;
    size_t count;
    char *changed; /* the first of the burst; NULL: all is quiet */
    bool told_limit;
    void (*on_change)(void *arg, const char *path);
    void *arg;
};

/* ---- which names ---------------------------------------------------- */

static bool
ends_with(const char *name, const char *end)
{
    size_t length = strlen(name);
    size_t end_length = strlen(end);

    return length > end_length && strcmp(name + length - end_length, end) == 0;
}

bool
sco_file_watch_counts(const char *name)
{
    static const char *const ends[] = { ".py", ".json", ".yaml", ".yml" };

    if (strcmp(name, "..data") == 0) {
        return true; /* Kubernetes renames it to swap a whole volume */
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (name[0] != '.' && ends_with(name, ends[i])) {
            return true;
        }
    }
    return false;
}

bool
sco_file_watch_skips(const char *name)
{
    return name[0] == '.' || strcmp(name, "__pycache__") == 0 ||
           strcmp(name, "node_modules") == 0 ||
           strcmp(name, "site-packages") == 0;
}

/* ---- folders -------------------------------------------------------- */

static char *
join(const char *folder, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static struct folder *
find_folder(const struct sco_file_watch *watch, int id)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->folders[i].id == id) {
            return &watch->folders[i];
        }
    }
    return NULL;
}

static void
forget(struct sco_file_watch *watch, struct folder *folder)
{
    free(folder->path);
    *folder = watch->folders[--watch->count];
}

static void
tell_limit(struct sco_file_watch *watch, const char *path, const char *why)
{
    if (!watch->told_limit) {
        watch->told_limit = true;
        sco_log(SCO_EVENT_WATCH_LIMIT,
                "%s and perhaps more is not watched for changes: %s", path,
                why);
    }
}

static bool
is_environment(const char *path)
{
    char *mark = join(path, "pyvenv.cfg");
    bool is_there = mark != NULL && access(mark, F_OK) == 0;

    free(mark);
    return is_there;
}

/* Adds a folder alone. False when it is left out, or known already. */
static bool
add_folder(struct sco_file_watch *watch, const char *path, unsigned depth)
{
    struct folder folder = { .depth = depth };

    if (is_environment(path)) {
        return false;
    }
    if (depth > DEPTH_MAX || watch->count == FOLDERS_MAX) {
        tell_limit(watch, path, "too many folders, or too deep");
        return false;
    }
    folder.id = inotify_add_watch(watch->events.fd, path, EVENTS);
    if (folder.id < 0) {
        tell_limit(watch, path, strerror(errno));
        return false;
    }
    folder.path = strdup(path);
    if (folder.path == NULL || find_folder(watch, folder.id) != NULL) {
        free(folder.path);
        return false;
    }
    watch->folders[watch->count++] = folder;
    return true;
}

static bool
is_folder(const char *path, const struct dirent *entry)
{
    struct stat facts;

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR; /* not through a link: it may loop */
    }
    return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* Adds the folders in a folder, which come to the end of the list. */
static void
add_children(struct sco_file_watch *watch, const char *path, unsigned depth)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *child = NULL;

        if (!sco_file_watch_skips(entry->d_name)) {
            child = join(path, entry->d_name);
        }
        if (child != NULL && is_folder(child, entry)) {
            (void)add_folder(watch, child, depth + 1);
        }
        free(child);
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

/* Adds a folder and all below it, those near it first. */
static void
add_tree(struct sco_file_watch *watch, const char *path, unsigned depth)
{
    size_t next = watch->count;

    if (add_folder(watch, path, depth)) {
        for (; next < watch->count; next++) {
            add_children(watch, watch->folders[next].path,
                         watch->folders[next].depth);
        }
    }
}

/* Forgets a folder that was moved away, and all below it. */
static void
drop_tree(struct sco_file_watch *watch, const char *path)
{
    size_t length = strlen(path);

    for (size_t i = watch->count; i-- > 0;) {
        struct folder *folder = &watch->folders[i];

        if (strncmp(folder->path, path, length) == 0 &&
            (folder->path[length] == '/' || folder->path[length] == '\0')) {
            (void)inotify_rm_watch(watch->events.fd, folder->id);
            forget(watch, folder);
        }
    }
}

/* ---- events --------------------------------------------------------- */

static void
note_change(struct sco_file_watch *watch, const char *path)
{
    if (watch->changed == NULL) {
        watch->changed = strdup(path);
    }
    sco_loop_timer_set(watch->loop, &watch->quiet,
                       sco_loop_now_ns(watch->loop) + QUIET_NS);
}

static void
hear_folder(struct sco_file_watch *watch, uint32_t mask, const char *path,
            unsigned depth)
{
    if ((mask & IN_MOVED_FROM) != 0) {
        drop_tree(watch, path);
    } else if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
        /* What it holds may be there already: that counts as a change. */
        add_tree(watch, path, depth + 1);
    } else {
        return;
    }
    note_change(watch, path);
}

static void
hear(struct sco_file_watch *watch, const struct inotify_event *event)
{
    struct folder *folder = find_folder(watch, event->wd);
    char *path;

    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        note_change(watch, "(too many files to tell)");
        return;
    }
    if (folder == NULL) {
        return;
    }
    if ((event->mask & IN_IGNORED) != 0) {
        forget(watch, folder);
        return;
    }
    path = event->len > 0 ? join(folder->path, event->name) : NULL;
    if (path != NULL && (event->mask & IN_ISDIR) != 0) {
        if (!sco_file_watch_skips(event->name)) {
            hear_folder(watch, event->mask, path, folder->depth);
        }
    } else if (path != NULL && (event->mask & IN_CREATE) == 0 &&
               sco_file_watch_counts(event->name)) {
        note_change(watch, path);
    }
    free(path);
}

static void
on_events(void *arg, uint32_t events)
{
    struct sco_file_watch *watch = arg;
    _Alignas(struct inotify_event) char bytes[4096];
    ssize_t got;

    (void)events;
    while ((got = read(watch->events.fd, bytes, sizeof(bytes))) > 0) {
        const char *at = bytes;

        while (at < bytes + got) {
            const struct inotify_event *event =
                (const struct inotify_event *)(const void *)at;

            hear(watch, event);
            at += sizeof(*event) + event->len;
        }
    }
}

static void
on_quiet(void *arg, uint64_t now_ns)
{
    struct sco_file_watch *watch = arg;
    char *changed = watch->changed;

    (void)now_ns;
    watch->changed = NULL;
    watch->on_change(watch->arg, changed != NULL ? changed : "(a file)");
    free(changed);
}

/* ---- beginning and end ---------------------------------------------- */

enum sco_status
sco_file_watch_create(struct sco_loop *loop, char *const *folders,
                      size_t count,
                      void (*on_change)(void *arg, const char *path),
                      void *arg, struct sco_file_watch **out,
                      struct sco_error *err)
{
    struct sco_file_watch *watch = calloc(1, sizeof(*watch));
    enum sco_status status;

    if (watch == NULL) {
        return sco_fail(err, SCO_NOMEM, "a watch for files");
    }
    watch->loop = loop;
    watch->on_change = on_change;
    watch->arg = arg;
    watch->quiet.on_time = on_quiet;
    watch->quiet.arg = watch;
    watch->folders = calloc(FOLDERS_MAX, sizeof(*watch->folders));
    watch->events.on_ready = on_events;
    watch->events.arg = watch;
    watch->events.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->folders == NULL || watch->events.fd < 0) {
        status = sco_fail(err, SCO_INTERNAL,
                          "files cannot be watched for changes: %s",
                          strerror(errno));
        goto fail;
    }
    status = sco_loop_add(loop, &watch->events, EPOLLIN, err);
    if (status != SCO_OK) {
        goto fail;
    }
    for (size_t i = 0; i < count; i++) {
        add_tree(watch, folders[i], 0);
    }
    *out = watch;
    return SCO_OK;

fail:
    sco_file_watch_destroy(watch);
    return status;
}

void
sco_file_watch_destroy(struct sco_file_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    sco_loop_timer_clear(watch->loop, &watch->quiet);
    if (watch->events.fd >= 0) {
        sco_loop_remove(watch->loop, &watch->events);
        close(watch->events.fd);
    }
    while (watch->count > 0) {
        forget(watch, &watch->folders[watch->count - 1]);
    }
    free(watch->folders);
    free(watch->changed);
    free(watch);
}
