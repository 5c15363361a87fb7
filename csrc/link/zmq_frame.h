/* zmq_frame.h - what host and remote workers say to each other
 *
 * A message between them is a head and, behind it, as many parts of plain
 * bytes as its kind has. Here the head is written and read: pure, and all
 * that is read is checked, since anybody may have sent it. Numbers are
 * little-endian, a text has its length in 16 bits before it. The first eight
 * bytes (magic, version, kind) stay where they are in every version, so that
 * two that do not match can say so.
 *
 * Every message has the session that the host opened with WELCOME, and what
 * is about a request has its id. So what comes late, from before a restart or
 * for a request that is over, is known for what it is.
 *
 * Thread: any.
 */
#ifndef SCO_LINK_ZMQ_FRAME_H
#define SCO_LINK_ZMQ_FRAME_H

#include "base/slice.h"
#include "base/status.h"
#include "link/call.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SCO_FRAME_VERSION = 2,
    SCO_FRAME_TEXT_MAX = 200,  /* bytes of a text; the writer cuts it */
    SCO_FRAME_HEAD_MAX = 1200, /* room that every head fits into */
    SCO_FRAME_PARTS_MAX = 2,   /* behind the head */
    SCO_FRAME_CREDITS_MAX = 4, /* calls that a worker may hold */
    SCO_FRAME_WINDOW = 32,     /* pieces of a stream on their way */
};

enum sco_frame_kind {
    SCO_FRAME_HELLO,   /* worker: who it is; part: its documents */
    SCO_FRAME_WELCOME, /* host: the session begins */
    SCO_FRAME_REFUSED, /* host: no session */
    SCO_FRAME_CALL,    /* host: parts: head block, body */
    SCO_FRAME_LINE,    /* host: parts: logger, message */
    SCO_FRAME_CANCEL,  /* host: `number` is bits of enum sco_cancel */
    SCO_FRAME_ACK,     /* host: so many (`number`) pieces were taken */
    SCO_FRAME_WHOLE,   /* worker: a reply; parts: headers, body */
    SCO_FRAME_START,   /* worker: a stream begins; part: headers */
    SCO_FRAME_CHUNK,   /* worker: part: a piece of it */
    SCO_FRAME_END,     /* worker: `number` is an enum sco_status */
    SCO_FRAME_BEAT,    /* both: still here; `number` bytes come next */
    SCO_FRAME_BYE,     /* both: `number` is an enum sco_frame_bye */
    SCO_FRAME_RAN,     /* worker: run() gave no reply (SCO_LANE_RAN) */
    SCO_FRAME_KINDS,
};

/* Why there is no session. */
enum sco_frame_refusal {
    SCO_REFUSED_UNKNOWN, /* no hello came before: say it */
    SCO_REFUSED_LATER,   /* try again; the text says why */
    SCO_REFUSED_NEVER,   /* it would not help to try again */
    SCO_REFUSED_REASONS,
};

/* Why a session ends. */
enum sco_frame_bye {
    SCO_BYE_LEAVING, /* worker: give me nothing more */
    SCO_BYE_GONE,    /* worker: ended, with whatever it had */
    SCO_BYE_DONE,    /* host: you have answered all; end */
    SCO_BYE_ENDING,  /* host: I end; come back when there is one again */
    SCO_BYE_RENEW,   /* host: start anew, with the script as it is now */
    SCO_BYE_SILENT,  /* host: nothing was heard of you; come again */
    SCO_BYE_KILLED,  /* host: you are given up; end at once */
    SCO_BYE_REASONS,
};

/* A message's head. Only the members of its kind count; the others are zero
 * after reading. Texts borrow from what was read. */
struct sco_frame {
    enum sco_frame_kind kind;
    uint64_t session; /* 0 before there is one */
    uint64_t id;      /* of the request; 0: about none */

    /* HELLO */
    struct sco_slice name, machine, gpu, script;
    uint64_t script_hash;
    uint32_t pid;
    uint32_t credits; /* 1 ... SCO_FRAME_CREDITS_MAX */

    /* WELCOME */
    uint32_t beat_ms; /* at least one BEAT in this time, both ways */

    /* CALL */
    uint32_t way; /* enum sco_call_way */
    uint32_t timeout_ms;
    uint32_t left_ms; /* until nobody waits any more; 0: not known */

    /* REFUSED (an enum sco_frame_refusal), CANCEL, ACK, END, BEAT, BYE */
    uint64_t number;

    /* REFUSED, BYE */
    struct sco_slice text;

    /* WHOLE, START, RAN */
    struct sco_reply_head head;
};

/* Writes a head; returns its bytes. Texts are cut at SCO_FRAME_TEXT_MAX. */
size_t sco_frame_write(const struct sco_frame *frame,
                       char into[SCO_FRAME_HEAD_MAX]);

/* How many parts follow the head of this kind. */
size_t sco_frame_parts(enum sco_frame_kind kind);

/* Reads a head that `parts` parts followed.
 *
 * Errors: SCO_UNSUPPORTED for another version, SCO_INVALID for anything that
 *         sco_frame_write() does not write. */
SCO_NODISCARD
enum sco_status sco_frame_read(struct sco_slice head, size_t parts,
                               struct sco_frame *out);

#endif
