/* request.h - one scoring request, from its last body byte to its answer
 *
 * Two parties hold it, a reference each: the HTTP side, which waits for the
 * answer, and whoever has the work - the queue, then a worker. The work is
 * passed on and never shared. Worker, deadline, hang-up and lost worker may
 * all want to answer; the first one is heard.
 *
 * The bytes stand in a slot of the arena: a head block, the body, and room
 * for a small reply behind them. The slot goes back with the last reference.
 *
 * Thread: the loop's, all of it.
 */
#ifndef SCO_REQUEST_REQUEST_H
#define SCO_REQUEST_REQUEST_H

#include "base/list.h"
#include "base/ranks.h"
#include "base/slice.h"
#include "base/status.h"
#include "link/lane.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sco_request;
struct sco_stream;
struct sco_worker;

/* What became of a request. It holds during the call of on_answer; the bytes
 * hold longer: until sco_answer_release(), or with the request where they
 * stand in its slot. */
struct sco_answer {
    enum sco_status failure; /* SCO_OK: a worker's reply */
    const char *detail;      /* of a failure: "SIGSEGV"; may be NULL */
    unsigned status;
    uint32_t flags; /* enum sco_reply_flag */
    uint64_t run_ns;
    uint64_t begun_ns; /* when run() was called; 0: unknown */
    uint32_t rows;     /* of an infer request; 0: nobody said */
    int64_t stream_bytes;
    bool has_reason;
    struct sco_slice headers; /* a field block */
    struct sco_slice body;
    struct sco_stream *stream; /* instead of a body; has a reference */
    struct sco_lane *lane;     /* whose block holds the bytes, or NULL */
    uint64_t block;
    pid_t pid; /* of the worker; 0 when none had it */
};

typedef void (*sco_answer_fn)(void *arg, struct sco_request *req,
                              const struct sco_answer *answer);

struct sco_request {
    struct sco_list link;  /* among a worker's held */
    struct sco_rank place; /* in the queue */
    struct sco_rank due;   /* among those whose caller gave them a time */
    uint64_t deadline_ns;  /* when that is over; 0: it gave none */
    unsigned refs;
    enum sco_lane_call_kind kind;

    /* The bytes. */
    struct sco_arena *arena;
    struct sco_slot slot;
    uint32_t head_bytes;
    uint64_t body_bytes;

    /* Who waits; cleared when it has been told or does not care. */
    sco_answer_fn on_answer;
    void *on_answer_arg;

    /* Where it is. */
    uint64_t progress_ns;      /* of the stream: when its last piece came */
    uint64_t ticket;           /* 0: no worker has it */
    struct sco_worker *worker; /* NULL: it is in the queue, or nowhere */
    struct sco_stream *stream; /* of the reply that is coming in */
    bool half_closed;          /* the client sends no more */
    bool interrupted;          /* Cancelled was raised in its run() */
};

/* Makes a request around a slot, which it owns from now on.
 *
 * Ownership: the caller has the one reference.
 * Errors:    NULL without memory; the slot is then still the caller's. */
struct sco_request *sco_request_create(struct sco_arena *arena,
                                       struct sco_slot slot);

/* Takes one more reference and returns `req`. */
struct sco_request *sco_request_ref(struct sco_request *req);

/* Gives a reference back; the last one gives the slot back and frees the
 * request. NULL is allowed. */
void sco_request_unref(struct sco_request *req);

/* Answers a request. Several may try, the first one is heard and gets true.
 * An answer that nobody hears is released here. */
bool sco_request_answer(struct sco_request *req, struct sco_answer *answer);

/* Answers with a failure. */
bool sco_request_fail(struct sco_request *req, enum sco_status failure,
                      const char *detail, pid_t pid);

/* Nobody waits for the answer any more: none is heard, and the time that the
 * caller gave means nothing. */
void sco_request_forget(struct sco_request *req);

/* Whether it waits in the queue. */
static inline bool
sco_request_is_queued(const struct sco_request *req)
{
    return req->place.set != NULL;
}

/* Whether further work on this request is wasted. */
static inline bool
sco_request_is_answered(const struct sco_request *req)
{
    return req->on_answer == NULL;
}

/* Gives back what an answer holds beside the request's own slot: a block of
 * the worker's, a stream. */
void sco_answer_release(struct sco_answer *answer);

#endif
