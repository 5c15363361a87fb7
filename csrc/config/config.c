#include "config/config.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Above it a double skips whole numbers, and JSON's numbers are doubles. */
#define EXACT_MAX 9007199254740992.0

#define X(name, kind, initial, least, most, sentence) \
    { #name,                                          \
      SCO_CONFIG_KIND_##kind,                         \
      offsetof(struct sco_config, name),              \
      { initial },                                    \
      (least),                                        \
      (most),                                         \
      (sentence) },
static const struct sco_config_key keys[] = {
#include "config/schema.def"
};
#undef X

enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

static const char *const worker_kinds[] = {
    [SCO_CONFIG_PROCESS] = "process",
    [SCO_CONFIG_INTERPRETER] = "interpreter",
    [SCO_CONFIG_THREAD] = "thread",
};

const struct sco_config_key *
sco_config_keys(size_t *count_out)
{
    *count_out = KEY_COUNT;
    return keys;
}

/* ---- members ---------------------------------------------------------- */

static void *
member(struct sco_config *config, const struct sco_config_key *key)
{
    return (char *)config + key->offset;
}

static void
put_number(struct sco_config *config, const struct sco_config_key *key,
           uint64_t number)
{
    void *at = member(config, key);

    switch (key->kind) {
    case SCO_CONFIG_KIND_BOOL:
        *(bool *)at = number != 0;
        break;
    case SCO_CONFIG_KIND_COUNT:
    case SCO_CONFIG_KIND_BYTES:
        *(size_t *)at = (size_t)number;
        break;
    case SCO_CONFIG_KIND_MS:
    case SCO_CONFIG_KIND_RATE:
        *(uint32_t *)at = (uint32_t)number;
        break;
    case SCO_CONFIG_KIND_LONG_MS:
        *(uint64_t *)at = number;
        break;
    case SCO_CONFIG_KIND_WORKER_KIND:
        *(enum sco_config_worker_kind *)at =
            (enum sco_config_worker_kind)number;
        break;
    case SCO_CONFIG_KIND_STRING:
    case SCO_CONFIG_KIND_LIST:
        break;
    }
}

static enum sco_status
put_string(struct sco_config *config, const struct sco_config_key *key,
           const char *text, struct sco_error *err)
{
    char **at = member(config, key);
    char *copy = strdup(text);

    if (copy == NULL) {
        return sco_fail(err, SCO_NOMEM, "config: %s", key->name);
    }
    free(*at);
    *at = copy;
    return SCO_OK;
}

static void
list_finish(struct sco_config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct sco_config_list){ 0 };
}

/* Makes an empty list with room for `max` items. */
static enum sco_status
list_renew(struct sco_config_list *list, size_t max,
           const struct sco_config_key *key, struct sco_error *err)
{
    list_finish(list);
    list->items = calloc(max > 0 ? max : 1, sizeof(char *));
    return list->items != NULL
               ? SCO_OK
               : sco_fail(err, SCO_NOMEM, "config: %s", key->name);
}

static enum sco_status
list_add(struct sco_config_list *list, const char *item,
         const struct sco_config_key *key, struct sco_error *err)
{
    char *copy = strdup(item);

    if (copy == NULL) {
        return sco_fail(err, SCO_NOMEM, "config: %s", key->name);
    }
    list->items[list->count++] = copy;
    return SCO_OK;
}

static enum sco_status
put_initial(struct sco_config *config, const struct sco_config_key *key,
            struct sco_error *err)
{
    struct sco_config_list *list;
    enum sco_status status;

    if (key->kind == SCO_CONFIG_KIND_STRING) {
        return put_string(config, key, key->initial.text, err);
    }
    if (key->kind != SCO_CONFIG_KIND_LIST) {
        put_number(config, key, key->initial.number);
        return SCO_OK;
    }
    list = member(config, key);
    status = list_renew(list, 1, key, err);
    if (status != SCO_OK || key->initial.text == NULL) {
        return status;
    }
    return list_add(list, key->initial.text, key, err);
}

void
sco_config_destroy(struct sco_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].kind == SCO_CONFIG_KIND_STRING) {
            free(*(char **)member(config, &keys[i]));
        }
        if (keys[i].kind == SCO_CONFIG_KIND_LIST) {
            list_finish(member(config, &keys[i]));
        }
    }
    free(config);
}

/* ---- values ----------------------------------------------------------- */

