/* path.h - what a path of the Open Inference Protocol asks for
 *
 * Pure: which models there are is not known here, nor is their state.
 * Thread: any.
 */
#ifndef SCO_V2_PATH_H
#define SCO_V2_PATH_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>

struct sco_text;

enum sco_v2_what {
    SCO_V2_SERVER,      /* /v2 */
    SCO_V2_LIVE,        /* /v2/health/live */
    SCO_V2_READY,       /* /v2/health/ready */
    SCO_V2_STATS_ALL,   /* /v2/models/stats */
    SCO_V2_MODEL,       /* /v2/models/M, or /v2/models/M/versions/V */
    SCO_V2_MODEL_READY, /* either, and /ready */
    SCO_V2_INFER,       /* ... /infer */
    SCO_V2_CONFIG,      /* ... /config */
    SCO_V2_STATS,       /* ... /stats */
    SCO_V2_OPENAPI,     /* ... /openapi.json */
};

struct sco_v2_path {
    enum sco_v2_what what;
    struct sco_slice model;   /* empty where none is meant */
    struct sco_slice version; /* empty: whichever there is */
};

/* Whether a path, decoded or not, is the protocol's: /v2 or below it. All of
 * them are answered in its form, those that nobody knows too. */
bool sco_v2_path_is(struct sco_slice path);

/* Reads a request target as the client sent it: with its escapes, so that a
 * model's name can have a slash in it as %2F, and with its query, which is
 * left out. Slashes at the begin count as one; a single slash at the end is
 * left out. `room` has space for target.len bytes.
 *
 * Ownership: the slices of *out point into `room`.
 * Errors:    SCO_NOT_FOUND: no such path, or an escape that is none. */
SCO_NODISCARD
enum sco_status sco_v2_path_read(struct sco_slice target, char *room,
                                 struct sco_v2_path *out,
                                 struct sco_error *err);

/* Whether a method goes with a path. */
bool sco_v2_method_is_allowed(enum sco_v2_what what, struct sco_slice method);

/* The methods that do, for the field Allow of a 405. */
struct sco_slice sco_v2_methods(enum sco_v2_what what);

/* Appends a name with the escapes that make it one segment of a path. */
void sco_v2_path_add_segment(struct sco_text *text, struct sco_slice segment);

#endif
