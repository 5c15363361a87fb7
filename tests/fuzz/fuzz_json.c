/* fuzz_json.c - any bytes as JSON, skipped and pulled
 *
 * What one way accepts the other must, and what was skipped is what was
 * pulled.
 */
#include "tensor/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 20 };

/* Pulls a value with all in it. It calls itself, no deeper than the reader
 * lets it. */
static void
pull(struct sco_json *json)
{
    struct sco_slice key;

    switch (sco_json_peek(json)) {
    case SCO_JSON_NONE:
    case SCO_JSON_NULL:
        (void)sco_json_skip(json);
        break;
    case SCO_JSON_BOOL:
        (void)sco_json_bool(json);
        break;
    case SCO_JSON_NUMBER:
        (void)sco_json_number(json);
        break;
    case SCO_JSON_STRING:
        key = sco_json_string(json);
        SCO_CHECK((key.data != NULL) == sco_json_is_ok(json), "a string");
        break;
    case SCO_JSON_ARRAY:
        sco_json_enter_array(json);
        while (sco_json_next_item(json)) {
            pull(json);
        }
        break;
    case SCO_JSON_OBJECT:
        sco_json_enter_object(json);
        while (sco_json_next_key(json, &key)) {
            pull(json);
        }
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice text = { (const char *)data, size };
    struct sco_error err = { .text = "" };
    struct sco_json skipped, pulled;

    sco_json_begin(&skipped, text, DEPTH);
    (void)sco_json_skip(&skipped);
    sco_json_end(&skipped);
    sco_json_begin(&pulled, text, DEPTH);
    pull(&pulled);
    sco_json_end(&pulled);
    SCO_CHECK(sco_json_status(&skipped, &err) ==
                  sco_json_status(&pulled, NULL),
              "both or none");
    SCO_CHECK(sco_json_is_ok(&skipped) == (err.text[0] == '\0'), "a reason");
    SCO_CHECK(skipped.at == pulled.at, "the same place");
    SCO_CHECK(!sco_json_is_ok(&skipped) || skipped.at == size, "all of it");
    sco_json_finish(&skipped);
    sco_json_finish(&pulled);
    return 0;
}