static enum sco_status
read_number(struct sco_config *config, const struct sco_config_key *key,
            const cJSON *value, struct sco_error *err)
{
    double number = value->valuedouble;

    if (!cJSON_IsNumber(value)) {
        return sco_fail(err, SCO_INVALID, "config: %s is not a number",
                        key->name);
    }
    if (!(number >= (double)key->least && number <= (double)key->most)) {
        return sco_fail(err, SCO_INVALID,
                        "config: %s is %.17g, not from %" PRIu64
                        " to %" PRIu64,
                        key->name, number, key->least, key->most);
    }
    if (number > EXACT_MAX || (double)(uint64_t)number < number) {
        return sco_fail(err, SCO_INVALID,
                        "config: %s is %.17g, not a whole number", key->name,
                        number);
    }
    put_number(config, key, (uint64_t)number);
    return SCO_OK;
}

static enum sco_status
read_bool(struct sco_config *config, const struct sco_config_key *key,
          const cJSON *value, struct sco_error *err)
{
    if (!cJSON_IsBool(value)) {
        return sco_fail(err, SCO_INVALID, "config: %s is not true or false",
                        key->name);
    }
    put_number(config, key, cJSON_IsTrue(value) ? 1 : 0);
    return SCO_OK;
}

/* Some strings become header fields, where a line end would begin another
 * one; in none has a control byte any business. */
static bool
has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static enum sco_status
check_string(const struct sco_config_key *key, const cJSON *value,
             struct sco_error *err)
{
    if (!cJSON_IsString(value)) {
        return sco_fail(err, SCO_INVALID, "config: %s is not a string",
                        key->name);
    }
    if (has_control(value->valuestring)) {
        return sco_fail(err, SCO_INVALID, "config: %s has a control character",
                        key->name);
    }
    return SCO_OK;
}

static enum sco_status
read_string(struct sco_config *config, const struct sco_config_key *key,
            const cJSON *value, struct sco_error *err)
{
    enum sco_status status = check_string(key, value, err);
    size_t len;

    if (status != SCO_OK) {
        return status;
    }
    len = strlen(value->valuestring);
    if (len < key->least || len > key->most) {
        return sco_fail(err, SCO_INVALID,
                        "config: %s has %zu bytes, not from %" PRIu64
                        " to %" PRIu64,
                        key->name, len, key->least, key->most);
    }
    return put_string(config, key, value->valuestring, err);
}

static enum sco_status
read_worker_kind(struct sco_config *config, const struct sco_config_key *key,
                 const cJSON *value, struct sco_error *err)
{
    enum sco_status status = check_string(key, value, err);

    if (status != SCO_OK) {
        return status;
    }
    for (uint64_t kind = key->least; kind <= key->most; kind++) {
        if (strcmp(value->valuestring, worker_kinds[kind]) == 0) {
            put_number(config, key, kind);
            return SCO_OK;
        }
    }
    return sco_fail(err, SCO_INVALID, "config: there is no %s \"%.32s\"",
                    key->name, value->valuestring);
}

static enum sco_status
read_list(struct sco_config *config, const struct sco_config_key *key,
          const cJSON *value, struct sco_error *err)
{
    struct sco_config_list *list = member(config, key);
    const cJSON *item;
    enum sco_status status;
    size_t count;

    if (!cJSON_IsArray(value)) {
        return sco_fail(err, SCO_INVALID, "config: %s is not a list",
                        key->name);
    }
    count = (size_t)cJSON_GetArraySize(value);
    if (count < key->least || count > key->most) {
        return sco_fail(err, SCO_INVALID,
                        "config: %s has %zu items, not from %" PRIu64
                        " to %" PRIu64,
                        key->name, count, key->least, key->most);
    }
    status = list_renew(list, count, key, err);
    cJSON_ArrayForEach(item, value)
    {
        if (status == SCO_OK) {
            status = check_string(key, item, err);
        }
        if (status == SCO_OK) {
            status = list_add(list, item->valuestring, key, err);
        }
    }
    return status;
}

static enum sco_status
read_value(struct sco_config *config, const struct sco_config_key *key,
           const cJSON *value, struct sco_error *err)
{
    enum sco_status status = SCO_OK;

    switch (key->kind) {
    case SCO_CONFIG_KIND_BOOL:
        status = read_bool(config, key, value, err);
        break;
    case SCO_CONFIG_KIND_COUNT:
    case SCO_CONFIG_KIND_BYTES:
    case SCO_CONFIG_KIND_MS:
    case SCO_CONFIG_KIND_LONG_MS:
    case SCO_CONFIG_KIND_RATE:
        status = read_number(config, key, value, err);
        break;
    case SCO_CONFIG_KIND_STRING:
        status = read_string(config, key, value, err);
        break;
    case SCO_CONFIG_KIND_LIST:
        status = read_list(config, key, value, err);
        break;
    case SCO_CONFIG_KIND_WORKER_KIND:
        status = read_worker_kind(config, key, value, err);
        break;
    }
    return status;
}

/* ---- the object ------------------------------------------------------- */

