#include "tensor/dtype.h"

#include "base/status.h"

/* enum DLDataTypeCode of dlpack.h. */
enum {
    DL_INT = 0,
    DL_UINT = 1,
    DL_FLOAT = 2,
    DL_OPAQUE = 3,
    DL_BFLOAT = 4,
    DL_BOOL = 6,
};

/* NumPy's own int64 is a long; "q" would be equal to it, but another type
 * number, which some extensions tell apart. */
_Static_assert(sizeof(long) == 8, "\"l\" and \"L\" have 64 bits");

/* clang-format off */
static const struct sco_dtype_info infos[SCO_DTYPES] = {
    [SCO_BOOL]   = { "BOOL",   "bool",     1, '?', DL_BOOL,   8 },
    [SCO_UINT8]  = { "UINT8",  "uint8",    1, 'B', DL_UINT,   8 },
    [SCO_UINT16] = { "UINT16", "uint16",   2, 'H', DL_UINT,   16 },
    [SCO_UINT32] = { "UINT32", "uint32",   4, 'I', DL_UINT,   32 },
    [SCO_UINT64] = { "UINT64", "uint64",   8, 'L', DL_UINT,   64 },
    [SCO_INT8]   = { "INT8",   "int8",     1, 'b', DL_INT,    8 },
    [SCO_INT16]  = { "INT16",  "int16",    2, 'h', DL_INT,    16 },
    [SCO_INT32]  = { "INT32",  "int32",    4, 'i', DL_INT,    32 },
    [SCO_INT64]  = { "INT64",  "int64",    8, 'l', DL_INT,    64 },
    [SCO_FP16]   = { "FP16",   "float16",  2, 'e', DL_FLOAT,  16 },
    [SCO_BF16]   = { "BF16",   "bfloat16", 2, 'H', DL_BFLOAT, 16 },
    [SCO_FP32]   = { "FP32",   "float32",  4, 'f', DL_FLOAT,  32 },
    [SCO_FP64]   = { "FP64",   "float64",  8, 'd', DL_FLOAT,  64 },
    [SCO_BYTES]  = { "BYTES",  "object",   0, 'O', DL_OPAQUE, 0 },
};
/* clang-format on */

const struct sco_dtype_info *
sco_dtype_info(enum sco_dtype dtype)
{
    SCO_CHECK((unsigned)dtype < SCO_DTYPES, "no such datatype");
    return &infos[dtype];
}

bool
sco_dtype_find(struct sco_slice name, enum sco_dtype *out)
{
    for (unsigned i = 0; i < SCO_DTYPES; i++) {
        if (sco_slice_equal(name, sco_slice_of(infos[i].name))) {
            *out = (enum sco_dtype)i;
            return true;
        }
    }
    return false;
}
