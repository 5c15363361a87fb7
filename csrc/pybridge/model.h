/* model.h - what a script says of tensors and batches, as C has it
 *
 * Thread: one that is attached to the interpreter; constant once read.
 */
#ifndef SCO_PYBRIDGE_MODEL_H
#define SCO_PYBRIDGE_MODEL_H

#include "pybridge/py.h"

#include "batch/policy.h"
#include "cuda/gpu.h"
#include "v2/signature.h"

#include <stdbool.h>

struct sco_tensor_model {
    struct sco_v2_signature signature;
    bool has_tensors;   /* the signature holds */
    bool is_schema;     /* it was found in schemas: a body that is refused
                           goes to Scoring.invoke() */
    bool is_writable;   /* run() may write to its arrays */
    bool has_batching;  /* `batch` and `runs_most` hold */
    bool is_bodies;     /* run() gets a list of bodies */
    unsigned runs_most; /* of a failed batch */
    struct sco_batch_setup batch;
    PyTypeObject *tensor_type;        /* _core.Tensor */
    PyObject *names;                  /* a tuple of the inputs' names */
    PyObject *array, *call, *outputs; /* methods of Scoring */
    PyObject *unpack;                 /* ... for bodies that are packed */
    PyObject *bodies; /* ... that calls a run() which takes bodies */

    /* Of a script whose arrays are in a GPU's memory; else NULL. */
    struct sco_gpu *gpu;
    PyTypeObject *device_type; /* _core.DeviceTensor */
    PyObject *stream;          /* a method of Scoring */
};

/* Reads what a Scoring object says: *out is NULL when that is nothing.
 *
 * Ownership: the caller ends *out with sco_tensor_model_destroy().
 * Errors:    -1 with an exception. */
int sco_tensor_model_read(PyObject *object, PyTypeObject *call_type,
                          struct sco_tensor_model **out);

/* Lets go of it. NULL is allowed. */
void sco_tensor_model_destroy(struct sco_tensor_model *model);

#endif
