/* heard.h - requests of a test's own, and what became of them
 *
 * Thread: the loop's.
 */
#ifndef SCO_SUPPORT_HEARD_H
#define SCO_SUPPORT_HEARD_H

#include "request/request.h"

enum { HEARD_BYTES_MAX = 256 };

/* What a request was answered with. The bytes are copied and the answer is
 * released at once, but for a stream, which is kept. */
struct heard {
    unsigned count; /* answers; one at the most */
    enum sco_status failure;
    unsigned status;
    uint32_t flags;
    pid_t pid;
    char detail[HEARD_BYTES_MAX]; /* "" without one */
    char body[HEARD_BYTES_MAX];
    struct sco_stream *stream; /* a reference, or NULL */
};

/* Makes a plain request with this body; the caller has its one reference.
 * What becomes of it is told to `heard`, which is emptied; NULL: nobody
 * waits for an answer. */
struct sco_request *heard_request(struct sco_arena *arena, const char *body,
                                  struct heard *heard);

/* Lets go of a stream that was kept. */
void heard_finish(struct heard *heard);

#endif
