/* device_tensor.h - the type _core.DeviceTensor: elements in a GPU's memory
 *
 * It has DLPack and __cuda_array_interface__, so that PyTorch, CuPy, JAX,
 * Numba and others make their own arrays of it without a copy, and it can be
 * cut along its first dimension. That is all.
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_DEVICE_TENSOR_H
#define SCO_PYBRIDGE_DEVICE_TENSOR_H

#include "pybridge/py.h"

#include "cuda/gpu.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

struct sco_device_view {
    struct sco_gpu_block *block;
    char *data; /* in the block */
    enum sco_dtype dtype;
    struct sco_shape shape;
};

/* Makes the type for a module: a new reference, or NULL with an exception. */
PyTypeObject *sco_device_tensor_type_create(PyObject *module);

/* Makes a DeviceTensor, which has its own reference of the block: a new
 * reference, or NULL with an exception. */
PyObject *sco_device_tensor_create(PyTypeObject *type,
                                   const struct sco_device_view *view);

#endif
