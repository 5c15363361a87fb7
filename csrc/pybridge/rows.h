/* rows.h - rows of one request or many, next to each other: what run() gets
 *
 * Numbers stand in memory of the shelf, or in a slot of the GPU's stage, from
 * where they are copied. Elements of BYTES are always the CPU's.
 *
 * Thread: that of the owner; sco_rows_gather() needs no interpreter.
 */
#ifndef SCO_PYBRIDGE_ROWS_H
#define SCO_PYBRIDGE_ROWS_H

#include "pybridge/py.h"

#include "pybridge/job.h"
#include "pybridge/model.h"

#include <stdbool.h>

struct sco_device;
struct sco_stage_slot;

/* Rows that are one request's. */
struct sco_part {
    struct sco_job *job;
    uint64_t from; /* the first of them in the request */
    uint64_t rows;
    uint64_t at;            /* ... and among all */
    enum sco_status status; /* of their decoding */
    struct sco_error err;
};

/* One input of them all. */
struct sco_column {
    struct sco_memory *memory; /* NULL: it is in the slot */
    char *data;                /* where the numbers are decoded to */
    struct sco_shape shape;    /* of the first request's */
    size_t row_count;          /* elements of a row */
    size_t row_bytes;          /* of numbers */
    size_t ends_bytes;         /* of BYTES: where the strings begin */
    size_t used;               /* ... and how many bytes they have */
    size_t offset;             /* in the slot */
    bool is_there;             /* run() gets it in the GPU's memory */
    bool is_plain;             /* binary data is copied as it is */
};

struct sco_rows {
    const struct sco_tensor_model *model;
    struct sco_stage_slot *slot; /* NULL: there is no GPU */
    uint64_t room;               /* rows that the slot is laid out for */
    uint64_t rows;
    struct sco_column columns[SCO_V2_TENSORS_MAX];
};

/* Begins with none. With a `slot` the numbers are decoded to that. */
void sco_rows_begin(struct sco_rows *rows,
                    const struct sco_tensor_model *model,
                    struct sco_stage_slot *slot);

/* Decodes the parts' rows into one memory for each input. A part that cannot
 * be decoded has its `status`, and no rows. What was gathered before is let
 * go of.
 *
 * Ownership: *rows was begun; the caller ends it with sco_rows_clear(), also
 *            on failure.
 * Errors:    SCO_NOMEM, here or on the GPU; what else the GPU says. */
SCO_NODISCARD
enum sco_status sco_rows_gather(struct sco_rows *rows,
                                struct sco_memory_shelf *shelf,
                                struct sco_part *parts, size_t count,
                                struct sco_error *err);

/* Lets go of the memory, and forgets the slot, which is its owner's to give
 * back. A zeroed one is allowed. */
void sco_rows_clear(struct sco_rows *rows);

/* Some of the rows as run()'s arguments, a dict: a new reference, or NULL
 * with an exception. `device` is the one of the slot, or NULL. Attached. */
PyObject *sco_rows_arguments(const struct sco_rows *rows,
                             struct sco_device *device, uint64_t first,
                             uint64_t count);

#endif
