#include "host/program.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "host/host.h"
#include "host/listeners.h"
#include "host/signals.h"
#include "supervisor/supervisor.h"

#include <unistd.h>

enum {
    CODE_FAILED = 1,
    /* Beyond the time for draining: what killing and Python's end may take. */
    GRACE_MS = 10000,
};

struct program {
    struct sco_config *config;
    struct sco_slice boot;
    const struct sco_runners *runners;
    const struct sco_process *process;
    struct sco_listeners listeners;
    struct sco_signals_before signals;
};

/* Whether the next start will know that the script is unfit. */
static bool
remember_unfit(const struct program *program, const struct sco_stand *stand)
{
    const struct sco_process *process = program->process;

    return stand != NULL && stand->kind_unfit &&
           program->config->worker_kind == SCO_CONFIG_INTERPRETER &&
           process->remember_unfit != NULL &&
           process->remember_unfit(process->arg);
}

static int
serve(struct program *program, const struct sco_stand *stand)
{
    const struct sco_host_setup setup = {
        .config = program->config,
        .boot = program->boot,
        .runners = program->runners,
        .listeners = &program->listeners,
        .report_fd = stand != NULL ? stand->report_fd : -1,
        .kind_unfit = stand != NULL && stand->kind_unfit,
        .unfit_known = remember_unfit(program, stand),
        .before = stand != NULL ? stand->before : 0,
    };

    return sco_host_serve(&setup);
}

/* In the host's process. */
static void
be_host(void *arg, const struct sco_stand *stand)
{
    struct program *program = arg;
    int code = serve(program, stand);

    sco_signals_release(&program->signals);
    program->process->leave(program->process->arg, code);
}

static pid_t
fork_host(void *arg)
{
    const struct program *program = arg;

    return program->process->fork(program->process->arg);
}

static void
on_end(void *arg)
{
    struct program *program = arg;

    sco_listeners_close(&program->listeners);
}

static int
supervise(struct program *program)
{
    const struct sco_supervision what = {
        .arg = program,
        .patience_ns =
            (program->config->drain_timeout_ms + (uint64_t)GRACE_MS) *
            SCO_NS_PER_MS,
        .fork = fork_host,
        .host = be_host,
        .on_end = on_end,
    };

    return sco_supervise(&what);
}

static int
run(struct program *program)
{
    const struct sco_config_list *listen = &program->config->listen;
    struct sco_error err = { .text = "" };

    if (sco_listeners_open(listen->items, listen->count, &program->listeners,
                           &err) != SCO_OK) {
        sco_log(SCO_EVENT_ADDRESS_IN_USE, "%s", err.text);
        return CODE_FAILED;
    }
    sco_listeners_log(&program->listeners);
    return program->process != NULL && program->config->supervisor
               ? supervise(program)
               : serve(program, /* stand */ NULL);
}

int
sco_program_run(struct sco_slice config, struct sco_slice boot,
                const struct sco_runners *runners,
                const struct sco_process *process)
{
    struct program program = {
        .boot = boot,
        .runners = runners,
        .process = process,
    };
    struct sco_error err = { .text = "" };
    int code;

    if (sco_config_create(config, &program.config, &err) != SCO_OK) {
        sco_log(SCO_EVENT_INTERNAL, "%s", err.text);
        return CODE_FAILED;
    }
    sco_signals_hold(&program.signals);
    code = run(&program);
    sco_listeners_finish(&program.listeners);
    sco_signals_release(&program.signals);
    sco_config_destroy(program.config);
    return code;
}
