/* dtype.h - the datatypes of tensors, and what each is called elsewhere
 *
 * Their names are those of the Open Inference Protocol (v2). Constant tables
 * and nothing else. Thread: any.
 */
#ifndef SCO_TENSOR_DTYPE_H
#define SCO_TENSOR_DTYPE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sco_dtype {
    SCO_BOOL,
    SCO_UINT8,
    SCO_UINT16,
    SCO_UINT32,
    SCO_UINT64,
    SCO_INT8,
    SCO_INT16,
    SCO_INT32,
    SCO_INT64,
    SCO_FP16,
    SCO_BF16,
    SCO_FP32,
    SCO_FP64,
    SCO_BYTES,
    SCO_DTYPES, /* how many there are */
};

struct sco_dtype_info {
    const char *name;  /* in v2: "FP32" */
    const char *numpy; /* "float32"; "bfloat16" is ml_dtypes' */
    size_t bytes;      /* of one element; 0 for BYTES, which vary */
    /* Of PEP 3118, native: NumPy makes the dtype `numpy` of it. BF16 has none
     * there and says that of its bits, uint16. */
    char format;
    uint8_t dlpack_code; /* enum DLDataTypeCode; opaque for BYTES */
    uint8_t dlpack_bits; /* 0 for BYTES */
};

/* What is known of a datatype, which must be one. It holds forever. */
const struct sco_dtype_info *sco_dtype_info(enum sco_dtype dtype);

/* The datatype of a v2 name, spelled exactly so. False, and `*out` as it was,
 * when there is none. */
bool sco_dtype_find(struct sco_slice name, enum sco_dtype *out);

#endif
