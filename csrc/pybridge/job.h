/* job.h - the inputs of one request, read and decoded
 *
 * A request's body is read in one of three forms: as an infer request of the
 * v2 protocol, as a JSON object of run()'s arguments, or as one tensor (.npy,
 * raw bytes). Whatever it was, its inputs are then described in `request`,
 * and their rows can be decoded to where they are wanted. The body of an infer
 * request may be packed; the caller then unpacks it and has it read again.
 *
 * Nothing here knows Python. Thread: that of the job's owner, with or without
 * a GIL.
 */
#ifndef SCO_PYBRIDGE_JOB_H
#define SCO_PYBRIDGE_JOB_H

#include "base/status.h"
#include "link/call.h"
#include "pybridge/memory.h"
#include "v2/coding.h"
#include "v2/request.h"

#include <stdbool.h>

struct sco_job {
    struct sco_call call;
    struct sco_v2_request request;
    /* For each input: its elements, if they are decoded already, else NULL.
     * Those of BYTES are: first a size_t for each, where it ends, then the
     * bytes. */
    struct sco_memory **decoded;
    bool is_infer;               /* of the v2 protocol: so are its replies */
    enum sco_v2_coding coding;   /* of the body as it came */
    struct sco_memory *unpacked; /* the body, if that was packed */
};

/* Makes a job for requests to a model, whose signature must outlive it.
 *
 * Errors: SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_job_init(struct sco_job *job,
                             const struct sco_v2_signature *signature,
                             struct sco_error *err);

/* Ends it. A zeroed one is allowed. */
void sco_job_finish(struct sco_job *job);

/* Reads a call, whose body must hold until the job is cleared.
 *
 * Errors: SCO_INVALID, SCO_TOO_LARGE, SCO_NOMEM; SCO_UNSUPPORTED when the body
 *         is packed, as `coding` says. The job is to be cleared then, too. */
SCO_NODISCARD
enum sco_status sco_job_read(struct sco_job *job,
                             struct sco_memory_shelf *shelf,
                             const struct sco_call *call,
                             struct sco_error *err);

/* Reads on, after SCO_UNSUPPORTED, what the body was before it was packed.
 *
 * Ownership: takes the reference to `body`, of which `len` bytes count.
 * Errors:    as sco_job_read(). */
SCO_NODISCARD
enum sco_status sco_job_read_unpacked(struct sco_job *job,
                                      struct sco_memory_shelf *shelf,
                                      struct sco_memory *body, size_t len,
                                      struct sco_error *err);

/* Decodes `rows` rows of an input of numbers, from row `from` on, to `out`.
 * An input without rows has one.
 *
 * Errors: SCO_INVALID, SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_job_decode(struct sco_job *job,
                               struct sco_memory_shelf *shelf, size_t input,
                               uint64_t from, uint64_t rows, char *out,
                               struct sco_error *err);

enum { SCO_JOB_GROUP_MAX = SCO_V2_TENSORS_MAX * (SCO_RANK_MAX + 1) };

/* What must be equal in requests that go together: the shapes of their rows,
 * as up to SCO_JOB_GROUP_MAX numbers, and a hash of these. */
uint64_t sco_job_group(const struct sco_job *job, uint64_t *dims,
                       size_t *count_out);

/* Lets go of what was decoded, and of the body. */
void sco_job_clear(struct sco_job *job);

#endif
