/* test_cors.c - who may ask from a browser
 *
 * The rules of the replaced server, and which of Python's regular expressions
 * mean the same here.
 */
#include "host/cors.h"
#include "support/test.h"

#include <string.h>

enum { ORIGINS_MAX = 3, TEXT_MAX = 512 };

/* clang-format off */
static const struct {
    const char *why;
    const char *origins[ORIGINS_MAX];
    const char *sent; /* Origin; NULL: none */
    const char *got;  /* all fields, as "Name: value; " */
} origins[] = {
    { "CORS is off", { NULL }, "http://a", "" },
    { "the one origin", { "http://a" }, "http://a",
      "Access-Control-Allow-Origin: http://a; " },
    { "as it was sent, in either case", { "http://a" }, "HTTP://A",
      "Access-Control-Allow-Origin: HTTP://A; " },
    { "another one", { "http://a" }, "http://b", "" },
    { "not the begin of one", { "http://a" }, "http://a.evil", "" },
    { "nobody asks: the one origin", { "http://a" }, NULL,
      "Access-Control-Allow-Origin: http://a; " },
    { "one of two", { "http://a", "http://b" }, "http://b",
      "Access-Control-Allow-Origin: http://b; Vary: Origin; " },
    { "nobody asks: the first by name", { "http://b", "http://a" }, NULL,
      "Access-Control-Allow-Origin: http://a; Vary: Origin; " },
    { "anybody", { "*" }, "http://x",
      "Access-Control-Allow-Origin: http://x; Vary: Origin; " },
    { "anybody, and nobody asks", { "*" }, NULL,
      "Access-Control-Allow-Origin: *; " },
    { "anybody among others, and nobody asks", { "http://a", "*" }, NULL,
      "Access-Control-Allow-Origin: *; " },
    { "the expression for anybody", { ".*" }, NULL,
      "Access-Control-Allow-Origin: *; " },
    { "an expression", { "http://.*" }, "http://x",
      "Access-Control-Allow-Origin: http://x; Vary: Origin; " },
    { "an expression, and nobody asks", { "http://.*" }, NULL, "" },
    { "an expression among others, and nobody asks",
      { "http://.*", "http://a" }, NULL,
      "Access-Control-Allow-Origin: http://a; Vary: Origin; " },
};

