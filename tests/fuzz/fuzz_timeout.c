/* fuzz_timeout.c - whatever a caller says of its time
 *
 * The bytes are one value, and again the values of two fields.
 */
#include "host/timeout.h"

#include <stdbool.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only digits, and one of them no zero. */
static bool
is_number(struct sco_slice value)
{
    bool counts = false;

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
        counts = counts || value.data[i] != '0';
    }
    return counts;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sco_slice name = SCO_SLICE("X-Request-Timeout-Ms");
    struct sco_slice whole = { (const char *)data, size };
    struct sco_field fields[2] = { { name, whole }, { name, whole } };
    struct sco_slice value = { NULL, 0 };
    uint64_t ms = UINT64_MAX;
    enum sco_status status = sco_timeout_parse(whole, &ms);

    SCO_CHECK((status == SCO_OK) == is_number(whole), "a number or none");
    SCO_CHECK(status == SCO_OK ? ms <= SCO_TIMEOUT_MAX_MS : ms == UINT64_MAX,
              "a time out of bounds, or of nowhere");
    SCO_CHECK(sco_timeout_find(fields, 1, &ms, &value) == status,
              "found and not read");
    SCO_CHECK(sco_timeout_find(fields, 2, &ms, &value) == SCO_INVALID,
              "two of them");
    return 0;
}
