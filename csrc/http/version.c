/* version.c - which library, and what it can refuse */
#include "http/http_int.h"

#include <stdio.h>

const char *
sco_http_library_version(void)
{
    return MHD_get_version();
}

/* 1.0 has a parser of its own with levels of strictness. With that of 0.9 we
 * see by the places of the parsed words whether a head was well formed
 * (head.c), but what stands between two chunks of a body is seen by nobody
 * but the library. */
const char *
sco_http_library(void)
{
    static char text[128];
    const char *version = MHD_get_version();

    (void)snprintf(text, sizeof(text), "libmicrohttpd %s, %s", version,
                   version[0] == '0'
                       ? "strict heads, lenient chunks (bare LF accepted)"
                       : "strict parsing");
    return text;
}
