/* status.h - how a function in csrc/ says that it failed
 *
 * A function that can fail returns an enum sco_status and puts the details
 * into a struct sco_error on its caller's stack. On failure its outputs are
 * untouched. Thread: any.
 */
#ifndef SCO_BASE_STATUS_H
#define SCO_BASE_STATUS_H

#include <stddef.h>

/* clang-format off */
/* One line per way to fail: its name, and what it means to a caller. */
#define SCO_STATUS_MAP(X)                                             \
    X(OK,          "ok")                                              \
    X(INVALID,     "the input is not well formed")                    \
    X(TOO_LARGE,   "the input is larger than a limit allows")         \
    X(UNSUPPORTED, "the input is well formed, but not handled here")  \
    X(NOT_FOUND,   "there is no such thing")                          \
    X(BUSY,        "a limit on waiting work is reached; try later")   \
    X(CLOSED,      "the host is draining or not ready")               \
    X(TIMEOUT,     "run() took longer than the host allows")          \
    X(DEADLINE,    "the time that the caller gave is over")           \
    X(CANCELLED,   "the client went away")                            \
    X(SCRIPT,      "the scoring script raised an exception")          \
    X(WORKER_LOST, "the worker died while it had the work")           \
    X(NOMEM,       "memory could not be had")                         \
    X(INTERNAL,    "a defect in this program")

#define X(name, text) SCO_##name,
enum sco_status { SCO_STATUS_MAP(X) SCO_STATUS_COUNT };
#undef X
/* clang-format on */

#define SCO_NODISCARD __attribute__((warn_unused_result))

/* Why a call failed. It lives on the caller's stack and owns nothing. */
struct sco_error {
    enum sco_status status;
    char text[256];
};

/* Fills in `err`, printf-style, and returns `status`, so that a function can
 * fail with `return sco_fail(...)`. A NULL `err` is allowed: that caller
 * wants the status only. */
enum sco_status sco_fail(struct sco_error *err, enum sco_status status,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a status means, as in the table. */
const char *sco_status_text(enum sco_status status);

/* Checked in every build: going on would corrupt memory or answer the wrong
 * client. What only a test needs to see is a plain assert(). */
#define SCO_CHECK(condition, text) \
    ((condition) ? (void)0 : sco_die(__FILE__, __LINE__, (text)))

/* Says where and why on stderr, and aborts. */
_Noreturn void sco_die(const char *file, int line, const char *text);

/* Memory for start-up: zeroed, and dies when there is none. What serves
 * requests asks calloc() and reports SCO_NOMEM.
 *
 * Ownership: the caller frees it with free(). */
void *sco_alloc(size_t count, size_t size);

#endif
