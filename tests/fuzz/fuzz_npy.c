/* fuzz_npy.c - no bytes whatever make the .npy reader leave its input
 *
 * What is read is written and read again, and is the same.
 */
#include "base/text.h"
#include "v2/npy.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice file = { (const char *)data, size };
    struct sco_v2_array array, again;
    struct sco_text copy = { 0 };

    if (sco_v2_npy_read(file, &array, /* err */ NULL) != SCO_OK) {
        return 0;
    }
    SCO_CHECK(array.data.data + array.data.len == file.data + file.len,
              "not the end of the input");
    if (sco_v2_npy_write_head(&array, &copy, /* err */ NULL) == SCO_OK) {
        sco_text_add(&copy, array.data);
    }
    if (!copy.failed) {
        SCO_CHECK(sco_v2_npy_read(sco_text_slice(&copy), &again,
                                  /* err */ NULL) == SCO_OK,
                  "what was written cannot be read");
        SCO_CHECK(again.dtype == array.dtype &&
                      sco_shape_equal(&again.shape, &array.shape) &&
                      sco_slice_equal(again.data, array.data),
                  "read as something else");
    }
    sco_text_finish(&copy);
    return 0;
}
