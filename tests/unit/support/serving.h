/* serving.h - the whole program at a Unix socket, with a script in C
 *
 * It is a process of its own (support/program.h), since it takes the signals
 * of its process, and works with threads and no Python.
 *
 * Thread: a test that has no other one.
 */
#ifndef SCO_SUPPORT_SERVING_H
#define SCO_SUPPORT_SERVING_H

#include "support/program.h"

#include <stdbool.h>

struct sco_runner;

enum serving_how { SERVING_ALONE, SERVING_SUPERVISED };

struct serving {
    char folder[32];
    char path[64]; /* of the socket in there */
    struct program program;
};

/* Makes the folder; a test's group has one. 0, or -1. */
int serving_init(struct serving *serving);

/* Removes the folder, which is empty if all sockets are gone. 0, or -1. */
int serving_finish(struct serving *serving);

/* Starts the program with more of a configuration (", \"key\": value"), and
 * waits for nothing. */
void serving_start(struct serving *serving, enum serving_how how,
                   const char *more, const struct sco_runner *runner);

/* Sends a POST; the connection, on which the answer comes. */
int serving_post(const struct serving *serving, const char *body);

/* Has a body scored, and expects it back. */
void serving_assert_scores(const struct serving *serving, const char *body);

/* Waits for a text in the log. */
void serving_assert_says(struct serving *serving, const char *text);

/* Ends it by SIGTERM, and expects the exit code 0. */
void serving_stop(struct serving *serving);

#endif
