/* program.h - a part of the host as a process of its own, and its log
 *
 * What takes the signals of its process is tested in a child. Its stderr is
 * read here, so that a test waits for what it says and never for a time.
 *
 * Thread: a test that has no other one.
 */
#ifndef SCO_SUPPORT_PROGRAM_H
#define SCO_SUPPORT_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

enum { PROGRAM_SEEN_MAX = 65536 };

struct program {
    pid_t pid;
    int log;
    char seen[PROGRAM_SEEN_MAX]; /* since the last call that waited */
};

/* Runs `body` in a child, which exits with what it returns and dies with the
 * test. */
void program_start(struct program *program, int (*body)(void *arg), void *arg);

/* Reads on until a text has come; false at the end of the log, or after 20
 * seconds. What was read before it is in `seen`. */
bool program_says(struct program *program, const char *text);

/* Reads the log to its end, which is in `seen` then, and waits for that of the
 * child: the exit code, or a negative signal. */
int program_end(struct program *program);

#endif
