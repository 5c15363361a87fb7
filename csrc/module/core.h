/* core.h - the extension module scorehost._core
 *
 * Multi-phase, all state in the module, heap types only: it may be loaded
 * into any number of interpreters, each with a GIL of its own or none.
 *
 * Thread: one that is attached to an interpreter.
 */
#ifndef SCO_MODULE_CORE_H
#define SCO_MODULE_CORE_H

#include "pybridge/py.h"

#include "base/slice.h"

/* What one instance of the module holds. */
struct sco_core_state {
    PyTypeObject *call_type;
    PyTypeObject *link_type;
    PyTypeObject *tensor_type;
    PyTypeObject *gpu_type;           /* _core.Gpu */
    PyTypeObject *device_tensor_type; /* _core.DeviceTensor */
};

/* The module's definition, as the import system wants it. */
PyMODINIT_FUNC PyInit__core(void);

/* Runs the program (host/program.h): its exit code, or NULL with an
 * exception. `boot` is the text of `boot_text`. In the host's process it does
 * not return.
 *
 * Thread: main, of the main interpreter. Blocks: until the end. */
PyObject *sco_program_serve(PyObject *module, PyTypeObject *call_type,
                            struct sco_slice config, PyObject *boot_text,
                            struct sco_slice boot);

/* Makes the type _core.Link: a new reference, or NULL with an exception. */
PyTypeObject *sco_link_type_create(PyObject *module);

/* Makes this process a remote worker, with the arguments of
 * _core.connect(): a new Link, or NULL with an exception. */
PyObject *sco_link_connect(PyTypeObject *type, PyObject *args);

/* A new pair of keys: a tuple of two strings, or NULL with an exception. */
PyObject *sco_link_keypair(void);

/* Joins a host over an inherited descriptor: a new Link, or NULL with an
 * exception.
 *
 * Ownership: takes `fd`; `parent` as in sco_child_tie().
 * Blocks:    until the host has sent the boot text, without the GIL. */
PyObject *sco_link_attach(PyTypeObject *type, int fd, int parent);

#endif
