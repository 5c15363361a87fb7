/* policy.h - whether a host that ended is started again, and when: pure
 *
 * The supervisor tells of each end that was not planned. An end is useless
 * when no worker had been ready; too many of these in a row, and there is no
 * point in going on. The pauses between starts grow to a second and no more:
 * clients wait meanwhile. Time is given, never asked for.
 *
 * Thread: any; a struct belongs to its owner.
 */
#ifndef SCO_SUPERVISOR_POLICY_H
#define SCO_SUPERVISOR_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCO_POLICY_USELESS_MAX = 5, /* in a row, then it gives up */
    SCO_POLICY_FAULTS_MAX = 2,  /* in all, then the kind is unfit */
};

/* How a host ended that nobody had told to. */
struct sco_policy_end {
    int signal; /* 0: it exited, with `code` */
    int code;
    bool was_ready; /* a worker had been */
    uint64_t lived_ns;
};

/* What is remembered; zero it to begin. */
struct sco_policy {
    unsigned failures; /* in a row, each soon after the one before */
    unsigned faults;   /* in all, that the script can be blamed for */
    size_t useless;    /* in a row */
    struct sco_policy_end ends[SCO_POLICY_USELESS_MAX]; /* these */
};

struct sco_policy_verdict {
    bool give_up;
    uint64_t delay_ns; /* until the next start, else */
};

/* Takes note of an end and says what follows. */
struct sco_policy_verdict sco_policy_judge(struct sco_policy *policy,
                                           const struct sco_policy_end *end);

/* Whether the script has crashed its process often enough to be kept out of
 * the host. Ends by signals that are sent from outside (SIGKILL, SIGTERM) say
 * nothing about it. */
bool sco_policy_is_unfit(const struct sco_policy *policy);

/* The exit code that stands for an end: the signal's number and 128, as
 * shells have it, or the host's own. It is never 0, which would tell that all
 * went well. */
int sco_policy_exit_code(const struct sco_policy_end *end);

#endif
