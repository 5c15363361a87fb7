#include "main/home.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Joins two paths; false when they are too long for anybody. */
static bool
join(char out[PATH_MAX], const char *directory, const char *rest)
{
    int length = snprintf(out, PATH_MAX, "%s/%s", directory, rest);

    return length > 0 && length < PATH_MAX;
}

static bool
is_program(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && S_ISREG(found.st_mode) &&
           access(path, X_OK) == 0;
}

/* A venv made by another version has no packages that we could import; what
 * would come of it is an import error that nobody understands. */
static enum sco_status
check_version(const char *environment, const char *version,
              struct sco_error *err)
{
    char directory[PATH_MAX];
    char library[32];
    struct stat found;

    (void)snprintf(library, sizeof(library), "lib/python%s", version);
    if (!join(directory, environment, library) ||
        stat(directory, &found) != 0 || !S_ISDIR(found.st_mode)) {
        return sco_fail(err, SCO_INVALID,
                        "VIRTUAL_ENV=%s is not an environment of Python %s, "
                        "which scorehost-host is linked with",
                        environment, version);
    }
    return SCO_OK;
}

/* `python` in the directory of this program. */
static bool
find_beside(char out[PATH_MAX])
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    if (length <= 0) {
        return false;
    }
    own[length] = '\0';
    slash = strrchr(own, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    return join(out, own, "python") && is_program(out);
}

static bool
find_on_path(char out[PATH_MAX])
{
    const char *path = getenv("PATH");

    while (path != NULL && *path != '\0') {
        const char *colon = strchr(path, ':');
        size_t length = colon != NULL ? (size_t)(colon - path) : strlen(path);
        char directory[PATH_MAX];

        if (length > 0 && length < sizeof(directory)) {
            memcpy(directory, path, length);
            directory[length] = '\0';
            if (join(out, directory, "python3") && is_program(out)) {
                return true;
            }
        }
        path = colon != NULL ? colon + 1 : NULL;
    }
    return false;
}

enum sco_status
sco_home_find(const char *version, char out[PATH_MAX], struct sco_error *err)
{
    const char *environment = getenv("VIRTUAL_ENV");

    if (environment != NULL && environment[0] != '\0') {
        if (!join(out, environment, "bin/python") || !is_program(out)) {
            return sco_fail(err, SCO_INVALID,
                            "VIRTUAL_ENV=%s has no bin/python", environment);
        }
        return check_version(environment, version, err);
    }
    if (find_beside(out) || find_on_path(out)) {
        return SCO_OK;
    }
    return sco_fail(err, SCO_NOT_FOUND,
                    "no Python environment: set VIRTUAL_ENV");
}
