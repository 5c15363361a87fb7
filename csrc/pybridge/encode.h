/* encode.h - a result of run() as JSON text
 *
 * What json.dumps() makes of it with its defaults, byte for byte, without the
 * Python-level work that json.dumps() does before it reaches C. Plain data is
 * written by json.c; the rest that json.dumps() takes goes through the parts
 * of the json module that are written in C.
 *
 * Thread: that of its owner. An encoder remembers what it is inside of, to
 * find circular data; two threads must not share one.
 */
#ifndef SCO_PYBRIDGE_ENCODE_H
#define SCO_PYBRIDGE_ENCODE_H

#include "pybridge/py.h"

#include "base/text.h"

#include <stdbool.h>

struct sco_encoder {
    struct sco_text text; /* what json.c wrote; its memory is kept */
    PyObject *last;       /* what `encode` made, or NULL */
    PyObject *encode;     /* a json.encoder.c_make_encoder, or NULL */
    PyObject *markers;    /* its dict of the containers that it is inside of */
    PyObject *zero;       /* the indent level that it starts at */
    PyObject *empty;      /* "" */
};

/* Makes an encoder.
 *
 * Ownership: the caller ends it with sco_encoder_finish().
 * Errors:    -1 with an exception, and *out is zero. */
int sco_encoder_init(struct sco_encoder *out);

/* Lets go of it. A zeroed one is allowed. */
void sco_encoder_finish(struct sco_encoder *encoder);

/* Makes the JSON text of a result. False, without an exception, when the
 * result is not of a type that json.dumps() takes as it is, or when encoding
 * it failed: Scoring.finish() knows what either means.
 *
 * Ownership: *out is the encoder's, until sco_encoder_clear(). */
bool sco_encode(struct sco_encoder *encoder, PyObject *result,
                struct sco_slice *out);

/* Forgets the text, and gives back memory that is worth it. */
void sco_encoder_clear(struct sco_encoder *encoder);

#endif
