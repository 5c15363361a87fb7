/* test_config.c - which configurations are taken, and as what? */
#include "support/failing_memory.h"

#include "config/config.c"

#include "base/text.h"
#include "support/test.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static struct sco_config *
config_of(const char *json)
{
    struct sco_config *config = NULL;
    struct sco_error err = { .text = "" };
    enum sco_status status =
        sco_config_create(sco_slice_of(json), &config, &err);

    if (status != SCO_OK) {
        fail_msg("%s: %s", json, err.text);
    }
    return config;
}

static void
test_defaults(void **state)
{
    struct sco_config *config = config_of("{}");

    (void)state;
    assert_int_equal(config->listen.count, 1);
    assert_string_equal(config->listen.items[0], "0.0.0.0:5001");
    assert_int_equal(config->worker_kind, SCO_CONFIG_PROCESS);
    assert_int_equal(config->worker_count, 1);
    assert_int_equal(config->scoring_timeout_ms, 3600000);
    assert_int_equal(config->worker_timeout_ms, 300000);
    assert_int_equal(config->cors_origins.count, 0);
    assert_string_equal(config->server_version, "");
    assert_true(config->access_log);
    assert_false(config->log_to_worker);
    assert_int_equal(config->max_body_bytes, 100 * 1024 * 1024);
    assert_int_equal(config->queue_max_requests, 2048);
    assert_int_equal(config->queue_max_bytes, 256 * 1024 * 1024);
    assert_int_equal(config->max_connections, 4096);
    assert_int_equal(config->max_connections_per_address, 0);
    assert_int_equal(config->head_timeout_ms, 30000);
    assert_int_equal(config->body_timeout_ms, 60000);
    assert_int_equal(config->keepalive_timeout_ms, 75000);
    assert_int_equal(config->drain_timeout_ms, 30000);
    assert_string_equal(config->python, "python3");
    sco_config_destroy(config);
}

static void
test_every_default_is_within_its_bounds(void **state)
{
    size_t count;
    const struct sco_config_key *key = sco_config_keys(&count);

    (void)state;
    for (size_t i = 0; i < count; i++, key++) {
        uint64_t size = key->initial.number;

        if (key->kind == SCO_CONFIG_KIND_STRING) {
            size = strlen(key->initial.text);
        }
        if (key->kind == SCO_CONFIG_KIND_LIST) {
            size = key->initial.text != NULL ? 1 : 0;
        }
        assert_true(size >= key->least && size <= key->most);
        assert_int_equal(key->sentence[strlen(key->sentence) - 1], '.');
        if (key->kind == SCO_CONFIG_KIND_MS ||
            key->kind == SCO_CONFIG_KIND_RATE) {
            assert_true(key->most <= UINT32_MAX);
        }
    }
}

static void
test_null_is_the_default(void **state)
{
    struct sco_text json = { 0 };
    struct sco_config *config;
    size_t count;
    const struct sco_config_key *all = sco_config_keys(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        sco_text_addf(&json, "%s\"%s\": null", i == 0 ? "{" : ", ",
                      all[i].name);
    }
    sco_text_add_char(&json, '}');
    config = config_of(json.data);
    assert_int_equal(config->worker_count, 1);
    assert_string_equal(config->listen.items[0], "0.0.0.0:5001");
    assert_string_equal(config->python, "python3");
    assert_true(config->access_log);
    sco_config_destroy(config);
    sco_text_finish(&json);
}

static void
test_values(void **state)
{
    struct sco_config *config = config_of(
        " {\"listen\": [\"[::1]:80\", \"unix:/run/\\u00e9\"],"
        " \"worker_kind\": \"thread\", \"worker_count\": 3,"
        " \"scoring_timeout_ms\": 1000000000000, \"worker_timeout_ms\": 0,"
        " \"cors_origins\": [\"http://a\", \"*\"],"
        " \"server_version\": \"azmlinfsrv/1.5.1\", \"access_log\": false,"
        " \"log_to_worker\": true, \"max_body_bytes\": 1e6,"
        " \"queue_max_bytes\": 1099511627776, \"head_timeout_ms\": 1,"
        " \"body_min_bytes_per_s\": 0, \"python\": \"/usr/bin/python\"}\r\n");

    (void)state;
    assert_int_equal(config->listen.count, 2);
    assert_string_equal(config->listen.items[0], "[::1]:80");
    assert_string_equal(config->listen.items[1], "unix:/run/\xc3\xa9");
    assert_int_equal(config->worker_kind, SCO_CONFIG_THREAD);
    assert_int_equal(config->worker_count, 3);
    assert_int_equal(config->scoring_timeout_ms, UINT64_C(1000000000000));
    assert_int_equal(config->worker_timeout_ms, 0);
    assert_int_equal(config->cors_origins.count, 2);
    assert_string_equal(config->cors_origins.items[1], "*");
    assert_string_equal(config->server_version, "azmlinfsrv/1.5.1");
    assert_false(config->access_log);
    assert_true(config->log_to_worker);
    assert_int_equal(config->max_body_bytes, 1000000);
    assert_int_equal(config->queue_max_bytes, UINT64_C(1099511627776));
    assert_int_equal(config->head_timeout_ms, 1);
    assert_int_equal(config->body_min_bytes_per_s, 0);
    assert_string_equal(config->python, "/usr/bin/python");
    sco_config_destroy(config);
}

