#include "supervisor/child.h"

#include "base/clock.h"
#include "base/signal_name.h"
#include "base/text.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void
sco_child_settle(pid_t supervisor)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) {
        _exit(1); /* it died before the kernel was told */
    }
}

void
sco_child_signal(const struct sco_child *child, int number)
{
    if (child->pid > 0) {
        (void)kill(child->pid, number);
    }
}

void
sco_child_limit(struct sco_child *child, uint64_t at_ns)
{
    if (child->kill_at_ns == 0 || at_ns < child->kill_at_ns) {
        child->kill_at_ns = at_ns;
    }
}

struct sco_policy_end
sco_child_bury(struct sco_child *child, int status, uint64_t now_ns)
{
    struct sco_policy_end end = {
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
        .was_ready = child->is_ready,
        .lived_ns = now_ns - child->begun_ns,
    };

    if (child->fd >= 0) {
        (void)close(child->fd);
    }
    *child = (struct sco_child){ .fd = -1 };
    return end;
}

void
sco_child_tell_end(const struct sco_policy_end *end, struct sco_text *out)
{
    if (end->signal != 0) {
        sco_text_addf(out, "was killed by %s", sco_signal_name(end->signal));
    } else {
        sco_text_addf(out, "exited with code %d", end->code);
    }
    sco_text_addf(out, " after %.1f s",
                  (double)end->lived_ns / (double)SCO_NS_PER_S);
    if (end->signal == SIGKILL) {
        sco_text_add(out, SCO_SLICE(" (perhaps out of memory)"));
    }
}
