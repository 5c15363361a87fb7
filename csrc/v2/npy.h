/* npy.h - tensors as files of NumPy: the format .npy, versions 1 to 3
 *
 * Numbers only, little-endian, in C order. An array in Fortran's order is
 * refused and not turned: turning it is a pass over memory that the caller's
 * np.ascontiguousarray() does as well, and once. Nothing is ever unpickled.
 * Thread: any.
 */
#ifndef SCO_V2_NPY_H
#define SCO_V2_NPY_H

#include "base/status.h"
#include "v2/array.h"

struct sco_text;

/* Reads a whole file.
 *
 * Ownership: the data of *out are the file's.
 * Errors:    SCO_INVALID, also for what NumPy alone reads: other versions,
 *            dtypes, byte orders, Fortran's order; SCO_TOO_LARGE. */
SCO_NODISCARD
enum sco_status sco_v2_npy_read(struct sco_slice file,
                                struct sco_v2_array *out,
                                struct sco_error *err);

/* Appends the head of a file, version 1.0, padded so that the data begin at a
 * multiple of 64 bytes, as NumPy's does; `array->data` go behind it. BF16 is
 * written as the uint16 of its bits.
 *
 * Errors: SCO_INVALID for BYTES. */
SCO_NODISCARD
enum sco_status sco_v2_npy_write_head(const struct sco_v2_array *array,
                                      struct sco_text *out,
                                      struct sco_error *err);

#endif
