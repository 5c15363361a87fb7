/* tensor.h - the type _core.Tensor: decoded elements as Python sees them
 *
 * It has the buffer protocol and DLPack, so that an array is made of it
 * without a copy, and knows nothing of NumPy. Elements of BYTES, which no
 * buffer can hold, come out of items() as a list of bytes.
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_TENSOR_H
#define SCO_PYBRIDGE_TENSOR_H

#include "pybridge/py.h"

#include "pybridge/memory.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

#include <stdbool.h>

/* What a Tensor is made of. */
struct sco_tensor_view {
    struct sco_memory *memory;
    const char *data; /* in the memory; of BYTES: where the strings stand */
    /* Of BYTES: where each string ends in `data`, in the memory too; the
     * first of this tensor's begins where ends[-1] says, or at 0. */
    const size_t *ends;
    size_t begin; /* ... and where that is */
    enum sco_dtype dtype;
    struct sco_shape shape;
    bool is_writable;
};

/* Makes the type for a module: a new reference, or NULL with an exception. */
PyTypeObject *sco_tensor_type_create(PyObject *module);

/* Makes a Tensor, which has its own reference of the memory: a new reference,
 * or NULL with an exception. */
PyObject *sco_tensor_create(PyTypeObject *type,
                            const struct sco_tensor_view *view);

/* The lengths of a shape as a tuple: a new reference, or NULL with an
 * exception. */
PyObject *sco_tensor_lengths(const struct sco_shape *shape);

/* ... and a tuple's lengths as a shape. -1 with an exception. */
int sco_tensor_read_lengths(PyObject *shape, struct sco_shape *out);

#endif
