#include "v2/coding.h"

static struct sco_slice
without_blanks(struct sco_slice text)
{
    while (text.len > 0 && (*text.data == ' ' || *text.data == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' ||
                            text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

bool
sco_v2_coding_find(struct sco_slice value, enum sco_v2_coding *out)
{
    static const struct {
        struct sco_slice name;
        enum sco_v2_coding coding;
    } known[] = {
        { SCO_SLICE_INIT(""), SCO_V2_AS_IT_IS },
        { SCO_SLICE_INIT("identity"), SCO_V2_AS_IT_IS },
        { SCO_SLICE_INIT("gzip"), SCO_V2_GZIP },
        { SCO_SLICE_INIT("x-gzip"), SCO_V2_GZIP },
        { SCO_SLICE_INIT("deflate"), SCO_V2_DEFLATE },
    };

    value = without_blanks(value);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (sco_slice_equal_nocase(value, known[i].name)) {
            *out = known[i].coding;
            return true;
        }
    }
    return false;
}

struct sco_slice
sco_v2_codings(void)
{
    return SCO_SLICE("gzip, deflate");
}
