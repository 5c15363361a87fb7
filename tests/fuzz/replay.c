/* replay.c - feeds a fuzz target every file of its corpus, once
 *
 * libFuzzer comes with clang alone; this is the main() for all other builds.
 * No corpus, or an empty one, is a failure: it would prove nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 1024 * 1024 };

/* Feeds one file. The block is exactly as long as the file, so that a
 * sanitizer sees a read past its end. */
static int
replay_file(const char *folder, const char *name)
{
    static uint8_t bytes[INPUT_MAX_BYTES];
    char path[4096];
    uint8_t *exact;
    size_t size;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        perror(path);
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        exact[i] = bytes[i];
    }
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int
main(int argc, char **argv)
{
    const struct dirent *entry;
    int count = 0;
    DIR *folder;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    folder = opendir(argv[1]);
    if (folder == NULL) {
        perror(argv[1]);
        return 1;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (replay_file(argv[1], entry->d_name) != 0) {
            (void)closedir(folder);
            return 1;
        }
        count++;
    }
    (void)closedir(folder);
    (void)printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