static const struct {
    const char *why;
    const char *pattern, *sent;
    bool        matches;
} patterns[] = {
    { "from the start",           "b.*",             "http://b", false },
    { "not to the end",           "http://a(b|c)",   "http://ab.evil", true },
    { "to the end if it says so", "http://a(b|c)$",  "http://ab.evil", false },
    { "without regard to case",   "http://[a-c]$",   "HTTP://B", true },
    { "a dot is any character",   "http://a.b$",     "http://a.b", true },
    { "... only with another sign that makes it an expression",
                                  "http://a.b",      "http://axb", false },
    { "a quoted dot is a dot",    "https://\\w+\\.example\\.com$",
                                  "https://a.example.com", true },
    { "... and nothing else",     "https://a\\.example\\.com$",
                                  "https://axexample.com", false },
    { "digits",                   "http://a:\\d+$",  "http://a:8080", true },
    { "no digits",                "http://\\D+$",    "http://a1", false },
    { "words",                    "http://\\w+$",    "http://a_1", true },
    { "no words",                 "http://a\\Wb$",   "http://a-b", true },
    { "space",                    "a\\s\\Sb$",       "a xb", true },
    { "a word's end",             "http://a\\b.*$",  "http://a.b", true },
    { "... that is none",         "http://a\\b.*$",  "http://ab", false },
    { "words in a set",           "https://[\\w-]+\\.example$",
                                  "https://a-b_c.example", true },
    { "... and nothing else",     "https://[\\w-]+\\.example$",
                                  "https://a\\b.example", false },
    { "digits in a set",          "http://[\\d.]+$", "http://1.2", true },
    { "... and nothing else",     "http://[\\d.]+$", "http://d", false },
    { "space in a set",           "[\\s]x$",         " x", true },
    { "what is not a digit in a set has no counterpart",
                                  "[\\D]x$",         "ax", false },
    { "a quoted dash in a set",   "http://[a\\-c]+$", "http://a-c", true },
    { "... makes no range",       "http://[a\\-c]+$", "http://b", false },
    { "a quoted bracket in a set", "[\\]]x$",        "]x", true },
    { "a bracket that begins a set", "[]a]x$",       "]x", true },
    { "... or its opposite",      "[^]a]x$",         "bx", true },
    { "a quoted hat in a set",    "[\\^a]x$",        "^x", true },
    { "a quoted backslash in a set", "[\\\\]x$",     "\\x", true },
    { "[: is nothing special",    "[[:a]x$",         ":x", true },
    { "a group without a number", "http://(?:a|b)$", "http://b", true },
    { "alternatives as a whole",  "xa|b$",          "xb", false },
    { "a bar alone makes none",   "a|b",            "b", false },
    { "... of an expression",     "(a|b)$",          "b", true },
    { "counts",                   "http://a{2,3}$",  "http://aa", true },
    { "... one too few",          "http://a{2,3}$",  "http://a", false },
    { "as few as can be",         "http://.*?b$",    "http://aab", true },
    { "the begin and the end",    "\\Ahttp://a\\Z",  "http://a", true },
    { "a slash that is quoted",   "http:\\/\\/a$",   "http://a", true },
    { "looking ahead is not understood", "http://(?=a).*", "http://a", false },
    { "nor a reference",          "(a)\\1$",         "aa", false },
    { "nor what it does not know", "\\q",            "q", false },
    { "no expression: never",     "http://(",        "http://(", false },
    { "nor one that ends in \\",  "http://a\\",      "http://a\\", false },
    { "nor one that begins with a repetition", "*.example", "x.example",
                                  false },
};
/* clang-format on */

/* Joins the fields as the table has them. */
static void
join(const struct sco_cors_fields *fields, char text[TEXT_MAX])
{
    struct sco_text joined = { 0 };

    for (size_t i = 0; i < fields->count; i++) {
        sco_text_add(&joined, fields->fields[i].name);
        sco_text_add(&joined, SCO_SLICE(": "));
        sco_text_add(&joined, fields->fields[i].value);
        sco_text_add(&joined, SCO_SLICE("; "));
    }
    assert_true(joined.len < TEXT_MAX);
    memcpy(text, joined.len > 0 ? joined.data : "", joined.len + 1);
    sco_text_finish(&joined);
}

/* What a request of this method and with these fields gets. */
static void
ask(const char *const *list, size_t list_count, const char *method,
    const struct sco_field *fields, size_t count, char text[TEXT_MAX])
{
    struct sco_cors *cors =
        sco_cors_create((char *const *)(uintptr_t)list, list_count);
    struct sco_cors_fields got;

    assert_int_equal(cors == NULL, list_count == 0);
    sco_cors_apply(cors, sco_slice_of(method), fields, count, &got);
    join(&got, text);
    sco_cors_fields_finish(&got);
    sco_cors_destroy(cors);
}

static size_t
count_of(const char *const list[ORIGINS_MAX])
{
    size_t count = 0;

    while (count < ORIGINS_MAX && list[count] != NULL) {
        count++;
    }
    return count;
}

static void
test_origins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        struct sco_field field = { SCO_SLICE("origin"),
                                   sco_slice_of(origins[i].sent) };
        char got[TEXT_MAX];

        print_message("%s\n", origins[i].why);
        ask(origins[i].origins, count_of(origins[i].origins), "POST", &field,
            origins[i].sent != NULL, got);
        assert_string_equal(got, origins[i].got);
    }
}

static void
test_expressions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct sco_field field = { SCO_SLICE("Origin"),
                                   sco_slice_of(patterns[i].sent) };
        char got[TEXT_MAX];

        print_message("%s: %s\n", patterns[i].why, patterns[i].pattern);
        ask(&patterns[i].pattern, 1, "POST", &field, 1, got);
        assert_int_equal(got[0] != '\0', patterns[i].matches);
    }
}

