/* zmq_host_int.h - the two halves of the host's end: the socket and all that
 * is about many workers (zmq_host.c), and one worker (zmq_peer.c)
 *
 * Thread: zmq, where a member says nothing else.
 */
#ifndef SCO_LINK_ZMQ_HOST_INT_H
#define SCO_LINK_ZMQ_HOST_INT_H

#include "base/list.h"
#include "base/loop.h"
#include "base/text.h"
#include "link/child_int.h"
#include "link/zmq_frame.h"
#include "link/zmq_host.h"

#include <stdatomic.h>

enum { PEER_IDENTITY_MAX = 32, PEER_WHY_BYTES = 192 };

enum peer_state {
    PEER_OFFERED, /* the loop has not said yet */
    PEER_SERVING,
    PEER_GONE, /* the loop's alone */
};

enum peer_order { ORDER_NONE, ORDER_REFUSE, ORDER_KILL };

/* A call that was sent and is not answered. */
struct flight {
    uint64_t id;
    struct sco_child_held held;
    unsigned told;   /* of the mark's cancel word */
    bool streaming;  /* START has come */
    uint64_t pieces; /* that have come */
    uint64_t acked;  /* of them, to the worker */
};

struct sco_zmq_peer {
    struct sco_zmq_host *host;
    struct sco_list link; /* among the host's peers, or its gone ones */
    enum peer_state state;

    /* Fixed by its hello. */
    char identity[PEER_IDENTITY_MAX];
    size_t identity_bytes;
    uint64_t session;
    struct sco_zmq_info info;
    char name[SCO_FRAME_TEXT_MAX + 80], machine[SCO_FRAME_TEXT_MAX + 1];
    char gpu[SCO_FRAME_TEXT_MAX + 1], script[SCO_FRAME_TEXT_MAX + 1];
    struct sco_text documents;

    uint64_t patience_ns; /* lost when nothing came before this moment */
    struct flight flights[SCO_FRAME_CREDITS_MAX]; /* oldest first */
    size_t flight_count;
    bool welcomed;            /* its lane's end is played here */
    bool leaving;             /* it said so */
    char why[PEER_WHY_BYTES]; /* it has gone; "": all is well */

    /* Written by the loop, read by zmq. */
    _Atomic(struct sco_child *) child; /* set once */
    atomic_int order;                  /* enum peer_order */

    /* The loop's. */
    void *owner;
    struct sco_post came, left, gone;
};

/* Sends a message to a peer, which is lost when it cannot be had. */
void peer_send(struct sco_zmq_peer *peer, struct sco_frame *frame,
               const struct sco_slice *parts);

/* Obeys the loop, and moves what is in the lane. */
void peer_pump(struct sco_zmq_peer *peer);

/* Hears a message of this peer's session. */
void peer_hear(struct sco_zmq_peer *peer, const struct sco_frame *frame,
               const struct sco_slice *parts);

/* Looks at everything once more before zmq sleeps. False: it must not. */
bool peer_may_sleep(struct sco_zmq_peer *peer);

/* Ends a session with a last word to the worker; `why` is NULL when nothing
 * is wrong. The peer is the loop's at the end of this turn. */
void peer_end(struct sco_zmq_peer *peer, enum sco_frame_bye bye,
              const char *why);

/* For peer_end(): moves it to those that go to the loop. */
void host_let_go(struct sco_zmq_peer *peer);

/* For peer_send(): the socket. */
enum sco_status host_send(struct sco_zmq_host *host,
                          const struct sco_slice *parts, size_t count);

/* Has something run on the loop. */
void host_post(struct sco_zmq_host *host, struct sco_post *post);

/* Whether the host is ending. */
bool host_is_ending(const struct sco_zmq_host *host);

/* How often something must be heard. */
uint32_t host_beat_ms(const struct sco_zmq_host *host);

#endif
