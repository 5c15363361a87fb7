#include "host/relief.h"

#include "base/log.h"
#include "supervisor/report.h"

#include <sys/epoll.h>

static void
on_report(void *arg, uint32_t events)
{
    struct sco_relief *relief = arg;
    struct sco_report report;

    while (sco_report_take(relief->watch.fd, &report)) {
        relief->is_asking = false;
        if (report.kind == SCO_REPORT_RELIEVED) {
            relief->on_relieved(relief->arg);
        } else if (report.kind == SCO_REPORT_ALONE) {
            relief->on_alone(relief->arg);
        }
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        sco_relief_close(relief); /* the supervisor is gone: so are we soon */
    }
}

enum sco_status
sco_relief_watch(struct sco_relief *relief, struct sco_loop *loop, int fd,
                 void (*on_relieved)(void *arg), void (*on_alone)(void *arg),
                 void *arg, struct sco_error *err)
{
    enum sco_status status = SCO_OK;

    *relief = (struct sco_relief){
        .watch = { .fd = fd, .on_ready = on_report, .arg = relief },
        .loop = loop,
        .on_relieved = on_relieved,
        .on_alone = on_alone,
        .arg = arg,
    };
    if (fd >= 0) {
        status = sco_loop_add(loop, &relief->watch, EPOLLIN, err);
    }
    if (status != SCO_OK) {
        relief->watch.fd = -1;
    }
    return status;
}

void
sco_relief_tell_ready(struct sco_relief *relief)
{
    if (!relief->has_told_ready) {
        relief->has_told_ready = true;
        sco_report_send(relief->watch.fd, SCO_REPORT_READY, 0);
    }
}

static bool
has_supervisor(const struct sco_relief *relief, const char *why)
{
    if (relief->watch.fd >= 0) {
        return true;
    }
    sco_log(SCO_EVENT_NO_SUPERVISOR,
            "a new host is needed (%s), but no supervisor is there to start "
            "it (--supervisor off, or a debugger); going on as it is",
            why);
    return false;
}

void
sco_relief_ask(struct sco_relief *relief, const char *why)
{
    if (!relief->is_asking && has_supervisor(relief, why)) {
        sco_log(SCO_EVENT_HOST_WORN, "a new host is asked for: %s", why);
        relief->is_asking = true;
        sco_report_send(relief->watch.fd, SCO_REPORT_SUCCESSOR, 0);
    }
}

bool
sco_relief_hand_over(struct sco_relief *relief, const char *why,
                     enum sco_relief_when when)
{
    if (!has_supervisor(relief, why)) {
        return false;
    }
    sco_log(SCO_EVENT_HOST_WORN, "a new host takes the next clients: %s", why);
    sco_report_send(relief->watch.fd, SCO_REPORT_WORN,
                    when == SCO_RELIEF_AFTER);
    return true;
}

void
sco_relief_close(struct sco_relief *relief)
{
    if (relief->watch.fd >= 0) {
        sco_loop_remove(relief->loop, &relief->watch);
        relief->watch.fd = -1;
    }
}
