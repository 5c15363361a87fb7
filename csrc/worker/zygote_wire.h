/* zygote_wire.h - what the host and the process it forks workers from say
 *
 * A SOCK_SEQPACKET socket, descriptor 3 of that process. The first message is
 * the host's and is the boot text; all others are one struct each. The other
 * end is python/scorehost/zygote.py, which has this struct as "=IIiiii".
 *
 * Thread: any; there are no functions.
 */
#ifndef SCO_WORKER_ZYGOTE_WIRE_H
#define SCO_WORKER_ZYGOTE_WIRE_H

#include <stdint.h>

enum sco_zygote_word {
    SCO_ZYGOTE_FORK = 1,   /* host: fork a worker; with its socket */
    SCO_ZYGOTE_READY = 2,  /* the script is loaded, and forks may be asked */
    SCO_ZYGOTE_FORKED = 3, /* pid, with a pidfd; or `error`, and no pidfd */
    SCO_ZYGOTE_ENDED = 4,  /* a worker ended: exit_code, or signal */
};

struct sco_zygote_message {
    uint32_t word;
    uint32_t number; /* the host's, of the fork */
    int32_t pid;
    int32_t exit_code;
    int32_t signal; /* 0: it exited */
    int32_t error;  /* an errno */
};

#endif
