#include "tensor/powers.h"

const struct sco_power sco_powers[SCO_POWER_MAX - SCO_POWER_MIN + 1] = {
#define X(high, low) { high, low },
#include "tensor/powers.def"
#undef X
};
