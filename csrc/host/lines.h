/* lines.h - the two lines that a request leaves
 *
 * The score line (logger azmlinfsrv) and the access line (gunicorn.access),
 * on stdout. Those of a burst are gathered and written in one call, before
 * the burst's replies go out, so that whoever has the answer finds the lines
 * in the file. With a user's logging.json in force they go to the worker's
 * Python logging instead.
 *
 * Thread: the loop's.
 */
#ifndef SCO_HOST_LINES_H
#define SCO_HOST_LINES_H

#include "base/slice.h"
#include "base/text.h"
#include "http/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_deployment;

struct sco_lines {
    struct sco_deployment *deployment;
    bool on;        /* access and score lines are wanted at all */
    bool to_worker; /* ... through Python's logging */
    struct sco_text burst;
    struct sco_text line; /* in the making */
    int64_t zone_second;  /* of `date` */
    char date[40];        /* "[22/Nov/2026:07:06:26 +0000]" */
};

/* What a line tells of a request. */
struct sco_line_facts {
    const struct sco_http_head *head;
    unsigned status;
    uint64_t took_ns;
    uint64_t body_bytes;
    bool streamed; /* the score line says N/A for the bytes */
    pid_t pid;     /* of the worker; 0: of any */
};

/* The score line: "POST /score?x=1 200 0.672ms 13". */
void sco_lines_score(struct sco_lines *lines,
                     const struct sco_line_facts *facts);

/* The access line, unless it is a probe's (GET or HEAD of "/", of "/metrics",
 * or of the v2 protocol's two paths of that kind). */
void sco_lines_access(struct sco_lines *lines,
                      const struct sco_line_facts *facts);

/* A warning of logger azmlinfsrv, for the same stream. */
void sco_lines_warn(struct sco_lines *lines, struct sco_slice text);

/* Writes what was gathered. */
void sco_lines_flush(struct sco_lines *lines);

/* Frees the memory of what was gathered. */
void sco_lines_finish(struct sco_lines *lines);

#endif