/* Refuses what cJSON should not be given: a text that is too large or too
 * deep, and bytes in strings that would end them early. Whether the rest is
 * JSON is for cJSON to say. */
static enum sco_status
check_shape(struct sco_slice json, struct sco_error *err)
{
    bool in_string = false;
    size_t depth = 0;

    if (json.len > SCO_CONFIG_MAX_BYTES) {
        return sco_fail(err, SCO_TOO_LARGE, "config: %zu bytes", json.len);
    }
    for (size_t i = 0; i < json.len; i++) {
        char byte = json.data[i];

        if (byte == '\0' || (in_string && json.len - i >= 6 &&
                             memcmp(json.data + i, "\\u0000", 6) == 0)) {
            return sco_fail(err, SCO_INVALID, "config: null byte at %zu", i);
        }
        if (byte == '"') {
            in_string = !in_string;
        } else if (in_string) {
            i += byte == '\\' ? 1 : 0;
        } else if (byte == '{' || byte == '[') {
            depth++;
        } else if ((byte == '}' || byte == ']') && depth > 0) {
            depth--;
        }
        if (depth > SCO_CONFIG_MAX_DEPTH) {
            return sco_fail(err, SCO_TOO_LARGE, "config: nested too deep");
        }
    }
    return SCO_OK;
}

static enum sco_status
parse(struct sco_slice json, cJSON **out, struct sco_error *err)
{
    enum sco_status status = check_shape(json, err);
    const char *end = NULL;
    cJSON *root;

    if (status != SCO_OK) {
        return status;
    }
    root = cJSON_ParseWithLengthOpts(json.data, json.len, &end,
                                     /* require_null_terminated */ 0);
    while (root != NULL && end < json.data + json.len &&
           strchr(" \t\r\n", *end) != NULL) {
        end++;
    }
    if (!cJSON_IsObject(root) || end != json.data + json.len) {
        cJSON_Delete(root);
        return sco_fail(err, SCO_INVALID, "config: not one JSON object");
    }
    *out = root;
    return SCO_OK;
}

/* The key with this name, or KEY_COUNT. */
static size_t
find_key(const char *name)
{
    size_t i = 0;

    while (i < KEY_COUNT && strcmp(keys[i].name, name) != 0) {
        i++;
    }
    return i;
}

static enum sco_status
read_object(struct sco_config *config, const cJSON *root,
            struct sco_error *err)
{
    bool seen[KEY_COUNT] = { false };
    const cJSON *value;

    cJSON_ArrayForEach(value, root)
    {
        size_t i = find_key(value->string);
        enum sco_status status = SCO_OK;

        if (i == KEY_COUNT) {
            return sco_fail(err, SCO_INVALID, "config: no key \"%.64s\"",
                            value->string);
        }
        if (seen[i]) {
            return sco_fail(err, SCO_INVALID, "config: %s stands twice",
                            keys[i].name);
        }
        seen[i] = true;
        if (!cJSON_IsNull(value)) {
            status = read_value(config, &keys[i], value, err);
        }
        if (status != SCO_OK) {
            return status;
        }
    }
    return SCO_OK;
}

/* What is wrong with keys that are right by themselves. */
static enum sco_status
check_together(const struct sco_config *config, struct sco_error *err)
{
    if (config->worker_min != 0 && config->worker_max != 0 &&
        config->worker_min > config->worker_max) {
        return sco_fail(err, SCO_INVALID,
                        "config: worker_min is %zu, more than worker_max, "
                        "which is %zu",
                        config->worker_min, config->worker_max);
    }
    if (config->worker_count == 0 && config->remote_listen[0] == '\0') {
        return sco_fail(err, SCO_INVALID,
                        "config: worker_count is 0, and without "
                        "remote_listen no worker can come");
    }
    return SCO_OK;
}

enum sco_status
sco_config_create(struct sco_slice json, struct sco_config **out,
                  struct sco_error *err)
{
    struct sco_config *config = calloc(1, sizeof(*config));
    enum sco_status status = SCO_OK;
    cJSON *root = NULL;

    if (config == NULL) {
        return sco_fail(err, SCO_NOMEM, "config");
    }
    for (size_t i = 0; i < KEY_COUNT && status == SCO_OK; i++) {
        status = put_initial(config, &keys[i], err);
    }
    if (status == SCO_OK) {
        status = parse(json, &root, err);
    }
    if (status == SCO_OK) {
        status = read_object(config, root, err);
    }
    if (status == SCO_OK) {
        status = check_together(config, err);
    }
    cJSON_Delete(root);
    if (status != SCO_OK) {
        sco_config_destroy(config);
        return status;
    }
    *out = config;
    return SCO_OK;
}
