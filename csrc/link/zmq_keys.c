#define _GNU_SOURCE
#include "link/zmq_keys.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_BYTES = 256 };

struct sco_keyring {
    char *folder;
    char name[NAME_MAX + 1]; /* of the key that was found last */
};

static bool
is_loopback(const char *host)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, host, &four) == 1) {
        return ntohl(four.s_addr) >> 24 == 127;
    }
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Cuts "[ADDRESS]:PORT" or "ADDRESS:PORT" to its address. False when it is
 * neither. */
static bool
cut_host(const char *place, char host[HOST_BYTES])
{
    const char *colon = strrchr(place, ':');
    size_t len = colon != NULL ? (size_t)(colon - place) : 0;

    if (len == 0 || len >= HOST_BYTES || colon[1] == '\0') {
        return false;
    }
    if (place[0] == '[' && place[len - 1] == ']') {
        place++;
        len -= 2;
    }
    memcpy(host, place, len);
    host[len] = '\0';
    return true;
}

enum sco_status
sco_zmq_check(const char *endpoint, bool has_keys, struct sco_error *err)
{
    char host[HOST_BYTES];

    if (strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] != '\0') {
        return SCO_OK;
    }
    if (strncmp(endpoint, "tcp://", 6) != 0 || !cut_host(endpoint + 6, host)) {
        return sco_fail(err, SCO_INVALID,
                        "%.80s: a remote worker's place is "
                        "tcp://ADDRESS:PORT or ipc://PATH",
                        endpoint);
    }
    if (!has_keys && !is_loopback(host)) {
        return sco_fail(err, SCO_INVALID,
                        "%.80s is not of this machine alone, so it needs "
                        "keys: make them with `scorehost keygen`, give the "
                        "host --remote_keys and the worker --key_file and "
                        "--server_key",
                        endpoint);
    }
    return SCO_OK;
}

enum sco_status
sco_zmq_read_key(const char *path, struct sco_zmq_key *out,
                 struct sco_error *err)
{
    FILE *file = fopen(path, "re");
    char line[128] = "";
    size_t len;

    if (file == NULL) {
        return sco_fail(err, SCO_INVALID,
                        "the key %.150s cannot be read (%s): `scorehost "
                        "keygen FOLDER` makes keys",
                        path, strerror(errno));
    }
    len = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL) {
        len--;
    }
    line[len] = '\0';
    if (len != SCO_ZMQ_KEY_CHARS || strcspn(line, " \t\r\n") != len) {
        return sco_fail(err, SCO_INVALID,
                        "%.150s holds no key: %d characters of Z85 are "
                        "expected",
                        path, SCO_ZMQ_KEY_CHARS);
    }
    memcpy(out->text, line, len + 1);
    return SCO_OK;
}

enum sco_status
sco_keyring_open(const char *folder, struct sco_keyring **out,
                 struct sco_zmq_key *secret_out, struct sco_error *err)
{
    struct sco_keyring *ring;
    char path[PATH_MAX];
    enum sco_status status;

    (void)snprintf(path, sizeof(path), "%s/server.key", folder);
    status = sco_zmq_read_key(path, secret_out, err);
    if (status != SCO_OK) {
        return status;
    }
    ring = sco_alloc(1, sizeof(*ring));
    ring->folder = strdup(folder);
    if (ring->folder == NULL) {
        free(ring);
        return sco_fail(err, SCO_NOMEM, "the keys of %.100s", folder);
    }
    *out = ring;
    return SCO_OK;
}

/* Whether this file is the public key of some worker, with these bytes. */
static bool
is_it(const struct sco_keyring *ring, const char *file,
      const struct sco_zmq_key *key)
{
    size_t len = strlen(file);
    struct sco_zmq_key found;
    char path[PATH_MAX];

    if (len <= 4 || strcmp(file + len - 4, ".pub") != 0 ||
        strcmp(file, "server.pub") == 0 ||
        (size_t)snprintf(path, sizeof(path), "%s/%s", ring->folder, file) >=
            sizeof(path)) {
        return false;
    }
    return sco_zmq_read_key(path, &found, NULL) == SCO_OK &&
           strcmp(found.text, key->text) == 0;
}

const char *
sco_keyring_find(struct sco_keyring *ring, const struct sco_zmq_key *key)
{
    DIR *folder = opendir(ring->folder);
    const struct dirent *entry = NULL;

    if (folder == NULL) {
        return NULL;
    }
    /* A DIR has one user: it is ours alone. */
    while ((entry = readdir(folder)) != NULL) {
        if (is_it(ring, entry->d_name, key)) {
            (void)snprintf(ring->name, sizeof(ring->name), "%.*s",
                           (int)strlen(entry->d_name) - 4, entry->d_name);
            break;
        }
    }
    closedir(folder);
    return entry != NULL ? ring->name : NULL;
}

void
sco_keyring_close(struct sco_keyring *ring)
{
    if (ring != NULL) {
        free(ring->folder);
        free(ring);
    }
}
