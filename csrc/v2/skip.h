/* skip.h - moving over an array of JSON without reading it
 *
 * Eight bytes a step, for the data of a request, which whoever decodes them
 * reads anyway. Thread: that of its owner.
 */
#ifndef SCO_V2_SKIP_H
#define SCO_V2_SKIP_H

#include "tensor/json.h"

/* Moves over the array that begins at the reader's place, as it does after
 * sco_json_peek() said so, and gives its text. Only its end is looked for:
 * what is in it may be no JSON, and must be read before it is believed.
 *
 * Errors: the reader fails when the array does not end. */
struct sco_slice sco_v2_skip_array(struct sco_json *json);

#endif