/* ---- before the request itself -------------------------------------- */

/* clang-format off */
static const struct {
    const char *why;
    const char *method, *asked_method, *asked_names;
    const char *got; /* behind the origin */
} preflights[] = {
    { "a preflight for POST", "OPTIONS", "POST", NULL,
      "Access-Control-Allow-Methods: GET, POST; " },
    { "in either case", "OPTIONS", "get", NULL,
      "Access-Control-Allow-Methods: GET, POST; " },
    { "with names: trimmed and sorted", "OPTIONS", "POST",
      "x-b ,\tX-C,x-a",
      "Access-Control-Allow-Headers: X-C, x-a, x-b; "
      "Access-Control-Allow-Methods: GET, POST; " },
    { "names of which one is the other's begin", "OPTIONS", "POST", "ab,a",
      "Access-Control-Allow-Headers: a, ab; "
      "Access-Control-Allow-Methods: GET, POST; " },
    { "no names", "OPTIONS", "POST", "",
      "Access-Control-Allow-Methods: GET, POST; " },
    { "another method", "OPTIONS", "PUT", "x-a", "" },
    { "no method", "OPTIONS", NULL, "x-a", "" },
    { "no preflight", "POST", "POST", "x-a", "" },
};
/* clang-format on */

static void
test_preflights(void **state)
{
    static const char *const allowed = "http://a";
    static const char origin[] = "Access-Control-Allow-Origin: http://a; ";

    (void)state;
    for (size_t i = 0; i < sizeof(preflights) / sizeof(preflights[0]); i++) {
        struct sco_field fields[3] = {
            { SCO_SLICE("Origin"), SCO_SLICE("http://a") },
        };
        char got[TEXT_MAX];
        size_t count = 1;

        print_message("%s\n", preflights[i].why);
        if (preflights[i].asked_method != NULL) {
            fields[count++] =
                (struct sco_field){ SCO_SLICE("Access-Control-Request-Method"),
                                    sco_slice_of(preflights[i].asked_method) };
        }
        if (preflights[i].asked_names != NULL) {
            fields[count++] = (struct sco_field){
                SCO_SLICE("Access-Control-Request-Headers"),
                sco_slice_of(preflights[i].asked_names)
            };
        }
        ask(&allowed, 1, preflights[i].method, fields, count, got);
        assert_memory_equal(got, origin, strlen(origin));
        assert_string_equal(got + strlen(origin), preflights[i].got);
    }
}

static void
test_a_private_network_is_not_opened(void **state)
{
    static const char *const allowed = "http://a";
    struct sco_field field = {
        SCO_SLICE("Access-Control-Request-Private-Network"), SCO_SLICE("true")
    };
    char got[TEXT_MAX];

    (void)state;
    ask(&allowed, 1, "GET", &field, 1, got);
    assert_string_equal(got, "Access-Control-Allow-Origin: http://a; "
                             "Access-Control-Allow-Private-Network: false; ");
    field.value = SCO_SLICE("false");
    ask(&allowed, 1, "GET", &field, 1, got);
    assert_string_equal(got, "Access-Control-Allow-Origin: http://a; ");
}

static void
test_more_names_than_fit_are_left_out(void **state)
{
    static const char *const allowed = "http://a";
    char names[201];
    struct sco_field fields[2] = {
        { SCO_SLICE("Access-Control-Request-Method"), SCO_SLICE("POST") },
        { SCO_SLICE("Access-Control-Request-Headers"), { names, 200 } },
    };
    char got[TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < 200; i += 2) {
        names[i] = 'n';
        names[i + 1] = ',';
    }
    ask(&allowed, 1, "OPTIONS", fields, 2, got);
    assert_non_null(strstr(got, "Access-Control-Allow-Methods"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_preflights),
        cmocka_unit_test(test_a_private_network_is_not_opened),
        cmocka_unit_test(test_more_names_than_fit_are_left_out),
    };

    return cmocka_run_group_tests_name("cors", tests, NULL, NULL);
}
