/* outputs.h - what run() returned, as tensors
 *
 * The common case, one contiguous array of the datatype that was declared, is
 * taken by the buffer protocol as it is. Everything else goes through
 * Scoring.outputs() first, which gives capsules of DLPack for what is in the
 * memory of a GPU.
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_OUTPUTS_H
#define SCO_PYBRIDGE_OUTPUTS_H

#include "pybridge/py.h"

#include "pybridge/model.h"
#include "v2/reply.h"

#include <stdint.h>

struct sco_cuda_stream;
struct sco_device;
struct sco_stage_slot;

/* Zeroed there are none. */
struct sco_outputs {
    struct sco_v2_output items[SCO_V2_TENSORS_MAX];
    Py_buffer buffers[SCO_V2_TENSORS_MAX];
    struct sco_slice *strings[SCO_V2_TENSORS_MAX];
    size_t count, buffer_count;
    size_t bytes;                    /* of all numbers */
    PyObject *list;                  /* what Scoring.outputs() made, or NULL */
    void *there[SCO_V2_TENSORS_MAX]; /* where they are on the GPU, or NULL */
    size_t there_bytes;              /* room for all of those */
};

/* Reads a result, with as many rows as were given where the model has rows.
 * `stream` is the one that run() works in on a GPU, 0 without.
 *
 * Ownership: the caller ends *out with sco_outputs_clear(), also on failure;
 *            the elements are Python's until then.
 * Errors:    -1 with an exception that says what was wrong. */
int sco_outputs_read(struct sco_outputs *out,
                     const struct sco_tensor_model *model, PyObject *result,
                     uint64_t rows, uintptr_t stream);

/* Begins to copy what is on the GPU, as it is when `stream`, that of run(),
 * has come so far: the elements are here when the slot is done. -1 with an
 * exception. */
int sco_outputs_fetch(struct sco_outputs *out, struct sco_device *device,
                      struct sco_stage_slot *slot,
                      struct sco_cuda_stream *stream);

/* They are here, and are looked at. -1 with an exception that says what was
 * wrong. */
int sco_outputs_arrived(const struct sco_outputs *out);

/* Lets go of them. */
void sco_outputs_clear(struct sco_outputs *out);

#endif
