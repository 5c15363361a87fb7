#include "supervisor/policy.h"

#include "base/backoff.h"
#include "base/clock.h"

#include <signal.h>

#define STEADY_NS  (5 * SCO_NS_PER_S)
#define LONGEST_NS SCO_NS_PER_S

enum { CODE_OF_SIGNALS = 128, CODE_BOOT_FAILED = 3 };

static bool
is_fault(const struct sco_policy_end *end)
{
    switch (end->signal) {
    case SIGKILL:
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
    case SIGHUP:
    case SIGUSR1:
    case SIGUSR2:
        return false;
    default:
        return true;
    }
}

struct sco_policy_verdict
sco_policy_judge(struct sco_policy *policy, const struct sco_policy_end *end)
{
    struct sco_policy_verdict verdict = { .give_up = false };

    if (end->was_ready) {
        policy->useless = 0;
    } else if (policy->useless < SCO_POLICY_USELESS_MAX) {
        policy->ends[policy->useless++] = *end;
    }
    if (end->was_ready && end->lived_ns >= STEADY_NS) {
        policy->failures = 0;
    }
    policy->failures++;
    policy->faults += is_fault(end);
    verdict.give_up = policy->useless == SCO_POLICY_USELESS_MAX;
    verdict.delay_ns = sco_backoff_delay_ns(policy->failures);
    if (verdict.delay_ns > LONGEST_NS) {
        verdict.delay_ns = LONGEST_NS;
    }
    return verdict;
}

bool
sco_policy_is_unfit(const struct sco_policy *policy)
{
    return policy->faults >= SCO_POLICY_FAULTS_MAX;
}

int
sco_policy_exit_code(const struct sco_policy_end *end)
{
    if (end->signal != 0) {
        return CODE_OF_SIGNALS + end->signal;
    }
    return end->code != 0 ? end->code : CODE_BOOT_FAILED;
}
