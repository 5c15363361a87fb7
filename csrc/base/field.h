/* field.h - a header field: a name and its value, owned by somebody else */
#ifndef SCO_BASE_FIELD_H
#define SCO_BASE_FIELD_H

#include "base/slice.h"

struct sco_field {
    struct sco_slice name, value;
};

#endif
