#include "pybridge/target.h"

#include "base/text.h"

#include <string.h>

/* The target without its fragment, and in absolute form without scheme and
 * authority. */
static struct sco_slice
origin_form(struct sco_slice target)
{
    struct sco_slice scheme_end = SCO_SLICE("://");
    size_t colon;

    target.len = sco_slice_find(target, '#');
    if (target.len == 0 || target.data[0] == '/') {
        return target;
    }
    colon = sco_slice_find(target, ':');
    if (target.len - colon < scheme_end.len ||
        memcmp(target.data + colon, scheme_end.data, scheme_end.len) != 0) {
        return target; /* "*", or nonsense that routing has refused */
    }
    target = sco_slice_from(target, colon + scheme_end.len);
    colon = sco_slice_find(target, '/');
    if (sco_slice_find(target, '?') < colon) {
        colon = sco_slice_find(target, '?');
    }
    return sco_slice_from(target, colon);
}

void
sco_target_path(struct sco_slice target, struct sco_text *into)
{
    struct sco_slice path = origin_form(target);

    path.len = sco_slice_find(path, '?');
    sco_text_add(into, SCO_SLICE("")); /* a text even when it is empty */
    for (size_t i = 0; i < path.len; i++) {
        int escaped = sco_slice_escape(path, i);

        sco_text_add_char(into, escaped < 0 ? path.data[i] : (char)escaped);
        i += escaped < 0 ? 0 : 2;
    }
}

struct sco_slice
sco_target_query(struct sco_slice target)
{
    struct sco_slice origin = origin_form(target);
    size_t mark = sco_slice_find(origin, '?');

    return mark < origin.len ? sco_slice_from(origin, mark + 1)
                             : sco_slice_from(origin, origin.len);
}
