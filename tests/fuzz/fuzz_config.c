/* fuzz_config.c - whatever configuration is taken lies within its bounds */
#include "config/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is bounded of a member: the number, the bytes, the items. */
static uint64_t
size_of_member(const struct sco_config *config,
               const struct sco_config_key *key)
{
    const void *at = (const char *)config + key->offset;

    switch (key->kind) {
    case SCO_CONFIG_KIND_BOOL:
        return *(const bool *)at ? 1 : 0;
    case SCO_CONFIG_KIND_COUNT:
    case SCO_CONFIG_KIND_BYTES:
        return *(const size_t *)at;
    case SCO_CONFIG_KIND_MS:
    case SCO_CONFIG_KIND_RATE:
        return *(const uint32_t *)at;
    case SCO_CONFIG_KIND_LONG_MS:
        return *(const uint64_t *)at;
    case SCO_CONFIG_KIND_STRING:
        return strlen(*(char *const *)at);
    case SCO_CONFIG_KIND_LIST:
        return ((const struct sco_config_list *)at)->count;
    case SCO_CONFIG_KIND_WORKER_KIND:
        return (uint64_t) * (const enum sco_config_worker_kind *)at;
    }
    return UINT64_MAX;
}

static void
check_list(const struct sco_config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        SCO_CHECK(strpbrk(list->items[i], "\r\n") == NULL, "two lines");
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sco_slice json = { (const char *)data, size };
    struct sco_config *config = NULL;
    struct sco_error err = { .text = "" };
    size_t count;
    const struct sco_config_key *keys = sco_config_keys(&count);

    if (sco_config_create(json, &config, &err) != SCO_OK) {
        SCO_CHECK(config == NULL, "an output in spite of the failure");
        SCO_CHECK(err.text[0] != '\0', "a failure without a reason");
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t value = size_of_member(config, &keys[i]);

        SCO_CHECK(value >= keys[i].least, "less than the least");
        SCO_CHECK(value <= keys[i].most, "more than the most");
    }
    check_list(&config->listen);
    check_list(&config->cors_origins);
    sco_config_destroy(config);
    return 0;
}
