/* test_path.c - what a path of the protocol asks for */
#include "support/test.h"
#include "v2/path.h"

#define TEXT SCO_SLICE_INIT

/* clang-format off */
static const struct {
    const char *target;
    enum sco_v2_what what;
    struct sco_slice model, version;
} found[] = {
    { "/v2", SCO_V2_SERVER, TEXT(""), TEXT("") },
    { "/v2/", SCO_V2_SERVER, TEXT(""), TEXT("") },
    { "//v2?verbose=1", SCO_V2_SERVER, TEXT(""), TEXT("") },
    { "/v2#top?", SCO_V2_SERVER, TEXT(""), TEXT("") },
    { "http://host:1/v2", SCO_V2_SERVER, TEXT(""), TEXT("") },
    { "/v2/health/live", SCO_V2_LIVE, TEXT(""), TEXT("") },
    { "/v2/health/ready", SCO_V2_READY, TEXT(""), TEXT("") },
    { "/v2/health/ready/", SCO_V2_READY, TEXT(""), TEXT("") },
    { "/v2/models/stats", SCO_V2_STATS_ALL, TEXT(""), TEXT("") },
    { "/v2/models/m", SCO_V2_MODEL, TEXT("m"), TEXT("") },
    { "/v2/models/m/", SCO_V2_MODEL, TEXT("m"), TEXT("") },
    { "/v2/models/stats/stats", SCO_V2_STATS, TEXT("stats"), TEXT("") },
    { "/v2/models/m/versions/2", SCO_V2_MODEL, TEXT("m"), TEXT("2") },
    { "/v2/models/m/ready", SCO_V2_MODEL_READY, TEXT("m"), TEXT("") },
    { "/v2/models/m/infer?a/b", SCO_V2_INFER, TEXT("m"), TEXT("") },
    { "/v2/models/m/config", SCO_V2_CONFIG, TEXT("m"), TEXT("") },
    { "/v2/models/m/stats", SCO_V2_STATS, TEXT("m"), TEXT("") },
    { "/v2/models/m/openapi.json", SCO_V2_OPENAPI, TEXT("m"), TEXT("") },
    { "/v2/models/m/versions/v%201/ready", SCO_V2_MODEL_READY, TEXT("m"),
      TEXT("v 1") },
    { "/v2/models/m/versions/1/infer", SCO_V2_INFER, TEXT("m"), TEXT("1") },
    { "/v2/models/versions/versions/1/config", SCO_V2_CONFIG,
      TEXT("versions"), TEXT("1") },
    { "/v2/models/a%2Fb/infer", SCO_V2_INFER, TEXT("a/b"), TEXT("") },
    { "/v2/models/%c3%A9t%C3%a9", SCO_V2_MODEL, TEXT("\xc3\xa9t\xc3\xa9"),
      TEXT("") },
    { "/%762/mode%6cs/m/inf%65r", SCO_V2_INFER, TEXT("m"), TEXT("") },
    { "/v2/models/a+b", SCO_V2_MODEL, TEXT("a+b"), TEXT("") },
};

static const char *const not_found[] = {
    "", "/", "v1", "/v1", "/v22", "/v2//", "/v2/health", "/v2/health/",
    "/v2/health/alive", "/v2/health/ready/now", "/v2/model/m", "/v2/models",
    "/v2/models/", "/v2/models//infer", "/v2/models/m//infer",
    "/v2/models/m/generate", "/v2/models/m/Infer", "/v2/models/m/infer/more",
    "/v2/models/m/versions", "/v2/models/m/versions/",
    "/v2/models/m/versions//infer", "/v2/models/m/versions/1/infer/more",
    "/v2/models/m/versions/1/versions/1", "/v2/repository/index",
    "/v2/models/a%2", "/v2/models/a%", "/v2/models/a%zz", "/v2/models/a%1g",
    "/v2/models/a%00b", "http://host", "http:/v2", "?/v2", "*",
    "/v2/1/2/3/4/5/6/7/8/9",
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
test_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(found); i++) {
        struct sco_slice target = sco_slice_of(found[i].target);
        struct sco_v2_path path = { .what = SCO_V2_SERVER };
        struct sco_error err = { .status = SCO_OK };
        char room[64];

        print_message("%s\n", found[i].target);
        assert_int_equal(sco_v2_path_read(target, room, &path, &err), SCO_OK);
        assert_int_equal(path.what, found[i].what);
        assert_true(sco_slice_equal(path.model, found[i].model));
        assert_true(sco_slice_equal(path.version, found[i].version));
    }
}

static void
test_not_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(not_found); i++) {
        struct sco_slice target = sco_slice_of(not_found[i]);
        struct sco_v2_path path = { .what = SCO_V2_CONFIG };
        struct sco_error err = { .status = SCO_OK };
        char room[64];

        print_message("%s\n", not_found[i]);
        assert_int_equal(sco_v2_path_read(target, room, &path, &err),
                         SCO_NOT_FOUND);
        assert_string_not_equal(err.text, "");
        assert_int_equal(path.what, SCO_V2_CONFIG);
    }
}

static void
test_whose_path(void **state)
{
    (void)state;
    assert_true(sco_v2_path_is(SCO_SLICE("/v2")));
    assert_true(sco_v2_path_is(SCO_SLICE("/v2/")));
    assert_true(sco_v2_path_is(SCO_SLICE("/v2/nothing")));
    assert_false(sco_v2_path_is(SCO_SLICE("/v2x")));
    assert_false(sco_v2_path_is(SCO_SLICE("/v")));
    assert_false(sco_v2_path_is(SCO_SLICE("/score")));
    assert_false(sco_v2_path_is((struct sco_slice){ NULL, 0 }));
}

static void
test_methods(void **state)
{
    static const struct {
        const char *method;
        bool infers, reads;
    } methods[] = { { "GET", false, true },     { "HEAD", false, true },
                    { "POST", true, false },    { "PUT", false, false },
                    { "DELETE", false, false }, { "post", false, false },
                    { "OPTIONS", true, true } };

    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct sco_slice method = sco_slice_of(methods[i].method);

        assert_int_equal(sco_v2_method_is_allowed(SCO_V2_INFER, method),
                         methods[i].infers);
        assert_int_equal(sco_v2_method_is_allowed(SCO_V2_SERVER, method),
                         methods[i].reads);
        assert_int_equal(sco_v2_method_is_allowed(SCO_V2_STATS, method),
                         methods[i].reads);
    }
    assert_true(sco_slice_equal(sco_v2_methods(SCO_V2_INFER),
                                SCO_SLICE("POST, OPTIONS")));
    assert_true(sco_slice_equal(sco_v2_methods(SCO_V2_MODEL_READY),
                                SCO_SLICE("GET, HEAD, OPTIONS")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_whose_path),
        cmocka_unit_test(test_methods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
