/* unpack.h - what the body of a request was before the client packed it
 *
 * Python's own zlib does it (python/scorehost/unpack.py): such bodies are few,
 * the library is there wherever Python is, and it has the GIL let go.
 *
 * Thread: one that is attached to the interpreter.
 */
#ifndef SCO_PYBRIDGE_UNPACK_H
#define SCO_PYBRIDGE_UNPACK_H

#include "pybridge/py.h"

#include "base/slice.h"
#include "base/status.h"
#include "pybridge/memory.h"
#include "v2/coding.h"

/* Unpacks a body by `method`, which is Scoring.unpack(). What comes out has
 * as many bytes as a body may have that was never packed, and no more memory
 * than that is taken for one that would have more.
 *
 * Ownership: the caller has the reference *out, of whose bytes *len_out count.
 * Errors:    SCO_INVALID: the body is broken, or ends too soon;
 *            SCO_TOO_LARGE; SCO_UNSUPPORTED: this Python cannot; SCO_NOMEM. */
SCO_NODISCARD
enum sco_status sco_unpack(PyObject *method, enum sco_v2_coding coding,
                           struct sco_slice body,
                           struct sco_memory_shelf *shelf,
                           struct sco_memory **out, size_t *len_out,
                           struct sco_error *err);

#endif