/* clang-format off */
static const struct {
    const char *json;
    const char *says; /* part of the message */
} refused[] = {
    /* not one object */
    { "", "not one JSON object" },
    { " ", "not one JSON object" },
    { "[]", "not one JSON object" },
    { "null", "not one JSON object" },
    { "{", "not one JSON object" },
    { "{} {}", "not one JSON object" },
    { "{}x", "not one JSON object" },
    { "{\"access_log\": true,}", "not one JSON object" },
    { "{'access_log': true}", "not one JSON object" },
    { "{\"worker_count\": 0x10}", "not one JSON object" },
    { "{\"worker_count\": NaN}", "not one JSON object" },
    /* keys */
    { "{\"worker_cuont\": 1}", "no key \"worker_cuont\"" },
    { "{\"Worker_count\": 1}", "no key \"Worker_count\"" },
    { "{\"\": 1}", "no key \"\"" },
    { "{\"x\": null}", "no key \"x\"" },
    { "{\"worker_count\": 1, \"worker_count\": 1}",
      "worker_count stands twice" },
    { "{\"python\": null, \"python\": \"a\"}", "python stands twice" },
    /* numbers */
    { "{\"worker_count\": \"1\"}", "worker_count is not a number" },
    { "{\"worker_count\": true}", "worker_count is not a number" },
    { "{\"worker_count\": [1]}", "worker_count is not a number" },
    { "{\"worker_count\": 0}", "worker_count is 0, and without" },
    { "{\"worker_count\": -1}", "worker_count is -1, not from" },
    { "{\"worker_count\": 1025}", "worker_count is 1025, not from" },
    { "{\"worker_count\": 1e400}", "worker_count is inf, not from" },
    { "{\"worker_count\": 1.5}", "worker_count is 1.5, not a whole number" },
    { "{\"head_timeout_ms\": 4294967297}", "head_timeout_ms is 4294967297" },
    { "{\"max_body_bytes\": 1e300}", "max_body_bytes is 1" },
    /* the rest */
    { "{\"access_log\": 1}", "access_log is not true or false" },
    { "{\"access_log\": \"on\"}", "access_log is not true or false" },
    { "{\"server_version\": 1}", "server_version is not a string" },
    { "{\"server_version\": \"a\\r\\nX: b\"}", "a control character" },
    { "{\"server_version\": \"a\\u007f\"}", "a control character" },
    { "{\"server_version\": \"a\\u0000b\"}", "null byte" },
    { "{\"python\": \"\"}", "python has 0 bytes, not from 1 to 4096" },
    { "{\"worker_kind\": \"Process\"}", "no worker_kind \"Process\"" },
    { "{\"worker_kind\": 0}", "worker_kind is not a string" },
    { "{\"listen\": \"0.0.0.0:1\"}", "listen is not a list" },
    { "{\"listen\": []}", "listen has 0 items, not from 1 to 64" },
    { "{\"listen\": [1]}", "listen is not a string" },
    { "{\"listen\": [null]}", "listen is not a string" },
    { "{\"listen\": [\"a\", \"b\\n\"]}", "listen has a control character" },
    { "{\"cors_origins\": {}}", "cors_origins is not a list" },
    /* together */
    { "{\"worker_min\": 3, \"worker_max\": 2}",
      "worker_min is 3, more than worker_max, which is 2" },
};
/* clang-format on */

static void
test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct sco_config *config = NULL;
        struct sco_error err = { .text = "" };

        print_message("%s\n", refused[i].json);
        assert_int_equal(
            sco_config_create(sco_slice_of(refused[i].json), &config, &err),
            SCO_INVALID);
        assert_null(config);
        assert_int_equal(err.status, SCO_INVALID);
        if (strstr(err.text, refused[i].says) == NULL) {
            fail_msg("it says: %s", err.text);
        }
    }
}

