/* recycle.h - when a worker has served long enough: pure decisions
 *
 * Scripts leak, and a fresh worker is the cure that needs no thought. The
 * pool keeps a `life` for each worker, asks sco_recycle_judge(), and replaces
 * the worn ones one at a time (pool.h).
 *
 * Thread: any, where a function says nothing else.
 */
#ifndef SCO_WORKER_RECYCLE_H
#define SCO_WORKER_RECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a worker may reach; 0 is no limit. */
struct sco_recycle_limits {
    uint64_t requests;
    uint64_t jitter; /* so many requests more, at most */
    uint64_t age_ns;
    uint64_t rss_bytes;
};

/* What is noted of a worker. */
struct sco_recycle_life {
    uint64_t more_requests; /* its own jitter */
    uint64_t rss_bytes;     /* as last seen */
    uint64_t rss_at_ns;     /* ... when; 0: never */
    unsigned rss_over;      /* samples over the limit in a row */
};

enum sco_recycle_why {
    SCO_RECYCLE_NOT,
    SCO_RECYCLE_REQUESTS,
    SCO_RECYCLE_AGE,
    SCO_RECYCLE_MEMORY,
};

/* The life of a new worker. `random` decides its jitter, so that workers
 * that start together are not worn together. */
struct sco_recycle_life
sco_recycle_begin(const struct sco_recycle_limits *limits, uint64_t random);

/* Whether a worker that served so many requests, and has been ready for
 * `age_ns`, is worn out. */
enum sco_recycle_why sco_recycle_judge(const struct sco_recycle_limits *limits,
                                       const struct sco_recycle_life *life,
                                       uint64_t served, uint64_t age_ns);

/* Whether the memory is to be looked at now: there is a limit, and the last
 * look is a while ago. */
bool sco_recycle_samples(const struct sco_recycle_limits *limits,
                         const struct sco_recycle_life *life, uint64_t now_ns);

/* Notes a look at the memory. One that is 0 (it could not be seen) counts as
 * none at all. */
void sco_recycle_note(const struct sco_recycle_limits *limits,
                      struct sco_recycle_life *life, uint64_t rss_bytes,
                      uint64_t now_ns);

/* Writes the reason as the end of "it ..." into `text`. */
void sco_recycle_tell(enum sco_recycle_why why,
                      const struct sco_recycle_life *life, uint64_t served,
                      uint64_t age_ns, char *text, size_t text_bytes);

/* The resident memory of a process; 0 when it cannot be told.
 *
 * Blocks: no; the file is the kernel's own. */
uint64_t sco_recycle_rss_bytes(pid_t pid);

#endif
