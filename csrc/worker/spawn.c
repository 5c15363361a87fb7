#define _GNU_SOURCE
#include "worker/spawn.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *const thread_variables[] = {
    "OMP_NUM_THREADS",     "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",    "NUMEXPR_NUM_THREADS",  "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_MAX_THREADS",
};

enum {
    THREAD_VARIABLES = sizeof(thread_variables) / sizeof(thread_variables[0]),
    VARIABLE_BYTES = 96,
};

/* Adds what makes a process see one GPU alone, in the place of what is there.
 * Returns the new count. */
static size_t
put_gpu(char **variables, size_t count, const char *gpu, char *made)
{
    static const char name[] = "CUDA_VISIBLE_DEVICES=";
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (strncmp(variables[i], name, sizeof(name) - 1) != 0) {
            variables[kept++] = variables[i];
        }
    }
    snprintf(made, VARIABLE_BYTES, "%s%s", name, gpu);
    variables[kept] = made;
    return kept + 1;
}

/* Our environment and the variables that it lacks. `made` holds the texts of
 * the new ones, that for the GPU last. */
static char **
environment(unsigned threads, const char *gpu, char made[][VARIABLE_BYTES])
{
    size_t count = 0;
    char **variables;

    while (environ[count] != NULL) {
        count++;
    }
    variables = calloc(count + THREAD_VARIABLES + 2, sizeof(*variables));
    if (variables == NULL) {
        return NULL;
    }
    memcpy(variables, environ, count * sizeof(*variables));
    if (gpu != NULL) {
        count = put_gpu(variables, count, gpu, made[THREAD_VARIABLES]);
    }
    for (size_t i = 0; i < THREAD_VARIABLES; i++) {
        if (getenv(thread_variables[i]) == NULL) {
            snprintf(made[i], VARIABLE_BYTES, "%s=%u", thread_variables[i],
                     threads);
            variables[count++] = made[i];
        }
    }
    return variables;
}

const char *
sco_spawn_sets_threads(void)
{
    for (size_t i = 0; i < THREAD_VARIABLES; i++) {
        if (getenv(thread_variables[i]) == NULL) {
            return thread_variables[i];
        }
    }
    return NULL;
}

static int
set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int failed;

    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    failed = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF |
                                                      POSIX_SPAWN_SETPGROUP);
    failed = failed ? failed : posix_spawnattr_setsigmask(attributes, &none);
    failed = failed ? failed : posix_spawnattr_setsigdefault(attributes, &all);
    return failed ? failed : posix_spawnattr_setpgroup(attributes, 0);
}

/* All of our descriptors close by themselves in the child (they are opened
 * so), but some were inherited from whoever started us. */
static int
set_descriptors(posix_spawn_file_actions_t *actions, int socket)
{
    int failed =
        posix_spawn_file_actions_adddup2(actions, socket, SCO_SPAWN_FD);

#if defined(__GLIBC__) && \
    (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 34))
    failed = failed ? failed
                    : posix_spawn_file_actions_addclosefrom_np(
                          actions, SCO_SPAWN_FD + 1);
#endif
    return failed;
}

static int
spawn(const char *python, const char *module, int socket, char **variables,
      pid_t *pid_out)
{
    char *const arguments[] = {
        (char *)(uintptr_t)python,
        (char *)(uintptr_t) "-m",
        (char *)(uintptr_t)module,
        (char *)(uintptr_t) "3",
        NULL,
    };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);

    if (failed) {
        return failed;
    }
    failed = posix_spawnattr_init(&attributes);
    if (failed) {
        posix_spawn_file_actions_destroy(&actions);
        return failed;
    }
    failed = set_attributes(&attributes);
    failed = failed ? failed : set_descriptors(&actions, socket);
    failed = failed ? failed
                    : posix_spawnp(pid_out, python, &actions, &attributes,
                                   arguments, variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

enum sco_status
sco_spawn_module(const char *python, const char *module, int socket,
                 unsigned threads_each, const char *gpu, pid_t *pid_out,
                 int *pidfd_out, struct sco_error *err)
{
    char made[THREAD_VARIABLES + 1][VARIABLE_BYTES];
    char **variables = environment(threads_each, gpu, made);
    int failed;
    int pidfd;
    pid_t pid;

    if (variables == NULL) {
        return sco_fail(err, SCO_NOMEM, "a worker's environment");
    }
    failed = spawn(python, module, socket, variables, &pid);
    free(variables);
    if (failed) {
        return sco_fail(err, SCO_INTERNAL, "cannot start %s: %s", python,
                        strerror(failed));
    }
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        failed = errno;
        kill(pid, SIGKILL);
        return sco_fail(err, SCO_INTERNAL, "pidfd: %s", strerror(failed));
    }
    *pid_out = pid;
    *pidfd_out = pidfd;
    return SCO_OK;
}

enum sco_status
sco_spawn_worker(const char *python, int socket, unsigned threads_each,
                 const char *gpu, pid_t *pid_out, int *pidfd_out,
                 struct sco_error *err)
{
    return sco_spawn_module(python, "scorehost.worker", socket, threads_each,
                            gpu, pid_out, pidfd_out, err);
}

bool
sco_spawn_has_ended(pid_t pid, int *exit_code_out, int *signal_out)
{
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
        return false;
    }
    *exit_code_out = info.si_code == CLD_EXITED ? info.si_status : 0;
    *signal_out = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return true;
}

/* CPUs by the cgroup's quota (version 2), or 0 where there is none. */
static unsigned
quota_cpus(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    unsigned long quota = 0;
    unsigned long period = 0;
    char line[64];
    char *end;

    if (file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof(line), file) != NULL) {
        quota = strtoul(line, &end, 10); /* "max" counts as none */
        period = strtoul(end, NULL, 10);
    }
    fclose(file);
    if (quota == 0 || period == 0) {
        return 0;
    }
    return (unsigned)((quota + period - 1) / period);
}

unsigned
sco_spawn_cpus(void)
{
    cpu_set_t set;
    unsigned quota = quota_cpus();
    unsigned cpus = 1;

    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        cpus = (unsigned)CPU_COUNT(&set);
    }
    return quota != 0 && quota < cpus ? quota : cpus;
}