static void
expect(struct sco_slice json, enum sco_status expected)
{
    struct sco_config *config = NULL;
    struct sco_error err;

    assert_int_equal(sco_config_create(json, &config, &err), expected);
    sco_config_destroy(config);
}

static void
test_null_bytes(void **state)
{
    (void)state;
    expect(SCO_SLICE("{}\0"), SCO_INVALID);
    expect(SCO_SLICE("{\"python\": \"a\0b\"}"), SCO_INVALID);
    /* A backslash, and then the letters: no null byte. */
    expect(SCO_SLICE("{\"python\": \"\\\\u0000\"}"), SCO_OK);
    expect((struct sco_slice){ NULL, 0 }, SCO_INVALID);
}

static void
test_depth(void **state)
{
    struct sco_text json = { 0 };

    (void)state;
    for (int i = 0; i < 100000; i++) {
        sco_text_add_char(&json, '[');
    }
    expect(sco_text_slice(&json), SCO_TOO_LARGE);
    expect(SCO_SLICE("{\"listen\": [[]]}"), SCO_TOO_LARGE);
    /* Brackets in strings are no depth, nor is what was closed. */
    expect(SCO_SLICE("{\"python\": \"[[[\\\"[[[\"}"), SCO_OK);
    expect(SCO_SLICE("{\"listen\": [\"a\"], \"cors_origins\": [\"b\"]}"),
           SCO_OK);
    sco_text_finish(&json);
}

static void
test_size(void **state)
{
    struct sco_text json = { 0 };

    (void)state;
    sco_text_add(&json, SCO_SLICE("{}"));
    while (json.len < SCO_CONFIG_MAX_BYTES) {
        sco_text_add_char(&json, ' ');
    }
    expect(sco_text_slice(&json), SCO_OK);
    sco_text_add_char(&json, ' ');
    expect(sco_text_slice(&json), SCO_TOO_LARGE);
    sco_text_finish(&json);
}

static void
test_long_strings_and_lists(void **state)
{
    struct sco_text json = { 0 };

    (void)state;
    sco_text_add(&json, SCO_SLICE("{\"python\": \""));
    for (int i = 0; i < 4097; i++) {
        sco_text_add_char(&json, 'p');
    }
    sco_text_add(&json, SCO_SLICE("\"}"));
    expect(sco_text_slice(&json), SCO_INVALID);

    sco_text_clear(&json);
    sco_text_add(&json, SCO_SLICE("{\"listen\": [\"a\""));
    for (int i = 0; i < 64; i++) {
        sco_text_add(&json, SCO_SLICE(", \"a\""));
    }
    sco_text_add(&json, SCO_SLICE("]}"));
    expect(sco_text_slice(&json), SCO_INVALID);
    sco_text_finish(&json);
}

static void
test_without_an_error(void **state)
{
    struct sco_config *config = NULL;

    (void)state;
    assert_int_equal(sco_config_create(SCO_SLICE("{\"a\": 1}"), &config, NULL),
                     SCO_INVALID);
    assert_null(config);
    sco_config_destroy(NULL);
}

static void *
cjson_malloc(size_t size)
{
    return memory_malloc(size);
}

/* Once for each allocation, the library's with them. It does not tell want
 * of memory from what is no JSON. */
static void
test_failing_memory(void **state)
{
    static const char json[] = "{\"listen\": [\"a\", \"b\"], \"python\": "
                               "\"p\", \"worker_count\": 2}";
    cJSON_Hooks hooks = { .malloc_fn = cjson_malloc, .free_fn = free };
    bool failed = true;

    (void)state;
    cJSON_InitHooks(&hooks);
    for (size_t i = 0; failed; i++) {
        struct sco_config *config = NULL;
        struct sco_error err;
        enum sco_status status;

        memory_fail_at(i);
        status = sco_config_create(SCO_SLICE(json), &config, &err);
        failed = memory_has_failed();
        if (failed) {
            assert_true(status == SCO_NOMEM || status == SCO_INVALID);
            assert_null(config);
        } else {
            assert_int_equal(status, SCO_OK);
            assert_true(i > 10);
        }
        sco_config_destroy(config);
    }
    cJSON_InitHooks(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_default_is_within_its_bounds),
        cmocka_unit_test(test_null_is_the_default),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_null_bytes),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_long_strings_and_lists),
        cmocka_unit_test(test_without_an_error),
        cmocka_unit_test(test_failing_memory),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
