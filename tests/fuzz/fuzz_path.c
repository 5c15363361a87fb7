/* fuzz_path.c - no request target makes the reader of paths leave its room
 *
 * What a path names is not longer than the path, has no NUL in it, and is
 * found again when it is written as a path.
 */
#include "base/text.h"
#include "v2/path.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(struct sco_slice name, const char *room, size_t size)
{
    if (name.len == 0) {
        return;
    }
    SCO_CHECK(name.data >= room && name.data + name.len <= room + size,
              "a name outside of the room");
    SCO_CHECK(memchr(name.data, '\0', name.len) == NULL, "a NUL in a name");
}

/* Writes a path to the same model, and reads that. */
static void
check_again(const struct sco_v2_path *found)
{
    struct sco_text text = { 0 };
    struct sco_v2_path again = { .what = SCO_V2_SERVER };
    char *room;

    sco_text_add(&text, SCO_SLICE("/v2/models/"));
    sco_v2_path_add_segment(&text, found->model);
    sco_text_add(&text, SCO_SLICE("/versions/"));
    sco_v2_path_add_segment(&text, found->version);
    sco_text_add(&text, SCO_SLICE("/infer"));
    room = malloc(text.len + 1);
    if (room != NULL && !text.failed) {
        SCO_CHECK(sco_v2_path_read(sco_text_slice(&text), room, &again,
                                   /* err */ NULL) == SCO_OK,
                  "a path of ours is none");
        SCO_CHECK(again.what == SCO_V2_INFER &&
                      sco_slice_equal(again.model, found->model) &&
                      sco_slice_equal(again.version, found->version),
                  "another model");
    }
    free(room);
    sco_text_finish(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice target = { (const char *)data, size };
    struct sco_v2_path path = { .what = SCO_V2_SERVER };
    struct sco_error err = { .text = "" };
    char *room = malloc(size > 0 ? size : 1);

    if (room != NULL &&
        sco_v2_path_read(target, room, &path, &err) == SCO_OK) {
        check_name(path.model, room, size);
        check_name(path.version, room, size);
        if (path.model.len > 0 && path.version.len > 0) {
            check_again(&path);
        }
    }
    free(room);
    return 0;
}
