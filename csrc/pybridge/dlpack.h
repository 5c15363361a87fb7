/* dlpack.h - arrays handed over in capsules, as DLPack has it
 *
 * The structs are those of its ABI, versions 0.x and 1.x
 * (https://dmlc.github.io/dlpack). A capsule holds a struct that its taker
 * frees, perhaps in another thread, without a GIL, and after the interpreter
 * is gone; so it has a reference of the memory and none of Python's.
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_DLPACK_H
#define SCO_PYBRIDGE_DLPACK_H

#include "pybridge/py.h"

#include "tensor/dtype.h"
#include "tensor/shape.h"

#include <stdbool.h>
#include <stdint.h>

/* Where elements are: DLPack's own numbers. */
enum sco_dlpack_device {
    SCO_DLPACK_CPU = 1,
    SCO_DLPACK_CUDA = 2,
    SCO_DLPACK_CUDA_HOST = 3,
    SCO_DLPACK_CUDA_MANAGED = 13,
};

/* One array: its elements stand one behind the other. */
struct sco_dlpack_array {
    void *data;
    int device; /* enum sco_dlpack_device, or another */
    int device_id;
    enum sco_dtype dtype; /* not BYTES */
    struct sco_shape shape;
    bool is_read_only;
};

/* What a taker asks for. */
struct sco_dlpack_wish {
    PyObject *stream; /* borrowed; None: it says nothing */
    bool is_versioned;
    bool is_copy; /* it wants one of its own */
};

/* Reads the arguments of a __dlpack__(). -1 with an exception. */
int sco_dlpack_wish(PyObject *args, PyObject *kwargs,
                    struct sco_dlpack_wish *out);

/* Makes a capsule, whose end is release(owner): a new reference, or NULL with
 * an exception.
 *
 * Ownership: takes `owner`, but on failure.
 * Errors:    BufferError for what is read-only and has no place to say so. */
PyObject *sco_dlpack_give(const struct sco_dlpack_array *array,
                          const struct sco_dlpack_wish *wish,
                          void (*release)(void *owner), void *owner);

/* Looks into a capsule of somebody else's, which must be kept as long as the
 * elements are used. -1 with an exception.
 *
 * Errors: BufferError for elements that have no datatype of ours, or that do
 *         not stand one behind the other. */
int sco_dlpack_look(PyObject *capsule, struct sco_dlpack_array *out);

#endif
