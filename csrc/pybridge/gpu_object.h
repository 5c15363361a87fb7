/* gpu_object.h - the type _core.Gpu: a GPU that a worker has opened
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_GPU_OBJECT_H
#define SCO_PYBRIDGE_GPU_OBJECT_H

#include "pybridge/py.h"

#include "cuda/gpu.h"

/* Makes the type for a module: a new reference, or NULL with an exception.
 * What it sends are DeviceTensors of the same module. */
PyTypeObject *sco_gpu_type_create(PyObject *module);

/* Opens a GPU: open_gpu(paths, device) with the paths of CUDA runtimes to try
 * and a number. A new reference, or NULL with an exception, which is
 * RuntimeError when there is none.
 *
 * Blocks: until the driver is up; the GIL is let go. */
PyObject *sco_gpu_object_open(PyTypeObject *type, PyObject *args);

/* The GPU of a _core.Gpu of any module, or NULL for another object. The
 * object keeps its reference. */
struct sco_gpu *sco_gpu_of(PyObject *object, const PyTypeObject *type);

#endif
