/* tiny_script.h - what fake workers do with what they are given
 *
 * The body of a request says what becomes of it:
 *
 *     hold     wait until `is_open`, then echo
 *     die      the worker ends, killed by SIGSEGV
 *     raise    500 with a message, as of a script that raised
 *     big      TINY_BIG_REPLY bytes of 'b'
 *     made     201 with headers of the script's own
 *     stream   "one" and "two" in a stream
 *     break    "one", then the stream breaks
 *     batch    echo, as of a run() that took 3 rows because it was idle
 *     mate     echo, as of one that another request has told of
 *     nobody   tell of a run() that failed for an unknown reason, then echo
 *
 * Everything else is echoed; a GET is answered with its target.
 *
 * Thread: the loop's, but for the counters, which are atomic.
 */
#ifndef SCO_SUPPORT_TINY_SCRIPT_H
#define SCO_SUPPORT_TINY_SCRIPT_H

#include "support/fake_worker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TINY_BIG_REPLY = 1024 * 1024 };

struct tiny_script {
    const struct sco_document *documents;
    size_t document_count;
    bool is_starting; /* nobody becomes ready */
    bool is_failing;  /* everybody ends with code 1 */
    bool is_open;
    bool is_holding[FAKE_CREW_MAX];
    atomic_uint scored, cancelled; /* begun; seen to be cancelled */
};

/* Has every fake worker do one step; a hook of the loop, whose `arg` is a
 * struct tiny_script. True when one did something. */
bool tiny_script_work(void *arg, uint64_t now_ns);

#endif
